"""Accuracy, ranking and calibration of a detector, each with its 95 % interval."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from sklearn import metrics as sklearn_metrics
from statsmodels.stats.proportion import proportion_confint

from realfake_lib.evaluation.inputs import labels_and_scores, labels_of, threshold_of
from realfake_lib.evaluation.resampling import BINS, Ranking, bin_index, bootstrap
from realfake_lib.settings import FAKE, REAL

LEVEL = 0.95
"""Confidence level of every interval in this project."""


class Measures:
    """Numbers with their 95 % intervals, which are a dict of str to (low, high)."""

    def items(self):
        """Yield ``(name, value, (low, high))`` for each number, ready for ``run.metrics``."""
        for name, interval in self.intervals.items():
            yield name, getattr(self, name), interval


@dataclass(frozen=True)
class Scores(Measures):
    """What one detector reaches on one set of images.

    Attributes
    ----------
    accuracy, precision, recall, f1 : float
        At ``threshold``. Precision and F1 are 0 where nothing is predicted FAKE.
    auroc, average_precision : float
        Of ``p_fake`` as a ranking.
    tpr_at_fpr_01, tpr_at_fpr_05 : float
        Recall of FAKE at a false-positive rate of at most 1 % or 5 %.
    ece : float
        Expected calibration error of ``p_fake`` in 15 bins.
    confusion : (2, 2) int64 array
        Rows: true FAKE, REAL; columns: predicted FAKE, REAL.
    n : int
        Number of images.
    intervals : dict of str to (low, high)
        95 % interval of each number above.
    """

    accuracy: float
    precision: float
    recall: float
    f1: float
    auroc: float
    average_precision: float
    tpr_at_fpr_01: float
    tpr_at_fpr_05: float
    ece: float
    confusion: np.ndarray
    n: int
    intervals: dict


def evaluate(y_true, p_fake, threshold=0.5, n_bootstrap=1000, seed=0, groups=None):
    """Score a detector's probabilities against the truth.

    Intervals: Wilson for accuracy, precision and recall; DeLong for AUROC; for the rest a
    bootstrap of the images within each class (the class sizes were chosen, not drawn), corrected
    for noise in the case of the calibration error.

    Parameters
    ----------
    y_true : (n,) int array
        FAKE = 0, REAL = 1.
    p_fake : (n,) float array in [0, 1]
        Predicted probability of FAKE.
    threshold : float in [0, 1]
        FAKE is predicted where ``p_fake >= threshold``.
    n_bootstrap : int
        Resamples, at least 100.
    seed : int
        Same seed, same intervals.
    groups : (n,) array, optional
        E.g. the source of each image. All intervals are then those of a bootstrap of whole groups
        within each class, since images of one source are no independent draws.

    Returns
    -------
    Scores

    Raises
    ------
    ValueError
        If lengths differ, a class is missing, or a value is NaN or out of range.
    """
    y_true, p_fake = labels_and_scores(y_true, p_fake, both_classes=True)
    ranked = Ranking(y_true, p_fake, threshold).measure()
    resamples = bootstrap(y_true, p_fake, threshold, n_bootstrap, seed, groups)
    confusion = confusion_matrix(y_true, predict_labels(p_fake, threshold))
    caught, missed, alarms, _ = confusion.ravel()
    predicted = caught + alarms
    right, n = int(np.trace(confusion)), len(y_true)
    values = {
        "accuracy": right / n,
        "precision": float(caught / predicted) if predicted else 0.0,
        "recall": float(caught / (caught + missed)),
        "f1": float(2 * caught / (2 * caught + missed + alarms)),
        "auroc": float(sklearn_metrics.roc_auc_score(y_true == FAKE, p_fake)),
        "average_precision": float(sklearn_metrics.average_precision_score(y_true == FAKE, p_fake)),
        "tpr_at_fpr_01": ranked["tpr_at_fpr_01"],
        "tpr_at_fpr_05": ranked["tpr_at_fpr_05"],
        "ece": expected_calibration_error(y_true, p_fake),
    }
    intervals = {
        "accuracy": wilson(right, n),
        # No image predicted FAKE says nothing about the precision of such predictions.
        "precision": wilson(caught, predicted) if predicted else (0.0, 1.0),
        "recall": wilson(caught, caught + missed),
        "auroc": auroc_interval(y_true, p_fake),
        "ece": _calibration_interval(y_true, p_fake, values["ece"], resamples["ece"]),
    }
    for name in values if groups is not None else values.keys() - intervals.keys():
        intervals[name] = _bootstrap_interval(values[name], resamples[name])
    intervals = {name: intervals[name] for name in values}
    return Scores(**values, confusion=confusion, n=n, intervals=intervals)


def predicted_fake(p_fake, threshold=0.5):
    """Share of images that are predicted FAKE, the one measure that images of one class give.

    Of FAKE images it is the recall, of REAL images the false-positive rate.

    Parameters
    ----------
    p_fake : (n,) float array in [0, 1]
    threshold : float in [0, 1]

    Returns
    -------
    value : float in [0, 1]
    (low, high) : floats in [0, 1]
        95 % Wilson interval.
    """
    p_fake = np.asarray(p_fake)
    _, p_fake = labels_and_scores(np.zeros(len(p_fake), np.int8), p_fake)
    predicted = int((predict_labels(p_fake, threshold) == FAKE).sum())
    return predicted / len(p_fake), wilson(predicted, len(p_fake))


def predict_labels(p_fake, threshold=0.5):
    """Verdicts (n,) int8: FAKE = 0 where ``p_fake >= threshold``, else REAL = 1."""
    p_fake = np.asarray(p_fake, dtype=np.float64)
    return np.where(p_fake >= threshold_of(threshold), FAKE, REAL).astype(np.int8)


def confusion_matrix(y_true, y_pred):
    """Counts (2, 2) of verdicts; rows: true FAKE, REAL; columns: predicted FAKE, REAL."""
    y_true, y_pred = labels_of(y_true), labels_of(y_pred)
    return sklearn_metrics.confusion_matrix(y_true, y_pred, labels=[FAKE, REAL])


def wilson(k, n):
    """95 % Wilson interval of ``k`` of ``n``, (low, high) in [0, 1]; else ValueError."""
    if n < 1 or not 0 <= k <= n:
        raise ValueError(f"no proportion: {k} of {n}")
    low, high = proportion_confint(int(k), int(n), alpha=1 - LEVEL, method="wilson")
    # At 0 and n of n the bounds are exact in theory and off by 1e-17 in floats.
    return (0.0 if k == 0 else float(low)), (1.0 if k == n else float(high))


def expected_calibration_error(y_true, p_fake):
    """Mean distance between the predicted and the observed share of FAKE, weighted by bin size.

    Binned by ``p_fake``, which is what a user is told (Naeini et al., 2015; Guo et al., 2017).
    Biased upwards for small n: noise within a bin counts as error. One class alone is allowed.
    """
    y_true, p_fake = labels_and_scores(y_true, p_fake)
    gap = np.bincount(bin_index(p_fake), (y_true == FAKE) - p_fake, BINS)
    return float(np.abs(gap).sum() / len(y_true))


def per_group(y_true, p_fake, groups, names):
    """Accuracy and recall of each class within groups of images, such as object classes.

    Parameters
    ----------
    y_true : (n,) int array
        FAKE = 0, REAL = 1.
    p_fake : (n,) float array in [0, 1]
        FAKE from 0.5 on.
    groups : (n,) int array
        Index into ``names``; −1 for unknown.
    names : sequence of str

    Returns
    -------
    DataFrame
        A row for each group that occurs, in the order of ``names``, "unknown" last: group, n,
        accuracy, ci_low, ci_high, and the same for its FAKE and REAL images: n_fake, fake_recall,
        fake_ci_low, … (Wilson, 95 %; NaN where a class does not occur in the group).
    """
    y_true, p_fake = labels_and_scores(y_true, p_fake)
    groups = np.asarray(groups)
    right = predict_labels(p_fake) == y_true
    rows = []
    everything = np.ones(len(y_true), bool)
    parts = {
        ("n", "accuracy", ""): everything,
        ("n_fake", "fake_recall", "fake_"): y_true == FAKE,
        ("n_real", "real_recall", "real_"): y_true == REAL,
    }
    for group in (*range(len(names)), -1):
        of_group = groups == group
        if not of_group.any():
            continue
        row = {"group": "unknown" if group == -1 else names[group]}
        for (count, share, prefix), chosen in parts.items():
            part = of_group & chosen
            n = int(part.sum())
            low, high = wilson(right[part].sum(), n) if n else (np.nan, np.nan)
            row |= {count: n, share: right[part].mean() if n else np.nan}
            row |= {f"{prefix}ci_low": low, f"{prefix}ci_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def auroc_interval(y_true, p_fake):
    """95 % interval of the AUROC by DeLong's variance (1988), on the logit scale (Pepe, 2003).

    Where the variance vanishes (complete separation) it is Wilson's for as many pairs as the
    smaller class has images, since an interval of width zero would be false.
    """
    y_true, p_fake = labels_and_scores(y_true, p_fake, both_classes=True)
    values, covariance = delong_covariance(y_true, p_fake[None])
    value, variance = float(values[0]), float(covariance[0, 0])
    if variance < 1e-12 or not 0 < value < 1:
        pairs = min(np.sum(y_true == FAKE), np.sum(y_true == REAL))
        return wilson(int(round(value * pairs)), int(pairs))
    logit = np.log(value / (1 - value))
    half = stats.norm.ppf((1 + LEVEL) / 2) * np.sqrt(variance) / (value * (1 - value))
    return float(1 / (1 + np.exp(half - logit))), float(1 / (1 + np.exp(-half - logit)))


def delong_covariance(y_true, scores):
    """AUROC (m,) and DeLong's covariance (m, m) of the ``p_fake`` (m, n) of m detectors."""
    of_fake, of_real = placements(scores[:, y_true == FAKE], scores[:, y_true == REAL])
    covariance = np.zeros((len(scores), len(scores)))
    for part in (of_fake, of_real):
        if part.shape[1] > 1:  # one image says nothing about the spread of its class
            covariance += np.atleast_2d(np.cov(part)) / part.shape[1]
    return of_fake.mean(axis=1), covariance


