"""Can anything but the image tell the classes apart? File size and the like, measured."""

import numpy as np
import pandas as pd
from scipy import stats

from realfake_lib.evaluation.metrics import auroc_interval, delong_covariance
from realfake_lib.settings import FAKE

_CHUNK = 4096
_FITTED = 20_000  # training images behind all_together; all change its AUROC by less than .01


def shortcut_auroc(dataset, seed=0):
    """AUROC of properties that a detector of AI images should not be able to live on.

    Parameters
    ----------
    dataset : ImageDataset
    seed : int
        Of the classifier behind ``all_together`` and its sample of training images.

    Returns
    -------
    DataFrame
        One row each: ``property``, ``auroc`` (FAKE positive; 0.5 = useless, below 0.5 = useful the
        other way round), ``ci_low``, ``ci_high`` (95 %, DeLong), ``n``. Measured on the test part.
        ``encoding`` scores a JPEG header (size, tables, sampling) by its share of FAKE
        in training; ``all_together`` is gradient boosting on all the others, fitted on training.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    features = _features(dataset)
    is_fake = dataset.labels == FAKE
    is_test = (dataset.index["split"] == "test").to_numpy()
    train, test = ~is_test, is_test
    encoding = dataset.index["encoding"].to_numpy()
    features["encoding"] = _share_of_fake(encoding, is_fake, train)
    table = features.to_numpy()
    boosting = HistGradientBoostingClassifier(max_iter=50, random_state=seed)
    fitted = np.random.default_rng(seed).permutation(np.flatnonzero(train))[:_FITTED]
    scores = {name: features[name].to_numpy()[test] for name in features}
    y_test = dataset.labels[test]
    with threadpool_limits(1):  # OpenMP threads that wait for each other burn a shared processor
        boosting.fit(table[fitted], is_fake[fitted])
        scores["all_together"] = boosting.predict_proba(table[test])[:, 1]
    rows = []
    for name, score in scores.items():
        ranks = stats.rankdata(score) / len(score)  # in [0, 1], as a probability is
        area = delong_covariance(y_test, ranks[None])[0].item()
        rows.append((name, area, *auroc_interval(y_test, ranks), len(score)))
    return pd.DataFrame(rows, columns=["property", "auroc", "ci_low", "ci_high", "n"])


def _features(dataset):
    parts = []
    for start in range(0, len(dataset.images), _CHUNK):
        images = dataset.images[start : start + _CHUNK]
        # Channel by channel: arithmetic along an axis of three takes several times as long.
        red, green, blue = (np.asarray(images[..., at], np.float32) for at in range(3))
        luma = 0.299 * red + 0.587 * green + 0.114 * blue
        largest = np.maximum(np.maximum(red, green), blue)
        smallest = np.minimum(np.minimum(red, green), blue)
        means = {"brightness": luma, "saturation": largest - smallest}
        means |= {"mean_red": red, "mean_green": green, "mean_blue": blue}
        part = {name: values.mean((1, 2)) for name, values in means.items()}
        parts.append(pd.DataFrame(part | {"contrast": luma.std((1, 2))}))
    columns = ["brightness", "contrast", "saturation", "mean_red", "mean_green", "mean_blue"]
    found = pd.concat(parts, ignore_index=True)[columns]
    found.insert(0, "file_size", dataset.index["file_size"].to_numpy(np.float32))
    return found


def _share_of_fake(values, is_fake, train):
    """Share of FAKE among training images of the same value; the overall share for unseen ones."""
    size = int(values.max()) + 1
    count = np.bincount(values[train], minlength=size)
    fakes = np.bincount(values[train], is_fake[train], minlength=size)
    share = np.where(count > 0, fakes / np.maximum(count, 1), is_fake[train].mean())
    return share[values].astype(np.float32)
