"""The transfer study names what is missing, and compares like with like."""

import shutil
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from realfake_lib.data import Splits
from realfake_lib.evaluation import transfer_study
from realfake_lib.models import transfer
from realfake_lib.settings import FAKE, REAL

CUT = "conv_pw_1_relu"


@pytest.fixture(autouse=True)
def no_weights_anywhere(monkeypatch, tmp_path):
    """Neither this machine's weights nor its caches reach a test."""
    for variable in ("REALFAKE_WEIGHTS", "REALFAKE_DATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("REALFAKE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory):
    """A partial weights file of MobileNet up to its first block, with seeded random values."""
    keras.utils.set_random_seed(1)
    bare = keras.applications.MobileNet(include_top=False, weights=None, input_shape=(32, 32, 3))
    path = tmp_path_factory.mktemp("weights") / "mobilenet_imagenet_to_conv_pw_1.weights.h5"
    keras.Model(bare.input, bare.get_layer(CUT).output).save_weights(path)
    return path


@pytest.fixture(scope="module")
def pictures():
    """120 noisy pictures, REAL brighter: easy for any features."""
    rng = np.random.default_rng(0)
    labels = np.tile([FAKE, REAL], 60).astype("int8")
    images = (
        rng.normal(128, 10, (120, 32, 32, 3))
        + np.where(labels == REAL, 30, -30)[:, None, None, None]
    )
    dataset = SimpleNamespace(
        images=images.clip(0, 255).astype("uint8"),
        labels=labels,
        image_size=32,
        fingerprint="test",
    )
    rows = np.arange(120)
    return dataset, Splits(rows[:80], rows[80:100], rows[100:], rows[100:], rows)


def test_a_backbone_without_weights_is_named_with_the_reason_and_not_built(
    monkeypatch, tmp_path, weights_file
):
    shutil.copy(weights_file, tmp_path)
    monkeypatch.setenv("REALFAKE_WEIGHTS", str(tmp_path))
    found, table = transfer_study.find_backbones(
        ["mobilenet", "vgg16"], {"mobilenet": CUT}, allow_download=False
    )
    assert list(found) == ["mobilenet"]
    missing = table.set_index("backbone").loc["vgg16"]
    assert not missing["found"]
    assert missing["weights"].startswith("missing: no vgg16_weights")
    assert str(tmp_path) not in missing["weights"]


def test_the_controls_say_in_their_names_that_their_weights_are_random():
    frozen = transfer_study.random_backbone("mobilenet", CUT)
    scratch = transfer_study.scratch_backbone("mobilenet", CUT)
    assert frozen.name.endswith("_random") and scratch.name.endswith("_random")
    assert len(frozen.trainable_weights) == 2  # the logit alone
    assert len(scratch.trainable_weights) > 2


def test_controls_of_one_seed_are_alike():
    first, second = (transfer_study.random_backbone("mobilenet", CUT, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.get_weights()[0], second.get_weights()[0])


def test_depths_that_the_weights_do_not_reach_are_left_out(pictures, weights_file, tmp_path):
    table = transfer_study.by_depth(
        "mobilenet", [CUT, "conv_pw_3_relu"], *pictures, weights_file, cache=tmp_path
    )
    assert list(table["cut"]) == [CUT, CUT]
    assert list(table["weights"]) == ["ImageNet", "random"]
    assert (table["n"] == 20).all()


def test_frozen_features_are_compared_over_nested_balanced_subsets(pictures, tmp_path):
    dataset, splits = pictures
    model = transfer.build("mobilenet", CUT, weights=None)
    table = transfer_study.frozen_by_size(model, [10, 500], dataset, splits, cache=tmp_path)
    assert list(table["n_train"]) == [10, 80]  # there are no more than 80
    small, large = (rows for _, rows in transfer_study._nested(dataset, splits, [10, 40], seed=0))
    assert set(small) < set(large) <= set(splits.train)
    assert dataset.labels[small].mean() == dataset.labels[large].mean() == 0.5


def test_a_small_training_set_is_passed_over_more_often(pictures, monkeypatch):
    epochs = {}

    def fit(model, dataset, splits, recipe, **options):
        epochs[len(splits.train)] = recipe.epochs
        return SimpleNamespace(history={"val_accuracy": SimpleNamespace(iloc=[0.5])})

    monkeypatch.setattr(transfer_study, "fit", fit)
    table, largest = transfer_study.trained_by_size(
        SimpleNamespace(name="any"), [10, 40, 80], *pictures, "comparison", max_epochs=10
    )
    assert epochs == {10: 10, 40: 8, 80: 4}
    assert list(table["epochs"]) == [10, 8, 4]
    assert largest is not None


def test_a_missing_backbone_has_a_row_without_a_figure():
    scores = SimpleNamespace(accuracy=0.9, intervals={"accuracy": (0.8, 0.95)})
    result = SimpleNamespace(test=scores)
    table = transfer_study.strategies(
        {"mobilenet_random_frozen": result}, ["mobilenet", "vgg16"], missing=["vgg16"]
    )
    assert list(table["strategy"]) == ["random frozen", "frozen"]
    assert np.isnan(table["accuracy"].iloc[1])


def test_intervals_are_those_of_the_counts():
    frame = transfer_study.pd.DataFrame({"n_train": [10], "val_accuracy": [0.5], "n": [100]})
    table = transfer_study.with_intervals({"a": frame})
    assert table.loc[0, "ci_low"] == pytest.approx(0.404, abs=0.001)
    assert table.loc[0, "training"] == "a"
