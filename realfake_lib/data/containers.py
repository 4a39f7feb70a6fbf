"""What stands around the pixels of an image file, taken apart by the lengths that the file gives.

Decoders read a file's metadata, too, and fail on some or take it for the image. So they are
handed JPEG and PNG files without; what a viewer heeds of it, EXIF's orientation and the colour
profile, is taken here.
"""

import struct
import zlib
from typing import NamedTuple

MAX_PROFILE = 16 * 2**20
"""Largest colour profile taken, in bytes; a printer's have 1 to 3 million."""

_SOS, _COMMENT = 0xDA, 0xFE
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # the others define tables
_METADATA = frozenset((*range(0xE1, 0xEE), 0xEF, _COMMENT))  # APP0 and APP14 tell of the colours
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))

_PNG_METADATA = frozenset((b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf"))


class Bare(NamedTuple):
    """A file without its metadata.

    Attributes
    ----------
    content : bytes
        What a decoder gets.
    exif : bytes
        The EXIF block, ``b""`` where there is none.
    icc : bytes
        The colour profile, ``b""`` where there is none.
    frame : JpegFrame or None
        Of a JPEG.
    """

    content: bytes
    exif: bytes = b""
    icc: bytes = b""
    frame: object = None


class JpegFrame(NamedTuple):
    """How a JPEG's image is stored.

    Attributes
    ----------
    width, height : int
        Pixels.
    is_plain : bool
        One baseline frame of three 8-bit components, as almost all are.
    coefficients : int
        Bytes that a decoder has to keep before it can give a first pixel: none where one scan
        holds all components, row by row.
    """

    width: int
    height: int
    is_plain: bool
    coefficients: int


def jpeg_header(content):
    """A JPEG file up to its pixel data (size, tables, metadata); b"" for another kind of file."""
    if content[:2] != b"\xff\xd8":
        return b""
    end = 2
    for segment in _jpeg_segments(content):
        end = segment[-1]
    return content[:end]


def bare_jpeg(content):
    """Take a JPEG apart.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    Bare
        As far as the segments can be followed; what comes behind is left as it is.
    """
    exif, profile, frames, kept, start, end = b"", {}, [], [], 0, 2
    for marker, at, end in _jpeg_segments(content):
        if marker in _FRAMES:
            frames.append((marker, content[at + 4 : end]))
        if marker not in _METADATA:
            continue
        kept.append(content[start:at])
        start = end
        if marker == 0xE1 and not exif and content[at + 4 : at + 10] == b"Exif\0\0":
            exif = content[at + 10 : end]
        elif marker == 0xE2 and content[at + 4 : at + 16] == b"ICC_PROFILE\0":
            profile.setdefault(content[at + 16 : at + 17], content[at + 18 : end])
    icc = b"".join(profile[number] for number in sorted(profile)) if profile else b""
    scan = content[end + 4 : end + 5]
    frame = _jpeg_frame(*frames[0], scan[0] if scan else 0, len(frames)) if frames else None
    if kept:
        content = b"".join((*kept, memoryview(content)[start:]))
    return Bare(content, exif, icc, frame)


def _jpeg_segments(content):
    """Marker, start and end of each segment before the first scan."""
    at, last = 2, len(content) - 4
    while at <= last and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == _SOS:
            return
        if marker == 0xFF:  # bytes to fill up
            end = at + 1
        elif marker in _WITHOUT_LENGTH:
            end = at + 2
        else:
            end = at + 2 + (content[at + 2] << 8 | content[at + 3])
        yield marker, at, end
        at = end


def _jpeg_frame(marker, body, in_first_scan, frames):
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        return None
    bits, height, width, components = struct.unpack(">BHHB", body[:6])
    parts = [(body[at] >> 4) * (body[at] & 15) for at in range(7, 7 + 3 * components, 3)]
    coefficients = 0
    if marker != 0xC0 and marker != 0xC1 or in_first_scan < components:
        share = sum(parts) / max(1, max(parts, default=1))
        coefficients = int(2 * width * height * share)
    plain = (marker, bits, components, frames, coefficients) == (0xC0, 8, 3, 1, 0)
    return JpegFrame(width, height, plain, coefficients)


def bare_png(content):
    """Take a PNG apart; see :func:`bare_jpeg`."""
    exif, icc, kept, start, at = b"", b"", [], 0, 8
    while at + 8 <= len(content):
        kind = content[at + 4 : at + 8]
        if kind == b"IEND":
            break
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        if kind in _PNG_METADATA:
            kept.append(content[start:at])
            start = end
            if kind == b"eXIf":
                exif = content[at + 8 : end - 4]
            elif kind == b"iCCP":
                icc = _unpacked_profile(content[at + 8 : end - 4])
        at = end
    if kept:
        content = b"".join((*kept, memoryview(content)[start:]))
    return Bare(content, exif, icc)


def _unpacked_profile(chunk):
    """Of PNG's iCCP: a name, a zero byte, the method, and the profile compressed."""
    packed = chunk[chunk.find(b"\0") + 2 :]
    unpack = zlib.decompressobj()
    try:
        profile = unpack.decompress(packed, MAX_PROFILE)
    except zlib.error:
        return b""
    return profile if unpack.eof else b""


def another_pnm_follows(content, image):
    """Whether a PPM, PGM or PBM file that Pillow has opened goes on with a second image."""
    if content[:2] not in (b"P4", b"P5", b"P6"):
        return False
    tile, (width, height) = image.tile[0], image.size
    if content[:2] == b"P4":
        row = (width + 7) // 8
    else:
        deep = image.mode == "I" or int(content[: tile.offset].split()[-1]) > 255
        row = width * len(image.getbands()) * (2 if deep else 1)
    rest = content[tile.offset + row * height :].lstrip()
    return rest[:1] == b"P" and rest[1:2].isdigit()


def webp_size(content):
    """(width, height) that the first chunk of a WebP file gives, or None."""
    kind, body = content[12:16], content[20:30]
    if len(body) < 10:
        return None
    if kind == b"VP8X":
        return tuple(1 + int.from_bytes(body[at : at + 3], "little") for at in (4, 7))
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        return tuple(int.from_bytes(body[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    return None


_CAMERA_RAW = (
    b"IIRO", b"IIRS", b"MMOR", b"IIU\0",  # Olympus, Panasonic: TIFF but for the number
    b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM",
)  # fmt: skip
_TIFF = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}
_SUBFILE, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 254, 262, 330, 50706
_SENSOR = (32803, 34892)  # photometric: a colour filter's values, and such ones interpolated
_MAX_PAGES = 64


def is_camera_raw(content):
    """Whether these are a sensor's values, with at most a small preview that a decoder would find.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    bool
    """
    if content.startswith(_CAMERA_RAW) or content[4:12] == b"ftypcrx ":
        return True
    if content[6:14] == b"HEAPCCDR" or (content[:4] in _TIFF and content[8:10] == b"CR"):
        return True
    pages, inside = tiff_pages(content)
    if any(_DNG_VERSION in page or page.get(_PHOTOMETRIC) in _SENSOR for page in pages + inside):
        return True
    return bool(inside) and _is_reduced(pages[0])


def tiff_pages(content):
    """What a TIFF says of its pages, and of the images inside of these.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    pages, inside : lists of dict
        Tag to first value, of the tags that tell what a page is. Empty where this is no TIFF, and
        up to where it is damaged.
    """
    order = _TIFF.get(content[:4])
    if order is None:
        return [], []
    big = content[2] == 43 or content[3] == 43
    pages, inside, seen = [], [], set()
    try:
        (at,) = struct.unpack_from(f"{order}{'Q' if big else 'L'}", content, 8 if big else 4)
        while at and at not in seen and len(pages) < _MAX_PAGES:
            seen.add(at)
            page, below, at = _tiff_page(content, at, order, big)
            pages.append(page)
            for offset in below[:_MAX_PAGES]:
                inside.append(_tiff_page(content, offset, order, big)[0])
    except struct.error:  # the file ends before
        pass
    return pages, inside


def is_one_image(pages):
    """Whether a TIFF's first page is its image, and the others are smaller copies or masks."""
    if len(pages) > 1 and _is_reduced(pages[0]):
        return False
    return all(page.get(_SUBFILE, 0) & 0b101 for page in pages[1:])


def _is_reduced(page):
    return bool(page.get(_SUBFILE, 0) & 1)


def _tiff_page(content, at, order, big):
    """Tags of one page, the places of the images inside of it, and that of the next page."""
    head, entry, size = ("Q", "HHQ", 20) if big else ("H", "HHL", 12)
    word = "Q" if big else "L"
    (count,) = struct.unpack_from(order + head, content, at)
    first = at + struct.calcsize(order + head)
    tags, below = {}, ()
    for number in range(min(count, 4096)):
        place = first + size * number
        tag, kind, values = struct.unpack_from(order + entry, content, place)
        if tag not in (_SUBFILE, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION):
            continue
        place += struct.calcsize(order + entry)
        form = {1: "B", 3: "H", 4: "L", 13: "L", 16: "Q", 18: "Q"}.get(kind)
        if form is None or not values:
            continue
        values = min(values, _MAX_PAGES)
        if values * struct.calcsize(order + form) > struct.calcsize(order + word):
            (place,) = struct.unpack_from(order + word, content, place)
        found = struct.unpack_from(f"{order}{values}{form}", content, place)
        tags[tag] = found[0]
        below = found if tag == _SUB_IFDS else below
    (following,) = struct.unpack_from(order + word, content, first + size * count)
    return tags, below, following
