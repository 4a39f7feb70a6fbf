"""Training copies: the same function and the same BatchNorm statistics, faster."""

import keras
import numpy as np
import pytest

from realfake_lib import models
from realfake_lib.training.copies import FusedBatchNormalization, training_copy

PIXELS = np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3)).astype("float32")


@pytest.mark.parametrize("name", models.available())
def test_a_copy_infers_as_its_original_does(name):
    model = models.build(name)
    np.testing.assert_allclose(training_copy(model)(PIXELS), model(PIXELS), atol=1e-5)


def test_a_copy_in_bfloat16_infers_nearly_so():
    keras.utils.set_random_seed(0)
    model = models.build("tiny_cnn")
    found = training_copy(model, "mixed_bfloat16")(PIXELS)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, model(PIXELS), atol=0.05)


def test_the_fused_batchnorm_trains_as_keras_own():
    x = np.random.default_rng(1).normal(3, 2, (8, 6, 6, 4)).astype("float32")
    plain, fused = keras.layers.BatchNormalization(momentum=0.9), None
    plain.build(x.shape)
    fused = FusedBatchNormalization.from_config(plain.get_config())
    fused.build(x.shape)
    np.testing.assert_allclose(fused(x, training=True), plain(x, training=True), atol=1e-4)
    np.testing.assert_allclose(fused.moving_mean, plain.moving_mean, rtol=1e-4)
    # TensorFlow's kernel keeps the unbiased variance: n / (n - 1) with n = 8·6·6.
    np.testing.assert_allclose(
        fused.moving_variance - 0.9, (plain.moving_variance - 0.9) * 288 / 287, rtol=1e-3
    )
    np.testing.assert_allclose(fused(x), plain(x), rtol=1e-2, atol=1e-2)


def test_frozen_batchnorm_stays_keras_own():
    model = models.build("tiny_cnn")
    model.get_layer("layer1_bn").trainable = False
    copy = training_copy(model)
    assert type(copy.get_layer("layer1_bn")) is keras.layers.BatchNormalization
    assert not copy.get_layer("layer1_bn").trainable
    assert type(copy.get_layer("layer2_bn")) is FusedBatchNormalization
    copy(PIXELS, training=True)
    assert np.array_equal(copy.get_layer("layer1_bn").moving_mean, np.zeros(16))
