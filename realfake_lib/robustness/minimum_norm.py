"""How far away the nearest image is that a detector classifies wrongly, by attacks of foolbox."""

import contextlib
import io

import numpy as np
import tensorflow as tf

with contextlib.redirect_stderr(io.StringIO()):  # it names the frameworks that are not installed
    import foolbox

from realfake_lib import progress
from realfake_lib.robustness import detector

ATTACKS = {
    "FMN": ("linf", lambda: foolbox.attacks.LInfFMNAttack(steps=100)),
    "DeepFool": ("linf", lambda: foolbox.attacks.LinfDeepFoolAttack(steps=50, overshoot=0.02)),
    "Carlini and Wagner": (
        "l2",
        lambda: foolbox.attacks.L2CarliniWagnerAttack(
            binary_search_steps=4, steps=60, stepsize=5e-3, initial_const=1.0
        ),
    ),
    "HopSkipJump": (
        "l2",
        lambda: foolbox.attacks.HopSkipJumpAttack(
            steps=15, initial_gradient_eval_steps=20, max_gradient_eval_steps=100
        ),
    ),
}
"""Norm and maker of each attack.

FMN: Pintor et al., Fast minimum-norm adversarial attacks (2021). DeepFool: Moosavi-Dezfooli et al.
(2016). Carlini and Wagner: Towards evaluating the robustness of neural networks (2017). HopSkipJump
sees verdicts alone: Chen, Jordan and Wainwright (2020).
"""


def minimum_norm(model, images, labels, attack, *, seed=0, batch_size=256):
    """Attack images with a change as small as possible.

    Parameters
    ----------
    model : keras.Model
        Pixels 0..255 in, one logit for REAL out.
    images : (n, h, w, c) array, 0..255
    labels : (n,) int array
        FAKE = 0, REAL = 1.
    attack : str
        In :data:`ATTACKS`.
    seed : int
        Of HopSkipJump, the one that is random.
    batch_size : int

    Returns
    -------
    attacked : (n, h, w, c) float32 array
    sizes : (n,) float array
        Of each change in the attack's norm, in grey levels; 0 for an image that was wrong before
        and infinite where the attack failed.
    """
    norm, make = ATTACKS[attack]
    clean = detector.as_pixels(images)
    labels = np.asarray(labels)
    detector.signs(labels, len(clean))
    untouched = detector.is_correct(detector.predict_logits(model, clean), labels)
    attacked, targets = clean.copy(), np.flatnonzero(untouched)
    network = foolbox.TensorFlowModel(
        _two_logits(model, gradients=attack != "HopSkipJump"), bounds=(0, 1), device="/CPU:0"
    )
    # HopSkipJump walks from an image with the other verdict to the one that it attacks.
    verdicts = np.where(untouched, labels, 1 - labels)
    others = {label: np.flatnonzero(verdicts != label)[:1] for label in (0, 1)}
    if attack == "HopSkipJump":
        targets = np.array([i for i in targets if len(others[labels[i]])], int)
    tf.random.set_seed(seed)
    np.random.seed(seed)
    for start in progress.track(range(0, len(targets), batch_size), attack, unit="batches"):
        part = targets[start : start + batch_size]
        pixels, truth = tf.constant(clean[part] / 255), tf.constant(labels[part], tf.int64)
        options = {}
        if attack == "HopSkipJump":
            other = np.concatenate([others[label] for label in labels[part]])
            options["starting_points"] = tf.constant(clean[other] / 255)
        _, found, _ = make()(network, pixels, truth, epsilons=None, **options)
        # A thousandth further, since what lies on the boundary is decided by rounding.
        change = 1.001 * (255 * found.numpy() - clean[part])
        attacked[part] = np.clip(clean[part] + change, 0, 255)
    sizes = changes(clean, attacked, norm)
    still = detector.is_correct(detector.predict_logits(model, attacked), labels)
    return attacked, np.where(still, np.inf, sizes)


def changes(clean, attacked, norm):
    """Size of each image's change, (n,) float, in grey levels."""
    flat = (attacked - clean).reshape(len(clean), -1)
    return np.linalg.norm(flat, np.inf if norm == "linf" else 2, axis=1)


def _two_logits(model, gradients):
    """The detector as foolbox wants it: pixels 0..1 in, logits for FAKE and REAL out."""
    forward, backward = detector.forward(model), detector.backward(model)

    def two_logits(pixels):
        pixels = 255 * pixels
        if gradients:
            with tf.init_scope():  # which no tape of foolbox's records
                logits, gradient = backward(pixels)
            # Equal to the logits, with their gradient: computed once, and for no weight.
            logits += tf.reduce_sum(gradient * (pixels - tf.stop_gradient(pixels)), axis=(1, 2, 3))
        else:
            logits = forward(pixels)
        return tf.stack([tf.zeros_like(logits), logits], axis=1)

    return two_logits
