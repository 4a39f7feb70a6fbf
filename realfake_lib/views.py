"""Squares of an image of ordinary size at its own resolution, which keeps its texture."""

import numpy as np

from realfake_lib.data import images as reading

QUARTERS = 1.5
"""Short side of an image, in sides of a square, from which the middle of each quarter is taken."""


def squares(image, side):
    """The views of an image that a detector for images of ordinary size judges.

    They stand in the image as they are, without any resampling: its centre and, where it is large
    enough, the middle of each quarter. An image that is smaller than the side is enlarged.

    Parameters
    ----------
    image : (h, w, 3) uint8 array
    side : int
        Side of each view in pixels.

    Returns
    -------
    (v, side, side, 3) uint8 array
        One view or five.
    """
    short = min(image.shape[:2])
    if short < side:
        return reading.resize(image, side)[None]
    places = [(0.5, 0.5)]
    if short >= QUARTERS * side:
        places += [(y, x) for y in (0.25, 0.75) for x in (0.25, 0.75)]
    return np.stack([_around(image, y, x, side) for y, x in places])


def _around(image, y, x, side):
    """The square whose middle lies at these shares of the height and the width, or nearly so."""
    top, left = (
        int(np.clip(round(at * length - side / 2), 0, length - side))
        for at, length in zip((y, x), image.shape[:2], strict=True)
    )
    return image[top : top + side, left : left + side]
