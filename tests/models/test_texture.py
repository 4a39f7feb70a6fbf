"""Texture statistics of a frozen network."""

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
    width = maps.shape[-1]
    np.testing.assert_allclose(found[:, :width], maps.mean(axis=(1, 2)), atol=1e-5)
    deviation = maps.std(axis=(1, 2))
    np.testing.assert_allclose(found[:, width : 2 * width], deviation, atol=2e-3)


def test_the_extractor_gives_what_keras_gives(network, squares):
    extract = texture.Extractor(network)
    found, expected = extract(squares), np.asarray(network(squares.astype("float32")))
    assert found.shape == (9, extract.width)
    np.testing.assert_allclose(found, expected, atol=1e-4)


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
