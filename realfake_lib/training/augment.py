"""Augmentation of whole batches at once, each policy a pure function of images and a seed."""

import functools
import math

import tensorflow as tf

from realfake_lib.errors import UserError
from realfake_lib.training import corruptions


def policy(name, side=None):
    """The augmentation of that name, as :func:`realfake_lib.data.batches` takes it, or None.

    Parameters
    ----------
    name : str
        A key of :data:`POLICIES`; another is a UserError.
    side : int, optional
        Cut a random window of this side out of each augmented image, in pixels.
    """
    try:
        whole = POLICIES[name]
    except (KeyError, TypeError):
        raise UserError(
            f"Unknown augmentation {name!r}.", f"Known: {', '.join(POLICIES)}"
        ) from None
    if side is None:
        return whole

    def windows(images, seed):
        return random_windows(images if whole is None else whole(images, seed), seed, side)

    return windows


def random_windows(images, seed, side):
    """Cut a square of ``side`` pixels out of each image, anywhere."""
    count, height, width = tf.unstack(tf.shape(images)[:3])
    rows, columns = (
        tf.random.stateless_uniform([count], _fork(seed, which), 0, size - side + 1, tf.int32)
        for which, size in ((5, height), (6, width))
    )
    steps = tf.range(side)
    return _pixels(images, rows[:, None] + steps, columns[:, None] + steps)


def _pixels(images, rows, columns):
    """The pixels at (n, h) rows and (n, w) columns of images, no pixel mixed, float32."""
    count, height, width, channels = *tf.unstack(tf.shape(images)[:3]), images.shape[-1]
    picked = (rows * width)[:, :, None] + columns[:, None, :]
    # uint8 channels are gathered as they are: a quarter of the bytes.
    flat = tf.reshape(images, [count, height * width, channels])
    found = tf.gather(flat, tf.reshape(picked, [count, -1]), axis=1, batch_dims=1)
    shape = [count, tf.shape(rows)[1], tf.shape(columns)[1], channels]
    return tf.cast(tf.reshape(found, shape), tf.float32)


def affine(images, rotation=0.0, shift_rows=0.0, shift_columns=0.0, zoom=1.0, flip=1.0):
    """Rotate, shift, zoom and flip about the centre, bilinear, as Keras's ``ImageDataGenerator``.

    A zoom above 1 shows more than the image; a flip of -1 mirrors left and right.
    """
    images = tf.cast(images, tf.float32)
    count, height, width = tf.unstack(tf.shape(images)[:3])
    rotation, rows, columns, zoom, flip = (
        tf.broadcast_to(tf.cast(value, tf.float32), [count])
        for value in (rotation, shift_rows, shift_columns, zoom, flip)
    )
    middle_row = (tf.cast(height, tf.float32) - 1) / 2
    middle_column = (tf.cast(width, tf.float32) - 1) / 2
    cos, sin = tf.cos(rotation), tf.sin(rotation)
    # Each output pixel (x, y) reads the input at (a·x + b·y + c, d·x + e·y + f).
    a, b = cos * zoom * flip, -sin * zoom
    d, e = sin * zoom * flip, cos * zoom
    c = middle_column - a * middle_column - b * middle_row + cos * columns - sin * rows
    f = middle_row - d * middle_column - e * middle_row + sin * columns + cos * rows
    none = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([a, b, c, d, e, f, none, none], axis=1),
        output_shape=tf.stack([height, width]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )


def translate(images, shift_rows, shift_columns, flip):
    """Shift by whole pixels with reflected borders, mirror left and right; nothing is blurred."""

    def positions(size, shift):
        moved = tf.abs(tf.range(size)[None] + shift[:, None])
        return tf.minimum(moved, 2 * (size - 1) - moved)

    height, width = tf.unstack(tf.shape(images)[1:3])
    rows = positions(height, shift_rows)
    columns = positions(width, shift_columns)
    columns = tf.where(flip[:, None], width - 1 - columns, columns)
    return _pixels(images, rows, columns)


def _signs(images, seed):
    """-1 or 1 with equal chances, (n,) float32."""
    coins = tf.random.stateless_uniform([tf.shape(images)[0]], _fork(seed, 0), 0, 2, tf.int32)
    return tf.cast(2 * coins - 1, tf.float32)


def _uniform(images, seed, which, limit):
    """Uniform in [-limit, limit), (n,) float32; ``which`` numbers the draws from one seed."""
    limit = tf.cast(limit, tf.float32)
    return tf.random.stateless_uniform([tf.shape(images)[0]], _fork(seed, which), -limit, limit)


def _fork(seed, which):
    return tf.random.experimental.stateless_fold_in(tf.cast(seed, tf.int32), which)


def _flip(images, seed):
    still = tf.zeros([tf.shape(images)[0]], tf.int32)
    return translate(images, still, still, _signs(images, seed) < 0)


def _flip_corrupt(images, seed):
    return corruptions.corrupt(tf.ensure_shape(_flip(images, seed), images.shape), seed)


def _flip_crop(images, seed, pixels=2):
    shape = [tf.shape(images)[0]]
    rows, columns = (
        tf.random.stateless_uniform(shape, _fork(seed, which), -pixels, pixels + 1, tf.int32)
        for which in (1, 2)
    )
    return translate(images, rows, columns, _signs(images, seed) < 0)


def _flip_cutout(images, seed):
    """Cutout (DeVries and Taylor 2017, arXiv 1708.04552): a square of half the side turns grey."""
    flipped = _flip(images, seed)
    count, height, width = tf.unstack(tf.shape(images)[:3])

    def covered(size, which):
        centres = tf.random.stateless_uniform([count], _fork(seed, which), 0, size, tf.int32)
        return tf.abs(tf.range(size)[None] - centres[:, None]) < size // 4

    square = covered(height, 7)[:, :, None] & covered(width, 8)[:, None, :]
    return tf.where(square[..., None], 127.5, flipped)


def _flip_jitter(images, seed):
    contrast, brightness = (
        _uniform(images, seed, which, limit)[:, None, None, None]
        for which, limit in ((9, 0.1), (10, 25.5))
    )
    moved = 127.5 + (_flip(images, seed) - 127.5) * (1 + contrast) + brightness
    return tf.clip_by_value(moved, 0.0, 255.0)


def _interpolated(images, seed, degrees=0, shift=0.0, zoom=0.0, flip=False):
    """Bilinear, each amount up to the one given; ``shift`` and ``zoom`` are shares of the side."""
    pixels = shift * tf.cast(tf.shape(images)[1], tf.float32)
    return affine(
        images,
        rotation=_uniform(images, seed, 1, math.radians(degrees)),
        shift_rows=_uniform(images, seed, 2, pixels),
        shift_columns=_uniform(images, seed, 3, pixels),
        zoom=1 + _uniform(images, seed, 4, zoom),
        flip=_signs(images, seed) if flip else 1.0,
    )


POLICIES = {
    "none": None,
    "flip": _flip,
    "flip_corrupt": _flip_corrupt,
    "flip_crop": _flip_crop,
    "flip_cutout": _flip_cutout,
    "flip_jitter": _flip_jitter,
    "original": functools.partial(_interpolated, degrees=15, shift=0.1, flip=True),
    "rotate": functools.partial(_interpolated, degrees=15),
    "shift": functools.partial(_interpolated, shift=0.1),
    "zoom": functools.partial(_interpolated, zoom=0.1),
}
"""Every policy by name; all that flip do so left to right, for half of the images."""
