"""The operating point of a detector: temperature, threshold and uncertain band from validation."""

from dataclasses import asdict, dataclass, field

import numpy as np

from realfake_lib.evaluation.calibration import apply_temperature, fit_temperature
from realfake_lib.evaluation.inputs import labels_and_scores
from realfake_lib.settings import FAKE, REAL

MAX_WRONG = 0.01
"""Share of the FAKE images at or below the uncertain band, and of the REAL ones above it."""

RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""False-positive rates for which the scores are recorded, so that a user can choose one later."""


@dataclass(frozen=True)
class OperatingPoint:
    """What turns a logit into a verdict. Everything in it was chosen on validation images.

    Attributes
    ----------
    temperature : float
        Divides the logit, so that ``p_fake`` means what it says (Guo et al., 2017).
    threshold : float in [0, 1]
        FAKE from this ``p_fake`` on.
    uncertain_band : (low, high)
        Between these there is no verdict.
    bands : dict
        For each of :data:`RATES`, by its name as text, the band (low, high) of :func:`band_at`.
    """

    temperature: float
    threshold: float
    uncertain_band: tuple
    bands: dict = field(default_factory=dict)

    def p_fake(self, logits):
        """Calibrated probability of FAKE, (n,) float64, from (n,) logits for REAL."""
        return apply_temperature(logits, self.temperature)

    def meta(self):
        """All of it as a dictionary for a model's metadata."""
        bands = {rate: list(band) for rate, band in self.bands.items()}
        return asdict(self) | {"uncertain_band": list(self.uncertain_band), "bands": bands}


def best_threshold(y_true, p_fake):
    """Threshold of the highest balanced accuracy, of several the one nearest to 0.5."""
    y_true, p_fake = labels_and_scores(y_true, p_fake, both_classes=True)
    levels, inverse = np.unique(p_fake, return_inverse=True)
    fakes = np.bincount(inverse, y_true == FAKE)
    reals = np.bincount(inverse, y_true == REAL)
    # Cut i predicts FAKE for the levels i, i+1, ...; the last cut for none.
    caught = np.append(np.cumsum(fakes[::-1])[::-1], 0) / fakes.sum()
    false_positives = np.append(np.cumsum(reals[::-1])[::-1], 0) / reals.sum()
    cuts = np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2, [1.0]])
    gain = caught - false_positives
    best = np.flatnonzero(gain >= gain.max() - 1e-12)
    return float(cuts[best[np.abs(cuts[best] - 0.5).argmin()]])


def uncertain_band(y_true, p_fake, threshold=0.5):
    """Band (low, high) outside of which at most :data:`MAX_WRONG` of either class are wrong."""
    low, high = _ends(y_true, p_fake, MAX_WRONG)
    return float(min(low, threshold)), float(max(high, threshold))


def band_at(y_true, p_fake, rate):
    """The band for a false-positive rate that is used up: (low, high), equal where it closes.

    From ``high`` on at most that share of the REAL images is predicted FAKE, and up to ``low`` at
    most that share of the FAKE ones REAL.
    """
    low, high = _ends(y_true, p_fake, rate)
    return float(min(low, high)), float(high)


def _ends(y_true, p_fake, rate):
    y_true, p_fake = labels_and_scores(y_true, p_fake, both_classes=True)
    fake = np.sort(p_fake[y_true == FAKE])
    real = np.sort(p_fake[y_true == REAL])[::-1]
    # The first score that is one too many to lie outside, so that it lies just inside.
    return np.nextafter(fake[int(rate * len(fake))], 0), np.nextafter(
        real[int(rate * len(real))], 1
    )


def choose_operating_point(y_val, val_logits):
    """Fit temperature, threshold and uncertain band on the validation split.

    Parameters
    ----------
    y_val : (n,) int array
        FAKE = 0, REAL = 1.
    val_logits : (n,) float array
        Logits for REAL.

    Returns
    -------
    OperatingPoint

    Raises
    ------
    ValueError
        If a class is missing.
    """
    temperature = float(fit_temperature(val_logits, y_val))
    p_fake = apply_temperature(val_logits, temperature)
    threshold = best_threshold(y_val, p_fake)
    return OperatingPoint(
        temperature,
        threshold,
        uncertain_band(y_val, p_fake, threshold),
        {str(rate): band_at(y_val, p_fake, rate) for rate in RATES},
    )
