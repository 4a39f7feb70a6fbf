"""Corruption augmentation: whole grey levels, a share left alone, a function of its seed."""

import numpy as np
import pytest
import tensorflow as tf

from realfake_lib.training import augment, corruptions

IMAGES = np.random.default_rng(0).integers(0, 256, (512, 16, 16, 3)).astype("float32")
SEED = tf.constant([3, 1])


@pytest.fixture(scope="module")
def corrupted():
    return corruptions.corrupt(tf.constant(IMAGES), SEED).numpy()


def test_images_stay_images(corrupted):
    assert corrupted.shape == IMAGES.shape and corrupted.dtype == np.float32
    assert corrupted.min() >= 0 and corrupted.max() <= 255
    np.testing.assert_array_equal(corrupted, np.rint(corrupted))


def test_a_share_of_the_images_is_left_alone(corrupted):
    same = (corrupted == IMAGES).all(axis=(1, 2, 3)).mean()
    untouched = np.prod([1 - share for share in corruptions.SHARE.values()])
    expected = corruptions.CLEAN + (1 - corruptions.CLEAN) * untouched
    assert same == pytest.approx(expected, abs=0.08)


def test_it_is_a_function_of_its_seed(corrupted):
    again = corruptions.corrupt(tf.constant(IMAGES), SEED).numpy()
    np.testing.assert_array_equal(again, corrupted)
    other = corruptions.corrupt(tf.constant(IMAGES), tf.constant([3, 2])).numpy()
    assert (other != corrupted).any(axis=(1, 2, 3)).mean() > 0.5


def test_filters_leave_a_flat_image_flat():
    matrices, groups = corruptions.filters(16)
    for of_axis in matrices:
        np.testing.assert_allclose(of_axis.sum(axis=2), 1, atol=1e-4)
    assert sum(size for _, size in groups) == len(matrices[0]) == len(matrices[1])
    assert [first for first, _ in groups] == list(
        np.cumsum([0, *(size for _, size in groups[:-1])])
    )


def test_the_recipes_policy_flips_too():
    images = tf.constant(IMAGES)
    found = augment.policy("flip_corrupt")(images, SEED).numpy()
    mirrored = (found == IMAGES[:, :, ::-1]).all(axis=(1, 2, 3)).mean()
    upright = (found == IMAGES).all(axis=(1, 2, 3)).mean()
    assert mirrored > 0.1 and upright > 0.1
