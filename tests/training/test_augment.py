"""Augmentation: Keras's own geometry, whole-pixel moves that blur nothing, repeatable draws."""

import numpy as np
import pytest
from keras.src.legacy.preprocessing.image import apply_affine_transform

from realfake_lib.errors import UserError
from realfake_lib.training import augment

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 20, 20, 3), np.uint8)
AXES = {"row_axis": 0, "col_axis": 1, "channel_axis": 2}
RANDOM = [name for name in augment.POLICIES if name != "none"]


@pytest.mark.parametrize("degrees", [-15, 0, 7])
@pytest.mark.parametrize("rows,columns", [(0, 0), (1.5, -2), (-2, 0.7)])
@pytest.mark.parametrize("flip", [1, -1])
def test_the_geometry_is_that_of_keras_image_data_generator(degrees, rows, columns, flip):
    found = augment.affine(IMAGES, np.radians(degrees), rows, columns, flip=flip).numpy()
    expected = np.stack(
        [
            apply_affine_transform(
                image.astype("float32"), theta=degrees, tx=columns, ty=rows, **AXES
            )
            for image in IMAGES
        ]
    )
    np.testing.assert_allclose(found, expected[:, :, ::flip], atol=0.05)


def test_zoom_is_that_of_keras_too():
    found = augment.affine(IMAGES, zoom=1.1).numpy()
    expected = apply_affine_transform(IMAGES[0].astype("float32"), zx=1.1, zy=1.1, **AXES)
    np.testing.assert_allclose(found[0], expected, atol=0.05)


def test_whole_pixel_moves_reflect_the_border():
    one = np.array([1])
    moved = augment.translate(IMAGES[:1], 2 * one, -3 * one, np.array([False])).numpy()[0]
    padded = np.pad(IMAGES[0], ((3, 3), (3, 3), (0, 0)), mode="reflect")
    assert np.array_equal(moved, padded[5:25, 0:20])


def test_a_flip_mirrors_left_and_right():
    still = np.zeros(6, int)
    assert np.array_equal(
        augment.translate(IMAGES, still, still, np.ones(6, bool)), IMAGES[:, :, ::-1]
    )


@pytest.mark.parametrize("name", RANDOM)
def test_a_policy_is_a_function_of_its_seed(name):
    policy = augment.policy(name)
    first, again, other = (policy(IMAGES, (1, step)).numpy() for step in (1, 1, 2))
    assert first.shape == IMAGES.shape and first.dtype == np.float32
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert first.min() >= 0 and first.max() <= 255


@pytest.mark.parametrize("name", ["flip", "flip_crop"])
def test_the_policies_of_the_compact_network_invent_no_pixel_values(name):
    many = np.repeat(IMAGES, 20, axis=0)
    for before, after in zip(many, augment.policy(name)(many, (0, 0)).numpy(), strict=True):
        assert set(map(tuple, after.reshape(-1, 3))) <= set(map(tuple, before.reshape(-1, 3)))


def test_flips_are_even():
    many = np.repeat(IMAGES[:1], 1000, axis=0)
    flipped = augment.policy("flip")(many, (0, 0)).numpy() != many
    assert 430 < flipped.any(axis=(1, 2, 3)).sum() < 570


def test_none_is_nothing():
    assert augment.policy("none") is None


def test_an_unknown_policy_is_named():
    with pytest.raises(UserError, match="Unknown augmentation 'cutout'"):
        augment.policy("cutout")


def test_cutout_hides_a_square_and_nothing_else():
    cut, flipped = (augment.policy(p)(IMAGES, (1, 2)).numpy() for p in ("flip_cutout", "flip"))
    hidden = cut != flipped
    for mask in hidden.any(axis=-1):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert mask[np.ix_(rows, columns)].mean() > 0.9 and len(rows) <= 9 and len(columns) <= 9
    assert hidden.any(axis=(1, 2, 3)).all()


def test_jitter_moves_all_pixels_of_a_picture_alike():
    middling = np.full((4, 8, 8, 3), 100, np.uint8)
    moved = augment.policy("flip_jitter")(middling, (1, 2)).numpy()
    assert (np.ptp(moved, axis=(1, 2, 3)) == 0).all()
    assert len(np.unique(moved)) == 4 and np.abs(moved - 100).max() <= 30
