"""From the bytes of one image file to what a person would see: upright RGB in sRGB, on white."""

import contextlib
import functools
import io
import threading
import warnings
from typing import NamedTuple

import numpy as np
from PIL import Image, JpegImagePlugin, PngImagePlugin

from realfake_lib.data import colour, containers
from realfake_lib.errors import UserError

MIN_SIDE = 8
"""Smallest side in pixels that still says anything about where an image comes from."""

MAX_PIXELS = 256_000_000
"""Largest image looked at: above any camera's."""

MEMORY = 2**30
"""Bytes that all images being decoded may take together, and so the most that one may take."""

_SMALL = 2**22  # bytes that need no waiting for, whatever the number of threads
_BAND = 2**21  # pixels converted at a time

_ORIENTATION = 0x0112  # EXIF tag
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# What Pillow warns of, odd metadata and sizes, is read all the same here, or refused by name.
warnings.filterwarnings("ignore", module=r"PIL\.")

# The C library gives blocks of 32 MiB and more back as soon as they are freed; of Pillow's usual
# 16 MiB, each thread would keep those of the largest image that it ever decoded.
Image.core.set_block_size(2**26)


# Generators write their workflow into a PNG's text; more than 1 MB of it is no damage.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = 2**26


class Decoded(NamedTuple):
    """The pixels that were asked for, and the size of the whole image, upright."""

    pixels: np.ndarray
    width: int
    height: int


def decode(content, name, size=None):
    """Decode the bytes of one image file; ``name`` is for messages. Gives a :class:`Decoded`."""
    with in_words(name):
        return _decode(content, name, size)


def from_pillow(image, name):
    """Pixels of a Pillow image as those of a file; ``name`` stands in messages."""
    with in_words(name):
        _check_one_image(name, image.format in _OF_MANY or getattr(image, "n_frames", 1) == 1)
        check_side(name, *image.size)
        image.load()
        white = _white(image, name) if image.format == "TIFF" else _WHITE
        image = _upright(image, _orientation(image.info.get("exif", b"")))
        return np.array(_to_rgb(image, image.info.get("icc_profile", b""), name, white))


class _Budget:
    """Lets threads wait until what they are going to take of a total is free."""

    def __init__(self, total):
        self._free = total
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def hold(self, amount):
        with self._changed:
            self._changed.wait_for(lambda: self._free >= amount)
            self._free -= amount
        try:
            yield
        finally:
            with self._changed:
                self._free += amount
                self._changed.notify_all()


_IN_FLIGHT = _Budget(MEMORY)


@contextlib.contextmanager
def in_words(name):
    """Turn whatever a decoder raises into words about the file ``name``.

    Decoders are many, and so is what they raise; a list would never be complete, and one file must
    not end a batch.
    """
    try:
        yield
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(f"{name} takes more memory than there is") from error
    except Exception as error:
        words = "".join(c if c.isprintable() else " " for c in str(error))
        why = " ".join(words.split())[:200] or type(error).__name__
        raise UserError(f"{name} is damaged or cut off: {why}") from error


