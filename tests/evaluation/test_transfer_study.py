"""The transfer study names what is missing, and compares like with like."""

import shutil
from dataclasses import replace
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
def noisy():
    """120 noisy images, REAL brighter: easy for any features."""
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
    cut_there = replace(transfer.BACKBONES["mobilenet"], cut_layer=CUT)
    monkeypatch.setitem(transfer.BACKBONES, "mobilenet", cut_there)
    found, table = transfer_study.find_backbones(["mobilenet", "vgg16"], allow_download=False)
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


def test_the_control_says_in_its_name_that_its_weights_are_random():
    frozen = transfer_study.random_backbone("mobilenet", CUT)
    assert frozen.name.endswith("_random")
    assert len(frozen.trainable_weights) == 2  # the logit alone


def test_controls_of_one_seed_are_alike():
    first, second = (transfer_study.random_backbone("mobilenet", CUT, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.get_weights()[0], second.get_weights()[0])


def test_cuts_that_the_weights_do_not_reach_are_left_out(noisy, weights_file, tmp_path):
    cuts = [CUT, "conv_pw_3_relu"]
    table = transfer_study.by_cut_and_input(
        "mobilenet", cuts, [32, 64], *noisy, weights_file, cache=tmp_path
    )
    assert list(table["cut"]) == [CUT, CUT]
    assert list(table["input"]) == [32, 64] and list(table["map"]) == [16, 32]
    assert table["mflop"][1] == pytest.approx(4 * table["mflop"][0])
    assert (table["n"] == 20).all() and (table["weights"] == "ImageNet").all()


def test_all_cuts_of_an_input_size_come_from_one_pass(noisy, tmp_path, monkeypatch):
    passes = []
    real = features.forward
    monkeypatch.setattr(features, "forward", lambda model: passes.append(1) or real(model))
    cuts = [CUT, "conv_pw_2_relu"]
    table = transfer_study.by_cut_and_input("mobilenet", cuts, [32], *noisy, cache=tmp_path)
    assert list(table["cut"]) == cuts and (table["weights"] == "random").all()
    assert len(passes) == 2  # training images, then validation images


def start(model=None, recipe=None, probe=None):
    model = model or transfer.build("mobilenet", CUT, weights=None)
    recipe = recipe and transfer_study.get_recipe("comparison").replace(**recipe)
    return transfer_study.Start("mobilenet", "frozen", model, recipe, probe)


def test_frozen_features_are_compared_over_nested_balanced_subsets(noisy, tmp_path):
    dataset, splits = noisy
    frozen = start()
    table, largest = transfer_study.by_size([frozen], [1000, 10, 500], *noisy, cache=tmp_path)
    assert list(table["n_train"]) == [10, 80]  # there are no more than 80
    assert largest["mobilenet_frozen"].model is frozen.model
    assert (table["ci_low"] <= table["val_accuracy"]).all()
    small, large = (rows for _, rows in transfer_study._nested(dataset, splits, [10, 40], seed=0))
    assert set(small) < set(large) <= set(splits.train)
    assert dataset.labels[small].mean() == dataset.labels[large].mean() == 0.5


def result():
    return SimpleNamespace(history=transfer_study.pd.DataFrame({"val_accuracy": [0.5]}))


def test_a_small_training_set_is_repeated_more_often(noisy, monkeypatch):
    seen = {}

    def fit(model, dataset, splits, recipe, **options):
        count = len(set(splits.train))
        assert all(np.bincount(splits.train)[splits.train] == len(splits.train) // count)
        seen[count] = len(splits.train) * recipe.epochs // recipe.batch_size, recipe.epochs
        return result()

    monkeypatch.setattr(transfer_study, "fit", fit)
    trained = start(recipe={"epochs": 2, "batch_size": 8})
    table, largest = transfer_study.by_size([trained], [16, 40, 80], *noisy, least_steps=20)
    # At least 20 steps each, and no more validations for that.
    assert seen == {16: (20, 2), 40: (20, 2), 80: (20, 2)}
    assert list(table["n_train"]) == [16, 40, 80] and list(largest) == ["mobilenet_frozen"]


def test_the_logit_to_start_from_is_fitted_on_the_images_of_its_size_alone(
    noisy, tmp_path, monkeypatch
):
    started, fitted = [], []
    real = transfer_study.fit_frozen

    def fit_frozen(probe, dataset, splits, cache):
        fitted.append(len(splits.train))
        return real(probe, dataset, splits, cache)

    def fit(model, *_, **__):
        started.append(model.get_layer("logit").get_weights()[0].ravel())
        return result()

    monkeypatch.setattr(transfer_study, "fit_frozen", fit_frozen)
    monkeypatch.setattr(transfer_study, "fit", fit)
    probe = transfer.build("mobilenet", CUT, weights=None)
    before = probe.get_layer("logit").get_weights()[0]
    tuned = start(transfer_study.prepared(probe), {"epochs": 1}, probe)
    transfer_study.by_size([tuned], [16, 80], *noisy, cache=tmp_path)
    assert fitted == [16, 80] and not np.allclose(*started)
    np.testing.assert_array_equal(before, probe.get_layer("logit").get_weights()[0])


def curves(**accuracies):
    """A table of curves of one network over 100, 1,000 and 10,000 images."""
    return transfer_study.pd.DataFrame(
        {"network": "net", "training": name, "n_train": n, "ci_low": a - 0.02, "ci_high": a + 0.02}
        for name, values in accuracies.items()
        for n, a in zip([100, 1000, 10_000], values, strict=True)
    )


def test_a_training_is_ahead_as_long_as_the_intervals_are_apart():
    table = curves(tuned=[0.8, 0.85, 0.9], scratch=[0.6, 0.8, 0.89], late=[0.79, 0.7, 0.7])
    tuned, scratch, late = (("net", name) for name in ("tuned", "scratch", "late"))
    assert transfer_study.ahead_up_to(table, tuned, scratch) == 1000
    assert transfer_study.ahead_up_to(table, tuned, late) == 0  # not at the smallest size
    assert np.isnan(transfer_study.ahead_up_to(table, tuned, ("net", "another")))


def test_all_ways_of_training_are_compared_and_those_without_weights_left_out(
    noisy, weights_file, monkeypatch
):
    monkeypatch.setitem(
        transfer.BACKBONES, "mobilenet", replace(transfer.BACKBONES["mobilenet"], cut_layer=CUT)
    )
    epochs = {"finetune": 1, "scratch": 1}
    few = transfer_study.starts("mobilenet", None, "tiny_cnn", None, epochs, 32)
    assert [way.name for way in few] == [
        *("mobilenet_random_frozen", "mobilenet_scratch", "tiny_cnn_scratch")
    ]
    more = transfer_study.starts("mobilenet", weights_file, "tiny_cnn", None, epochs, 32)
    table, largest = transfer_study.by_size(more[2:4], [16, 80], *noisy, least_steps=1)
    assert list(largest) == ["mobilenet_frozen", "mobilenet_finetuned"]
    assert list(table["training"]) == ["ImageNet, frozen"] * 2 + ["ImageNet, fine-tuned"] * 2
    names = [name for name, *_ in transfer_study.size_metrics(table)]
    assert names[-1] == "mobilenet.ImageNet_fine_tuned.n_80.val_accuracy"


def test_the_text_quotes_the_best_cut_the_deepest_and_the_best_at_the_smallest_input():
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
    ).assign(mflop=1.0, n=100)
    found = {name: value for name, value, *_ in transfer_study.landmarks(table)}
    accuracies = [found[f"{part}.val_accuracy"] for part in ("best", "native", "deepest", "random")]
    assert accuracies == [0.9, 0.8, 0.75, 0.6]
    assert (found["best.cut"], found["best.input"]) == ("low", 64)


def test_a_long_training_is_a_pretrained_checkpoint_or_is_done_here_or_left_out(noisy, tmp_path):
    network = transfer_study.unfrozen_backbone("mobilenet", None, CUT, stem_stride=1)
    recipe = transfer_study.get_recipe("fine_tune_full").replace(
        epochs=1, batch_size=16, auxiliary_class_loss=0.0
    )
    arguments = (network, *noisy, recipe, 0, "tuned", tmp_path)
    assert pretrained.fit(*arguments, train=False) is None
    done = pretrained.fit(*arguments)
    assert not done.origin
    key = pretrained.identity(network, *noisy, recipe, 0)
    pretrained.save(done, tmp_path, "tuned", 0, key, machine="another")
    found = pretrained.fit(*arguments, train=False)
    assert found.origin == {"machine": "another"} and found.epochs_run == 0
    for one, other in zip(done.model.get_weights(), found.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one.astype("float16"), other)  # half precision in the file
    norms = [layer for layer in done.model.layers if "bn" in layer.name]
    assert all(layer.trainable and layer.momentum == 0.9 for layer in norms)


def test_fewer_validation_images_are_some_of_all_and_always_the_same(noisy):
    _, splits = noisy
    few = transfer_study.with_fewer_val(splits, 5, seed=1)
    assert len(few.val) == 5 and set(few.val) < set(splits.val)
    np.testing.assert_array_equal(few.val, transfer_study.with_fewer_val(splits, 5, seed=1).val)
    assert transfer_study.with_fewer_val(splits, None) is splits


def test_the_figure_says_how_each_model_was_trained_and_which_one_on_all_images():
    scores = SimpleNamespace(accuracy=0.9, intervals={"accuracy": (0.8, 0.95)})
    names = ["mobilenet_random_frozen", "mobilenet_finetuned_few", "mobilenet_finetuned"]
    results = dict.fromkeys(names, SimpleNamespace(test=scores))
    table = transfer_study.strategies(results, ["mobilenet", "vgg16"], names[-1])
    assert list(table["strategy"]) == [
        "random weights, frozen",
        "ImageNet, fine-tuned",
        "ImageNet, fine-tuned on all images",
    ]
