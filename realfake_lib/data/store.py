"""Decoded images on disk: made once per content and size, then memory-mapped by every process."""

import contextlib
import errno
import os
import shutil
import tempfile
from pathlib import Path

import filelock
import numpy as np

from realfake_lib import progress, settings
from realfake_lib.data import fingerprint, images
from realfake_lib.errors import BadFiles, UserError

VERSION = 2
"""Raised when decoding, resizing or this layout changes, so that old entries are not used."""


def folder(content_fingerprint, image_size):
    """Where the decoded images of this content and size lie, once they are made."""
    name = f"v{VERSION}-{content_fingerprint[:24]}-{image_size or 'native'}"
    return settings.cache_dir() / "decoded" / name


def read(where):
    """Memory-mapped images, (n, h, w, 3) uint8, and the index of a finished entry, or None.

    The index is that of :func:`fingerprint.summary`, in the order of the images: by key.
    """
    try:
        pixels = np.load(where / "images.npy", mmap_mode="r")
        with np.load(where / "index.npz") as stored:
            index = {name: stored[name] for name in stored.files}
        return (pixels, index) if len(pixels) == len(index["label"]) else None
    except (OSError, ValueError, KeyError, EOFError):
        return None


def build(path, image_size, one_class=False):
    """Decode all images of a folder or archive into the cache; call it inside :func:`lock`.

    Returns a :class:`fingerprint.Content`. Bad files are named together, once all have been looked
    at, and nothing is left behind.
    """
    parent = settings.cache_dir() / "decoded"
    bad, listing = BadFiles(path), fingerprint.Listing()
    with writing():
        parent.mkdir(parents=True, exist_ok=True)
        for left in parent.glob(".unfinished-*"):  # of a killed run: the lock makes this one alone
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=parent) as unfinished:
            raw, entry = Path(unfinished, "raw"), Path(unfinished, "entry")
            entry.mkdir()
            with open(raw, "wb") as stream:
                for image in images.decode_all(
                    fingerprint.read(path, bad, listing), bad, image_size
                ):
                    stream.write(image.data)
            bad.check()
            index, content = fingerprint.summary(path, listing)
            if not one_class:
                fingerprint.check_classes(path, content)
            _write_sorted(np.memmap(raw, mode="r").reshape(content.n, *image.shape), index, entry)
            where = folder(content.fingerprint, image_size)
            if where.exists():
                shutil.rmtree(where)  # unreadable, or it would have been used
            os.replace(entry, where)
    return content


def _write_sorted(pixels, index, entry):
    """Order by key: splits must not depend on the order in which files were read."""
    order = np.argsort(index["key"], kind="stable")
    with open(entry / "images.npy", "wb") as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": pixels.shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for at in range(0, len(order), 4096):
            stream.write(pixels[order[at : at + 4096]].data)
    index = {name: values[order] for name, values in index.items()}
    index["key"] = np.char.encode(index["key"], "utf-8")  # a quarter of the bytes of str
    np.savez(entry / "index.npz", **index)


@contextlib.contextmanager
def lock(name="decoding"):
    """Let one process at a time do the work called ``name``; the others wait and then find it done.

    The operating system frees the lock of a killed process.
    """
    with writing():
        locks = settings.cache_dir() / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        held = filelock.FileLock(locks / f"{name}.lock")
        try:
            held.acquire(timeout=0)
        except filelock.Timeout:
            progress.report("Waiting for another process that prepares the same data")
            held.acquire()
    try:
        yield
    finally:
        held.release()


@contextlib.contextmanager
def writing():
    """Turn a full or forbidden cache folder into a message that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise UserError(
                f"No space left in the cache folder {settings.cache_dir()}",
                "Free some, or set REALFAKE_CACHE to a folder on another disk.",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EEXIST, errno.ENOTDIR, errno.EROFS):
            raise UserError(
                f"The cache folder {settings.cache_dir()} cannot be written: {error.strerror}",
                "Set REALFAKE_CACHE to a folder of yours.",
            ) from error
        raise
