"""Counts of duplicates, images whose files are the same byte for byte.

``ImageDataset.index`` numbers them as ``group``. Where the test set is the data set's own, they can
lie on both sides of it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Duplicates:
    """Byte-identical images of a data set, counted as pairs.

    A group of k identical files has k (k - 1) / 2 of the ``pairs``; ``cross_class`` are those of a
    FAKE and a REAL file, ``distinct`` is the number of different files. ``frame`` has a row for
    each image with a duplicate, duplicates as neighbours. ``test_indices_with_train_duplicate`` are
    (n,) rows of test images that also lie in the training part.
    """

    pairs: int
    within_train: int
    within_test: int
    cross_split: int
    cross_class: int
    distinct: int
    frame: pd.DataFrame
    test_indices_with_train_duplicate: np.ndarray


def duplicates(dataset):
    """The byte-identical images of a data set, as :class:`Duplicates`."""
    index = dataset.index
    groups = index["group"].to_numpy()
    is_test = (index["split"] == "test").to_numpy()
    sizes = np.bincount(groups)
    tests = np.bincount(groups, is_test).astype(np.int64)
    reals = np.bincount(groups, index["label"] == 1).astype(np.int64)
    frame = index.loc[sizes[groups] > 1, ["group", "key", "split", "label", "object_class"]]
    return Duplicates(
        pairs=_pairs(sizes),
        within_train=_pairs(sizes - tests),
        within_test=_pairs(tests),
        cross_split=int((tests * (sizes - tests)).sum()),
        cross_class=int((reals * (sizes - reals)).sum()),
        distinct=int((sizes > 0).sum()),
        frame=frame.sort_values(["group", "key"], ignore_index=True),
        test_indices_with_train_duplicate=np.flatnonzero(is_test & (tests < sizes)[groups]),
    )


def _pairs(counts):
    return int((counts * (counts - 1) // 2).sum())
