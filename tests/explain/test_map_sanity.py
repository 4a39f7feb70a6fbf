"""The sanity checks tell maps of the detector from maps of nothing but the image."""

import numpy as np
import pytest

from realfake_lib import explain
from realfake_lib.explain import sanity
from realfake_lib.robustness import detector


@pytest.fixture(scope="module")
def real_squares(squares, in_square):
    images, labels, _ = squares
    return images[labels == 1], in_square[labels == 1]


def brightness(model, images, layer=None, target="FAKE"):
    """A 'map' that looks convincing here and has nothing to do with the detector."""
    grey = images.astype(np.float32).mean(-1)
    return (grey - grey.min()) / np.ptp(grey)


def test_maps_of_a_detector_change_with_its_weights(square_detector, real_squares):
    images, _ = real_squares
    table = sanity.randomisation_test(square_detector, images, target="REAL")
    assert table.layer.iloc[[0, 1, -1]].tolist() == ["none", "logit", "all"]
    learned = [layer for layer in square_detector.layers if layer.get_weights()]
    assert len(table) == 1 + len(learned)
    assert table.rank_correlation[0] == pytest.approx(1)
    assert table.ssim[0] == pytest.approx(1, abs=1e-4)
    last = table.iloc[-1]
    assert last.n == 0 or last.ssim < 0.6
    assert last.n == 0 or last.rank_correlation < 0.8


def test_maps_of_the_image_alone_fail_the_randomisation_test(square_detector, real_squares):
    images, _ = real_squares
    table = sanity.randomisation_test(square_detector, images, brightness, target="REAL")
    assert table.rank_correlation.min() == pytest.approx(1)
    assert table.ssim.min() == pytest.approx(1, abs=1e-4)


def test_the_detector_itself_keeps_its_weights(square_detector, real_squares):
    images, _ = real_squares
    before = detector.predict_logits(square_detector, images)
    sanity.randomisation_test(square_detector, images)
    np.testing.assert_array_equal(detector.predict_logits(square_detector, images), before)


def test_constant_and_empty_maps_do_not_upset_the_comparison(square_detector, real_squares):
    images, _ = real_squares

    def constant(model, images, layer, target):
        maps = np.ones(images.shape[:3], np.float32)
        maps[0] = 0
        return maps

    table = sanity.randomisation_test(square_detector, images, constant)
    assert (table.rank_correlation == 1).all()
    assert (table.n == len(images) - 1).all()
    assert (table["empty"] == 1 / len(images)).all()

    def nothing(model, images, layer, target):
        return np.zeros(images.shape[:3], np.float32)

    table = sanity.randomisation_test(square_detector, images, nothing)
    assert table.rank_correlation.isna().all() and (table.n == 0).all()


def gains(model, images, target="REAL", **maps):
    return sanity.gains(sanity.removal_curves(model, images, maps, target))


def test_a_map_of_the_evidence_beats_the_random_order(square_detector, real_squares):
    images, inside = real_squares
    found = gains(square_detector, images, evidence=inside.astype(float)).loc["evidence"]
    for curve in ("deletion", "insertion"):
        assert 0 < found[f"{curve}_low"] < found[curve] < found[f"{curve}_high"]
    assert found["n"] == len(images)


def test_grad_cam_finds_enough_of_the_evidence_to_beat_the_random_order(
    square_detector, real_squares
):
    images, _ = real_squares
    maps = explain.grad_cam(square_detector, images, target="REAL")
    assert gains(square_detector, images, maps=maps).loc["maps", "deletion"] > 0


def test_a_map_of_anything_but_the_evidence_does_worse_than_random(square_detector, real_squares):
    images, inside = real_squares
    found = gains(square_detector, images, wrong=1.0 - inside, constant=np.ones(inside.shape))
    assert (found.loc["wrong", ["deletion", "insertion"]] < 0).all()
    assert (found.loc["constant", ["deletion", "insertion"]].abs() < 0.1).all()


def test_the_gain_over_other_maps_is_counted_image_by_image(square_detector, real_squares):
    images, inside = real_squares
    maps = {"right": inside.astype(float), "wrong": 1.0 - inside, "again": inside.astype(float)}
    curves = sanity.removal_curves(square_detector, images, maps, "REAL")
    over_random, over_right = sanity.gains(curves), sanity.gains(curves, over="right")
    difference = over_random.loc["wrong"] - over_random.loc["right"]
    for curve in ("deletion", "insertion"):
        assert over_right.loc["wrong", curve] == pytest.approx(difference[curve])
        assert over_right.loc["again", curve] == 0
        assert over_right.loc["wrong", f"{curve}_high"] < 0


def test_curves_run_from_one_end_to_the_other(square_detector, real_squares):
    images, inside = real_squares
    maps = {"evidence": inside.astype(float)}
    whole = 1 / (1 + np.exp(-detector.predict_logits(square_detector, images)))
    curves = sanity.removal_curves(square_detector, images, maps, "REAL", steps=8)
    mean = curves.groupby(["curve", "order", "fraction"])["score"].mean()
    for order in ("evidence", sanity.RANDOM):
        assert mean["deletion", order, 0] == pytest.approx(whole.mean(), abs=1e-5)
        assert mean["insertion", order, 1] == pytest.approx(whole.mean(), abs=1e-5)
    # Without the square, an eighth of the pixels, the image is no longer REAL.
    assert mean["deletion", "evidence", 0.125] < mean["deletion", sanity.RANDOM, 0.125] - 0.2
    fake = sanity.removal_curves(square_detector, images, maps, "FAKE", steps=8)
    np.testing.assert_allclose(fake["score"], 1 - curves["score"], atol=1e-6)


def test_curves_depend_on_the_seed_alone(square_detector, real_squares):
    images, inside = real_squares
    once, again, other = (
        sanity.removal_curves(
            square_detector, images, {"a": inside.astype(float)}, "REAL", seed=seed
        )
        for seed in (1, 1, 2)
    )
    assert once.equals(again)
    assert not once.equals(other)


def test_one_image_has_no_interval(square_detector, real_squares):
    images, inside = real_squares
    found = gains(square_detector, images[:1], one=inside[:1].astype(float))
    assert found["deletion_low"].isna().all()


def test_maps_of_another_size_are_refused(square_detector, real_squares):
    images, inside = real_squares
    with pytest.raises(ValueError, match="do not fit"):
        gains(square_detector, images, small=inside[:, :5])
