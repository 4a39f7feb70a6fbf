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
from realfake_lib.training import features, pretrained

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
    assert "REALFAKE_WEIGHTS" not in missing["weights"]


def test_a_setting_that_leads_to_no_weights_is_named_in_the_table(monkeypatch, tmp_path):
    monkeypatch.setenv("REALFAKE_WEIGHTS", str(tmp_path / "gone"))
    found, table = transfer_study.find_backbones(["vgg16"], allow_download=False)
    assert not found and "REALFAKE_WEIGHTS names no folder or archive" in table["weights"][0]


def test_the_controls_say_in_their_names_that_their_weights_are_random():
    frozen = transfer_study.random_backbone("mobilenet", CUT)
    scratch = transfer_study.scratch_backbone("mobilenet", CUT)
    assert frozen.name.endswith("_random") and scratch.name.endswith("_random")
    assert len(frozen.trainable_weights) == 2  # the logit alone
    assert len(scratch.trainable_weights) > 2


def test_controls_of_one_seed_are_alike():
    first, second = (transfer_study.random_backbone("mobilenet", CUT, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.get_weights()[0], second.get_weights()[0])


def test_cuts_that_the_weights_do_not_reach_are_left_out(pictures, weights_file, tmp_path):
    cuts = [CUT, "conv_pw_3_relu"]
    table = transfer_study.by_cut_and_input(
        "mobilenet", cuts, [32, 64], *pictures, weights_file, cache=tmp_path
    )
    assert list(table["cut"]) == [CUT, CUT]
    assert list(table["input"]) == [32, 64] and list(table["map"]) == [16, 32]
    assert table["mflop"][1] == pytest.approx(4 * table["mflop"][0])
    assert (table["n"] == 20).all() and (table["weights"] == "ImageNet").all()


def test_all_cuts_of_an_input_size_come_from_one_pass(pictures, tmp_path, monkeypatch):
    passes = []
    real = features.forward
    monkeypatch.setattr(features, "forward", lambda model: passes.append(1) or real(model))
    cuts = [CUT, "conv_pw_2_relu"]
    table = transfer_study.by_cut_and_input("mobilenet", cuts, [32], *pictures, cache=tmp_path)
    assert list(table["cut"]) == cuts and (table["weights"] == "random").all()
    assert len(passes) == 2  # training images, then validation images


def test_frozen_features_are_compared_over_nested_balanced_subsets(pictures, tmp_path):
    dataset, splits = pictures
    model = transfer.build("mobilenet", CUT, weights=None)
    table = transfer_study.frozen_by_size(model, [10, 500], dataset, splits, cache=tmp_path)
    assert list(table["n_train"]) == [10, 80]  # there are no more than 80
    small, large = (rows for _, rows in transfer_study._nested(dataset, splits, [10, 40], seed=0))
    assert set(small) < set(large) <= set(splits.train)
    assert dataset.labels[small].mean() == dataset.labels[large].mean() == 0.5


def test_a_small_training_set_is_passed_over_more_often(pictures, monkeypatch):
    seen = {}

    def fit(model, dataset, splits, recipe, **options):
        count = len(set(splits.train))
        assert all(np.bincount(splits.train)[splits.train] == len(splits.train) // count)
        seen[count] = len(splits.train) * recipe.epochs // recipe.batch_size, recipe.epochs
        return SimpleNamespace(history={"val_accuracy": SimpleNamespace(iloc=[0.5])})

    monkeypatch.setattr(transfer_study, "fit", fit)
    recipe = transfer_study.get_recipe("comparison").replace(epochs=2, batch_size=8)
    table, largest = transfer_study.trained_by_size(
        SimpleNamespace(name="any"), [16, 40, 80], *pictures, recipe, least_steps=20
    )
    # At least 20 steps each, and validation looked at no more often for all that.
    assert seen == {16: (20, 2), 40: (20, 2), 80: (20, 2)}
    assert list(table["passes"]) == [10, 4, 2]
    assert largest is not None


def test_the_logit_to_start_from_has_seen_no_images_but_those_of_its_size(
    pictures, tmp_path, monkeypatch
):
    dataset, splits = pictures
    started, fitted = [], []
    real = transfer_study.fit_frozen

    def fit_frozen(probe, dataset, splits, cache):
        fitted.append(len(splits.train))
        return real(probe, dataset, splits, cache)

    def fit(model, *_, **__):
        started.append(model.get_layer("logit").get_weights()[0].ravel())
        return SimpleNamespace(history={"val_accuracy": SimpleNamespace(iloc=[0.5])})

    monkeypatch.setattr(transfer_study, "fit_frozen", fit_frozen)
    monkeypatch.setattr(transfer_study, "fit", fit)
    probe = transfer.build("mobilenet", CUT, weights=None)
    before = probe.get_layer("logit").get_weights()[0]
    tuned = transfer_study.prepared(probe)
    transfer_study.trained_by_size(
        tuned, [16, 80], *pictures, "comparison", probe=probe, cache=tmp_path
    )
    assert fitted == [16, 80] and not np.allclose(*started)
    np.testing.assert_array_equal(before, probe.get_layer("logit").get_weights()[0])


def test_each_number_of_images_that_there_is_is_tried_once(pictures, tmp_path, monkeypatch):
    sizes = [1000, 16, 40_000]  # of 80 training images
    frozen = transfer.build("mobilenet", CUT, weights=None)
    by_size = transfer_study.frozen_by_size(frozen, sizes, *pictures, cache=tmp_path)
    assert by_size["n_train"].tolist() == [16, 80]

    def fit(model, dataset, splits, *arguments, **options):
        history = transfer_study.pd.DataFrame({"val_accuracy": [0.5]})
        return SimpleNamespace(history=history)

    monkeypatch.setattr(transfer_study, "fit", fit)
    by_size, _ = transfer_study.trained_by_size(frozen, sizes, *pictures, "comparison")
    assert by_size["n_train"].tolist() == [16, 80]


def curves(**accuracies):
    """A table of curves of one network over 100, 1,000 and 10,000 images, judged on 1,000."""
    frames = {
        ("net", name): transfer_study.pd.DataFrame(
            {"n_train": [100, 1000, 10_000], "val_accuracy": values, "n": 1000}
        )
        for name, values in accuracies.items()
    }
    return transfer_study.with_intervals(frames)


def crossing(first, second, **accuracies):
    pairs = {"x": (("net", first), ("net", second))}
    table = transfer_study.crossings(curves(**accuracies), pairs)
    return next(table.itertuples())


def test_lines_cross_between_the_sizes_where_the_lead_changes():
    row = crossing("frozen", "scratch", frozen=[0.8, 0.85, 0.9], scratch=[0.6, 0.8, 0.95])
    assert (row.few, row.many) == ("net frozen", "net scratch")
    assert (row.above, row.below, row.crossings) == (1000, 10_000, 1)
    assert row.n == pytest.approx(10**3.5)  # half-way, on a logarithmic axis
    assert row.few_clear and row.many_clear
    facts = transfer_study.crossing_facts(row)
    assert facts["crosses"] and facts["other"] == "net scratch" and facts["above"] == 1000


def test_where_one_is_ahead_all_along_nothing_crosses():
    row = crossing("b", "a", a=[0.8, 0.85, 0.9], b=[0.79, 0.85, 0.8])
    assert (row.few, row.many, row.other, row.crossings) == ("net a", "net a", "net b", 0)
    assert not row.few_clear and row.many_clear
    facts = transfer_study.crossing_facts(row)
    assert not facts["crosses"] and "n" not in facts and "above" not in facts


def test_a_comparison_with_a_way_that_was_not_taken_is_left_out():
    pairs = {"x": (("net", "a"), ("net", "b"))}
    assert transfer_study.crossings(curves(a=[0.8, 0.8, 0.8]), pairs).empty


def test_the_text_speaks_of_the_best_cut_the_deepest_and_the_best_at_the_pictures_own_size():
    table = transfer_study.pd.DataFrame(
        [
            ("low", 32, "ImageNet", 0.8),
            ("deep", 32, "ImageNet", 0.7),
            ("low", 64, "ImageNet", 0.9),
            ("deep", 64, "ImageNet", 0.75),
            ("low", 32, "random", 0.6),
            ("deep", 32, "random", 0.5),
        ],
        columns=["cut", "input", "weights", "val_accuracy"],
    )
    found = transfer_study.landmarks(table)
    accuracies = {name: row.val_accuracy for name, row in found.items()}
    assert accuracies == {"best": 0.9, "native": 0.8, "deepest": 0.75, "random": 0.6}


def test_a_long_training_is_taken_from_those_kept_or_done_here_or_left(pictures, tmp_path):
    network = transfer_study.thawed_backbone("mobilenet", None, CUT, stem_stride=1)
    recipe = transfer_study.get_recipe("fine_tune_full").replace(
        epochs=1, batch_size=16, auxiliary_class_loss=0.0
    )
    arguments = (network, *pictures, recipe, "tuned", 0)
    assert transfer_study.find_or_fit(*arguments, tmp_path, train=False) is None
    done = transfer_study.find_or_fit(*arguments, tmp_path)
    assert not done.origin
    key = pretrained.identity(network, *pictures, recipe, 0)
    pretrained.save(done, tmp_path, "tuned", 0, key, machine="another")
    found = transfer_study.find_or_fit(*arguments, tmp_path, train=False)
    assert found.origin == {"machine": "another"} and found.epochs_run == 0
    for one, other in zip(done.model.get_weights(), found.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    norms = [layer for layer in done.model.layers if "bn" in layer.name]
    assert all(layer.trainable and layer.momentum == 0.9 for layer in norms)


def test_fewer_validation_images_are_some_of_all_and_always_the_same(pictures):
    _, splits = pictures
    few = transfer_study.judged_on(splits, 5, seed=1)
    assert len(few.val) == 5 and set(few.val) < set(splits.val)
    np.testing.assert_array_equal(few.val, transfer_study.judged_on(splits, 5, seed=1).val)
    assert transfer_study.judged_on(splits, None) is splits


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
    table = transfer_study.with_intervals({("net", "a"): frame})
    assert table.loc[0, "ci_low"] == pytest.approx(0.404, abs=0.001)
    assert table.loc[0, "training"] == "a"
