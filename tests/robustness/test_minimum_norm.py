"""Small changes that turn a verdict, by foolbox's attacks on our detectors."""

import numpy as np
import pytest

from realfake_lib.robustness import detector, minimum_norm


@pytest.mark.parametrize("attack", minimum_norm.ATTACKS)
def test_every_verdict_is_turned_by_a_change_of_the_size_that_is_told(
    build_detector, model, images_and_labels, attack
):
    images, labels = (array[:16] for array in images_and_labels)
    fresh = build_detector()  # not traced before
    fresh.set_weights(model.get_weights())
    attacked, sizes = minimum_norm.minimum_norm(fresh, images, labels, attack)
    untouched = detector.is_correct(detector.predict_logits(model, images), labels)
    assert np.isfinite(sizes).all() and (sizes[untouched] > 0).all()
    assert (sizes[~untouched] == 0).all()
    assert not detector.is_correct(detector.predict_logits(model, attacked), labels).any()
    norm = {"linf": np.inf, "l2": 2}[minimum_norm.ATTACKS[attack][0]]
    changes = (attacked - images).reshape(16, -1)
    np.testing.assert_allclose(sizes, np.linalg.norm(changes, norm, axis=1), rtol=1e-5)
    assert attacked.min() >= 0 and attacked.max() <= 255


def test_fmn_needs_no_more_than_deepfool(model, images_and_labels):
    _, fmn = minimum_norm.minimum_norm(model, *images_and_labels, "FMN")
    _, deepfool = minimum_norm.minimum_norm(model, *images_and_labels, "DeepFool")
    assert np.median(fmn) < np.median(deepfool)


def test_the_seed_decides_what_is_random(model, images_and_labels):
    images, labels = (array[:6] for array in images_and_labels)
    first, again, other = (
        minimum_norm.minimum_norm(model, images, labels, "HopSkipJump", seed=seed)[1]
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_attack_that_is_not_known_is_refused(model, images_and_labels):
    with pytest.raises(KeyError, match="CW"):
        minimum_norm.minimum_norm(model, *images_and_labels, "CW")


def test_without_an_image_of_the_other_verdict_a_walk_has_no_start(model, images_and_labels):
    images, labels = images_and_labels
    real = images[(labels == 1) & detector.is_correct(detector.predict_logits(model, images), 1)]
    attacked, sizes = minimum_norm.minimum_norm(model, real, np.ones(len(real), int), "HopSkipJump")
    assert np.isinf(sizes).all()
    np.testing.assert_array_equal(attacked, real)
