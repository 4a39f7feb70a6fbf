"""Split a data set for training, selection and testing.

Byte-identical images stay together, but for a test set that the data bring: see ``test_dedup``.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from realfake_lib.errors import UserError
from realfake_lib.settings import CLASS_NAMES

TEST_FRACTION = 0.2
"""Share of the images that becomes the test set where the data set has none."""


@dataclass(frozen=True)
class Splits:
    """Row numbers of a data set's parts, ascending.

    Attributes
    ----------
    train, val, test : (n,) int64 array
        ``val`` is cut from the data set's training part; ``test`` is its test part in full.
    test_dedup : (n,) int64 array
        ``test`` without images that have a byte-identical copy in the training part.
    """

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    test_dedup: np.ndarray
    groups: np.ndarray = field(repr=False)

    def counts(self, labels):
        """Images of each part by class, and how many of them also lie in another part.

        Parameters
        ----------
        labels : (n,) int array
            Of the whole data set, FAKE = 0, REAL = 1.

        Returns
        -------
        DataFrame
            Index ``part``; columns ``REAL``, ``FAKE``, and ``in_train`` and ``in_val``: images of
            the part whose bytes also occur in training and validation, NaN for these themselves.
        """
        rows = {}
        for part in ("train", "val", "test", "test_dedup"):
            chosen = getattr(self, part)
            rows[part] = {name: np.sum(labels[chosen] == i) for i, name in enumerate(CLASS_NAMES)}
            for other in {"train": (), "val": ("train",)}.get(part, ("train", "val")):
                shared = np.isin(self.groups[chosen], self.groups[getattr(self, other)])
                rows[part][f"in_{other}"] = shared.sum()
        columns = [*reversed(CLASS_NAMES), "in_train", "in_val"]
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
        return frame.rename_axis("part")


def make_splits(dataset, val_fraction=0.1, seed=0, n_train=None):
    """Split a data set into training, validation and test parts.

    Byte-identical images stay together; every part has the classes, and within them the object
    classes, in the proportions of the whole. A data set without a test part gets one of 20 %,
    which depends on no seed.

    Parameters
    ----------
    dataset : ImageDataset
    val_fraction : float in [0, 1)
        Share of the training part that is set aside for selection.
    seed : int
    n_train : int, optional
        Take only so many training images, as many of each class. A smaller subset lies inside a
        larger one of the same seed. More than there are means all.

    Returns
    -------
    Splits

    Raises
    ------
    UserError
        No training images, or a fraction or number that makes no sense.
    """
    if not 0 <= val_fraction < 1:
        raise UserError(f"val_fraction is {val_fraction}", "It has to be at least 0 and below 1.")
    if n_train is not None and n_train < 2:
        raise UserError(f"n_train is {n_train}", "At least 2 images are needed, one of each class.")
    index = dataset.index
    groups = index["group"].to_numpy()
    strata = index["label"].to_numpy().astype(np.int64) * 100 + index["object_class"].to_numpy()
    is_test = (index["split"] == "test").to_numpy()
    if not is_test.any():
        is_test = assign_test(strata, groups)
    train_all, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    if not len(train_all):
        raise UserError(f"{dataset.name} has no training images", "A train folder is needed.")
    chosen = draw_groups(strata[train_all], groups[train_all], val_fraction, seed)
    val, train = train_all[chosen], train_all[~chosen]
    if n_train is not None and n_train < len(train):
        labels = index["label"].to_numpy()[train]
        train = np.sort(train[_balanced_order(labels, strata[train], seed)[:n_train]])
    test_dedup = test[~np.isin(groups[test], groups[train_all])]
    return Splits(train, val, test, test_dedup, groups)


MIN_IMAGE_SIZE = 16
"""Side in pixels; the networks pool too often for less."""


def check_enough(dataset, splits, least, needed):
    """Raise UserError unless every part has enough different images, large enough, of each class.

    ``least`` holds the number of different images of each class by part; ``needed`` says in words,
    for the message, how many that are in all.
    """
    if dataset.image_size < MIN_IMAGE_SIZE:
        raise UserError(
            f"{dataset.name} has images of {dataset.image_size} pixels a side; the networks need "
            f"at least {MIN_IMAGE_SIZE}.",
            "Enlarge them with image_size=32.",
        )
    for label, name in enumerate(CLASS_NAMES):
        there = {}
        for part in least:
            rows = getattr(splits, part)
            there[part] = len(np.unique(splits.groups[rows[dataset.labels[rows] == label]]))
        if any(there[part] < least[part] for part in least):
            counts = " and ".join(f"{there[part]} {_PURPOSES[part]}" for part in least)
            raise UserError(
                f"{dataset.name} has too few {name} images: {counts}.",
                f"Add {name} images to {dataset.source}: {needed}.",
            )


_PURPOSES = {
    "train": "to train on",
    "val": "to choose the threshold by",
    "test": "to test on",
}


def assign_test(strata, groups):
    """(n,) bool array: the images that form the test part of a data set that came without one."""
    return draw_groups(strata, groups, TEST_FRACTION, seed=0)


def draw_groups(strata, groups, fraction, seed):
    """Draw whole groups until each stratum has given its fraction: (n,) bool, True where drawn."""
    _, first, group_of, sizes = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    stratum = strata[first]  # a group that crosses strata counts for that of its first image
    drawn = np.zeros(len(first), bool)
    rng = np.random.default_rng([seed, 1])
    for value in np.unique(stratum):
        order = rng.permutation(np.flatnonzero(stratum == value))
        filled = np.cumsum(sizes[order])
        wanted = round(fraction * filled[-1])
        # A first group that is too large for its stratum's share must not leave it without any.
        drawn[order[filled <= max(wanted, filled[0] * bool(wanted))]] = True
    return drawn[group_of]


def _balanced_order(labels, strata, seed):
    """Order in which every beginning has equal parts of the classes, and in them of the strata."""
    rng = np.random.default_rng([seed, 2])
    within_stratum = _ranks(strata, rng.permutation(len(strata)))
    within_class = _ranks(labels, np.lexsort((strata, within_stratum)))
    return np.lexsort((labels, within_class))


def _ranks(values, order):
    """Number of each item among the items of its value, counted in ``order``."""
    ranks = np.empty(len(values), np.int64)
    ranks[order] = pd.Series(order).groupby(values[order]).cumcount()
    return ranks
