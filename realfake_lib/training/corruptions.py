"""Corruption augmentation: what happens to images on their way through the web, at random."""

import functools

import numpy as np
import tensorflow as tf
from PIL import Image
from scipy import ndimage

SHARE = {"filter": 0.4, "colour": 0.15, "noise": 0.35, "jpeg": 0.4}
"""Probability of each stage, in this order, for an image that is corrupted at all."""

NOT_TRAINED = ("defocus_blur", "motion_blur", "crop", "jpeg_twice", "webp", "avif", "screenshot")
"""Of :data:`realfake_lib.robustness.corruptions.CORRUPTIONS`, those that are not drawn here."""

CLEAN = 0.3
"""Share of the images that are not corrupted."""

QUALITY = (10, 96)
"""Of JPEG compression: from the first, below the second."""

NOISE = 0.13
"""Largest standard deviation of noise, as a share of the pixel range."""


def corrupt(images, seed):
    """Blur or rescale, recolour, add noise and compress, each with the probability of its stage.

    Whole grey levels at the end, as in a file. (Hendrycks and Dietterich, ICLR 2019; blur and JPEG
    as augmentation of a detector: Wang et al., CVPR 2020.)
    """
    draw = _Draws(tf.shape(images)[0], seed)
    corrupted = draw.uniform() >= CLEAN
    out = images
    for name, stage in _STAGES.items():
        chosen = corrupted & (draw.uniform() < SHARE[name])
        out = tf.where(chosen[:, None, None, None], _whole(stage(out, draw)), out)
    return out


class _Draws:
    """Random numbers, one an image, each call another draw from the same seed."""

    def __init__(self, count, seed):
        self.count, self.seed, self.drawn = count, tf.cast(seed, tf.int32), 100

    def _next(self):
        self.drawn += 1
        return tf.random.experimental.stateless_fold_in(self.seed, self.drawn)

    def uniform(self, low=0.0, high=1.0):
        return tf.random.stateless_uniform([self.count], self._next(), low, high)

    def pixels(self, images, kind=tf.random.stateless_normal):
        return kind(tf.shape(images), self._next())


def _whole(images):
    return tf.round(tf.clip_by_value(images, 0.0, 255.0))


def _broad(values):
    """(n,) as (n, 1, 1, 1)."""
    return values[:, None, None, None]


def _filtered(images, draw):
    """Rows and columns each through a matrix that blurs, or resizes down and up again."""
    rows, _ = filters(images.shape[1])
    columns, groups = filters(images.shape[2])
    first, size = (tf.constant(part, tf.float32) for part in np.transpose(groups))
    group = tf.cast(draw.uniform(0.0, float(len(groups))), tf.int32)
    start, length = tf.gather(first, group), tf.gather(size, group)
    which = tf.cast(start + tf.floor(draw.uniform() * length), tf.int32)
    left, right = tf.gather(tf.constant(rows[0]), which), tf.gather(tf.constant(columns[1]), which)
    return tf.einsum("nij,njkc,nlk->nilc", left, images, right)


@functools.cache
def filters(side):
    """Linear filters of one axis: (k, side, side) matrices of rows, the same of columns, groups.

    A group, (first, size), holds alike filters; rows and columns differ for motion blur.
    """
    unit = np.eye(side, dtype=np.float32)

    def gaussian(sigma):
        return ndimage.gaussian_filter1d(unit, sigma, axis=0, mode="reflect")

    def moved(length):
        return ndimage.uniform_filter1d(unit, length, axis=0, mode="reflect")

    def resized(factor, down, up):
        small = max(2, round(side * factor))
        return _resize(_resize(unit, small, down), side, up)

    kernels = Image.Resampling
    pairs = [(k, k) for k in (kernels.BICUBIC, kernels.BILINEAR, kernels.LANCZOS)]
    pairs += [(kernels.BOX, kernels.BICUBIC), (kernels.NEAREST, kernels.BICUBIC)]
    factors = np.linspace(0.3, 0.95, 14)
    groups = [
        [(m, m) for m in map(gaussian, np.linspace(0.3, 2.4, 15))],
        [pair for k in (2, 3, 4, 5, 6) for m in [moved(k)] for pair in ((m, unit), (unit, m))],
        [(m, m) for pair in pairs for f in factors for m in [resized(f, *pair)]],
        [(m, m) for f in factors for m in [resized(f, kernels.BOX, kernels.NEAREST)]],
    ]
    sizes = [len(group) for group in groups]
    stacked = np.array([pair for group in groups for pair in group], np.float32)
    starts = np.cumsum([0, *sizes[:-1]])
    return (stacked[:, 0], stacked[:, 1]), list(zip(starts.tolist(), sizes, strict=True))


def _resize(matrix, length, kernel):
    """The rows of a matrix as an image of another height, float32."""
    image = Image.fromarray(matrix)
    return np.asarray(image.resize((matrix.shape[1], length), kernel), np.float32)


def _recoloured(images, draw):
    brightness = _broad(draw.uniform(-50.0, 50.0))
    contrast, saturation = (_broad(draw.uniform(0.6, 1.4)) for _ in range(2))
    grey = tf.reduce_mean(images, axis=-1, keepdims=True)
    images = grey + saturation * (images - grey)
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    return mean + contrast * (images - mean) + brightness


def _noisy(images, draw):
    """Gaussian noise, shot noise (its variance follows the brightness), or impulses."""
    strength = _broad(draw.uniform(0.0, NOISE))
    normal = draw.pixels(images)
    gaussian = images + 255 * strength * normal
    shot = images + 255 * strength * tf.sqrt(2 * images / 255) * normal
    chance = draw.pixels(images, tf.random.stateless_uniform)
    impulses = tf.where(chance < strength, tf.where(chance < strength / 2, 0.0, 255.0), images)
    kind = _broad(draw.uniform())
    return tf.where(kind < 0.5, gaussian, tf.where(kind < 0.8, shot, impulses))


def _compressed(images, draw):
    """JPEG with 4:2:0 chroma subsampling."""
    quality = tf.cast(draw.uniform(*map(float, QUALITY)), tf.int32)

    def through(pair):
        pixels, at = pair
        coded = tf.raw_ops.EncodeJpegVariableQuality(images=pixels, quality=at)
        decoded = tf.io.decode_jpeg(coded, channels=3, dct_method="INTEGER_ACCURATE")
        return tf.ensure_shape(decoded, images.shape[1:])

    shape = tf.TensorSpec(images.shape[1:], tf.uint8)
    whole = tf.cast(_whole(images), tf.uint8)
    return tf.cast(tf.map_fn(through, (whole, quality), fn_output_signature=shape), tf.float32)


_STAGES = {
    "filter": _filtered,
    "colour": _recoloured,
    "noise": _noisy,
    "jpeg": _compressed,
}
