"""Whether an image is in a state in which a detector's score means something.

Detail and blocks are measures of the browser extension Sieve (Phineas1500/sieve-ai-image-detector,
docs/degradation-gate).
"""

import numpy as np

BLOCK = 8
"""Side of JPEG's blocks in pixels."""

MAX_BLOCKS = 2.0
"""Steps across the blocks' edges by other steps, from which compression has replaced the detail."""

_BLOCKS_A_SIDE = 16
"""From so many on their edges tell. Of four a side, those of a CIFAKE image in thirty stand out."""

MIN_DETAIL = 0.528
"""Steps over one pixel by steps over two, below which an image was enlarged far beyond its
resolution: 0.5 for an infinitely smooth one."""

MAX_DETAIL = 0.95
"""The same above which an image is hardly more than noise, for which it is 1. The highest of
CIFAKE's images is 0.79, and one in 1,000 images of ordinary size has more."""

MAX_FLAT = 0.6
"""Share of an image within one grey level of its commonest one from which it is no photograph of a
scene. So are one photograph in 40, most of these of documents, and one artwork in twelve."""

MIN_CONTRAST = 3.0
"""Standard deviation of the luminance in grey levels below which there is nothing to judge."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as JPEG
_SIDE = 1024


def reasons(image, at_own_resolution=True):
    """Why a score on this image would be worthless; an empty tuple where nothing speaks against it.

    Parameters
    ----------
    image : (h, w, 3) uint8 array
        The central 1,024 pixels of each side are looked at.
    at_own_resolution : bool
        Look also for one shade and for what enlarging and compression did; False for an image that
        was reduced to a detector's size.

    Returns
    -------
    tuple of str
    """
    luma = _centre(image) @ _LUMA
    if luma.std() < MIN_CONTRAST:
        return ("it shows next to nothing: one colour",)
    sharpness = detail(luma)
    if sharpness > MAX_DETAIL:
        return ("it is hardly more than noise or dithering",)
    if at_own_resolution and flat(luma) > MAX_FLAT:
        return ("most of it is of one shade, as in a document or a drawing",)
    found = []
    if at_own_resolution and sharpness < MIN_DETAIL:
        found.append("it was enlarged far beyond its resolution, or is out of focus")
    if (
        at_own_resolution
        and min(luma.shape) >= _BLOCKS_A_SIDE * BLOCK
        and blocks(luma) >= MAX_BLOCKS
    ):
        found.append("compression has replaced its detail by blocks")
    return tuple(found)


def detail(luma):
    """Mean step over one pixel divided by the mean step over two, of a (h, w) luminance.

    Of the direction, along rows or columns, in which it is lower: one may have been stretched.
    """
    found = []
    for image in (luma, luma.T):
        one, two = (np.abs(image[:, n:] - image[:, :-n]).mean() for n in (1, 2))
        found.append(one / max(two, 1e-6))
    return float(min(found))


def flat(luma):
    """Share of a (h, w) luminance that lies within one grey level of the commonest one."""
    counts = np.bincount(luma.round().astype(int).ravel(), minlength=256)
    return float(np.convolve(counts, np.ones(3)).max() / luma.size)


def blocks(luma):
    """Mean step across the edges of 8×8 blocks divided by the mean of the other steps.

    The grid may begin anywhere, as after a crop: of its places the one that stands out is taken.
    """
    found = []
    for image in (luma, luma.T):
        steps = np.abs(np.diff(image, axis=1)).mean(axis=0)
        steps = steps[: len(steps) // BLOCK * BLOCK].reshape(-1, BLOCK).mean(axis=0)
        at = steps.argmax()
        found.append(steps[at] / max(np.delete(steps, at).mean(), 1e-6))
    return float(np.mean(found))


def _centre(image):
    top, left = (max(0, length - _SIDE) // 2 // BLOCK * BLOCK for length in image.shape[:2])
    return image[top : top + _SIDE, left : left + _SIDE].astype(np.float32)
