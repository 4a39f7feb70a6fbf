"""Decode image files into uint8 RGB arrays, refusing what cannot be judged with a clear message."""

import contextlib
import io
import itertools
import os
import stat
import threading
from pathlib import Path

import numpy as np
from PIL import Image

from realfake_lib import parallel
from realfake_lib.data import decoding
from realfake_lib.data.archives import MAX_FILE_BYTES
from realfake_lib.data.decoding import from_pillow  # noqa: F401  (reads what is no file)
from realfake_lib.errors import UserError

_CHUNK, _CHUNK_BYTES = 4096, 2**24  # files, and bytes in them, decoded together
_LARGE_FILE = 2**24  # bytes
_ONE_LARGE_FILE = threading.Lock()  # so that files waiting to be decoded take no memory to speak of


def load_image(path, size=None):
    """Read one image file as it would be seen: upright, 8-bit RGB, in sRGB's colours, on white.

    Parameters
    ----------
    path : path-like
        JPEG, PNG, WebP, HEIC, AVIF, BMP, TIFF, GIF or PPM of one image. Of several in a phone's
        file (HEIC, MPO) the one that viewers show is taken.
    size : int, optional
        Side of the square to return. The largest central square is taken and reduced with an
        antialiasing filter. Without it the image keeps its size and shape.

    Returns
    -------
    (h, w, 3) uint8 array in [0, 255]

    Raises
    ------
    UserError
        The file is missing, empty, cut off, not an image, animated, a camera's raw file, smaller
        than 8 pixels on a side, or too large. Names the file.
    """
    return read(path, size).pixels


def read(path, size=None):
    """Pixels of :func:`load_image`, and the size of the whole image: a :class:`Decoded`."""
    path = Path(path)
    try:
        info = os.stat(path)
        if stat.S_ISDIR(info.st_mode):
            raise UserError(f"{path} is a folder, not an image")
        if not stat.S_ISREG(info.st_mode):
            raise UserError(f"{path} is not a plain file")
        if info.st_size > MAX_FILE_BYTES:
            raise UserError(f"{path} is too large: {info.st_size / 2**20:,.0f} MB")
        with _ONE_LARGE_FILE if info.st_size > _LARGE_FILE else contextlib.nullcontext():
            return decoding.decode(path.read_bytes(), path, size)
    except FileNotFoundError as error:
        why = "is a link to nothing" if path.is_symlink() else "does not exist"
        raise UserError(f"{path} {why}") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a name that no file can have
        raise UserError(f"{path} cannot be read: {error}") from error


def decode(content, name, size=None):
    """Decode the bytes of one image file; ``name`` stands in messages. See :func:`load_image`."""
    return decoding.decode(content, name, size).pixels


def resize(images, size):
    """Cut the largest central square and resample it with an antialiased bicubic filter.

    (h, w, 3) or (n, h, w, 3) uint8 images become (size, size, 3) or (n, size, size, 3).
    """
    images = np.asarray(images)
    if images.ndim == 4:
        return np.stack([resize(image, size) for image in images])
    left, top, right, bottom = decoding.central_square(images.shape[1], images.shape[0])
    square = images[top:bottom, left:right]
    if len(square) == size:
        return np.ascontiguousarray(square)
    return np.array(decoding.resampled(Image.fromarray(square), size))


def encode_jpeg(image, quality=75):
    """JPEG bytes of one (h, w, 3) uint8 image; 75 and 4:2:0 are CIFAKE's own settings."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return buffer.getvalue()


def decode_all(files, bad, size=None):
    """Yield the pixels of each of ``files``, (name, bytes), decoded with a thread for each core.

    ``bad``, a BadFiles, takes those that cannot be decoded. Without ``size`` images keep theirs,
    which has to be the same for all: a UserError names the first that differs.
    """
    side = size
    for chunk in _chunks(files):
        step = -(-len(chunk) // parallel.cores())
        parts = [chunk[at : at + step] for at in range(0, len(chunk), step)]
        found = itertools.chain(*parallel.each(lambda part: _decode_part(part, size), parts))
        for (name, _), image in zip(chunk, found, strict=True):
            if isinstance(image, str):
                bad.add(image)
                continue
            height, width = image.shape[:2]
            side = side or height
            if (height, width) != (side, side):
                like = f"{side}×{side} like the others" if height == width else "square"
                raise UserError(
                    f"{bad.where}: {name} is {width}×{height} pixels, not {like}",
                    "Set image_size (--image-size 32, make report SET=image_size=32): images are "
                    "then cut to their central square and brought to it.",
                )
            yield image


def _chunks(files):
    """Lists of files: enough to keep every core busy, and few enough to fit the memory."""
    chunk, held = [], 0
    for name, content in files:
        chunk.append((name, content))
        held += len(content)
        if len(chunk) == _CHUNK or held >= _CHUNK_BYTES:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk


def _decode_part(files, size):
    """Pixels of each file, or the words for what is wrong with it."""
    found = []
    for name, content in files:
        try:
            found.append(decode(content, name, size))
        except UserError as error:
            found.append(error.message)
    return found
