"""Calibration: temperature scaling, and predicted against observed shares."""

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from realfake_lib import probability
from realfake_lib.evaluation.inputs import finite, labels_and_scores
from realfake_lib.evaluation.metrics import wilson
from realfake_lib.evaluation.resampling import BINS, bin_index
from realfake_lib.settings import FAKE, REAL

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.01, 100.0


def fit_temperature(logits, y_true):
    """Temperature that makes the logits most likely, fitted on **validation** images.

    Parameters
    ----------
    logits : (n,) float array
        Logits for REAL, unbounded.
    y_true : (n,) int array
        FAKE = 0, REAL = 1.

    Returns
    -------
    float in [0.01, 100]
        Above 1 the network was overconfident. The lower bound is reached where the classes
        are separated completely: any validation split would then ask for certainty.

    Raises
    ------
    ValueError
        If a class is missing, lengths differ, or a logit is not finite.

    References
    ----------
    Guo et al., On Calibration of Modern Neural Networks (2017).
    """
    y_true, logits = labels_and_scores(y_true, logits, "logits", True, probabilities=False)
    towards_truth = np.where(y_true == REAL, logits, -logits)

    def loss(log_temperature):
        return np.logaddexp(0, -towards_truth / np.exp(log_temperature)).mean()

    bounds = np.log([LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE])
    fit = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return float(np.exp(fit.x))


def apply_temperature(logits, temperature=1.0):
    """Calibrated probability of FAKE, (n,) float64: sigmoid(-logit / temperature).

    Raises
    ------
    ValueError
        If a logit is not finite or the temperature is not positive.
    """
    if not temperature > 0:
        raise ValueError(f"the temperature must be positive, not {temperature!r}")
    return probability.p_fake(finite(logits, "logits"), temperature)


def reliability(y_true, p_fake):
    """Predicted against observed share of FAKE, in 15 bins of equal width over [0, 1].

    Parameters
    ----------
    y_true : (n,) int array
        FAKE = 0, REAL = 1.
    p_fake : (n,) float array in [0, 1]

    Returns
    -------
    DataFrame
        A row for each bin that holds images: bin_low, bin_high, n, mean_p_fake, fake_share and
        its 95 % Wilson interval ci_low, ci_high.
    """
    y_true, p_fake = labels_and_scores(y_true, p_fake)
    index = bin_index(p_fake)
    rows = []
    for b in np.unique(index):
        inside = index == b
        n, fakes = int(inside.sum()), int((y_true[inside] == FAKE).sum())
        row = b / BINS, (b + 1) / BINS, n, p_fake[inside].mean(), fakes / n, *wilson(fakes, n)
        rows.append(row)
    columns = ["bin_low", "bin_high", "n", "mean_p_fake", "fake_share", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=columns)
