"""Measures of maps, on a detector that looks at one known place."""

import keras
import numpy as np
import pytest

from realfake_lib.explain import study
from realfake_lib.settings import FAKE, REAL

SIDE = 8


@pytest.fixture(scope="module")
def model():
    """REAL where the upper left quarter is bright; blind to everything else."""
    x = inputs = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(1, 1, activation="relu", name="light")(x)
    x = keras.layers.AveragePooling2D(2, name="pool")(x)
    x = keras.layers.ReLU(name="small")(x)
    x = keras.layers.Flatten()(x)
    model = keras.Model(inputs, keras.layers.Dense(1, name="logit")(x))
    model.get_layer("light").set_weights([np.full((1, 1, 3, 1), 1 / 255 / 3), np.zeros(1)])
    weights = np.zeros((4, 4, 1))
    weights[:2, :2] = 4
    model.get_layer("logit").set_weights([weights.reshape(16, 1), np.float32([-8])])
    return model


@pytest.fixture(scope="module")
def images():
    """Bright in the upper left quarter, dark elsewhere."""
    images = np.random.default_rng(0).integers(0, 60, (12, SIDE, SIDE, 3)).astype("uint8")
    images[:, :4, :4] += 190
    return images


def test_cases_are_told_apart_by_class_and_verdict():
    labels = np.array([FAKE, REAL, FAKE, REAL, FAKE, FAKE])
    p_fake = np.array([0.9, 0.1, 0.2, 0.8, 0.7, 0.95])
    found = study.cases(labels, p_fake)
    assert {name: list(where) for name, where in found.items()} == {
        "true_positives": [0, 4, 5],
        "true_negatives": [1],
        "false_negatives": [2],
        "false_positives": [3],
    }


def test_a_case_that_does_not_occur_is_empty():
    found = study.cases([REAL], [0.1])
    assert {name: len(where) for name, where in found.items() if len(where)} == {
        "true_negatives": 1
    }


def test_the_map_of_another_image_comes_from_the_same_group():
    maps = np.arange(5)[:, None, None] * np.ones((5, 2, 2))
    groups = np.array([0, 1, 0, 1, 2])
    assert list(study.of_another(maps, groups)[:, 0, 0]) == [2, 3, 0, 1, 4]


def test_every_rectified_map_is_a_layer_to_explain(model, images):
    table = study.layer_table(model, images, "REAL")
    assert list(table.index) == ["light", "small"]
    assert list(table["map"]) == ["8×8", "4×4"]
    assert (table["n"] == 12).all()


def test_agreement_is_one_with_oneself_and_ignores_empty_maps(images):
    maps = images[..., 0] / 255
    holes = maps.copy()
    holes[0] = 0
    found = study.agreement({"a": maps, "b": 1 - maps, "c": holes, "d": np.zeros_like(maps)})
    assert found["a"] == pytest.approx(1)
    assert found["b"] == pytest.approx(-1)
    assert found["c"] == pytest.approx(1)
    assert np.isnan(found["d"])
