"""Class activation maps laid over the images that they explain."""

import matplotlib
import numpy as np

_LUMA = np.float32([0.299, 0.587, 0.114])


def overlay(images, maps, alpha=0.5):
    """Images in grey with their maps in colour, uint8, of the images' shape.

    The image loses its own colours, so that every colour seen is the map's, whose lightness rises
    with the value: it reads without colours, too. An image whose map is all zero comes out grey.

    Parameters
    ----------
    images : (n, h, w, 3) or (h, w, 3) array, 0..255
    maps : (n, h, w) or (h, w) float array in [0, 1]
    alpha : float in [0, 1]
        Opacity of the map.

    Raises
    ------
    ValueError
        If the shapes do not belong together.
    """
    images, maps = np.asarray(images, np.float32), np.asarray(maps, np.float32)
    if images.shape[:-1] != maps.shape or images.shape[-1] != 3:
        raise ValueError(f"images {images.shape} and maps {maps.shape} do not belong together")
    grey = np.repeat((images @ _LUMA)[..., None], 3, axis=-1)
    colours = 255 * matplotlib.colormaps["inferno"](maps)[..., :3]
    found = np.any(maps != 0, axis=(-2, -1), keepdims=True)[..., None]
    blended = np.where(found, (1 - alpha) * grey + alpha * colours, grey)
    return np.rint(blended).astype(np.uint8)
