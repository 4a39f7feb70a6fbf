"""What every measure checks before it counts: lengths, labels, ranges, missing values."""

import numpy as np

from realfake_lib.settings import CLASS_NAMES, FAKE, REAL

HIGHEST_THRESHOLD = float(np.nextafter(1.0, 2.0))
"""Nothing is FAKE from here on; the lowest threshold that also spares an image with p_fake = 1."""


def labels_of(y_true):
    """``y_true`` as an (n,) int8 array of FAKE = 0 and REAL = 1, else ValueError."""
    given = np.asarray(y_true)
    if given.ndim != 1:
        raise ValueError(f"labels must be one-dimensional, not of shape {given.shape}")
    if given.size == 0:
        raise ValueError("no images to evaluate: the labels are empty")
    if not np.isin(given, (FAKE, REAL)).all():
        raise ValueError(f"labels must be FAKE = {FAKE} or REAL = {REAL}, not {np.unique(given)}")
    return given.astype(np.int8)


def finite(values, name, n=None):
    """``values`` as a finite (n,) float64 array, else ValueError."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1:
        # A column (n, 1) compared with labels (n,) would broadcast to n × n without a word.
        raise ValueError(f"{name} must be one-dimensional, not of shape {values.shape}")
    if n is not None and len(values) != n:
        raise ValueError(f"{n} labels but {len(values)} values of {name}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds NaN or infinite values")
    return values


def labels_and_scores(y_true, scores, name="p_fake", both_classes=False, probabilities=True):
    """Labels (n,) int8 and scores (n,) float64 that belong together, else ValueError."""
    y_true = labels_of(y_true)
    scores = finite(scores, name, len(y_true))
    if probabilities and not (scores.min() >= 0 and scores.max() <= 1):
        raise ValueError(
            f"{name} must lie in [0, 1], found {scores.min():g} to {scores.max():g}; "
            "are these logits?"
        )
    for label in (FAKE, REAL) if both_classes else ():
        if not (y_true == label).any():
            raise ValueError(f"both classes are needed, but there is no {CLASS_NAMES[label]} image")
    return y_true, scores


def threshold_of(value):
    """A threshold on ``p_fake`` as float, or ValueError where it cannot be one."""
    value = float(value)
    if not 0 <= value <= HIGHEST_THRESHOLD:
        raise ValueError(f"the threshold on p_fake must lie in [0, 1], not {value:g}")
    return value
