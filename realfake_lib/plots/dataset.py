"""Figures about a data set: its parts, what one simple property gives away, its spectrum."""

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from realfake_lib.evaluation.spectrum import power, radial_power
from realfake_lib.formats import fixed
from realfake_lib.plots.style import (
    CLASS_COLOURS,
    FAINT,
    FAKE_COLOUR,
    GUIDE,
    LINES,
    REAL_COLOUR,
    SERIES,
    interval_dots,
    label_ends,
    new_figure,
    rows_axis,
    styled,
)
from realfake_lib.settings import CLASS_NAMES, FAKE, REAL

_PIXELS = 2**24  # of a class that a spectrum is taken of, at most: more would fill the memory
_TINY = 1e-6  # for the logarithm, where images are flat
_REAL_TO_FAKE = LinearSegmentedColormap.from_list("realfake", [REAL_COLOUR, "white", FAKE_COLOUR])


@styled
def shortcut_bars(shortcuts):
    """How well single properties tell the classes apart, each with its interval.

    Parameters
    ----------
    shortcuts : DataFrame
        Columns property, auroc, ci_low, ci_high.

    Returns
    -------
    Figure
    """
    figure = new_figure(0.34 * len(shortcuts) + 1.0)
    ax = figure.subplots()
    values = shortcuts[["auroc", "ci_low", "ci_high"]].astype(float)
    interval_dots(ax, np.arange(len(values)), *values.to_numpy().T, SERIES[0])
    names = shortcuts["property"].replace("encoding", "file header").str.replace("_", " ")
    rows_axis(ax, names, values=[fixed(value, 2) for value in values["auroc"]])
    reach = max(0.15, 1.1 * (values - 0.5).abs().max(axis=None))
    ax.set(xlim=(max(0, 0.5 - reach), min(1, 0.5 + reach)), xlabel="AUROC, FAKE positive (0 to 1)")
    ax.axvline(0.5, **GUIDE)
    above = {"transform": ax.get_xaxis_transform(), "ha": "center", "va": "bottom"}
    ax.text(0.5, 1.01, "chance level", fontsize=9, color=FAINT, **above)
    return figure


@styled
def power_spectrum(images, labels, rows, seed=0):
    """Mean power at each spatial frequency by class, and where FAKE has more or less than REAL.

    Parameters
    ----------
    images : (n, h, w, 3) array, 0..255
    labels : (n,) int array
        FAKE = 0, REAL = 1.
    rows : int array
        Images to choose from; of more than 5000 of a class, as many are drawn.
    seed : int

    Returns
    -------
    Figure
        Left: power by frequency in any direction. Right: FAKE over REAL in decibels by horizontal
        and vertical frequency.
    """
    height, width = images.shape[1:3]
    n = min(5000, _PIXELS // (height * width))
    figure = new_figure(3.2)
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
    powers, ends = {}, []
    for label in (REAL, FAKE):
        sample = _sample(images, labels, rows, label, n, seed)
        curve = radial_power(sample, bins=min(height, width) // 2)
        style = {"color": CLASS_COLOURS[label], "ls": LINES[0 if label else 1]}
        left.semilogy(curve["frequency"], curve["power"] + _TINY, **style)
        ends.append((curve["power"].iloc[-1] + _TINY, CLASS_NAMES[label], CLASS_COLOURS[label]))
        powers[label] = np.fft.fftshift(power(sample)[0].mean(axis=0)) + _TINY
    left.set(xlabel="spatial frequency (cycles per pixel)", ylabel="power (grey levels²)")
    left.set_xlim(0, 0.5)
    label_ends(left, ends)
    decibels = 10 * np.log10(powers[FAKE] / powers[REAL])
    reach = max(1.0, np.quantile(np.abs(decibels), 0.99))
    look = {"origin": "lower", "cmap": _REAL_TO_FAKE, "vmin": -reach, "vmax": reach}
    difference = right.imshow(decibels, extent=(-0.5, 0.5, -0.5, 0.5), **look)
    right.grid(False)
    right.set(
        title="FAKE against REAL",
        xlabel="horizontal frequency\n(cycles per pixel)",
        ylabel="vertical frequency\n(cycles per pixel)",
    )
    figure.colorbar(difference, ax=right, label="power, FAKE over REAL (dB)", shrink=0.85)
    return figure


def _sample(images, labels, rows, label, n, seed):
    chosen = rows[np.asarray(labels)[rows] == label]
    if len(chosen) > n:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, n, replace=False))
    return np.asarray(images[chosen])
