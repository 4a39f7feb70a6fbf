"""Corruptions: 8-bit in and out, deterministic, of the strength they say; and their table."""

import io

import numpy as np
import pytest
from PIL import Image

from realfake_lib.errors import UserError
from realfake_lib.robustness import corruptions

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 16, 20, 3)).astype(np.uint8)
NAMES = list(corruptions.CORRUPTIONS)
RANDOM = ("gaussian_noise", "shot_noise", "impulse_noise", "motion_blur", "crop", "shift")


@pytest.mark.parametrize("name", NAMES)
def test_a_corruption_changes_8_bit_images_alike_each_time_and_not_in_place(name):
    before, middle = IMAGES.copy(), corruptions.CORRUPTIONS[name].severities[2]
    once, again = (corruptions.corrupted(name, IMAGES, middle) for _ in range(2))
    assert once.dtype == np.uint8
    assert once.shape == IMAGES.shape
    assert not np.array_equal(once, IMAGES)
    np.testing.assert_array_equal(once, again)
    np.testing.assert_array_equal(IMAGES, before)


@pytest.mark.parametrize("name", NAMES)
def test_five_severities_grow(name):
    severities = corruptions.CORRUPTIONS[name].severities
    rows, columns = np.mgrid[:32, :32]
    smooth = 128 + 60 * np.sin(rows / 4) * np.cos(columns / 5)
    images = np.random.default_rng(1).normal(smooth[None, ..., None], 12, (8, 32, 32, 3))
    images = images.clip(0, 255).astype(np.uint8)
    changes = [
        np.abs(corruptions.corrupted(name, images, severity) - images.astype(float)).mean()
        for severity in severities
    ]
    assert len(severities) == 5
    assert changes[0] > 0
    if name == "saturation":  # CIFAR-10-C's go down first, then up
        assert changes[2] < changes[4]
    else:
        assert changes[0] < changes[-1]
        assert np.all(np.diff(changes) > -0.1 * np.array(changes[:-1]))


@pytest.mark.parametrize("name", RANDOM)
def test_what_is_random_depends_on_the_seed_and_the_position_alone(name):
    severity = corruptions.CORRUPTIONS[name].severities[-1]
    once = corruptions.corrupted(name, IMAGES, severity)
    assert not np.array_equal(corruptions.corrupted(name, IMAGES, severity, seed=1), once)
    np.testing.assert_array_equal(corruptions.corrupted(name, IMAGES[:2], severity), once[:2])


@pytest.mark.parametrize("kernel", ["gaussian_blur", "motion_blur", "defocus_blur"])
def test_blur_keeps_the_mean_of_a_flat_image(kernel):
    flat = np.full((1, 32, 32, 3), 77, np.uint8)
    np.testing.assert_array_equal(
        corruptions.corrupted(kernel, flat, corruptions.CORRUPTIONS[kernel].severities[-1]), flat
    )


def test_jpeg_is_what_pillow_decodes_at_that_quality():
    stream = io.BytesIO()
    Image.fromarray(IMAGES[2]).save(stream, "JPEG", quality=30, subsampling="4:2:0")
    expected = np.asarray(Image.open(io.BytesIO(stream.getvalue())))
    np.testing.assert_array_equal(corruptions.corrupted("jpeg", IMAGES, 30)[2], expected)


def test_noise_has_the_stated_deviation_and_depends_on_the_seed():
    grey = np.full((40, 16, 16, 3), 128, np.uint8)
    noisy = corruptions.corrupted("gaussian_noise", grey, 0.05).astype(float)
    assert noisy.std() == pytest.approx(12.75, rel=0.03)
    assert noisy.mean() == pytest.approx(128, abs=0.5)
    assert not np.array_equal(corruptions.corrupted("gaussian_noise", grey, 0.05, seed=1), noisy)


def test_blur_stays_within_an_image_and_a_channel():
    images = np.zeros((3, 15, 15, 3), np.uint8)
    images[1, 7, 7, 0] = 255
    blurred = corruptions.corrupted("gaussian_blur", images, 1.0)
    assert blurred[[0, 2]].max() == 0
    assert blurred[..., 1:].max() == 0
    assert blurred[1, 7, 7, 0] == pytest.approx(255 / (2 * np.pi), abs=1)


