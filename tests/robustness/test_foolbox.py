"""Foolbox as an oracle for our attacks, and as the source of those that are not ours."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from realfake_lib.errors import UserError
from realfake_lib.robustness import attacks, detector, external

foolbox = pytest.importorskip("foolbox")


def run(attack, model, images, labels, epsilon):
    """Foolbox's attack on our detector, in our units."""
    inputs = tf.constant(images, tf.float32) / 255
    _, attacked, _ = attack(
        external.foolbox_model(model),
        inputs,
        tf.constant(labels, tf.int64),
        epsilons=epsilon / 255,
    )
    return 255 * attacked.numpy()


def losses(model, images, labels):
    return -detector.signs(labels, len(labels)) * detector.predict_logits(model, images)


@pytest.mark.parametrize("epsilon", [0.5, 2.0, 8.0])
def test_fgsm_equals_foolboxs(model, images_and_labels, epsilon):
    images, labels = images_and_labels
    theirs = run(foolbox.attacks.LinfFastGradientAttack(), model, images, labels, epsilon)
    np.testing.assert_allclose(
        attacks.fgsm(model, images, labels, epsilon), theirs, rtol=0, atol=1e-3
    )


@pytest.mark.parametrize("epsilon", [1.0, 4.0])
def test_pgd_is_as_strong_as_foolboxs(model, images_and_labels, epsilon):
    images, labels = images_and_labels
    attack = foolbox.attacks.LinfProjectedGradientDescentAttack(
        steps=10, rel_stepsize=0.25, random_start=False
    )
    theirs = losses(model, run(attack, model, images, labels, epsilon), labels)
    attacked = attacks.pgd(model, images, labels, epsilon, steps=10, random_start=False)
    ours = losses(model, attacked, labels)
    # Ours keeps the best point on the way, so it can only be stronger; and it is not by much.
    assert (ours >= theirs - 1e-2).all()
    assert np.median(ours - theirs) < 0.05 * np.ptp(theirs)


def test_pgd_walks_where_foolboxs_walks(model, images_and_labels):
    """While the loss still rises at every step, the best point is the last: both are the same."""
    images, labels = images_and_labels
    attack = foolbox.attacks.LinfProjectedGradientDescentAttack(
        steps=3, abs_stepsize=0.05 / 255, random_start=False
    )
    theirs = run(attack, model, images, labels, 4.0)
    ours = attacks.pgd(model, images, labels, 4.0, steps=3, step_size=0.05, random_start=False)
    assert (np.abs(ours - theirs) < 1e-3).mean() > 0.999


def test_the_minimum_norm_brackets_the_radius_at_which_pgd_succeeds(model, images_and_labels):
    images, labels = images_and_labels
    images, labels = images[:16], labels[:16]
    attacked, distances = external.minimum_norm(model, images, labels, steps=50)
    assert np.isfinite(distances).all()
    wrong = ~detector.is_correct(detector.predict_logits(model, attacked), labels)
    assert wrong.all()
    gap = np.abs(attacked - images.astype(np.float32)).max(axis=(1, 2, 3))
    np.testing.assert_allclose(gap, distances, atol=1e-2)
    # PGD breaks nearly all images a little beyond their distance, and hardly any well within it.
    for factor, share in ((1.5, 1.0), (0.5, 0.0)):
        broken = [
            not detector.is_correct(
                detector.predict_logits(
                    model,
                    attacks.pgd(model, images[i : i + 1], labels[i : i + 1], factor * radius, 20),
                ),
                labels[i : i + 1],
            )[0]
            for i, radius in enumerate(distances)
        ]
        assert np.mean(broken) == pytest.approx(share, abs=0.1)


def test_an_image_that_is_wrong_already_is_at_distance_zero(model, images_and_labels):
    images, labels = images_and_labels
    attacked, distances = external.minimum_norm(model, images[:4], 1 - labels[:4], steps=2)
    assert distances.tolist() == [0] * 4
    np.testing.assert_array_equal(attacked, images[:4])


def test_a_black_box_attack_starts_from_the_other_class_and_is_reproducible(
    model, images_and_labels
):
    images, labels = (part[:8] for part in images_and_labels)
    options = {"steps": 2, "initial_gradient_eval_steps": 10, "max_gradient_eval_steps": 20}
    runs = [
        external.minimum_norm(model, images, labels, "HopSkipJumpAttack", seed=5, **options)
        for _ in range(2)
    ]
    (attacked, distances), (_, again) = runs
    assert (distances > 0).all() and np.isfinite(distances).all()
    np.testing.assert_array_equal(distances, again)
    assert not detector.is_correct(detector.predict_logits(model, attacked), labels).any()


def test_a_black_box_attack_on_one_class_alone_has_nowhere_to_start(model, images_and_labels):
    images, labels = images_and_labels
    fakes = images[labels == 0][:3]
    with pytest.raises(UserError, match="other class"):
        external.minimum_norm(model, fakes, np.zeros(3, int), "HopSkipJumpAttack")


def test_an_image_that_resists_is_infinitely_far(build_detector, images_and_labels):
    images, _ = images_and_labels
    stubborn = build_detector()
    weights = [np.zeros_like(w) for w in stubborn.get_weights()]
    weights[-1][:] = 5.0  # the logit is 5 whatever the image
    stubborn.set_weights(weights)
    attacked, distances = external.minimum_norm(stubborn, images[:2], np.ones(2, int), steps=2)
    assert np.isinf(distances).all()
    np.testing.assert_array_equal(attacked, images[:2])


@pytest.mark.parametrize("name", ["NoSuchAttack", "LinfFastGradientAttack", "base"])
def test_what_is_no_minimisation_attack_is_named(model, images_and_labels, name):
    with pytest.raises(UserError, match=name):
        external.minimum_norm(model, *images_and_labels, name)


def test_without_foolbox_one_is_told_how_to_get_it(model, images_and_labels, monkeypatch):
    monkeypatch.setitem(sys.modules, "foolbox", None)
    with pytest.raises(UserError, match="pip install foolbox"):
        external.foolbox_model(model)
