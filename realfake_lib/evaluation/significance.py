"""Whether a difference between two detectors on the same images is more than chance."""

from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from realfake_lib.evaluation.inputs import labels_and_scores
from realfake_lib.evaluation.metrics import LEVEL, predict_labels


@dataclass(frozen=True)
class McNemar:
    """Accuracy of a minus that of b with its 95 % interval, numbers of images, and exact p."""

    difference: float
    interval: tuple
    only_a_correct: int
    only_b_correct: int
    both_wrong: int
    p_value: float


def mcnemar(y_true, p_fake_a, p_fake_b):
    """Compare the accuracies of two detectors on the same images, at ``p_fake`` = 0.5.

    Parameters
    ----------
    y_true : (n,) int array
        FAKE = 0, REAL = 1.
    p_fake_a, p_fake_b : (n,) float arrays in [0, 1]

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
    y_true, p_fake_a = labels_and_scores(y_true, p_fake_a, "p_fake_a")
    _, p_fake_b = labels_and_scores(y_true, p_fake_b, "p_fake_b")
    a, b = (predict_labels(p_fake) == y_true for p_fake in (p_fake_a, p_fake_b))
    only_a, only_b, neither = (int(cell.sum()) for cell in (a & ~b, ~a & b, ~a & ~b))
    n, up, down = len(y_true) + 2, only_a + 0.5, only_b + 0.5
    middle = (up - down) / n
    half = stats.norm.ppf((1 + LEVEL) / 2) * np.sqrt(up + down - (up - down) ** 2 / n) / n
    return McNemar(
        difference=(only_a - only_b) / len(y_true),
        interval=(float(max(-1, middle - half)), float(min(1, middle + half))),
        only_a_correct=only_a,
        only_b_correct=only_b,
        both_wrong=neither,
        p_value=exact_mcnemar(only_a, only_b),
    )


def exact_mcnemar(only_a, only_b):
    """McNemar's exact two-sided p-value from the numbers of images that one alone gets."""
    both = only_a + only_b
    return float(stats.binomtest(only_a, both).pvalue) if both else 1.0


def holm(p_values):
    """Holm's correction of (m,) p-values for having made m comparisons, in the given order."""
    p_values = np.asarray(p_values, dtype=np.float64)
    return multipletests(p_values, method="holm")[1] if p_values.size else p_values


def compare_all(y_true, p_fakes):
    """Every pair of detectors: difference in accuracy, its interval, and whether it is real.

    Parameters
    ----------
    y_true : (n,) int array
        FAKE = 0, REAL = 1.
    p_fakes : dict of str to (n,) float array in [0, 1]
        At least two detectors on the same images.

    Returns
    -------
    DataFrame
        A row a pair: a, b, difference (accuracy of a minus b), difference_low and _high,
        only_a_correct, only_b_correct, both_wrong, p_value (McNemar, exact) and p_holm (corrected
        for all pairs).
    """
    rows = []
    for a, b in combinations(p_fakes, 2):
        test = asdict(mcnemar(y_true, p_fakes[a], p_fakes[b]))
        ends = dict(zip(("difference_low", "difference_high"), test.pop("interval"), strict=True))
        rows.append({"a": a, "b": b, "difference": test.pop("difference")} | ends | test)
    frame = pd.DataFrame(rows)
    return frame.assign(p_holm=holm(frame["p_value"]))
