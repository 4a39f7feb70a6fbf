"""Every measure of a detector at once, for the images as they are and for resamples of them."""

import numpy as np
import pandas as pd

from realfake_lib.evaluation.inputs import labels_and_scores, threshold_of
from realfake_lib.settings import FAKE, REAL

BINS = 15
"""Bins of equal width for calibration, as in Guo et al. (2017)."""


def bootstrap(y_true, p_fake, threshold=0.5, n_bootstrap=1000, seed=0, groups=None):
    """Resample the images within each class and measure each resample: a row, a column a number.

    What is drawn depends on ``y_true``, ``groups`` and ``seed`` alone: detectors on one set are
    paired. With ``groups``, (n,) of any kind, whole groups are drawn, as many as there are: images
    of one source are no independent draws.
    """
    y_true, p_fake = labels_and_scores(y_true, p_fake, both_classes=True)
    if n_bootstrap < 100:
        raise ValueError(f"a 95 % interval needs at least 100 resamples, not {n_bootstrap}")
    ranked = Ranking(y_true, p_fake, threshold)
    rng = np.random.default_rng(seed)
    places = [ranked.place[y_true == label] for label in (FAKE, REAL)]

    if groups is not None:
        groups = np.asarray(groups)
        of_label = [groups[y_true == label] for label in (FAKE, REAL)]
        places = [
            [place[of == name] for name in np.unique(of)]
            for place, of in zip(places, of_label, strict=True)
        ]

    def draw(of_class):
        chosen = rng.integers(len(of_class), size=len(of_class))
        if groups is None:
            return of_class[chosen]
        return np.concatenate([of_class[at] for at in chosen])

    def resample():
        drawn = np.concatenate([draw(of_class) for of_class in places])
        return np.bincount(drawn, minlength=len(y_true))

    return pd.DataFrame([ranked.measure(resample()) for _ in range(n_bootstrap)])


class Ranking:
    """Images by falling ``p_fake``, sorted once so that many weightings of them are cheap.

    ``place`` (n,) tells where each image of the input stands in the ranking.
    """

    def __init__(self, y_true, p_fake, threshold=0.5):
        order = np.argsort(-p_fake, kind="stable")
        self.place = np.empty_like(order)
        self.place[order] = np.arange(len(order))
        scores = p_fake[order]
        self.fake = (y_true[order] == FAKE).astype(np.int64)
        # Images of equal score are predicted FAKE together, so only the last of each tie is a cut.
        self.cuts = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))
        self.predicted = int(np.count_nonzero(scores >= threshold_of(threshold)))
        self.gap = self.fake - scores
        bins = bin_index(scores)
        self.bin_starts = np.flatnonzero(np.append(True, bins[1:] != bins[:-1]))

    def counts(self, weights=None):
        """FAKE and REAL images, (cuts,) each, that are predicted FAKE at each cut."""
        weights = np.ones_like(self.fake) if weights is None else weights
        tp = np.cumsum(weights * self.fake)[self.cuts]
        return tp, np.cumsum(weights)[self.cuts] - tp

    def tpr_at(self, fpr, tp, fp):
        """TPR at the last cut whose FPR is not above ``fpr``: not interpolated between two."""
        allowed = np.floor(fpr * fp[-1] + 1e-9)  # 0.01 × 10,000 must allow 100, not 99
        last = np.searchsorted(fp, allowed, side="right")
        return float(tp[last - 1] / tp[-1]) if last else 0.0

    def measure(self, weights=None):
        """Every number of ``Scores`` for images counted ``weights`` times, (n,) in ranked order."""
        weights = np.ones_like(self.fake) if weights is None else weights
        tp, fp = self.counts(weights)
        n_fake, n_real = int(tp[-1]), int(fp[-1])
        predicted = int(weights[: self.predicted].sum())
        caught = int((weights[: self.predicted] * self.fake[: self.predicted]).sum())
        gained, alarms = np.diff(tp, prepend=0), np.diff(fp, prepend=0)
        # A fake beats the REAL images below it and ties with those of its own score.
        # Sums of products rather than ``@``: BLAS starts its threads for vectors this long, and
        # waiting for a busy core costs a hundred times the sum.
        wins = float((gained * (n_real - fp + 0.5 * alarms)).sum())
        precisions = float((gained * tp / np.maximum(tp + fp, 1)).sum())
        gap = np.add.reduceat(weights * self.gap, self.bin_starts)
        n = n_fake + n_real
        return {
            "accuracy": (caught + n_real - (predicted - caught)) / n,
            "precision": caught / predicted if predicted else 0.0,
            "recall": caught / n_fake,
            "f1": 2 * caught / (predicted + n_fake),
            "auroc": wins / (n_fake * n_real),
            "average_precision": precisions / n_fake,
            "tpr_at_fpr_01": self.tpr_at(0.01, tp, fp),
            "tpr_at_fpr_05": self.tpr_at(0.05, tp, fp),
            "ece": float(np.abs(gap).sum()) / n,
        }


def bin_index(p_fake):
    """Index (n,) of the bin that each probability in [0, 1] falls into."""
    return np.minimum((np.asarray(p_fake) * BINS).astype(np.int64), BINS - 1)


def mean_draws(values, groups=None, n_bootstrap=1000, seed=0):
    """Means over sources of resamples: whole groups are drawn, as many as there are.

    Images of one source are no independent draws, so they are not resampled one by one; nor are
    sources of one family of generators.

    Parameters
    ----------
    values : (n, …) array
        One row a source.
    groups : (n,) array of any kind, optional
        By default each source is drawn alone.
    n_bootstrap : int
    seed : int or sequence of int

    Returns
    -------
    (n_bootstrap, …) float array
    """
    values = np.asarray(values, float)
    names, member = np.unique(
        np.arange(len(values)) if groups is None else groups, return_inverse=True
    )
    drawn = np.random.default_rng(seed).integers(0, len(names), (n_bootstrap, len(names)))
    times = np.stack([np.bincount(row, minlength=len(names)) for row in drawn])[:, member]
    sums = np.tensordot(times, values, axes=1)
    return sums / times.sum(axis=1).reshape(-1, *[1] * (values.ndim - 1))


def mean_interval(values, groups=None, n_bootstrap=1000, seed=0):
    """95 % interval of a mean over sources, (low, high), by :func:`mean_draws`."""
    draws = mean_draws(values, groups, n_bootstrap, seed)
    return tuple(map(float, np.quantile(draws, (0.025, 0.975))))
