"""Whether a difference between two detectors on the same images is more than chance."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from realfake_lib.evaluation.inputs import labels_and_scores, need_both_classes
from realfake_lib.evaluation.metrics import LEVEL, delong_covariance, predict_labels
from realfake_lib.evaluation.resampling import bootstrap
from realfake_lib.evaluation.resampling import measure as measure_once


@dataclass(frozen=True)
class McNemar:
    """How two detectors' verdicts on the same images differ.

    Attributes
    ----------
    both_correct, only_a_correct, only_b_correct, both_wrong : int
        Numbers of images.
    difference : float
        Accuracy of a minus accuracy of b.
    interval : (low, high)
        95 % interval of the difference.
    p_value : float
        Exact, two-sided: chance of so uneven a split of the images on which one alone is correct.
    """

    both_correct: int
    only_a_correct: int
    only_b_correct: int
    both_wrong: int
    difference: float
    interval: tuple
    p_value: float


@dataclass(frozen=True)
class Difference:
    """A difference between two detectors on the same images, a minus b.

    Attributes
    ----------
    value : float
    interval : (low, high)
        95 %.
    p_value : float
        Two-sided.
    """

    value: float
    interval: tuple
    p_value: float


def mcnemar(y_true, p_fake_a, p_fake_b, threshold=0.5):
    """Compare the accuracies of two detectors on the same images.

    Parameters
    ----------
    y_true : (n,) int array
        FAKE = 0, REAL = 1.
    p_fake_a, p_fake_b : (n,) float arrays in [0, 1]
    threshold : float or (float, float)
        FAKE from this ``p_fake`` on; a pair where each detector has its own.

    Returns
    -------
    McNemar
        The test is exact; the interval is Agresti and Min's (half an image added to each of the
        four cells), which also holds where the two differ on few images.

    Raises
    ------
    ValueError
        If lengths differ or a value is NaN or out of range.

    References
    ----------
    McNemar (1947); Agresti and Min (2005).
    """
    at_a, at_b = threshold if np.ndim(threshold) else (threshold, threshold)
    y_true, p_fake_a = labels_and_scores(y_true, p_fake_a, "p_fake_a")
    _, p_fake_b = labels_and_scores(y_true, p_fake_b, "p_fake_b")
    a = predict_labels(p_fake_a, at_a) == y_true
    b = predict_labels(p_fake_b, at_b) == y_true
    both, only_a, only_b, neither = (int(cell.sum()) for cell in (a & b, a & ~b, ~a & b, ~a & ~b))
    n, up, down = len(y_true) + 2, only_a + 0.5, only_b + 0.5
    middle = (up - down) / n
    half = stats.norm.ppf((1 + LEVEL) / 2) * np.sqrt(up + down - (up - down) ** 2 / n) / n
    return McNemar(
        both_correct=both,
        only_a_correct=only_a,
        only_b_correct=only_b,
        both_wrong=neither,
        difference=(only_a - only_b) / len(y_true),
        interval=(float(max(-1, middle - half)), float(min(1, middle + half))),
        p_value=exact_mcnemar(only_a, only_b),
    )


def exact_mcnemar(only_a, only_b):
    """McNemar's exact two-sided p-value from the numbers of images that one alone gets."""
    both = only_a + only_b
    return float(stats.binomtest(only_a, both).pvalue) if both else 1.0


