"""Squares of an image of ordinary size: its layout when reduced, its texture at full resolution."""

import numpy as np

from realfake_lib.data import images as reading

ELONGATED = 1.4
"""Long side by short side from which one central square leaves out too much."""


def squares(image, side):
    """The views of an image that a detector for images of ordinary size judges.

    First the image as a whole, reduced to the side: its central square, or the two squares at its
    ends where it is elongated. Then, where the image is larger, squares as they stand in it,
    without any resampling: the centre, and for twice the side also the middle of each quarter.

    Parameters
    ----------
    image : (h, w, 3) uint8 array
    side : int
        Side of each view in pixels.

    Returns
    -------
    (v, side, side, 3) uint8 array
        One to seven views.
    """
    height, width = image.shape[:2]
    short, long = sorted((height, width))
    if long < ELONGATED * short:
        views = [reading.resize(image, side)]
    else:
        ends = (image[:short, :short], image[height - short :, width - short :])
        views = [reading.resize(end, side) for end in ends]
    if short >= 1.5 * side:
        views.append(_around(image, 0.5, 0.5, side))
    if short >= 2 * side:
        views += [_around(image, y, x, side) for y in (0.25, 0.75) for x in (0.25, 0.75)]
    return np.stack(views)


def _around(image, y, x, side):
    """The square whose middle lies at these shares of the height and the width."""
    top, left = (
        int(np.clip(round(at * length - side / 2), 0, length - side))
        for at, length in zip((y, x), image.shape[:2], strict=True)
    )
    return image[top : top + side, left : left + side]
