"""Where image files keep their metadata: segments, chunks and boxes around the pixels."""

import struct
import zlib

from realfake_lib.provenance import exif, generators

MAX_BLOCK = 2**20
"""Bytes of a block of metadata, and of what it unpacks to; a larger one is passed over."""

_MAX_PARTS = 2**16  # parts of a file stepped over
_C2PA = ("c2pa", "", b"")
_XMP_TEXT = "xml:com.adobe.xmp"
_TEXTS = generators.TEXTS | {"software", _XMP_TEXT}


def blocks(stream):
    """Yield the blocks of a file that may say something: kind, name and content of each.

    Kinds are ``"c2pa"`` (content b"": the C2PA library reads the file itself), ``"exif"``,
    ``"xmp"``, ``"text"`` (content str, the name in lower case) and ``"tags"`` (of a TIFF, by tag).
    A damaged file raises whatever its parts make ``struct`` or a decoder raise.
    """
    head = stream.read(64)
    if head.startswith(b"\xff\xd8"):
        return _jpeg(stream)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png(stream)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _webp(stream)
    if head[:4] in (b"II*\0", b"MM\0*"):
        return _tiff(stream)
    return _heif(stream, head) if head[4:8] == b"ftyp" else iter(())


_SEGMENTS = {
    b"Exif\0\0": "exif",
    b"http://ns.adobe.com/xap/1.0/\0": "xmp",
}


def _jpeg(stream):
    at = 2
    for _ in range(_MAX_PARTS):
        stream.seek(at)
        marker, length = struct.unpack(">HH", stream.read(4))
        if marker == 0xFFFF:  # a byte to fill up
            at += 1
            continue
        if marker <= 0xFF00 or marker == 0xFFDA:  # damaged, or the pixels
            return
        at += 2 + length
        if marker == 0xFFE1:
            data = stream.read(length - 2)
            for start in filter(data.startswith, _SEGMENTS):
                yield _SEGMENTS[start], "", data.removeprefix(start)
        elif marker == 0xFFEB:
            data = stream.read(min(length, 64))
            is_first = data[:2] == b"JP" and data[4:8] == b"\0\0\0\1"  # a box has many segments
            if is_first and b"c2pa" in data:
                yield _C2PA


def _png(stream):
    at = 8
    for _ in range(_MAX_PARTS):
        stream.seek(at)
        length, kind = struct.unpack(">L4s", stream.read(8))
        at += 12 + length
        if kind == b"IEND":
            return
        if kind == b"caBX":
            yield _C2PA
        elif kind == b"eXIf" and length <= MAX_BLOCK:
            yield "exif", "", stream.read(length)
        elif kind in (b"tEXt", b"zTXt", b"iTXt") and length <= MAX_BLOCK:
            name, _, data = stream.read(length).partition(b"\0")
            name = name.decode("latin-1").lower()
            text = _text(kind, data) if name in _TEXTS else None
            if text is not None:
                yield ("xmp", "", text) if name == _XMP_TEXT else ("text", name, text.decode())


def _text(kind, data):
    """Text of a chunk behind its name, in UTF-8; None where it is damaged or too large."""
    if kind == b"tEXt":
        return data.decode("latin-1").encode()
    packed = kind == b"zTXt" or data[:1] == b"\1"
    data = data[1:] if kind == b"zTXt" else data[2:].split(b"\0", 2)[-1]
    if packed:
        stream = zlib.decompressobj()
        try:
            data = stream.decompress(data, MAX_BLOCK)
        except zlib.error:
            return None
        if stream.unconsumed_tail:
            return None
    encoding = "latin-1" if kind == b"zTXt" else "utf-8"
    return data.decode(encoding, "replace").encode()


def _webp(stream):
    at = 12
    for _ in range(_MAX_PARTS):
        stream.seek(at)
        kind, length = struct.unpack("<4sL", stream.read(8))
        at += 8 + length + length % 2
        if kind == b"C2PA":
            yield _C2PA
        elif kind in (b"EXIF", b"XMP ") and length <= MAX_BLOCK:
            # Some programs put JPEG's mark before EXIF.
            data = stream.read(length).removeprefix(b"Exif\0\0")
            yield kind.decode().strip().lower(), "", data


def _tiff(stream):
    found = exif.tags(stream)
    if exif.C2PA in found:
        yield _C2PA
    yield "tags", "", found
    if exif.XMP in found:
        yield "xmp", "", found[exif.XMP]


_C2PA_BOX = b"uuid" + bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


def _heif(stream, head):
    at = 0
    for _ in range(_MAX_PARTS):
        stream.seek(at)
        box = stream.read(24)
        if box[4:] == _C2PA_BOX:
            yield _C2PA
        length = int.from_bytes(box[:4], "big")
        if length < 8:  # the last box, one above 4 GB, or the file's end
            break
        at += length
    # Their metadata lie anywhere in the file, by tables that Pillow's plugins read.
    if b"avif" in head:
        from PIL.AvifImagePlugin import AvifImageFile as ImageFile
    else:
        from pillow_heif import HeifImageFile as ImageFile
    stream.seek(0)
    info = ImageFile(stream).info
    for kind in ("exif", "xmp"):
        data = info.get(kind) or b""
        if 0 < len(data) <= MAX_BLOCK:
            yield kind, "", data.removeprefix(b"Exif\0\0")