def _decode(content, name, size):
    if not content:
        raise UserError(f"{name} is empty (0 bytes)")
    if containers.is_camera_raw(content):
        raise UserError(
            f"{name} is a camera's raw file: a sensor's values, not yet an image",
            "Export it as JPEG, PNG or TIFF first.",
        )
    kind = _kind(content)
    if kind is None:
        raise UserError(f"{name} is not an image (or of a kind not read here)")
    if kind == "WEBP" and (size_told := containers.webp_size(content)):
        _scale(name, kind, *size_told)  # its decoder takes the memory when it is made
    elif kind == "TIFF":
        _check_one_image(name, containers.is_one_image(content))
    image = _plugin(kind)(io.BytesIO(content))
    if kind == "PNG" and "transparency" in image.info:
        image.info["transparency"] = _transparent_value(content, image.info["transparency"])
    if kind in ("GIF", "PNG", "WEBP", "AVIF"):
        _check_one_image(name, not image.is_animated)
    width, height = image.size
    if kind == "JPEG" and content.count(b"\xff\xda") > _MAX_SCANS:
        raise UserError(
            f"{name} comes in more than {_MAX_SCANS} scans, which takes minutes to decode"
        )
    coefficients = _coefficients(image) if kind == "JPEG" else 0
    scale = _scale(name, kind, width, height, coefficients, size)
    cost = _cost(kind, width, height, coefficients, scale)
    with _IN_FLIGHT.hold(cost) if cost > _SMALL else contextlib.nullcontext():
        if scale > 1:
            image.draft("RGB", (width // scale, height // scale))
        image.load()
        turned = kind in ("HEIF", "TIFF")  # by the decoder itself
        orientation = 1 if turned else _orientation(image.info.get("exif", b""))
        icc = image.info.get("icc_profile", b"")
        white = _white(image, name) if kind == "TIFF" else _WHITE
        # From here on only two forms of the image exist at a time: each step frees the last one.
        image = _upright(image, orientation)
        if orientation >= 5:
            width, height = height, width
        if size and image.width != image.height:
            image = image.crop(central_square(*image.size))
        image = _to_rgb(image, icc, name, white)
        return Decoded(_pixels(image, size), width, height)


_SIGNATURES = {
    b"\xff\xd8": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"GIF8": "GIF", b"BM": "BMP",
    **dict.fromkeys(containers.TIFF, "TIFF"),
    **dict.fromkeys((b"P1", b"P2", b"P3", b"P4", b"P5", b"P6"), "PPM"),
}  # fmt: skip
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def _kind(content):
    """What the first bytes say that a file is, or None; its name says nothing."""
    if content[4:8] == b"ftyp":
        end = min(int.from_bytes(content[:4], "big"), 256)
        brands = [content[at : at + 4] for at in (8, *range(16, end, 4))]
        if b"avif" in brands or b"avis" in brands:
            return "AVIF"
        return "HEIF" if any(brand in _HEIF_BRANDS for brand in brands) else None
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    found = (kind for start, kind in _SIGNATURES.items() if content.startswith(start))
    return next(found, None)


@functools.cache
def _plugin(kind):
    """Pillow's class for files of a kind, imported when the first one comes."""
    if kind == "HEIF":
        import pillow_heif

        return pillow_heif.HeifImageFile
    Image.init()
    return JpegImagePlugin.JpegImageFile if kind == "JPEG" else Image.OPEN[kind][0]


_OF_MANY = ("MPO", "HEIF")
"""Formats of phones, whose first or primary image is the photograph that a viewer shows."""


def _transparent_value(content, value):
    """PNG's transparent colour, given in the file's own bits, in those that Pillow decodes to."""
    bits, colours = content[24], content[25]
    if colours == 0 and bits < 8:
        return value * 255 // ((1 << bits) - 1)
    if colours == 2 and bits == 16:  # of these Pillow keeps the upper 8
        return tuple(part >> 8 for part in value)
    return value


def _check_one_image(name, is_one):
    if not is_one:
        raise UserError(
            f"{name} is animated or has several pages",
            "Save the frame to judge as its own image.",
        )


_BYTES_PER_PIXEL = {"WEBP": 16, "AVIF": 16, "HEIF": 16}
"""What decoding takes, with what the decoder keeps; of other kinds an image and its next form, of 4
bytes a pixel each. Measured with 24 million pixels: 16, 11 and 8."""


_MAX_SCANS = 100
"""Passes over the pixels of a progressive JPEG, which has about ten; each costs as much again."""


def _coefficients(image):
    """Bytes that the decoder of a progressive JPEG keeps before it can give a first pixel."""
    if "progressive" not in image.info:
        return 0
    samples = [across * down for _, across, down, *_ in image.layer]
    return 2 * image.width * image.height * sum(samples) // max(1, *samples)


def _cost(kind, width, height, coefficients, scale):
    """Bytes that decoding takes at most."""
    return width * height // scale**2 * _BYTES_PER_PIXEL.get(kind, 8) + coefficients


def check_side(name, width, height):
    """Raise UserError where an image is too small to say anything of."""
    if min(width, height) < MIN_SIDE:
        hint = f"At least {MIN_SIDE} pixels a side are needed to say anything."
        raise UserError(f"{name} is too small: {width:,}×{height:,} pixels", hint)


def _scale(name, kind, width, height, coefficients=0, size=None):
    """By how much to reduce the image while it is decoded, if it is of a size to decode at all."""
    check_side(name, width, height)
    if width * height <= MAX_PIXELS:
        for scale in (1, 2, 4, 8) if kind == "JPEG" and size else (1,):
            if scale > 1 and min(width, height) // scale < size:
                break
            if _cost(kind, width, height, coefficients, scale) <= MEMORY:
                return scale
    most = min(MAX_PIXELS, MEMORY // _BYTES_PER_PIXEL.get(kind, 8)) / 1e6
    hint = f"Up to {most:.0f} million pixels of such a file are decoded; reduce it first."
    raise UserError(f"{name} is too large: {width:,}×{height:,} pixels", hint)


def _orientation(exif):
    """EXIF's orientation, 1 to 8; 1 where the block is damaged, as viewers take it."""
    if not exif:
        return 1
    try:
        block = Image.Exif()
        block.load(exif)
        value = block.get(_ORIENTATION)
    except Exception:  # an odd EXIF block is none of the image's business
        return 1
    return value if value in _UPRIGHT else 1


def _upright(image, orientation):
    return image.transpose(_UPRIGHT[orientation]) if orientation > 1 else image


def central_square(width, height):
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def resampled(square, size):
    # Pillow widens the filter with the reduction factor, so fine texture does not alias.
    return square.resize((size, size), Image.Resampling.BICUBIC)


def _bands(image):
    """An image in bands of a few million pixels: the place of each, and itself."""
    step = max(1, _BAND // image.width)
    for top in range(0, image.height, step):
        bottom = min(top + step, image.height)
        yield slice(top, bottom), image.crop((0, top, image.width, bottom))


def _pixels(image, size):
    """Array of an RGB image, cut and resampled if there is a size."""
    if size:
        if image.width != image.height:
            image = image.crop(central_square(*image.size))
        return np.array(image if image.width == size else resampled(image, size))
    if image.width * image.height <= _BAND:
        return np.array(image)
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for rows, band in _bands(image):
        pixels[rows] = np.asarray(band)
    return pixels


_SAVE_WITH_FEWER_BITS = "Save it with 8 or 16 unsigned bits a channel."

_WHITE = (0, 65535)
_SIXTEEN_BITS = ("I", "I;16", "I;16L", "I;16B", "I;16N")


def _white(image, name):
    """Values of black and white of a TIFF with more than 8 bits of grey."""
    if image.mode not in _SIXTEEN_BITS:
        return _WHITE
    bits = image.tag_v2.get(258, (16,))[0]
    if bits > 16 or image.tag_v2.get(339, (1,))[0] != 1:  # nothing says which value is white
        raise UserError(f"{name} has {bits}-bit integers", _SAVE_WITH_FEWER_BITS)
    white = (1 << bits) - 1 if bits < 16 else 65535
    return (white, 0) if image.tag_v2.get(262) == 0 else (0, white)


def _to_rgb(image, icc, name, white=_WHITE):
    """RGB in sRGB's colours, on white; band by band, so that what comes between stays small."""
    if image.mode == "RGB" and not image.has_transparency_data and not colour.changes(image, icc):
        return image
    if image.width * image.height <= _BAND:
        return _band_to_rgb(image, icc, name, white)
    shown = Image.new("RGB", image.size)
    for rows, band in _bands(image):
        shown.paste(_band_to_rgb(band, icc, name, white), (0, rows.start))
    return shown


def _band_to_rgb(image, icc, name, white):
    if image.mode in _SIXTEEN_BITS:
        image = _eight_bits(image, name, *white)
    elif image.mode == "F":
        raise UserError(f"{name} has floating-point pixels", "Save it with 8 bits a channel.")
    elif image.mode == "LAB":
        return colour.lab_to_srgb(image)
    if not image.has_transparency_data:
        known = image if image.mode in ("L", "CMYK") else image.convert("RGB")
        return colour.to_srgb(known, icc).convert("RGB")
    seen = image.convert("RGBA")
    if icc:
        opaque = image.getchannel("L") if image.mode == "LA" else seen.convert("RGB")
        opaque = colour.to_srgb(opaque, icc).convert("RGB")
        opaque.putalpha(seen.getchannel("A"))
        seen = opaque
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), seen).convert("RGB")


def _eight_bits(image, name, black, white):
    values = np.asarray(image).astype(np.int32)
    if values.min() < 0 or values.max() > 65535:
        raise UserError(f"{name} has 32-bit integers", _SAVE_WITH_FEWER_BITS)
    shown = np.round((values - black) * (255 / (white - black))).clip(0, 255).astype(np.uint8)
    if "transparency" in image.info:
        shown[values == image.info["transparency"]] = 255
    return Image.fromarray(shown)
