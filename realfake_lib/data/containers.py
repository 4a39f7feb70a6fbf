"""What stands around the pixels of an image file: headers, pages, the marks of camera raw files."""

import io

from PIL.TiffImagePlugin import ImageFileDirectory_v2

_START_OF_SCAN = 0xDA
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""First bytes of a TIFF, of either byte order, and of its form for files above 4 GB."""

_CAMERA_RAW = (
    b"IIRO", b"IIRS", b"MMOR", b"IIU\0",  # Olympus, Panasonic: TIFF but for the number
    b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM",
)  # fmt: skip
_SUBFILE, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 254, 262, 330, 50706
_SENSOR = (32803, 34892)  # photometric: a colour filter's values, and such ones interpolated
_MAX_PAGES = 64


def jpeg_header(content):
    """A JPEG file up to its pixel data (size, tables, metadata); b"" for another kind of file."""
    if content[:2] != b"\xff\xd8":
        return b""
    at, last = 2, len(content) - 4
    # By the lengths that segments give: an EXIF thumbnail has a start of scan, too.
    while at <= last and content[at] == 0xFF and content[at + 1] != _START_OF_SCAN:
        if content[at + 1] == 0xFF:  # bytes to fill up
            at += 1
        elif content[at + 1] in _WITHOUT_LENGTH:
            at += 2
        else:
            at += 2 + (content[at + 2] << 8 | content[at + 3])
    return content[:at]


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


def is_camera_raw(content):
    """Whether these are a sensor's values, with at most a preview that a decoder would find."""
    if content.startswith(_CAMERA_RAW) or content[4:12] == b"ftypcrx ":
        return True
    if content[6:14] == b"HEAPCCDR" or (content[:4] in TIFF and content[8:10] == b"CR"):
        return True
    pages, inside = _tiff_pages(content)
    if any(_DNG_VERSION in page or page.get(_PHOTOMETRIC) in _SENSOR for page in pages + inside):
        return True
    return bool(inside) and _is_reduced(pages[0])


def is_one_image(content):
    """Whether a TIFF's first page is its image, and the others are smaller copies or masks."""
    pages, _ = _tiff_pages(content)
    if len(pages) > 1 and _is_reduced(pages[0]):
        return False
    return all(page.get(_SUBFILE, 0) & 0b101 for page in pages[1:])


def _is_reduced(page):
    return bool(page.get(_SUBFILE, 0) & 1)


def _tiff_pages(content):
    """Tags of a TIFF's pages and of the images inside these, up to where the file is damaged."""
    pages, inside, seen = [], [], set()
    if content[:4] not in TIFF:
        return pages, inside
    try:
        at = _tiff_page(content).next
        while at and at not in seen and len(pages) < _MAX_PAGES:
            seen.add(at)
            pages.append(_tiff_page(content, at))
            at = pages[-1].next
            below = pages[-1].get(_SUB_IFDS, ())
            for offset in below if isinstance(below, tuple) else (below,):
                if offset not in seen and len(inside) < _MAX_PAGES:
                    seen.add(offset)
                    inside.append(_tiff_page(content, offset))
    except Exception:  # whatever Pillow raises where the file ends before
        pass
    return pages, inside


def _tiff_page(content, at=0):
    page = ImageFileDirectory_v2(content[: 16 if 43 in content[2:4] else 8])
    if at:
        stream = io.BytesIO(content)
        stream.seek(at)
        page.load(stream)
    return page
