"""Bring every image into the same state, whatever its origin: for training and for testing.

Fakes are often published without loss and photographs as JPEG, so the format, the quality, the
grid of 8×8 blocks and the size give the label away. What passes through here has been cut so that
no grid of blocks starts at its corner, reduced as the condition says, and encoded anew.
"""

import hashlib
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from realfake_lib import parallel
from realfake_lib.data.decoding import MIN_SIDE
from realfake_lib.data.images import decode, encode_jpeg
from realfake_lib.data.images import resize as resized

BLOCK = 8
"""Side of JPEG's blocks in pixels."""


@dataclass(frozen=True)
class Condition:
    """How images are delivered. Without a ``codec`` they stay as they are.

    Attributes
    ----------
    title : str
    codec : str or None
        ``"jpeg"`` (4:2:0) or ``"webp"``.
    quality : (int, int)
        Lowest and highest, drawn for each image.
    max_side : int or None
        Longest side in pixels that the whole image has afterwards; it is never enlarged.
    display : (float, float) or None
        Least and greatest scale at which a screen shows it, drawn for each image; what is shown is
        stored without loss.
    crop : int or None
        Side in pixels, before any reduction, of the square that is used; None for the whole image.
    """

    title: str
    codec: str | None = None
    quality: tuple = (75, 75)
    max_side: int | None = None
    display: tuple | None = None
    crop: int | None = 224


CONDITIONS = {
    "as_found": Condition("as found"),
    "equalised": Condition("re-encoded, JPEG quality 70 to 95", "jpeg", (70, 95)),
    "web": Condition("at most 768 px, JPEG quality 60", "jpeg", (60, 60), 768),
    "web_hard": Condition("at most 512 px, JPEG quality 40", "jpeg", (40, 40), 512),
    "screenshot": Condition("screenshot of a web page", "jpeg", (75, 90), display=(0.5, 0.95)),
    "webp": Condition("WebP quality 60 to 90", "webp", (60, 90)),
}
"""Name to :class:`Condition`."""


def equalise(image, key, condition="equalised", *, original_size=None, seed=0):
    """Pixels of an image as a condition delivers it.

    The square that is used, the quality and the scale follow from ``key`` and ``seed`` alone: they
    do not depend on the order or on other images, and the square is the same in all conditions.

    Parameters
    ----------
    image : (h, w, 3) uint8 array
        Decoded; each side at least 15 pixels.
    key : str
        The image's name.
    condition : str or Condition
        A name in :data:`CONDITIONS`.
    original_size : (int, int), optional
        Width and height in pixels of the whole image that ``image`` is a crop of. ``max_side`` is
        about the whole image: a crop of a photograph of 4,096 pixels is reduced to an eighth for
        ``max_side`` 512, as it would be in the photograph. By default the image is a whole one.
    seed : int

    Returns
    -------
    (h, w, 3) uint8 array
        Square unless the condition's ``crop`` is None. The side is 224 for a crop of the panel and
        less where it was reduced; the side then tells something of the original's size.
    """
    condition = CONDITIONS[condition] if isinstance(condition, str) else condition
    if condition.codec is None:
        return image
    return decode(encoded(image, key, condition, original_size=original_size, seed=seed), key)


def encoded(image, key, condition="equalised", *, original_size=None, seed=0):
    """Bytes of the file that :func:`equalise` decodes; its parameters. PNG for no loss."""
    condition = CONDITIONS[condition] if isinstance(condition, str) else condition
    if condition.codec is None:
        return _png(image)
    at = _draws(key, seed)
    whole = max(original_size or image.shape[:2])
    image = _off_the_grid(image, condition.crop, *at[:2])
    if condition.max_side:
        image = _reduced(image, condition.max_side / whole, Image.Resampling.BICUBIC)
    low, high = condition.quality
    quality = low + int(at[2] * (high - low + 1))
    content = encode_jpeg(image, quality) if condition.codec == "jpeg" else _webp(image, quality)
    if condition.display:
        low, high = condition.display
        shown = _reduced(
            decode(content, key), low + at[3] * (high - low), Image.Resampling.BILINEAR
        )
        content = _png(shown)
    return content


def random_delivery(image, side, rng):
    """A square of an image as some website might deliver it, for training: (side, side, 3) uint8.

    A square of 160 to 256 pixels is reduced to between 0.4 and all of it with one of four kernels,
    mirrored in half of the cases, compressed (JPEG in four of five cases, else WebP, quality 40 to
    95), and brought to the side. All is drawn alike for REAL and FAKE, from ``rng``, a NumPy
    Generator.
    """
    length = min(int(rng.integers(160, 257)), *image.shape[:2])
    top, left = (int(rng.integers(0, whole - length + 1)) for whole in image.shape[:2])
    square = Image.fromarray(image[top : top + length, left : left + length])
    reduced = max(MIN_SIDE, round(length * rng.uniform(0.4, 1)))
    kernels = Image.Resampling
    kernel = (kernels.BOX, kernels.BILINEAR, kernels.BICUBIC, kernels.LANCZOS)[rng.integers(4)]
    square = square.resize((reduced, reduced), kernel)
    if rng.random() < 0.5:
        square = square.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    codec, quality = ("JPEG" if rng.random() < 0.8 else "WEBP"), int(rng.integers(40, 96))
    stream = io.BytesIO()
    square.save(stream, codec, quality=quality)
    return resized(decode(stream.getvalue(), "the square"), side)


def of_panel(panel, rows, condition="equalised", *, seed=0, function=equalise):
    """Crops of a panel as a condition delivers them, with a thread for each core.

    Parameters
    ----------
    panel : realfake_lib.data.Panel
    rows : (m,) int array
        Positions in its table.
    condition, seed
        As for :func:`equalise`.
    function : callable
        :func:`equalise`, or :func:`encoded` for bytes.

    Returns
    -------
    list of m (h, w, 3) uint8 arrays
        Of one size, unless the condition reduces them.
    """
    table = panel.table

    def one(row):
        # The name without its end: a crop made again is WebP where the archive's is JPEG.
        key = table["file"].iat[row].rpartition(".")[0]
        size = table["original_width"].iat[row], table["original_height"].iat[row]
        return function(panel.crop(row), key, condition, original_size=size, seed=seed)

    return list(parallel.each(one, rows))


def _draws(key, seed):
    """Four numbers in [0, 1) that follow from a name and a seed: top, left, quality, scale."""
    digest = hashlib.sha256(f"{seed}\0{key}".encode("utf-8", "surrogateescape")).digest()
    return np.random.default_rng(list(digest)).random(4)


def _off_the_grid(image, side, top, left):
    """A square of the side, or nearly all of the image; each place on the 8×8 grid is as likely."""
    lengths = image.shape[:2]
    if min(lengths) < MIN_SIDE + BLOCK - 1:
        raise ValueError(f"an image of {lengths[1]}×{lengths[0]} pixels is too small to equalise")
    sizes = np.minimum(side or max(lengths), np.array(lengths) - BLOCK + 1)
    height, width = sizes if side is None else [sizes.min()] * 2
    y, x = (
        int(at * ((length - size + 1) // BLOCK * BLOCK))
        for at, length, size in zip((top, left), lengths, (height, width), strict=True)
    )
    return np.ascontiguousarray(image[y : y + height, x : x + width])


def _reduced(image, scale, kernel):
    if scale >= 1:
        return image
    size = [max(MIN_SIDE, round(side * scale)) for side in image.shape[1::-1]]
    return np.array(Image.fromarray(image).resize(size, kernel))


def _png(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _webp(image, quality):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "WEBP", quality=quality)
    return stream.getvalue()
