"""Colours as a screen shows them: images with a colour profile of their own brought to sRGB."""

import functools
import io

import numpy as np
from PIL import Image, ImageCms

_SPACE = {"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK", "LAB": "Lab "}

_SAME = 2
"""Difference of 8-bit values up to which a profile counts as sRGB: its makers round differently."""


def to_srgb(image, icc):
    """Convert an image from the colours of a profile, ``icc`` bytes, where that changes anything.

    A profile that is broken, or made for another kind of image, is passed over, as viewers do.
    """
    return conversion.apply(image) if (conversion := _conversion(icc, image.mode)) else image


def lab_to_srgb(image):
    """An RGB image of a Lab one."""
    lab = ImageCms.createProfile("LAB")
    return ImageCms.profileToProfile(image, lab, ImageCms.createProfile("sRGB"), outputMode="RGB")


def changes(image, icc):
    """Whether :func:`to_srgb` would change anything."""
    return _conversion(icc, image.mode) is not None


@functools.lru_cache(maxsize=16)  # images of one camera have one profile
def _conversion(icc, mode):
    if not icc:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        if profile.profile.xcolor_space != _SPACE.get(mode):
            return None
        srgb = ImageCms.createProfile("sRGB")
        conversion = ImageCms.buildTransform(profile, srgb, mode, "RGB")
        if mode in ("L", "RGB") and _changes_nothing(conversion, mode):
            return None
    except Exception:  # whatever is wrong with a profile, the image can be seen without
        return None
    return conversion


def _changes_nothing(conversion, mode):
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    if mode == "RGB":
        colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 18, 3)
    else:
        colours = np.tile(steps, (2, 1))
    samples = Image.fromarray(colours)
    shown = np.asarray(conversion.apply(samples), np.int16)
    return np.abs(shown - np.asarray(samples.convert("RGB"))).max() <= _SAME
