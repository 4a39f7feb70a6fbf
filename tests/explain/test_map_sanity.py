"""The sanity checks tell maps of the detector from maps of nothing but the image."""

import numpy as np
import pytest

from realfake_lib import explain
from realfake_lib.errors import UserError
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


def test_the_complete_randomisation_comes_alone_if_wanted(square_detector, real_squares):
    images, _ = real_squares
    whole = sanity.randomisation_test(square_detector, images, target="REAL", seed=3)
    short = sanity.randomisation_test(
        square_detector, images, target="REAL", seed=3, cascading=False
    )
    assert short.layer.tolist() == ["none", "all"]
    assert short.iloc[-1].equals(whole.iloc[-1])


def test_the_detector_itself_keeps_its_weights(square_detector, real_squares):
    images, _ = real_squares
    before = detector.predict_logits(square_detector, images)
    sanity.randomisation_test(square_detector, images, cascading=False)
    np.testing.assert_array_equal(detector.predict_logits(square_detector, images), before)


def test_constant_and_empty_maps_do_not_upset_the_comparison(square_detector, real_squares):
    images, _ = real_squares

    def constant(model, images, layer, target):
        maps = np.ones(images.shape[:3], np.float32)
        maps[0] = 0
        return maps

    table = sanity.randomisation_test(square_detector, images, constant, cascading=False)
    assert table.rank_correlation.tolist() == [1, 1]
    assert table.n.tolist() == [len(images) - 1] * 2
    assert table["empty"].tolist() == [1 / len(images)] * 2

    def nothing(model, images, layer, target):
        return np.zeros(images.shape[:3], np.float32)

    table = sanity.randomisation_test(square_detector, images, nothing, cascading=False)
    assert table.rank_correlation.isna().all() and (table.n == 0).all()


def test_a_map_of_the_evidence_beats_the_random_order(square_detector, real_squares):
    images, inside = real_squares
    table = sanity.faithfulness(square_detector, images, inside.astype(float), "REAL")
    table = table.set_index("curve")
    assert (table.ci_low > 0).all()
    assert table.auc["deletion"] < table.random_auc["deletion"]
    assert table.auc["insertion"] > table.random_auc["insertion"]
    np.testing.assert_allclose(table.gain.abs(), (table.auc - table.random_auc).abs())


def test_grad_cam_finds_enough_of_the_evidence_to_beat_the_random_order(
    square_detector, real_squares
):
    images, _ = real_squares
    maps = explain.grad_cam(square_detector, images, target="REAL")
    table = sanity.faithfulness(square_detector, images, maps, "REAL").set_index("curve")
    assert table.gain["deletion"] > 0


def test_a_map_of_anything_but_the_evidence_does_worse_than_random(square_detector, real_squares):
    images, inside = real_squares
    table = sanity.faithfulness(square_detector, images, 1.0 - inside, "REAL")
    assert (table.gain < 0).all()


def test_a_constant_map_gains_nothing(square_detector, real_squares):
    images, inside = real_squares
    table = sanity.faithfulness(square_detector, images, np.ones(inside.shape), "REAL")
    assert (table.gain.abs() < 0.1).all()


def test_curves_run_from_one_end_to_the_other(square_detector, real_squares):
    images, inside = real_squares
    maps = inside.astype(float)
    whole = 1 / (1 + np.exp(-detector.predict_logits(square_detector, images)))
    deleted = sanity.deletion(square_detector, images, maps, "REAL", steps=8)
    inserted = sanity.insertion(square_detector, images, maps, "REAL", steps=8)
    assert deleted.fraction.tolist() == inserted.fraction.tolist()
    assert deleted.fraction.iloc[[0, -1]].tolist() == [0, 1]
    assert len(deleted) == 9
    for column in ("score", "random_score"):
        assert deleted[column].iloc[0] == pytest.approx(whole.mean(), abs=1e-5)
        assert inserted[column].iloc[-1] == pytest.approx(whole.mean(), abs=1e-5)
    # Without the square, an eighth of the pixels, the image is no longer REAL.
    assert deleted.score[1] < deleted.random_score[1] - 0.2
    fake = sanity.deletion(square_detector, images, maps, "FAKE", steps=8)
    np.testing.assert_allclose(fake.score, 1 - deleted.score, atol=1e-6)


def test_curves_depend_on_the_seed_alone(square_detector, real_squares):
    images, inside = real_squares
    maps = inside.astype(float)
    once, again, other = (
        sanity.deletion(square_detector, images, maps, "REAL", seed=seed) for seed in (1, 1, 2)
    )
    assert once.equals(again)
    assert not once.equals(other)


def test_one_image_has_no_interval(square_detector, real_squares):
    images, inside = real_squares
    table = sanity.faithfulness(square_detector, images[:1], inside[:1].astype(float), "REAL")
    assert table.ci_low.isna().all()


def test_an_unknown_baseline_is_named(square_detector, real_squares):
    images, inside = real_squares
    with pytest.raises(UserError, match="unknown baseline 'black'"):
        sanity.deletion(square_detector, images, inside, "REAL", baseline="black")


def test_maps_of_another_size_are_refused(square_detector, real_squares):
    images, inside = real_squares
    with pytest.raises(ValueError, match="belong together"):
        sanity.deletion(square_detector, images, inside[:, :5], "REAL")
