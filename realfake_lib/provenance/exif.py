"""What the EXIF block of a file says: a camera, a program, a generator's parameters."""

import contextlib
import io
import struct

from realfake_lib.provenance import generators
from realfake_lib.provenance.statement import Statement, short

C2PA, XMP = 0xCD41, 700
"""Tags of a TIFF with a C2PA manifest and an XMP packet."""

MAX_VALUE = 2**20
"""Bytes of a tag's value; a larger one is passed over."""

_DESCRIPTION, _MAKE, _MODEL, _SOFTWARE, _COMMENT, _DIRECTORY = 270, 271, 272, 305, 0x9286, 0x8769
_EXPOSURE, _APERTURE, _ISO, _FOCAL_LENGTH = 0x829A, 0x829D, 0x8827, 0x920A
_BYTES = {C2PA, XMP, _DESCRIPTION, _MAKE, _MODEL, _SOFTWARE, _COMMENT}
_NUMBERS = {_DIRECTORY, _EXPOSURE, _APERTURE, _ISO, _FOCAL_LENGTH}
_FORMATS = {3: "H", 4: "L", 5: "LL"}  # types SHORT, LONG and RATIONAL


def from_block(data):
    """Statements of an EXIF block, which begins as a TIFF does."""
    return from_tags(tags(io.BytesIO(data)))


def tags(stream):
    """Values in the first directory of a TIFF and in its EXIF directory, by tag.

    Bytes, or a tuple of a number or of a fraction's two. Only tags that are looked at are read,
    each once, however many of a hostile block point at the same bytes.
    """
    stream.seek(0)
    order = {b"II": "<", b"MM": ">"}[stream.read(2)]
    (at,) = struct.unpack(f"{order}2xL", stream.read(6))
    found = _directory(stream, order, at)
    if _DIRECTORY in found:
        found |= _directory(stream, order, found[_DIRECTORY][0])
    return found


def _directory(stream, order, at):
    stream.seek(at)
    (count,) = struct.unpack(f"{order}H", stream.read(2))
    entries = stream.read(12 * count)
    found = {}
    for tag, kind, number, value in struct.iter_unpack(f"{order}HHL4s", entries):
        numbers = f"{order}{_FORMATS[kind]}" if kind in _FORMATS else None
        size = struct.calcsize(numbers) if numbers else number
        wanted = tag in (_NUMBERS if numbers else _BYTES) and tag not in found
        if not wanted or size > MAX_VALUE:
            continue
        if size > 4:
            stream.seek(struct.unpack(f"{order}L", value)[0])
            value = stream.read(size)
        found[tag] = struct.unpack(numbers, value[:size]) if numbers else value[:size]
    return found


def from_tags(found):
    """Statements of the values that :func:`tags` gives."""
    statements = generators.from_parameters("parameters", _comment(found.get(_COMMENT, b"")))
    names = {}
    for tag in (_DESCRIPTION, _MAKE, _MODEL, _SOFTWARE):
        text = found.get(tag, b"").decode("utf-8", "replace").strip("\0 ")
        # In WebP files ComfyUI puts a graph, with its name before it, where a camera's name stands.
        name, _, graph = text.partition(":")
        graph = generators.from_parameters(name, graph) if name in ("prompt", "workflow") else []
        statements += graph
        names[tag] = "" if graph else text
    statements += generators.from_software("Software", names[_SOFTWARE])
    statements += generators.from_software("Make", names[_MAKE])
    if (name := _camera_name(names[_MAKE], names[_MODEL])) and not statements:
        facts = ", ".join([name, *_exposure(found)])
        statements.append(Statement("EXIF", "camera", f"{facts} (easily copied)"))
    return statements


def _comment(data):
    """Text of EXIF's UserComment, whose first eight bytes name its encoding."""
    text = data[8:]
    if data.startswith(b"UNICODE\0"):  # in either byte order, whatever that of the block
        big = text[::2].count(0) > text[1::2].count(0)
        return text.decode("utf-16-be" if big else "utf-16-le", "replace")
    return (text if data[7:8] == b"\0" else data).decode("utf-8", "replace")


def _camera_name(make, model):
    """Make and model of a camera, the make once; "" where one is missing or they are no text."""
    if not (make and model):  # some generators write their name as the make
        return ""
    same = model.lower().startswith(make.lower().split()[0])
    name = model if same else f"{make} {model}".strip()
    return short(name) if name.isprintable() and "\ufffd" not in name else ""


def _exposure(found):
    facts = []
    with contextlib.suppress(KeyError, ValueError, ZeroDivisionError):
        above, below = found[_EXPOSURE]
        facts.append(f"{above / below:g} s" if above >= below else f"1/{below / above:.0f} s")
    for tag, words in ((_APERTURE, "f/{:g}"), (_FOCAL_LENGTH, "{:g} mm")):
        with contextlib.suppress(KeyError, ValueError, ZeroDivisionError):
            above, below = found[tag]
            facts.append(words.format(above / below))
    return facts + [f"ISO {found[_ISO][0]}"] if _ISO in found else facts
