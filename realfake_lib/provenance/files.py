"""From an image file to what it says of itself."""

from __future__ import annotations

import contextlib
import itertools
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from realfake_lib.errors import UserError
from realfake_lib.provenance import blocks, credentials, exif, generators, xmp
from realfake_lib.provenance.statement import KINDS, Statement

if TYPE_CHECKING:
    import os

_MAX_BLOCKS = 64  # far more than files have, and at a megabyte each read within seconds
_LARGE_FILE = 2**24  # bytes
_ONE_LARGE_FILE = threading.Lock()  # some decoders hold the whole file


def read(path: str | os.PathLike[str], trust_anchors: str = "") -> list[Statement]:
    """List what an image file says of itself.

    Parameters
    ----------
    path : path-like
        JPEG, PNG, WebP, TIFF, HEIC or AVIF file; of other files nothing is read.
    trust_anchors : str
        Certificates in PEM: a C2PA manifest is trusted if one of them leads to its signer's. See
        :func:`realfake_lib.provenance.trust_anchors`.

    Returns
    -------
    list of Statement
        Each once, in the order of ``KINDS``; empty where the file says nothing that is known here,
        which proves nothing. Damaged metadata say nothing, a damaged C2PA manifest apart, which is
        ``"unusable"``.

    Raises
    ------
    UserError
        If there is no such file, or it cannot be read.

    References
    ----------
    C2PA Technical Specification 2.2; IPTC Digital Source Type NewsCodes; XMP, ISO 16684-1; EXIF,
    CIPA DC-008; labels of AI-generated content, GB 45438-2025.
    """
    path = Path(path)
    try:
        if not path.is_file():  # opening a pipe would wait for its writer
            raise UserError(f"{path} is no file")
        large = path.stat().st_size > _LARGE_FILE
        with _ONE_LARGE_FILE if large else contextlib.nullcontext(), open(path, "rb") as stream:
            found = _statements(stream, trust_anchors)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise UserError(f"{path} cannot be read: {error}") from error
    return sorted(dict.fromkeys(found), key=lambda one: KINDS.index(one.kind))


def _statements(stream, anchors):
    found, has_manifest = [], False
    # What broken metadata make parsers raise is no closed list, and no file may end a batch. What
    # was found before stays.
    with contextlib.suppress(Exception):
        for kind, name, content in itertools.islice(blocks.blocks(stream), _MAX_BLOCKS):
            has_manifest = has_manifest or kind == "c2pa"
            with contextlib.suppress(Exception):
                found += _of_block(kind, name, content)
    return found + ([credentials.from_manifest(stream, anchors)] if has_manifest else [])


def _of_block(kind, name, content):
    if kind == "exif":
        return exif.from_block(content)
    if kind == "tags":
        return exif.from_tags(content)
    if kind == "xmp":
        return xmp.from_packet(content)
    if name == "software":
        return generators.from_software("Software", content)
    return generators.from_parameters(name, content)
