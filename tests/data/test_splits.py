"""Splits keep duplicates together and classes balanced; duplicates are counted as pairs."""

import numpy as np
import pandas as pd
import pytest

from realfake_lib import data
from realfake_lib.data.duplicate_counts import duplicates
from realfake_lib.data.splits import make_splits
from realfake_lib.errors import UserError


def dataset(n=4000, n_test=800, duplicates=0, seed=0):
    """A data set of empty images with an index worth splitting."""
    rng = np.random.default_rng(seed)
    group = np.arange(n)
    for first, second in rng.integers(n, size=(duplicates, 2)):
        group[first] = group[second]
    group = np.unique(group, return_inverse=True)[1]
    split = np.where(rng.permutation(n) < n_test, "test", "train")
    label = group % 2  # duplicates share their class
    index = pd.DataFrame({
        "key": [f"{at:05d}" for at in range(n)], "split": split, "label": label.astype(np.int8),
        "object_class": ((group // 2) % 10).astype(np.int8), "group": group.astype(np.int32),
    })  # fmt: skip
    return data.ImageDataset(np.zeros((n, 8, 8, 3), np.uint8), index, "made up", "0", "nowhere")


def test_parts_are_disjoint_and_complete():
    made = dataset(duplicates=200)
    splits = make_splits(made)
    together = np.sort(np.concatenate([splits.train, splits.val, splits.test]))
    assert (together == np.arange(made.n)).all()
    assert (splits.test == np.flatnonzero(made.index["split"] == "test")).all()
    assert all(part.dtype == np.int64 for part in (splits.train, splits.val, splits.test_dedup))


def test_twins_never_lie_on_both_sides_of_the_validation_cut():
    made = dataset(duplicates=800)
    splits = make_splits(made)
    groups = made.index["group"].to_numpy()
    assert not set(groups[splits.train]) & set(groups[splits.val])


def test_the_deduplicated_test_set_has_no_duplicate_in_training_or_validation():
    made = dataset(duplicates=800)
    table = make_splits(made).counts(made.labels)
    assert table.loc["test", ["in_train", "in_val"]].sum() > 0
    assert (
        table.loc["test_dedup", ["in_train", "in_val"]].sum() == table.loc["val", "in_train"] == 0
    )


def test_the_parts_are_counted_by_class():
    made = dataset()
    splits = make_splits(made)
    table = splits.counts(made.labels)
    assert table.loc["test", ["REAL", "FAKE"]].sum() == len(splits.test)
    assert table.loc["val", "FAKE"] == np.sum(made.labels[splits.val] == 0)


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
    made = dataset(duplicates=200)
    whole, part = make_splits(made), make_splits(made, n_train=100)
    assert len(part.train) == 100
    for name in ("val", "test", "test_dedup"):
        assert (getattr(whole, name) == getattr(part, name)).all()


def test_more_training_images_than_there_are_means_all():
    made = dataset(100, 20)
    assert len(make_splits(made, n_train=10_000).train) == len(make_splits(made).train)


def test_without_a_test_part_one_of_a_fifth_is_cut_with_duplicates_together():
    made = dataset(n_test=0, duplicates=400)
    first, second = make_splits(made, seed=0), make_splits(made, seed=1)
    assert abs(len(first.test) - 800) < 40
    assert (first.test == second.test).all()  # the test set is the same for every seed
    assert len(first.test_dedup) == len(first.test)


def test_many_copies_of_one_image_do_not_leave_a_part_without_a_class():
    made = dataset(80, 0)
    label = np.arange(80) % 2
    for copies in range(1, 12):  # of one image of each class
        made.index["label"] = label.astype(np.int8)
        made.index["object_class"] = np.int8(-1)
        made.index["group"] = np.where(np.arange(80) < 2 * copies, label, np.arange(80))
        for seed in range(5):
            splits = make_splits(made, seed=seed)
            parts = (splits.train, splits.val, splits.test)
            assert all(set(label[part]) == {0, 1} for part in parts)


def small(n_fake, n_real, side=32, n_test=0):
    """A folder of one's own, without object classes."""
    label = np.repeat([0, 1], [n_fake, n_real])
    index = pd.DataFrame({
        "split": np.where(np.arange(len(label)) % len(label) < n_test, "test", "train"),
        "label": label.astype(np.int8), "object_class": np.int8(-1),
        "group": np.arange(len(label), dtype=np.int32),
    })  # fmt: skip
    images = np.zeros((len(label), side, side, 3), np.uint8)
    return data.ImageDataset(images, index, "mine", "0", "/my/pictures")


LEAST = {"train": 12, "val": 1, "test": 3}


@pytest.mark.parametrize(("n_fake", "n_real"), [(20, 20), (20, 2000), (400, 24)])
def test_twenty_images_of_each_class_are_enough_for_every_part(n_fake, n_real):
    made = small(n_fake, n_real)
    data.check_enough(made, make_splits(made), LEAST, "20 are needed")


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (small(4, 36), "FAKE images: 3 to train on and 0 to choose the threshold by and 1 to test"),
        (small(36, 10), "too few REAL images"),
        (small(36, 36, n_test=36), "too few FAKE images: 0 to train on"),
        (small(20, 20, side=8), "the networks need at least 16"),
    ],
)
def test_too_few_or_too_small_images_are_counted_and_the_folder_is_named(made, message):
    with pytest.raises(UserError, match=message) as refusal:
        data.check_enough(made, make_splits(made), LEAST, "20 are needed")
    assert "/my/pictures: 20 are needed" in refusal.value.hint or "image_size" in refusal.value.hint


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
    assert found.test_indices_with_train_duplicate.tolist() == [2]
    assert found.frame["key"].tolist() == ["00000", "00001", "00002", "00003", "00004"]


def test_identical_files_share_a_group_and_others_do_not(demo):
    blobs, groups = demo.index["blob"], demo.index["group"]
    assert blobs.nunique() == groups.nunique() == (blobs + groups.astype(str)).nunique()
