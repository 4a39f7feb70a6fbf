"""Decode image files into uint8 RGB arrays, refusing what cannot be judged with a clear message."""

import io
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from realfake_lib.errors import UserError

MAX_PIXELS = 120_000_000
"""Largest image decoded (360 MB as RGB): above any camera's, far below what fills a memory."""

MIN_SIDE = 8
"""Smallest side in pixels that still says anything about where an image comes from."""

_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "AVIF")
_ORIENTATION = 0x0112  # EXIF tag
_SCAN = b"\xff\xda"  # JPEG's start-of-scan marker: before it come sizes, tables and metadata


def load_image(path, size=None):
    """Read one image file as it would be seen: upright, 8-bit RGB, transparency on white.

    Parameters
    ----------
    path : path-like
        JPEG, PNG, WebP, BMP, TIFF, GIF, PPM or AVIF with one frame.
    size : int, optional
        Side of the square to return. The largest central square is taken and reduced with an
        antialiasing filter. Without it the image keeps its size and shape.

    Returns
    -------
    (h, w, 3) uint8 array in [0, 255]

    Raises
    ------
    UserError
        The file is missing, empty, cut off, not an image, animated, smaller than 8 pixels on a
        side, or larger than 120 million pixels. Names the file.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise UserError(f"{path} is a folder, not an image")
        if not path.exists():
            why = "is a link to nothing" if path.is_symlink() else "does not exist"
            raise UserError(f"{path} {why}")
        if not path.is_file():
            raise UserError(f"{path} is not a plain file")
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    return decode(content, path, size)


def decode(content, name, size=None):
    """Decode the bytes of one image file; ``name`` stands in messages. See :func:`load_image`."""
    image, _ = _decode_checked(content, name)
    return resize(np.asarray(image), size) if size else np.array(image)


def from_pillow(image, name):
    """Pixels of a Pillow image as :func:`load_image` gives them; ``name`` stands in messages."""
    return np.array(_to_rgb(ImageOps.exif_transpose(image), name))


def resize(images, size):
    """Cut the largest central square and resample it with an antialiased bicubic filter.

    Parameters
    ----------
    images : (h, w, 3) or (n, h, w, 3) uint8 array
    size : int
        Side of the result in pixels.

    Returns
    -------
    (size, size, 3) or (n, size, size, 3) uint8 array
    """
    images = np.asarray(images)
    if images.ndim == 4:
        return np.stack([resize(image, size) for image in images])
    height, width = images.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = images[top : top + side, left : left + side]
    if side == size:
        return np.ascontiguousarray(square)
    # Pillow widens the filter with the reduction factor, so fine texture does not alias.
    return np.array(Image.fromarray(square).resize((size, size), Image.Resampling.BICUBIC))


def encode_jpeg(image, quality=75):
    """JPEG bytes of one (h, w, 3) uint8 image; 75 and 4:2:0 are CIFAKE's own settings."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return buffer.getvalue()


def jpeg_header(content):
    """A JPEG file up to its pixel data (size, tables, metadata); b"" for another kind of file."""
    return content[: content.find(_SCAN)] if content[:2] == b"\xff\xd8" else b""


