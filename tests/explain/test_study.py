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


@pytest.fixture(scope="module")
def right_and_wrong():
    right = np.zeros((12, SIDE, SIDE), "float32")
    right[:, :4, :4] = 1
    return {"right place": right, "wrong place": right[:, ::-1, ::-1]}


def test_cases_are_told_apart_by_class_and_verdict():
    labels = np.array([FAKE, REAL, FAKE, REAL, FAKE, FAKE])
    p_fake = np.array([0.9, 0.1, 0.2, 0.8, 0.7, 0.95])
    found = study.cases(labels, p_fake, per_case=2)
    assert {name: list(where) for name, where in found.items()} == {
        "FAKE, recognised": [0, 4],
        "REAL, recognised": [1],
        "FAKE, missed": [2],
        "REAL, accused": [3],
    }


def test_a_case_that_does_not_occur_is_empty():
    found = study.cases([REAL], [0.1])
    assert {name: len(where) for name, where in found.items() if len(where)} == {
        "REAL, recognised": 1
    }


def test_the_map_of_another_image_comes_from_the_same_group():
    maps = np.arange(5)[:, None, None] * np.ones((5, 2, 2))
    groups = np.array([0, 1, 0, 1, 2])
    assert list(study.of_another(maps, groups)[:, 0, 0]) == [2, 3, 0, 1, 4]


def test_average_maps_leave_out_empty_ones():
    maps = np.stack([np.zeros((2, 2)), np.full((2, 2), 0.5), np.ones((2, 2)), np.zeros((2, 2))])
    means = study.average_maps(maps, np.array([0, 0, 0, 1]))
    assert list(means) == [0]
    np.testing.assert_allclose(means[0], 0.75)


def test_the_middle_is_a_quarter_of_the_area():
    assert study.middle(np.zeros((3, 32, 32))).shape == (3, 16, 16)
    assert study.middle(np.arange(16).reshape(4, 4)).tolist() == [[5, 6], [9, 10]]


def test_maps_of_the_right_place_are_more_faithful(model, images, right_and_wrong):
    table = study.faithfulness_table(model, images, right_and_wrong, "REAL")
    assert table.loc["right place", "deletion"] > 0.05 > table.loc["wrong place", "deletion"]
    assert table.loc["right place", "insertion"] > table.loc["wrong place", "insertion"]
    assert (table["deletion_low"] <= table["deletion"]).all()
    assert (table["n"] == 12).all()


def test_the_advantage_over_other_maps_is_counted_image_by_image(model, images, right_and_wrong):
    right, wrong = right_and_wrong.values()
    gain = study.advantage(model, images, right, wrong, "REAL")
    table = study.faithfulness_table(model, images, right_and_wrong, "REAL")
    for curve in ("deletion", "insertion"):
        assert gain[curve] == pytest.approx(table[curve].iloc[0] - table[curve].iloc[1])
        assert 0 < gain[f"{curve}_low"] <= gain[curve] <= gain[f"{curve}_high"]
    assert study.advantage(model, images, right, right, "REAL")["deletion"] == 0


def test_every_rectified_map_is_a_layer_to_explain(model, images):
    assert study.explainable_layers(model) == ["light", "small"]
    table = study.layer_table(model, images, "REAL")
    assert list(table.index) == ["light", "small"]
    assert list(table["map"]) == ["8×8", "4×4"]
    assert list(table["pixels per cell"]) == [1, 2]


def test_agreement_is_one_with_oneself_and_ignores_empty_maps(images):
    maps = images[..., 0] / 255
    holes = maps.copy()
    holes[0] = 0
    found = study.agreement({"a": maps, "b": 1 - maps, "c": holes, "d": np.zeros_like(maps)})
    assert found["a"] == pytest.approx(1)
    assert found["b"] == pytest.approx(-1)
    assert found["c"] == pytest.approx(1)
    assert np.isnan(found["d"])


def test_curves_set_each_order_beside_the_random_one(model, images, right_and_wrong):
    curves = study.curves(model, images, right_and_wrong, "REAL")
    assert set(curves["curve"]) == {"deletion", "insertion"}
    assert set(curves["order"]) == {"right place", "wrong place", "random order"}
    middle = curves[(curves["curve"] == "deletion") & (curves["fraction"] == 0.25)]
    score = middle.set_index("order")["score"]
    assert score["right place"] < score["random order"] < score["wrong place"]
