"""Decoded images on disk: made once per content and size, then memory-mapped by every process."""

import collections
import contextlib
import errno
import os
import shutil
from pathlib import Path

import filelock
import numpy as np

from realfake_lib import progress
from realfake_lib.data import fingerprint
from realfake_lib.data.images import BatchDecoder
from realfake_lib.errors import BadFiles, UserError

VERSION = 2
"""Raised when decoding, resizing or this layout changes, so that old entries are not used."""

_NPY_HEADER = 128  # bytes that numpy's header takes for any array of images


def folder(cache, content_fingerprint, image_size):
    """Where the decoded images of this content and size lie, once they are made."""
    size = "native" if image_size is None else str(image_size)
    return Path(cache) / "decoded" / f"v{VERSION}-{content_fingerprint[:24]}-{size}"


def read(where):
    """Memory-mapped images and the index of a finished entry, or None.

    Returns
    -------
    images : (n, h, w, 3) uint8 memmap, read-only
    index : dict of arrays
        As from :func:`fingerprint.summary`, in the order of the images: by key.
    """
    try:
        images = np.load(where / "images.npy", mmap_mode="r")
        with np.load(where / "index.npz") as stored:
            index = {name: stored[name] for name in stored.files}
        if len(images) != len(index["label"]):
            return None
        return images, index
    except (OSError, ValueError, KeyError, EOFError):
        return None


def build(path, image_size, cache, one_class=False):
    """Decode all images of a folder or archive into the cache; call it inside :func:`lock`.

    Parameters
    ----------
    path, image_size, cache, one_class
        As for :func:`realfake_lib.data.load`.

    Returns
    -------
    Content

    Raises
    ------
    UserError
        The data set cannot be used, or the cache folder cannot be written; nothing is left behind.
        Bad files are named together, once all have been looked at.
    """
    parent = Path(cache) / "decoded"
    bad = BadFiles(path, cache)
    with writing(cache), _unfinished_folder(parent) as unfinished:
        with (
            open(unfinished / "images.npy", "wb") as stream,
            BatchDecoder(bad, image_size) as decoder,
        ):
            stream.seek(_NPY_HEADER)
            waiting = collections.deque()

            def decode(names, contents):
                waiting.append(decoder.submit(names, contents))
                if len(waiting) > 1:  # reading goes on while the threads decode
                    stream.write(b"".join(decoder.finish(waiting.popleft())))

            listing = fingerprint.read(path, bad, decode)
            while waiting:
                stream.write(b"".join(decoder.finish(waiting.popleft())))
            bad.check()
            index, content = fingerprint.summary(path, listing)
            if not one_class:
                fingerprint.check_classes(path, content)
            _write_header(stream, (content.n, decoder.side, decoder.side, 3))
        _sort(unfinished, index)
        where = folder(cache, content.fingerprint, image_size)
        if where.exists():
            shutil.rmtree(where)  # unreadable, or it would have been used
        os.replace(unfinished, where)
    return content


@contextlib.contextmanager
def lock(cache, name="decoding"):
    """Let one process at a time do the work called ``name``; the others wait and then find it done.

    The operating system frees the lock of a killed process.
    """
    with writing(cache):
        folder = Path(cache) / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        held = filelock.FileLock(folder / f"{name}.lock")
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
def writing(cache):
    """Turn a full or forbidden cache folder into a message that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise UserError(
                f"No space left in the cache folder {cache}",
                "Free some, or set REALFAKE_CACHE to a folder on another disk.",
            ) from error
        if isinstance(error, PermissionError | FileExistsError | NotADirectoryError) or (
            error.errno == errno.EROFS
        ):
            raise UserError(
                f"The cache folder {cache} cannot be written: {error.strerror}",
                "Set REALFAKE_CACHE to a folder of yours.",
            ) from error
        raise


@contextlib.contextmanager
def _unfinished_folder(parent):
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(".unfinished-*"):  # of a killed run: the lock makes this one alone
        shutil.rmtree(left, ignore_errors=True)
    unfinished = parent / f".unfinished-{os.getpid()}"
    unfinished.mkdir()
    try:
        yield unfinished
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write_header(stream, shape):
    stream.seek(0)
    layout = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, layout)
    assert stream.tell() == _NPY_HEADER, "numpy's header no longer has the size reserved for it"


def _sort(unfinished, index):
    """Order by key: splits must not depend on the order in which files were read."""
    order = np.argsort(index["key"], kind="stable")
    if (order != np.arange(len(order))).any():
        unsorted = np.load(unfinished / "images.npy", mmap_mode="r")
        with open(unfinished / "sorted.npy", "wb") as stream:
            stream.seek(_NPY_HEADER)
            for at in range(0, len(order), 4096):
                stream.write(unsorted[order[at : at + 4096]].data)
            _write_header(stream, unsorted.shape)
        os.replace(unfinished / "sorted.npy", unfinished / "images.npy")
        index = {name: values[order] for name, values in index.items()}
    index["key"] = np.char.encode(index["key"], "utf-8")  # a quarter of the bytes of str
    np.savez(unfinished / "index.npz", **index)