class BatchDecoder:
    """Decode many files into one array, fast where they come from the same encoder.

    A JPEG's header says everything about how it is to be decoded. The first file with a given
    header takes the careful path; later files with byte-identical headers that need no conversion
    go straight to Pillow's decoder, which saves two thirds of the time at 32×32 pixels.

    Parameters
    ----------
    bad : BadFiles
        Takes the files that cannot be decoded.
    size : int or None
        Side to resample to; None keeps the native size, which then has to be the same for all.
    """

    def __init__(self, bad, size=None):
        self.bad = bad
        self.size = size
        self.side = size
        self._plain = {}  # header → (width, height) of files that need no conversion
        self._threads = min(8, os.cpu_count() or 1)
        self._pool = ThreadPoolExecutor(self._threads)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._pool.shutdown(cancel_futures=True)

    def submit(self, names, contents):
        """Start to decode a list of files; the result is for :meth:`finish`."""
        step = -(-len(names) // self._threads)
        parts = [slice(at, at + step) for at in range(0, len(names), step)]
        return names, [self._pool.submit(self._decode_part, names[p], contents[p]) for p in parts]

    def finish(self, submitted):
        """Wait for files that :meth:`submit` started.

        Returns
        -------
        list of (side, side, 3) uint8 arrays
            Of the files that could be decoded; the others went to ``bad``.

        Raises
        ------
        UserError
            The first file whose size differs: a setting is the remedy for all of them.
        """
        names, futures = submitted
        images = []
        for name, found in zip(names, (one for f in futures for one in f.result()), strict=True):
            if isinstance(found, str):
                self.bad.add(found)
                continue
            self._check_same_size(name, *found.shape[:2])
            images.append(found)
        return images

    def _check_same_size(self, name, height, width):
        self.side = self.side or height
        if (height, width) != (self.side, self.side):
            where = f"{self.bad.where}: {name}"
            raise UserError(
                f"{where} is {width}×{height} pixels, not {self.side}×{self.side} like the others"
                if height == width
                else f"{where} is {width}×{height} pixels, not square",
                "Set image_size (--image-size on the command line): images are then cut to their "
                "central square and brought to it.",
            )

    def _decode_part(self, names, contents):
        """Pixels of each file, or the words for what is wrong with it."""
        found = []
        for name, content in zip(names, contents, strict=True):
            try:
                found.append(self._decode_one(name, content))
            except UserError as error:
                found.append(error.message)
        return found

    def _decode_one(self, name, content):
        header = jpeg_header(content)
        size = self._plain.get(header)
        pixels = None if size is None else _decode_plain_jpeg(content, *size)
        if pixels is None:  # a new kind of file, or damaged: the careful path has the words for it
            image, plain_jpeg = _decode_checked(content, name)
            if plain_jpeg:
                self._plain[header] = image.size
            pixels = np.asarray(image)
        return pixels if self.size is None else resize(pixels, self.size)


def _decode_plain_jpeg(content, width, height):
    """Pixels of an RGB JPEG of known size, or None where the data do not decode."""
    try:
        raw = Image.frombytes("RGB", (width, height), content, "jpeg", "RGB", "").tobytes()
    except ValueError:
        return None
    return np.frombuffer(raw, np.uint8).reshape(height, width, 3)


def _decode_checked(content, name):
    """Upright RGB Pillow image, and whether it is a JPEG that needed no conversion."""
    if not content:
        raise UserError(f"{name} is empty (0 bytes)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content), formats=_known_formats())
        _check_size(name, *image.size)
        # A phone's MPO is one photograph with a preview or depth map behind it, not an animation.
        frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
        if frames > 1:
            raise UserError(
                f"{name} is animated or has several pages ({frames} frames)",
                "Save the frame to judge as its own image.",
            )
        image.load()
        upright = ImageOps.exif_transpose(image)
    except Image.DecompressionBombError as error:
        raise UserError(f"{name} is too large to decode: {error}") from error
    except UnidentifiedImageError as error:
        raise UserError(f"{name} is not an image (or of a kind not read here)") from error
    except (OSError, SyntaxError, ValueError, EOFError, TypeError, IndexError) as error:
        raise UserError(f"{name} is damaged or cut off: {error}") from error
    is_upright = image.getexif().get(_ORIENTATION, 1) == 1
    plain_jpeg = image.format == "JPEG" and image.mode == "RGB" and is_upright
    return _to_rgb(upright, name), plain_jpeg


def _known_formats():
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def _check_size(name, width, height):
    if width * height > MAX_PIXELS:
        raise UserError(
            f"{name} is too large: {width:,}×{height:,} pixels",
            f"At most {MAX_PIXELS / 1e6:.0f} million pixels are decoded; reduce it first.",
        )
    if min(width, height) < MIN_SIDE:
        raise UserError(
            f"{name} is too small: {width}×{height} pixels",
            f"At least {MIN_SIDE} pixels a side are needed to say anything.",
        )


def _to_rgb(image, name):
    if image.mode in ("I", "I;16", "I;16L", "I;16B", "I;16N"):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise UserError(f"{name} has 32-bit pixels", "Save it with 8 or 16 bits a channel.")
        image = Image.fromarray(np.round(values / 257).astype(np.uint8))
    elif image.mode == "F":
        raise UserError(f"{name} has floating-point pixels", "Save it with 8 bits a channel.")
    if image.has_transparency_data:
        with_alpha = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, with_alpha).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")
