"""Texture statistics of a frozen network, and a detector that is linear in them."""

import numpy as np
import pytest

from realfake_lib.models import texture


@pytest.fixture(scope="module")
def network():
    return texture.statistics(texture.STAGES[:2], weights=None)


@pytest.fixture(scope="module")
def squares():
    return np.random.default_rng(0).integers(0, 256, (9, texture.SIDE, texture.SIDE, 3), np.uint8)


def test_statistics_are_the_means_and_deviations_of_each_channel(network, squares):
    import keras

    inner = keras.Model(network.input, network.get_layer(texture.STAGES[0]).output)
    maps = np.asarray(inner(squares[:2].astype("float32")))
    found = np.asarray(network(squares[:2].astype("float32")))
    width = texture.CHANNELS[texture.STAGES[0]]
    np.testing.assert_allclose(found[:, :width], maps.mean(axis=(1, 2)), atol=1e-5)
    deviation = maps.std(axis=(1, 2))
    np.testing.assert_allclose(found[:, width : 2 * width], deviation, atol=2e-3)


def test_the_extractor_gives_what_keras_gives(network, squares):
    extract = texture.Extractor(network)
    found, expected = extract(squares), np.asarray(network(squares.astype("float32")))
    assert found.shape == (9, extract.width)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_columns_of_some_stages_stand_where_their_statistics_do():
    assert texture.columns(texture.STAGES).tolist() == list(range(896))
    assert texture.columns(texture.STAGES[1:2]).tolist() == list(range(48, 128))


def test_a_detector_is_linear_in_the_statistics(squares):
    stages = texture.STAGES[:1]
    rng = np.random.default_rng(1)
    coefficients = rng.normal(size=2 * texture.CHANNELS[stages[0]])
    made = texture.detector(stages, coefficients, 0.5, weights=None)
    statistics = texture.statistics(stages, weights=None)
    for mine, other in zip(statistics.layers, made.layers, strict=False):
        mine.set_weights(other.get_weights())
    pixels = squares[:3].astype("float32")
    expected = np.asarray(statistics(pixels)) @ coefficients + 0.5
    np.testing.assert_allclose(np.asarray(made(pixels))[:, 0], expected, rtol=1e-3, atol=1e-3)


def test_kernels_are_rounded_to_255_levels_for_each_channel(network):
    kernels = [
        layer.get_weights()[0].reshape(-1, layer.get_weights()[0].shape[-1])
        for layer in network.layers
        if type(layer).__name__ == "Conv2D"
    ]
    assert len(kernels) > 5
    for kernel in kernels:
        levels = kernel / np.abs(kernel).max(axis=0) * 127
        np.testing.assert_allclose(levels, np.round(levels), atol=1e-3)