def placements(fake, real):
    """Share of REAL images that score below each FAKE one, and of FAKE ones above each REAL one.

    ``fake`` (m, n_fake) and ``real`` (m, n_real) rise with ``p_fake``. A tie counts one half; the
    mean of either result over its images is the AUROC (computed as by Sun and Xu, 2014).
    """
    n_fake, n_real = fake.shape[1], real.shape[1]
    together = stats.rankdata(np.concatenate([fake, real], axis=1), axis=1)
    of_fake = (together[:, :n_fake] - stats.rankdata(fake, axis=1)) / n_real
    of_real = 1 - (together[:, n_fake:] - stats.rankdata(real, axis=1)) / n_fake
    return of_fake, of_real


def _bootstrap_interval(value, resamples):
    low, high = np.quantile(resamples, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return min(float(low), value), max(float(high), value)


def _calibration_interval(y_true, p_fake, value, resamples):
    """Interval of a calibration error, which lies above the truth because noise counts as error.

    Resamples lie higher still. The estimate cannot exceed the truth by more than the noise of all
    bins together, which bounds it from below; mirroring the resamples bounds it from above.
    """
    errors = ((y_true == FAKE) - p_fake) ** 2
    spread = np.sqrt(np.bincount(bin_index(p_fake), errors, BINS)) / len(y_true)
    z = stats.norm.ppf((1 + LEVEL) / 2)
    # Mean and deviation of the sum of |normal| variables with these standard deviations.
    noise = np.sqrt(2 / np.pi) * spread.sum() + z * np.sqrt((1 - 2 / np.pi) * (spread**2).sum())
    mirrored = 2 * value - np.quantile(resamples, (1 - LEVEL) / 2)
    return float(max(0.0, value - noise)), float(max(value, mirrored))