def holm(p_values):
    """Holm's correction for having made several comparisons.

    Parameters
    ----------
    p_values : (m,) float array in [0, 1]

    Returns
    -------
    (m,) float64 array
        Corrected, in the given order: below 0.05 in any of them happens in at most 5 % of studies
        in which nothing differs.

    Raises
    ------
    ValueError
        If a value is NaN or outside [0, 1].
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    if p_values.ndim != 1 or not ((p_values >= 0) & (p_values <= 1)).all():
        raise ValueError("p-values must be a list of numbers in [0, 1]")
    if p_values.size == 0:
        return p_values
    return multipletests(p_values, method="holm")[1]


def paired_bootstrap(
    y_true, p_fake_a, p_fake_b, measure="auroc", threshold=0.5, n_bootstrap=2000, seed=0
):
    """Difference of any measure between two detectors, resampling the images for both alike.

    Parameters
    ----------
    y_true : (n,) int array
        FAKE = 0, REAL = 1.
    p_fake_a, p_fake_b : (n,) float arrays in [0, 1]
    measure : str
        Name of a number in :class:`~realfake_lib.evaluation.metrics.Scores`.
    threshold : float or (float, float)
        FAKE from this ``p_fake`` on; a pair where each detector has its own.
    n_bootstrap : int
        Resamples, at least 100.
    seed : int

    Returns
    -------
    Difference
        Percentile interval. The p-value is twice the share of resamples on the far side of zero
        and never below ``2 / (n_bootstrap + 1)``.

    Raises
    ------
    ValueError
        If lengths differ, a class is missing, a value is NaN or out of range, or the measure is
        unknown.
    """
    at_a, at_b = threshold if np.ndim(threshold) else (threshold, threshold)
    a = bootstrap(y_true, p_fake_a, at_a, n_bootstrap, seed)
    b = bootstrap(y_true, p_fake_b, at_b, n_bootstrap, seed)
    if measure not in a:
        raise ValueError(f"unknown measure {measure!r}; known are {', '.join(a.columns)}")
    differences = (a[measure] - b[measure]).to_numpy()
    low, high = np.quantile(differences, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    against = 1 + min(np.sum(differences <= 0), np.sum(differences >= 0))
    return Difference(
        value=measure_once(y_true, p_fake_a, at_a)[measure]
        - measure_once(y_true, p_fake_b, at_b)[measure],
        interval=(float(low), float(high)),
        p_value=float(min(1, 2 * against / (n_bootstrap + 1))),
    )


def delong(y_true, p_fake_a, p_fake_b):
    """Difference in AUROC between two detectors on the same images.

    Parameters
    ----------
    y_true : (n,) int array
        FAKE = 0, REAL = 1.
    p_fake_a, p_fake_b : (n,) float arrays in [0, 1]

    Returns
    -------
    Difference

    Raises
    ------
    ValueError
        If lengths differ, a class is missing, or a value is NaN or out of range.

    References
    ----------
    DeLong et al. (1988).
    """
    y_true, p_fake_a = labels_and_scores(y_true, p_fake_a, "p_fake_a")
    _, p_fake_b = labels_and_scores(y_true, p_fake_b, "p_fake_b")
    need_both_classes(y_true)
    values, covariance = delong_covariance(y_true, np.stack([p_fake_a, p_fake_b]))
    difference = float(values[0] - values[1])
    variance = max(0.0, covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if variance < 1e-16:  # the two rank the images alike, so nothing can differ
        return Difference(difference, (difference, difference), 1.0 if difference == 0 else 0.0)
    spread = float(np.sqrt(variance))
    half = float(stats.norm.ppf((1 + LEVEL) / 2)) * spread
    p_value = float(2 * stats.norm.sf(abs(difference) / spread))
    return Difference(difference, (difference - half, difference + half), p_value)


def compare_all(y_true, p_fakes, threshold=0.5):
    """Every pair of detectors: difference in accuracy, its interval, and whether it is real.

    Parameters
    ----------
    y_true : (n,) int array
        FAKE = 0, REAL = 1.
    p_fakes : dict of str to (n,) float array in [0, 1]
        At least two detectors on the same images.
    threshold : float or dict of str to float
        FAKE from this ``p_fake`` on; a dictionary where each detector has its own.

    Returns
    -------
    DataFrame
        A row a pair: a, b, difference (accuracy of a minus b), difference_low and _high,
        only_a_correct, only_b_correct, both_wrong, p_value (McNemar, exact) and p_holm (corrected
        for all pairs).

    Raises
    ------
    ValueError
        If there are fewer than two detectors, lengths differ, or a value is out of range.
    """
    if len(p_fakes) < 2:
        raise ValueError(f"a comparison needs at least two detectors, not {len(p_fakes)}")
    at = threshold if isinstance(threshold, dict) else dict.fromkeys(p_fakes, threshold)
    rows = []
    for a, b in combinations(p_fakes, 2):
        test = mcnemar(y_true, p_fakes[a], p_fakes[b], (at[a], at[b]))
        rows.append(
            {
                "a": a,
                "b": b,
                "difference": test.difference,
                "difference_low": test.interval[0],
                "difference_high": test.interval[1],
                "only_a_correct": test.only_a_correct,
                "only_b_correct": test.only_b_correct,
                "both_wrong": test.both_wrong,
                "p_value": test.p_value,
            }
        )
    frame = pd.DataFrame(rows)
    return frame.assign(p_holm=holm(frame["p_value"]))
