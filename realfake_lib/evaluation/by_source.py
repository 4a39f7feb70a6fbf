"""A detector source by source: a mean over images hides the generator that it fails on."""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from realfake_lib.evaluation.metrics import auroc_interval, predicted_fake
from realfake_lib.evaluation.resampling import Ranking
from realfake_lib.settings import CLASS_NAMES, FAKE, REAL


def sources_of(keys):
    """Source of each image by its key in a data set: the first folder below REAL or FAKE.

    ``"test/FAKE/midjourney/1.png"`` gives ``"midjourney"``; an image that lies in REAL or FAKE
    itself gives ``""``. (n,) array of str.
    """
    found = []
    for key in keys:
        folders = key.split("/")[:-1]
        at = next((at for at, name in enumerate(folders) if name in CLASS_NAMES), len(folders))
        found.append(next(iter(folders[at + 1 :]), ""))
    return np.array(found, dtype=str)


def by_source(y_true, p_fake, sources, threshold=0.5):
    """Score a detector on each source of images.

    Parameters
    ----------
    y_true : (n,) int array
        FAKE = 0, REAL = 1.
    p_fake : (n,) float array in [0, 1]
    sources : (n,) array of str
    threshold : float in [0, 1]

    Returns
    -------
    DataFrame
        One row a class and source: ``class``, ``source``, ``n``; ``predicted_fake`` with ``ci_low``
        and ``ci_high`` (95 %, Wilson), which is the recall of fakes and the false-positive rate of
        photographs; ``auroc`` with ``auroc_low`` and ``auroc_high`` (DeLong), against all images of
        the other class, NaN where there are none.
    """
    y_true, p_fake, sources = map(np.asarray, (y_true, p_fake, sources))
    rows = []
    for label in (FAKE, REAL):
        others = y_true != label
        for source in np.unique(sources[~others]):
            own = ~others & (sources == source)
            share, interval = predicted_fake(p_fake[own], threshold)
            auroc = (np.nan,) * 3
            if others.any():
                both = own | others
                value = Ranking(y_true[both], p_fake[both]).measure()["auroc"]
                auroc = (value, *auroc_interval(y_true[both], p_fake[both]))
            rows.append((CLASS_NAMES[label], source, int(own.sum()), share, *interval, *auroc))
    columns = ["class", "source", "n", "predicted_fake", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=[*columns, "auroc", "auroc_low", "auroc_high"])


def against_photographs(fakes, photographs):
    """AUROC of each source of fakes against the same photographs.

    Parameters
    ----------
    fakes : dict of str to (n,) float array
        Scores for FAKE by source, any numbers.
    photographs : (m,) float array

    Returns
    -------
    DataFrame
        A row a source: ``source``, ``n``, ``auroc``, ``auroc_low``, ``auroc_high`` (95 %, DeLong).
    """
    rows = []
    for source, scores in fakes.items():
        labels = np.repeat([FAKE, REAL], [len(scores), len(photographs)])
        ranks = rankdata(np.concatenate([scores, photographs])) / len(labels)
        value = Ranking(labels, ranks).measure()["auroc"]
        rows.append((source, len(scores), value, *auroc_interval(labels, ranks)))
    return pd.DataFrame(rows, columns=["source", "n", "auroc", "auroc_low", "auroc_high"])


def enough(y_true, sources):
    """Whether each class has at least two sources, so that whole sources can be resampled."""
    y_true, sources = np.asarray(y_true), np.asarray(sources)
    return all(len(set(sources[y_true == label])) > 1 for label in (FAKE, REAL))
