"""Splits keep twins together and classes balanced; duplicates are counted as pairs."""

import numpy as np
import pandas as pd
import pytest

from realfake_lib import data
from realfake_lib.data.cleaning import duplicates
from realfake_lib.data.splits import make_splits
from realfake_lib.errors import UserError


def dataset(n=4000, n_test=800, twins=0, seed=0):
    """A data set of empty images with an index worth splitting."""
    rng = np.random.default_rng(seed)
    group = np.arange(n)
    for first, second in rng.integers(n, size=(twins, 2)):
        group[first] = group[second]
    group = np.unique(group, return_inverse=True)[1]
    split = np.where(rng.permutation(n) < n_test, "test", "train")
    label = group % 2  # twins share their class
    index = pd.DataFrame({
        "key": [f"{at:05d}" for at in range(n)], "split": split, "label": label.astype(np.int8),
        "object_class": ((group // 2) % 10).astype(np.int8), "group": group.astype(np.int32),
    })  # fmt: skip
    return data.ImageDataset(np.zeros((n, 8, 8, 3), np.uint8), index, "made up", "0", "nowhere")


def test_parts_are_disjoint_and_complete():
    made = dataset(twins=200)
    splits = make_splits(made)
    together = np.sort(np.concatenate([splits.train, splits.val, splits.test]))
    assert (together == np.arange(made.n)).all()
    assert (splits.test == np.flatnonzero(made.index["split"] == "test")).all()
    assert all(part.dtype == np.int64 for part in (splits.train, splits.val, splits.test_dedup))


def test_twins_never_lie_on_both_sides_of_the_validation_cut():
    made = dataset(twins=800)
    splits = make_splits(made)
    groups = made.index["group"].to_numpy()
    assert not set(groups[splits.train]) & set(groups[splits.val])


def test_the_deduplicated_test_set_has_no_twin_in_training_or_validation():
    made = dataset(twins=800)
    table = make_splits(made).overlap().set_index(["part", "other"])["images"]
    assert table["test"].sum() > 0
    assert table["test_dedup"].sum() == table["val", "train"] == 0


def test_validation_has_every_class_and_object_class_in_proportion():
    made = dataset()
    val = made.index.iloc[make_splits(made).val]
    train_part = made.index[made.index["split"] == "train"]
    wanted = train_part.groupby(["label", "object_class"]).size() * 0.1
    assert (val.groupby(["label", "object_class"]).size() - wanted).abs().max() <= 1


def test_a_split_depends_on_its_seed_alone():
    made = dataset()
    assert (make_splits(made, seed=3).val == make_splits(made, seed=3).val).all()
    assert not np.array_equal(make_splits(made, seed=3).val, make_splits(made, seed=4).val)


def test_training_subsets_are_balanced_and_nested():
    made = dataset()
    parts = [make_splits(made, n_train=n).train for n in (40, 200, 1000)]
    for small, large in zip(parts, parts[1:], strict=False):
        assert set(small) < set(large)
    for part in parts:
        counts = made.index.iloc[part].groupby(["label", "object_class"]).size()
        assert len(counts) == 20 and counts.max() - counts.min() <= 1
    assert set(parts[-1]) < set(make_splits(made).train)


def test_the_other_parts_do_not_depend_on_the_training_subset():
    made = dataset(twins=200)
    whole, part = make_splits(made), make_splits(made, n_train=100)
    assert len(part.train) == 100
    for name in ("val", "test", "test_dedup"):
        assert (getattr(whole, name) == getattr(part, name)).all()


def test_more_training_images_than_there_are_means_all():
    made = dataset(100, 20)
    assert len(make_splits(made, n_train=10_000).train) == len(make_splits(made).train)


def test_without_a_test_part_one_of_a_fifth_is_cut_with_twins_together():
    made = dataset(n_test=0, twins=400)
    first, second = make_splits(made, seed=0), make_splits(made, seed=1)
    assert abs(len(first.test) - 800) < 40
    assert (first.test == second.test).all()  # the test set is the same for every seed
    assert len(first.test_dedup) == len(first.test)


def test_no_validation_part_can_be_asked_for():
    assert len(make_splits(dataset(), val_fraction=0).val) == 0


@pytest.mark.parametrize(
    "options", [{"val_fraction": 1.0}, {"val_fraction": -0.1}, {"n_train": 1}, {"n_train": 0}]
)
def test_settings_without_sense_are_refused(options):
    with pytest.raises(UserError, match=next(iter(options))):
        make_splits(dataset(100, 20), **options)


def test_a_test_part_alone_cannot_be_trained_on():
    with pytest.raises(UserError, match="no training images"):
        make_splits(dataset(100, 100))


def test_duplicates_are_counted_as_pairs_by_where_they_lie():
    made = dataset(8, 0)
    made.index["group"] = [0, 0, 0, 1, 1, 2, 3, 4]
    made.index["split"] = ["train", "train", "test", "test", "test", "train", "train", "test"]
    made.index["label"] = [0, 0, 1, 1, 1, 0, 1, 0]
    found = duplicates(made)
    assert (found.pairs, found.within_train, found.within_test, found.cross_split) == (4, 1, 1, 2)
    assert (found.cross_class, found.distinct) == (2, 5)
    assert found.test_indices_with_train_twin.tolist() == [2]
    assert found.frame["key"].tolist() == ["00000", "00001", "00002", "00003", "00004"]


def test_identical_files_share_a_group_and_others_do_not(demo):
    blobs, groups = demo.index["blob"], demo.index["group"]
    assert blobs.nunique() == groups.nunique() == (blobs + groups.astype(str)).nunique()
