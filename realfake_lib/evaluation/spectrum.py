"""Where in the frequency spectrum sets of small images differ, and what resampling takes away."""

import numpy as np
import pandas as pd

LUMA = np.array([0.299, 0.587, 0.114], "float32")
"""Weights of red, green, blue in brightness (ITU-R BT.601, as JPEG uses them)."""

HIGH = 0.25
"""Cycles per pixel from which a frequency counts as high: half of the highest, 0.5."""


def power(images):
    """Power (n, h, w) of each image's brightness at each frequency, and the frequencies (h, w)."""
    brightness = np.asarray(images, "float32") @ LUMA
    brightness = brightness - brightness.mean(axis=(1, 2), keepdims=True)
    height, width = brightness.shape[1:]
    # Without a window, the jump from one edge to the opposite one would count as fine texture.
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    power = np.abs(np.fft.fft2(brightness * window)) ** 2 / (height * width)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    return power, frequency


def radial_power(images, bins=16):
    """Mean power of the images' brightness by spatial frequency.

    Parameters
    ----------
    images : (n, h, w, 3) array
        Pixels, 0 to 255.
    bins : int
        Rings of equal width between 0 and 0.5 cycles per pixel.

    Returns
    -------
    DataFrame
        ``frequency`` (middle of the ring, cycles per pixel) and ``power`` (grey levels squared).
    """
    powers, frequency = power(images)
    mean = powers.mean(axis=0)
    edges = np.linspace(0, 0.5, bins + 1)
    ring = np.digitize(frequency, edges) - 1
    # The corners of the square lie beyond 0.5; the constant term was subtracted.
    inside = (ring < bins) & (frequency > 0)
    total = np.bincount(ring[inside], mean[inside], bins)
    count = np.bincount(ring[inside], minlength=bins)
    middles = (edges[:-1] + edges[1:]) / 2
    filled = count > 0
    return pd.DataFrame({"frequency": middles[filled], "power": total[filled] / count[filled]})


def high_frequency_power(images):
    """Power of each image's brightness in fine detail, from :data:`HIGH` on.

    Parameters
    ----------
    images : (n, h, w, 3) array
        Pixels, 0 to 255.

    Returns
    -------
    (n,) float64 array
        Mean squared amplitude, grey levels squared.
    """
    powers, frequency = power(images)
    return powers[:, frequency >= HIGH].mean(axis=1)
