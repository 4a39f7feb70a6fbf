"""Can anything but the picture tell the classes apart? File size and the like, measured."""

import numpy as np
import pandas as pd

from realfake_lib.settings import FAKE

_CHUNK = 4096
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def shortcut_auroc(dataset, seed=0):
    """AUROC of properties that a detector of AI images should not be able to live on.

    Parameters
    ----------
    dataset : ImageDataset
    seed : int
        Of the classifier behind ``all_together``.

    Returns
    -------
    DataFrame
        One row each: ``property``, ``auroc`` (FAKE positive; 0.5 = useless, below 0.5 = useful the
        other way round), ``ci_low``, ``ci_high`` (95 %, DeLong), ``n``. Measured on the test part.
        ``encoding`` scores a JPEG header (size, tables, sampling) by its share of FAKE
        in training; ``all_together`` is gradient boosting on all the others, fitted on training.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    features = _features(dataset)
    is_fake = dataset.labels == FAKE
    is_test = (dataset.index["split"] == "test").to_numpy()
    train, test = ~is_test, is_test
    encoding = dataset.index["encoding"].to_numpy()
    features["encoding"] = _share_of_fake(encoding, is_fake, train)
    table = features.to_numpy()
    boosting = HistGradientBoostingClassifier(max_iter=50, random_state=seed)
    boosting.fit(table[train], is_fake[train])
    scores = {name: features[name].to_numpy()[test] for name in features}
    scores["all_together"] = boosting.predict_proba(table[test])[:, 1]
    rows = [(name, *auroc(is_fake[test], score), int(test.sum())) for name, score in scores.items()]
    return pd.DataFrame(rows, columns=["property", "auroc", "ci_low", "ci_high", "n"])


def auroc(is_fake, score):
    """Area under the ROC curve with its 95 % interval after DeLong.

    Parameters
    ----------
    is_fake : (n,) bool array
    score : (n,) array
        Higher means more likely FAKE; ties count half.

    Returns
    -------
    area, low, high : float

    References
    ----------
    DeLong et al., Biometrics 44 (1988); ranks after Sun & Xu, IEEE Signal Processing Letters 21
    (2014).
    """
    from scipy.stats import rankdata

    positive, negative = score[is_fake], score[~is_fake]
    m, n = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    above = (ranks[:m] - rankdata(positive)) / n  # share of negatives below each positive
    below = 1 - (ranks[m:] - rankdata(negative)) / m
    area = above.mean()
    spread = 1.96 * np.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n)
    return float(area), float(max(0, area - spread)), float(min(1, area + spread))


def _features(dataset):
    images = dataset.images
    columns = {name: np.empty(len(images), np.float32) for name in _NAMES}
    for start in range(0, len(images), _CHUNK):
        part = slice(start, start + _CHUNK)
        pixels = np.asarray(images[part], np.float32)
        luma = pixels @ _LUMA
        columns["brightness"][part] = luma.mean((1, 2))
        columns["contrast"][part] = luma.std((1, 2))
        columns["saturation"][part] = (pixels.max(3) - pixels.min(3)).mean((1, 2))
        for channel, name in enumerate(("red", "green", "blue")):
            columns[name][part] = pixels[..., channel].mean((1, 2))
    return pd.DataFrame({"file_size": dataset.index["file_size"].to_numpy(np.float32), **columns})


_NAMES = ("brightness", "contrast", "saturation", "red", "green", "blue")


def _share_of_fake(values, is_fake, train):
    """Share of FAKE among training images of the same value; the overall share for unseen ones."""
    size = int(values.max()) + 1
    count = np.bincount(values[train], minlength=size)
    fakes = np.bincount(values[train], is_fake[train], minlength=size)
    share = np.where(count > 0, fakes / np.maximum(count, 1), is_fake[train].mean())
    return share[values].astype(np.float32)