def test_strengths_of_zero_change_nothing():
    np.testing.assert_array_equal(corruptions.corrupted("gaussian_blur", IMAGES, 0), IMAGES)
    np.testing.assert_array_equal(corruptions.corrupted("gaussian_noise", IMAGES, 0), IMAGES)
    np.testing.assert_array_equal(corruptions.corrupted("rescale", IMAGES, 1), IMAGES)


def test_rescaling_to_almost_nothing_leaves_one_colour():
    flat = corruptions.corrupted("rescale", IMAGES, 0.01)
    assert (flat == flat[:, :1, :1]).all()


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        ("jpeg", 0),
        ("jpeg", 96),
        ("gaussian_blur", -1),
        ("gaussian_noise", -0.1),
        ("rescale", 0),
    ],
)
def test_a_severity_out_of_range_is_refused(name, severity):
    with pytest.raises(ValueError, match=str(severity)):
        corruptions.corrupted(name, IMAGES, severity)


@pytest.mark.parametrize("images", [IMAGES.astype(float), IMAGES[0], IMAGES[..., :1]])
def test_anything_but_8_bit_colour_images_is_refused(images):
    with pytest.raises(ValueError, match="uint8"):
        corruptions.corrupted("jpeg", images, 50)


def bright_is_fake(images):
    return np.clip((images.mean(axis=(1, 2, 3)) - 100) / 50, 0, 1)


BRIGHT = {"net": bright_is_fake}


def test_the_table_has_a_row_a_severity_after_the_untouched_images():
    labels = np.array([0, 1, 0, 1, 0, 1])
    images = np.where(labels[:, None, None, None] == 0, 180, 60).astype(np.uint8)
    images = np.broadcast_to(images, (6, 8, 8, 3))
    table = corruptions.corruption_table(
        {"net": bright_is_fake}, images, labels, {"jpeg": (90, 50)}
    )
    assert table.corruption.tolist() == ["none", "jpeg", "jpeg"]
    assert np.isnan(table.severity[0])
    assert table.severity[1:].tolist() == [90, 50]
    assert table.level.tolist() == [0, 1, 2]
    assert (table.detector == "net").all()
    assert (table[["accuracy", "auroc", "fake_recall"]] == 1).all(axis=None)
    assert (table.n == 6).all()
    assert table.ci_low[0] == pytest.approx(0.6097, abs=1e-4)  # Wilson, 6 of 6
    assert table.ci_high[0] == 1
    assert table.ece[0] == pytest.approx(0)


def test_the_table_treats_fake_as_positive():
    labels = np.array([0, 0, 1, 1])
    images = IMAGES[:4]

    def predict(images):
        return np.array([0.9, 0.45, 0.7, 0.2])

    row = corruptions.corruption_table({"net": predict}, images, labels, {}).loc[0]
    assert row.accuracy == 0.5
    assert row.fake_recall == 0.5
    assert row.auroc == 0.75


def test_a_class_that_is_absent_has_no_auroc():
    table = corruptions.corruption_table(BRIGHT, IMAGES, np.ones(6, int), {})
    assert np.isnan(table.auroc[0]) and np.isnan(table.fake_recall[0])


def test_the_default_table_runs_every_corruption():
    table = corruptions.corruption_table(BRIGHT, IMAGES, np.arange(6) % 2)
    assert set(table.corruption) == {"none", *corruptions.CORRUPTIONS}
    assert len(table) == 1 + 5 * len(corruptions.CORRUPTIONS)


def test_an_unknown_corruption_is_named():
    with pytest.raises(UserError, match="unknown corruption 'fog'"):
        corruptions.corruption_table(
            {"net": bright_is_fake}, IMAGES, np.arange(6) % 2, {"fog": (1,)}
        )


@pytest.mark.parametrize("predict", [lambda x: np.full(len(x), -3.0), lambda x: np.zeros((2, 1))])
def test_logits_in_place_of_probabilities_are_refused(predict):
    with pytest.raises(ValueError, match="p_fake"):
        corruptions.corruption_table({"net": predict}, IMAGES, np.arange(6) % 2, {})


def test_detectors_stand_one_after_the_other_on_the_same_images():
    seen = {"a": [], "b": []}

    def predictor(name):
        return lambda pixels: seen[name].append(pixels) or bright_is_fake(pixels)

    table = corruptions.corruption_table(
        {name: predictor(name) for name in seen},
        IMAGES,
        np.arange(6) % 2,
        {"gaussian_noise": (0.1,)},
    )
    assert table.detector.tolist() == ["a", "a", "b", "b"]
    np.testing.assert_array_equal(seen["a"], seen["b"])
