"""Muon orthogonalises the updates of convolution kernels and leaves the rest to AdamW."""

import keras
import numpy as np
import pytest

from realfake_lib.training.muon import Muon


def step(shape, gradient, **options):
    variable = keras.Variable(np.zeros(shape, np.float32))
    optimizer = Muon(0.1, momentum=0.0, nesterov=False, **options)
    optimizer.apply([gradient], [variable])
    return -np.asarray(variable)


def test_the_update_of_a_kernel_has_equal_singular_values():
    gradient = np.random.default_rng(0).normal(size=(3, 3, 16, 32)).astype(np.float32)
    matrix = step(gradient.shape, gradient).reshape(144, 32)
    values = np.linalg.svd(matrix, compute_uv=False)
    before = np.linalg.svd(gradient.reshape(144, 32), compute_uv=False)
    assert values.max() / values.min() < 2 < before.max() / before.min()
    # Scaled so that an entry has the size of AdamW's: 0.1 · 0.2 · sqrt(144) · about 1.
    assert np.median(values) == pytest.approx(0.1 * 0.2 * 12, rel=0.3)


def test_the_update_follows_the_gradient():
    gradient = np.random.default_rng(1).normal(size=(3, 3, 16, 32)).astype(np.float32)
    update = step(gradient.shape, gradient)
    left, _, right = np.linalg.svd(gradient.reshape(144, 32), full_matrices=False)
    polar = (left @ right).ravel()
    cosine = polar @ update.ravel() / np.linalg.norm(polar) / np.linalg.norm(update)
    assert cosine > 0.97


@pytest.mark.parametrize("shape", [(3, 3, 3, 32), (32,), (64, 1)])
def test_other_weights_take_adamws_step(shape):
    gradient = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    assert step(shape, gradient) == pytest.approx(0.1 * np.sign(gradient), rel=0.01)


def test_weight_decay_spares_all_but_kernels():
    kernel = keras.Variable(np.ones((3, 3, 16, 8), np.float32))
    bias = keras.Variable(np.ones(8, np.float32))
    optimizer = Muon(0.1, weight_decay=0.5)
    optimizer.apply([np.zeros(kernel.shape, "f4"), np.zeros(8, "f4")], [kernel, bias])
    assert np.asarray(kernel) == pytest.approx(0.95) and np.asarray(bias) == pytest.approx(1)
