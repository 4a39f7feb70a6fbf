"""The networks of the comparison are what their names say."""

import numpy as np
import pytest
import tensorflow as tf

from realfake_lib import models


def _convolutions_before_pooling(name):
    kinds = [type(layer).__name__ for layer in models.build(name).layers]
    return kinds[: kinds.index("MaxPooling2D")].count("Conv2D")


@pytest.mark.parametrize(
    ("name", "count"),
    [("tiny_cnn", 1), ("wide_cnn", 1), ("compact_cnn", 2), ("deep_cnn", 3)],
)
def test_the_networks_look_at_all_pixels_before_they_pool(name, count):
    assert _convolutions_before_pooling(name) == count


def test_deep_cnn_has_two_residual_connections_a_stage():
    added = [layer for layer in models.build("deep_cnn").layers if layer.name.endswith("_add")]
    assert [layer.output.shape[-1] for layer in added] == [32, 32, 64, 64, 128, 128]


def test_folding_loses_no_pixel():
    fold = models.build("folded_small").get_layer("fold")
    assert fold.output.shape[1:] == (16, 16, 12)
    assert np.linalg.matrix_rank(fold.kernel.numpy().reshape(12, 12)) == 12


def test_wide_cnn_sees_patches_of_twelve_pixels():
    model = models.build("wide_cnn", image_size=64)
    features = tf.keras.Model(model.input, model.get_layer("gap").input)
    pixels = tf.random.stateless_uniform((1, 64, 64, 3), (0, 0), 0, 255)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        one_place = tf.reduce_sum(features(pixels)[:, 8, 8])
    seen = np.abs(tape.gradient(one_place, pixels).numpy()).sum((0, 3)) > 0
    assert seen.any(axis=0).sum() <= 12 and seen.any(axis=1).sum() <= 12
