"""Checks that a detector which looks robust is not merely hiding its gradients.

An attack that follows gradients fails on a network whose gradients are useless, and the accuracy
that is left then says nothing. Each check names a symptom (Athalye, Carlini, Wagner: Obfuscated
gradients give a false sense of security, 2018; Carlini et al.: On evaluating adversarial
robustness, 2019).
"""

import numpy as np
import pandas as pd
import tensorflow as tf

from realfake_lib.robustness import attacks, detector

UNBOUNDED = (16.0, 64.0, 255.0)
"""Radii of the unbounded attack, the last of them the whole pixel range."""


def masked_gradient_checks(
    model, images, labels, epsilon=1.0, steps=10, *, queries=100, seed=0, tolerance=0.01
):
    """Seven checks that the gradients of a detector are of use to an attack.

    Parameters
    ----------
    model : keras.Model
    images : (n, h, w, c) array, 0..255
        A few hundred are enough.
    labels : (n,) int array
        FAKE = 0, REAL = 1.
    epsilon : float > 0
        In grey levels (/255); best where part of the images is broken and part is not.
    steps : int
        Of PGD; two checks also run twice and four times as many.
    queries : int
        Of the Square attack.
    seed : int
    tolerance : float
        Share of images by which a comparison may fail by chance.

    Returns
    -------
    pandas.DataFrame
        check, passed, detail (the figures behind it, in words).
    """

    def accuracy(attack, radii=(epsilon,), **options):
        found = attacks.survivors(model, images, labels, radii, attack, **options)
        return found[max(found)].mean()

    fgsm = accuracy("fgsm")
    pgd = accuracy("pgd", steps=steps, seed=seed)
    longer = accuracy("pgd", steps=4 * steps, seed=seed)
    doubled = accuracy("pgd", steps=2 * steps, restarts=2, seed=seed)
    blind = accuracy("square", queries=queries, seed=seed)
    noise = accuracy("noise", seed=seed)
    unbounded = accuracy("pgd", (epsilon, *UNBOUNDED), steps=steps, seed=seed)
    vanished = zero_gradient_share(model, images)

    checks = [
        (
            "PGD is at least as strong as FGSM",
            pgd <= fgsm + tolerance,
            f"accuracy {pgd:.1%} under PGD-{steps}, {fgsm:.1%} under FGSM",
        ),
        (
            "more steps do not weaken PGD",
            longer <= pgd + tolerance,
            f"accuracy {longer:.1%} after {4 * steps} steps, {pgd:.1%} after {steps}",
        ),
        (
            "twice the steps and restarts change little",
            pgd - doubled <= 5 * tolerance,
            f"accuracy {doubled:.1%} after {2 * steps} steps from two starts, {pgd:.1%} before",
        ),
        (
            "an attack without gradients is weaker",
            blind >= pgd - tolerance,
            f"accuracy {blind:.1%} under the Square attack, {pgd:.1%} under PGD-{steps}",
        ),
        (
            "random noise is weaker than the attack",
            noise >= pgd - tolerance,
            f"accuracy {noise:.1%} under random noise, {pgd:.1%} under PGD-{steps}",
        ),
        (
            "an unbounded attack breaks every image",
            unbounded <= tolerance,
            f"accuracy {unbounded:.1%} at epsilon {UNBOUNDED[-1]:g}/255",
        ),
        (
            "gradients are not zero",
            vanished <= tolerance,
            f"{vanished:.1%} of the images have no gradient at all",
        ),
    ]
    frame = pd.DataFrame(checks, columns=["check", "passed", "detail"])
    return frame.astype({"passed": bool})


def zero_gradient_share(model, images, batch_size=256):
    """Share of images at which the logit's gradient is zero for every pixel."""
    pixels = detector.as_pixels(images)
    compute = detector.backward(model)
    zero = [
        np.all(compute(tf.constant(pixels[i : i + batch_size]))[1].numpy() == 0, axis=(1, 2, 3))
        for i in range(0, len(pixels), batch_size)
    ]
    return float(np.concatenate(zero).mean())
