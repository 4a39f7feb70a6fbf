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


@dataclass(frozen=True)
class Scores:
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
    threshold : float
        FAKE is predicted from this ``p_fake`` on.
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
    threshold: float
    intervals: dict

    def items(self):
        """Yield ``(name, value, (low, high))`` for each number, in the order of the attributes."""
        for name, interval in self.intervals.items():
            yield name, getattr(self, name), interval


def evaluate(y_true, p_fake, threshold=0.5, n_bootstrap=1000, seed=0):
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

    Returns
    -------
    Scores

    Raises
    ------
    ValueError
        If lengths differ, a class is missing, or a value is NaN or out of range.
    """
    y_true, p_fake = labels_and_scores(y_true, p_fake, both_classes=True)
    resamples = bootstrap(y_true, p_fake, threshold, n_bootstrap, seed)
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
        "tpr_at_fpr_01": tpr_at_fpr(y_true, p_fake, 0.01),
        "tpr_at_fpr_05": tpr_at_fpr(y_true, p_fake, 0.05),
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
    for name in values.keys() - intervals.keys():
        intervals[name] = _bootstrap_interval(values[name], resamples[name])
    intervals = {name: intervals[name] for name in values}
    return Scores(
        **values, confusion=confusion, n=n, threshold=float(threshold), intervals=intervals
    )


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
    """Count verdicts by true class.

    Parameters
    ----------
    y_true, y_pred : (n,) int arrays
        FAKE = 0, REAL = 1. For ``y_pred`` see :func:`predict_labels`.

    Returns
    -------
    (2, 2) int64 array
        Rows: true FAKE, REAL; columns: predicted FAKE, REAL.
    """
    return sklearn_metrics.confusion_matrix(
        labels_of(y_true), labels_of(y_pred), labels=[FAKE, REAL]
    )


def wilson(k, n):
    """95 % Wilson interval of a proportion, ``k`` of ``n``: (low, high) in [0, 1].

    Raises
    ------
    ValueError
        If ``n`` is 0 or ``k`` is not among 0 to ``n``.
    """
    if n < 1 or not 0 <= k <= n:
        raise ValueError(f"no proportion: {k} of {n}")
    low, high = proportion_confint(int(k), int(n), alpha=1 - LEVEL, method="wilson")
    # At 0 and n of n the bounds are exact in theory and off by 1e-17 in floats.
    return (0.0 if k == 0 else float(low)), (1.0 if k == n else float(high))


def tpr_at_fpr(y_true, p_fake, fpr):
    """True-positive rate for FAKE at a false-positive rate of at most ``fpr``, in (0, 1).

    The best operating point that exists, not one interpolated between two.
    """
    if not 0 < fpr < 1:
        raise ValueError(f"fpr must lie between 0 and 1, not {fpr:g}")
    y_true, p_fake = labels_and_scores(y_true, p_fake, both_classes=True)
    ranked = Ranking(y_true, p_fake)
    return ranked.tpr_at(fpr, *ranked.counts())


def expected_calibration_error(y_true, p_fake, bins=BINS):
    """Mean distance between the predicted and the observed share of FAKE, weighted by bin size.

    Binned by ``p_fake`` rather than by the confidence in the verdict, since ``p_fake`` is what a
    user is told. Biased upwards for small n: noise within a bin counts as error. One class alone is
    allowed.

    References
    ----------
    Naeini et al. (2015); Guo et al. (2017).
    """
    y_true, p_fake = labels_and_scores(y_true, p_fake)
    gap = np.bincount(bin_index(p_fake, bins), (y_true == FAKE) - p_fake, minlength=bins)
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
    if groups.shape != y_true.shape:
        raise ValueError(f"{len(y_true)} labels but groups of shape {groups.shape}")
    if groups.min() < -1 or groups.max() >= len(names):
        raise ValueError(f"groups must be -1 or index the {len(names)} names")
    right = predict_labels(p_fake) == y_true
    rows = []
    for group in (*range(len(names)), -1):
        of_group = groups == group
        if not of_group.any():
            continue
        row = {"group": "unknown" if group == -1 else names[group]}
        parts = {("n", "accuracy", ""): of_group}
        for label, name in ((FAKE, "fake"), (REAL, "real")):
            parts[f"n_{name}", f"{name}_recall", f"{name}_"] = of_group & (y_true == label)
        for (count, share, prefix), part in parts.items():
            n = int(part.sum())
            low, high = wilson(right[part].sum(), n) if n else (np.nan, np.nan)
            row |= {count: n, share: right[part].mean() if n else np.nan}
            row |= {f"{prefix}ci_low": low, f"{prefix}ci_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def auroc_interval(y_true, p_fake):
    """95 % interval of the AUROC by DeLong's variance, on the logit scale.

    Where the variance vanishes (complete separation) it is Wilson's for as many pairs as the
    smaller class has images, since an interval of width zero would be false.

    References
    ----------
    DeLong et al. (1988); Sun and Xu (2014) for the computation; Pepe (2003) for the logit scale.
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
    """AUROC of m detectors and DeLong's covariance between them: (m,) and (m, m) float arrays.

    ``scores`` is (m, n): ``p_fake`` of the detectors on the same images, of both classes.
    """
    of_fake, of_real = placements(scores[:, y_true == FAKE], scores[:, y_true == REAL])
    covariance = np.zeros((len(scores), len(scores)))
    for part in (of_fake, of_real):
        if part.shape[1] > 1:  # one image says nothing about the spread of its class
            covariance += np.atleast_2d(np.cov(part)) / part.shape[1]
    return of_fake.mean(axis=1), covariance


def placements(fake, real):
    """What each image contributes to the AUROC, which is the mean of either result over images.

    Parameters
    ----------
    fake, real : (m, n_fake) and (m, n_real) float array
        ``p_fake`` of m detectors, or anything that rises with it, by class of the images.

    Returns
    -------
    of_fake : (m, n_fake) float array
        Share of the REAL images that score lower; a tie counts one half.
    of_real : (m, n_real) float array
        Share of the FAKE images that score higher.
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

    Resamples add noise to noise and lie higher still, so their own quantiles would be wrong. The
    estimate cannot exceed the truth by more than the noise of all bins together (the triangle
    inequality), which bounds it from below; mirroring the resamples bounds it from above.
    """
    errors = ((y_true == FAKE) - p_fake) ** 2
    spread = np.sqrt(np.bincount(bin_index(p_fake, BINS), errors, BINS)) / len(y_true)
    z = stats.norm.ppf((1 + LEVEL) / 2)
    # Mean and deviation of the sum of |normal| variables with these standard deviations.
    noise = np.sqrt(2 / np.pi) * spread.sum() + z * np.sqrt((1 - 2 / np.pi) * (spread**2).sum())
    mirrored = 2 * value - np.quantile(resamples, (1 - LEVEL) / 2)
    return float(max(0.0, value - noise)), float(max(value, mirrored))
