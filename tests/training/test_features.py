"""Frozen features are computed once; the head on them is the logistic regression it says."""

import warnings
from dataclasses import replace

import keras
import numpy as np
import pytest

from realfake_lib import models, training
from realfake_lib.training import features


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    return models.build("tiny_cnn", 16)


def test_features_are_those_of_the_layer_in_the_order_asked_for(model, task, tmp_path):
    dataset, _ = task
    rows = np.array([7, 3, 11])
    found = features.extract(model, dataset, rows, cache=tmp_path)
    body = keras.Model(model.input, model.get_layer("gap").output)
    np.testing.assert_allclose(found, body(dataset.images[rows].astype("float32")), atol=1e-5)


def test_features_are_computed_once_for_what_they_depend_on(model, task, tmp_path, monkeypatch):
    dataset, splits = task
    computed = []
    real = features.forward

    def counted(model):
        run = real(model)
        return lambda pixels: computed.append(len(pixels)) or run(pixels)

    monkeypatch.setattr(features, "forward", counted)
    for changed in (dataset, dataset, replace(dataset, fingerprint="other")):
        features.extract(model, changed, splits.val, cache=tmp_path)
    assert computed == [40, 40] and len(list(tmp_path.iterdir())) == 2
    # A part of them is there already, and of more images only the others are missing.
    features.extract(model, dataset, splits.val[:5], cache=tmp_path)
    both = np.concatenate([splits.train[:8], splits.val])
    found = features.extract(model, dataset, both, cache=tmp_path)
    assert computed == [40, 40, 8]
    np.testing.assert_array_equal(
        found[8:], features.extract(model, dataset, splits.val, cache=tmp_path)
    )


def test_several_cuts_come_from_one_pass_and_equal_those_taken_alone(model, task, tmp_path):
    dataset, _ = task
    rows = np.array([9, 2, 5])
    cuts = [layer.name for layer in model.layers if layer.name.endswith("_relu")]
    found = features.extract_cuts(model, cuts, dataset, rows, cache=tmp_path)
    pixels = dataset.images[rows].astype("float32")
    for cut in cuts:
        maps = keras.Model(model.input, model.get_layer(cut).output)(pixels)
        np.testing.assert_allclose(found[cut], np.mean(maps, (1, 2)), atol=1e-5)
    # What is known of the last cut serves the network that ends there.
    before = len(list(tmp_path.iterdir()))
    alone = features.extract(model, dataset, rows, cache=tmp_path)
    np.testing.assert_array_equal(alone, found[cuts[-1]])
    assert len(list(tmp_path.iterdir())) == before


def test_a_killed_extraction_loses_little(model, task, tmp_path, monkeypatch):
    dataset, splits = task
    monkeypatch.setattr(features, "_KEEP_EVERY", 16)
    real, done = features.forward, []

    def killed(model):
        run = real(model)

        def step(pixels):
            if len(done) == 1:
                raise KeyboardInterrupt
            done.append(len(pixels))
            return run(pixels)

        return step

    monkeypatch.setattr(features, "forward", killed)
    with pytest.raises(KeyboardInterrupt):
        features.extract(model, dataset, splits.val, cache=tmp_path)
    monkeypatch.setattr(features, "forward", real)
    (path,) = tmp_path.iterdir()
    assert len(np.load(path)["rows"]) == 16
    assert len(features.extract(model, dataset, splits.val, cache=tmp_path)) == 40


def test_the_head_goes_into_the_flat_model(model, task, tmp_path):
    dataset, splits = task
    result = training.fit_frozen(model, dataset, splits, cache=tmp_path)
    logits = training.predict_logits(result.model, dataset.images, splits.val)
    accuracy = np.mean((logits > 0) == (dataset.labels[splits.val] > 0))
    assert accuracy == result.history.val_accuracy[0] > 0.9
    assert "logistic head" in result.reason


def test_the_head_chooses_its_regularisation_on_validation():
    dice = np.random.default_rng(0)
    labels = (np.arange(60) % 2).astype(int)
    # 50 features of noise and 1 of weak signal: strong regularisation generalises best.
    x = dice.normal(size=(60, 51)) + 0.3 * labels[:, None] * (np.arange(51) == 0)
    other = dice.normal(size=(60, 51)) + 0.3 * labels[:, None] * (np.arange(51) == 0)
    head = training.fit_head(x, labels, other, labels, strengths=(1e-3, 100.0))
    assert head.strength == 1e-3
    logits = other @ head.weights + head.bias
    assert np.mean((logits > 0) == labels) == head.val_accuracy


@pytest.mark.parametrize("n", [400, 6000])
def test_the_head_converges_on_features_like_a_random_backbones(n):
    """Few factors behind all of them, tiny values, dead filters; half of n below and above d."""
    dice = np.random.default_rng(0)
    labels = dice.integers(0, 2, n)
    x = dice.normal(size=(n, 3)) + 0.5 * labels[:, None]
    for _ in range(2):
        weights = dice.normal(size=(x.shape[1], 300)) / x.shape[1] ** 0.5
        x = np.maximum(0, x @ weights + 0.3 * dice.normal(size=300))
    x = (1e-16 * x * (np.arange(300) % 10 > 0)).astype("float32")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        head = training.fit_head(x[::2], labels[::2], x[1::2], labels[1::2])
    assert head.val_accuracy > 0.55
