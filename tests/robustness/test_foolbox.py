"""Foolbox as an oracle for our attacks."""

import foolbox
import numpy as np
import pytest
import tensorflow as tf

from realfake_lib.robustness import attacks, detector


def run(attack, model, images, labels, epsilon):
    """Foolbox's attack on our detector, in our units."""
    compute = detector.forward(model)

    def two_logits(pixels):  # the softmax of [0, z] is the sigmoid of z
        logits = compute(pixels)
        return tf.stack([tf.zeros_like(logits), logits], axis=1)

    _, attacked, _ = attack(
        foolbox.TensorFlowModel(two_logits, bounds=(0, 255), device="/CPU:0"),
        tf.constant(images, tf.float32),
        tf.constant(labels, tf.int64),
        epsilons=epsilon,
    )
    return attacked.numpy()


def losses(model, images, labels):
    return -detector.signs(labels, len(labels)) * detector.predict_logits(model, images)


@pytest.mark.parametrize("epsilon", [0.5, 2.0, 8.0])
def test_fgsm_equals_foolboxs(model, images_and_labels, epsilon):
    images, labels = images_and_labels
    theirs = run(foolbox.attacks.LinfFastGradientAttack(), model, images, labels, epsilon)
    np.testing.assert_array_equal(attacks.fgsm(model, images, labels, epsilon), theirs)


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
        steps=3, abs_stepsize=0.05, random_start=False
    )
    theirs = run(attack, model, images, labels, 4.0)
    ours = attacks.pgd(model, images, labels, 4.0, steps=3, step_size=0.05, random_start=False)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=255e-6)  # 1e-6 of the pixel range
