"""Gradient attacks in the L∞ ball, and the accuracy that they leave over its radius.

A detector's one logit makes the binary cross-entropy of an image fall strictly in its margin,
``sign · logit`` with sign +1 for REAL and −1 for FAKE. The loss's gradient is therefore the
margin's, times a negative number, and the *sign* of both is the same; the attacks here follow the
margin, because the loss's own gradient underflows to zero for an image that the detector is very
sure of, which would pass for robustness.

Epsilon is quoted in /255 of the pixel range: ``epsilon=1`` allows one grey level.
"""

import numpy as np
import pandas as pd
import tensorflow as tf

from realfake_lib import progress
from realfake_lib.errors import UserError
from realfake_lib.evaluation.metrics import wilson
from realfake_lib.robustness import detector
from realfake_lib.settings import FAKE, REAL


def fgsm(model, images, labels, epsilon, *, indices=None, batch_size=256):
    """Fast gradient sign method: one step of size epsilon against the label.

    Parameters
    ----------
    model : keras.Model
        Pixels 0..255 in, one logit for REAL out.
    images : (n, h, w, c) array, uint8 or float, 0..255
    labels : (n,) int array
        True classes, FAKE = 0, REAL = 1.
    epsilon : float >= 0
        Largest change of a pixel, in grey levels (/255).
    indices
        Not looked at: every attack here can be called like :func:`pgd`.
    batch_size : int

    Returns
    -------
    (n, h, w, c) float32 array
        Attacked images, clipped to 0..255, not rounded.

    References
    ----------
    Goodfellow, Shlens, Szegedy: Explaining and harnessing adversarial examples (2015).
    """
    epsilon = _radius(epsilon)
    clean = detector.as_pixels(images)
    sign = detector.signs(labels, len(clean))
    compute = detector.backward(model)
    attacked = np.empty_like(clean)
    for part in _batches(len(clean), batch_size, f"FGSM, epsilon {epsilon:g}/255"):
        _, gradient = compute(tf.constant(clean[part]))
        attacked[part] = _step(clean[part], gradient.numpy(), sign[part], epsilon)
    return attacked


def pgd(
    model,
    images,
    labels,
    epsilon,
    steps=10,
    step_size=None,
    restarts=1,
    seed=0,
    *,
    random_start=True,
    early_stop=False,
    threshold=0.5,
    indices=None,
    batch_size=256,
):
    """Projected gradient descent: many small steps that stay within epsilon.

    Returned is, for each image, the point of lowest margin among all that the attack visited, the
    untouched image included. So an image that was wrong stays wrong, and neither a step nor a
    restart more can weaken the attack.

    Parameters
    ----------
    model, images, labels, epsilon, batch_size
        As in :func:`fgsm`.
    steps : int >= 1
    step_size : float > 0, optional
        In grey levels; ``2.5 · epsilon / steps`` unless given.
    restarts : int >= 1
        Attempts an image, each from another random point.
    seed : int
        Of the random starts, which depend on nothing but it, the restart and an image's index: not
        on the batch size, nor on the other images.
    random_start : bool
        Start anywhere in the ball rather than at the image.
    early_stop : bool
        Leave an image alone as soon as it is classified wrongly. Much faster where only the
        accuracy counts; the examples are then weaker than they could be.
    threshold : float in (0, 1)
        On ``p_fake``; what counts as wrong for ``early_stop``.
    indices : (n,) int array, optional
        Index of each image in the set that it was taken from, 0..n-1 unless given.

    Returns
    -------
    (n, h, w, c) float32 array

    References
    ----------
    Madry et al.: Towards deep learning models resistant to adversarial attacks (2018).
    """
    epsilon = _radius(epsilon)
    if steps < 1 or restarts < 1:
        raise ValueError(f"steps and restarts must be at least 1, got {steps} and {restarts}")
    step_size = 2.5 * epsilon / steps if step_size is None else float(step_size)
    clean = detector.as_pixels(images)
    labels = np.asarray(labels)
    sign = detector.signs(labels, len(clean))
    indices = np.arange(len(clean)) if indices is None else np.asarray(indices)
    # Margins this low count as broken; without early stopping none is low enough.
    stop_below = _broken_margins(sign, threshold) if early_stop else np.full_like(sign, -np.inf)

    attacked = clean.copy()
    for part in _batches(len(clean), batch_size, f"PGD-{steps}, epsilon {epsilon:g}/255"):
        margins = sign[part] * detector.forward(model)(tf.constant(clean[part])).numpy()
        for restart in range(restarts):
            open_ = np.flatnonzero(margins > stop_below[part])
            start = clean[part][open_]
            if random_start:
                start = start + _noise(start.shape, indices[part][open_], (seed, restart), epsilon)
            _descend(
                model,
                start=np.clip(start, 0, 255),
                open_=open_,
                clean=clean[part],
                sign=sign[part],
                stop_below=stop_below[part],
                epsilon=epsilon,
                steps=steps,
                step_size=step_size,
                best=attacked[part],
                best_margins=margins,
            )
    return attacked


def _descend(
    model, start, open_, clean, sign, stop_below, epsilon, steps, step_size, best, best_margins
):
    """One PGD run over a batch; writes what it found into ``best`` and ``best_margins``.

    ``start`` holds the images at the positions ``open_`` of the batch, the other arrays all of it.
    """
    points = start
    for taken in range(steps + 1):
        if len(open_) == 0:
            return
        if taken < steps:
            logits, gradient = detector.backward(model)(tf.constant(points))
        else:  # the last point is only looked at
            logits = detector.forward(model)(tf.constant(points))
        margins = sign[open_] * logits.numpy()
        better = margins < best_margins[open_]
        best[open_[better]] = points[better]
        best_margins[open_[better]] = margins[better]
        if taken == steps:
            return
        going = best_margins[open_] > stop_below[open_]
        open_ = open_[going]
        points = _step(points[going], gradient.numpy()[going], sign[open_], step_size)
        points = np.clip(points, clean[open_] - epsilon, clean[open_] + epsilon)


def noise(model, images, labels, epsilon, *, seed=0, indices=None, batch_size=None):
    """Every pixel moved by epsilon up or down at random: what an attack must beat.

    It can be called like :func:`pgd`, and looks at ``images``, ``epsilon``, ``seed`` and
    ``indices``.
    """
    epsilon = _radius(epsilon)
    clean = detector.as_pixels(images)
    indices = np.arange(len(clean)) if indices is None else np.asarray(indices)
    moves = np.sign(_noise(clean.shape, indices, (seed, 0), 1.0))
    return np.clip(clean + epsilon * moves, 0, 255)


ATTACKS = {"fgsm": fgsm, "pgd": pgd, "noise": noise}
"""Attacks that :func:`survivors` knows by name."""


def survivors(
    model,
    images,
    labels,
    epsilons,
    attack="pgd",
    *,
    threshold=0.5,
    worst_case=True,
    batch_size=256,
    **options,
):
    """Which images are classified correctly in spite of an attack, over epsilon.

    An image that is classified wrongly without any attack counts as broken at every epsilon.

    Parameters
    ----------
    model, images, labels, batch_size
        As in :func:`fgsm`.
    epsilons : sequence of float >= 0
        In grey levels (/255); 0 is without attack.
    attack : {"pgd", "fgsm", "noise"} or callable
        A callable takes ``(model, images, labels, epsilon)`` and returns the attacked images.
    threshold : float in (0, 1)
        FAKE is predicted where ``p_fake >= threshold``.
    worst_case : bool
        An image broken at one epsilon counts as broken at every larger one, whose ball holds the
        same image. False takes each epsilon by itself.
    **options
        Passed to the attack, e.g. ``steps=20, restarts=2, seed=1``.

    Returns
    -------
    dict of float to (n,) bool array
        By epsilon, rising.

    Raises
    ------
    UserError
        If the attack has an unknown name.
    """
    run = _resolve(attack, threshold, batch_size, options)
    clean = detector.as_pixels(images)
    labels = np.asarray(labels)
    detector.signs(labels, len(clean))

    untouched = detector.is_correct(
        detector.predict_logits(model, clean, batch_size), labels, threshold
    )
    standing = untouched
    found = {}
    for epsilon in sorted({_radius(epsilon) for epsilon in epsilons}):
        targets = np.flatnonzero(standing if worst_case else untouched)
        correct = np.zeros(len(labels), bool)
        if epsilon == 0:
            correct[targets] = True
        elif len(targets):
            attacked = run(model, clean[targets], labels[targets], epsilon, targets)
            logits = detector.predict_logits(model, attacked, batch_size)
            correct[targets] = detector.is_correct(logits, labels[targets], threshold)
        found[epsilon] = standing = correct
    return found


def curve(model, images, labels, epsilons, attack="pgd", **options):
    """The :func:`accuracies` of what :func:`survivors`, with the same arguments, finds."""
    found = survivors(model, images, labels, epsilons, attack, **options)
    return accuracies(found, labels, getattr(attack, "__name__", attack))


def accuracies(found, labels, name):
    """What :func:`survivors` found, as accuracies under the attack ``name``.

    Returns
    -------
    pandas.DataFrame
        A row an epsilon: attack, epsilon, accuracy, ci_low, ci_high (Wilson, 95 %), n, and the
        accuracy of each class: fake_recall, real_recall (NaN for a class that is absent).
    """
    labels = np.asarray(labels)
    rows = []
    for epsilon, correct in found.items():
        low, high = wilson(correct.sum(), len(correct))
        recall = {c: correct[labels == c].mean() if (labels == c).any() else np.nan for c in (0, 1)}
        rows.append(
            {
                "attack": name,
                "epsilon": epsilon,
                "accuracy": correct.mean(),
                "ci_low": low,
                "ci_high": high,
                "n": len(correct),
                "fake_recall": recall[FAKE],
                "real_recall": recall[REAL],
            }
        )
    return pd.DataFrame(rows)


def _resolve(attack, threshold, batch_size, options):
    """The attack as a function of (model, images, labels, epsilon, indices)."""
    if callable(attack):
        return lambda m, x, y, e, _: attack(m, x, y, e, **options)
    if attack not in ATTACKS:
        raise UserError(
            f"unknown attack {attack!r}", hint=f"Known are {', '.join(sorted(ATTACKS))}."
        )
    if attack == "pgd":
        # Only right or wrong counts here.
        options = {"early_stop": True, "threshold": threshold, **options}
    options = {"batch_size": batch_size, **options}
    return lambda m, x, y, e, i: ATTACKS[attack](m, x, y, e, indices=i, **options)


def _step(points, gradient, sign, size):
    """Move every pixel by ``size`` so that the margin falls, within the pixel range."""
    direction = np.sign(gradient) * sign[:, None, None, None]
    return np.clip(points - size * direction, 0, 255)


def _noise(shape, indices, seed, epsilon):
    """Uniform noise in ±epsilon, each image's from its own generator."""
    draws = np.empty(shape, np.float32)
    for row, index in enumerate(indices):
        generator = np.random.default_rng((*seed, int(index)))
        draws[row] = generator.random(shape[1:], np.float32)
    return epsilon * (2 * draws - 1)


def _broken_margins(sign, threshold):
    """Margin at or below which an image of that sign is classified wrongly."""
    cut = np.float32(detector.logit_cut(threshold))
    # REAL needs a logit above the cut, FAKE one at or below it.
    return np.where(sign > 0, cut, np.nextafter(-cut, np.float32(-np.inf))).astype(np.float32)


def _batches(n, batch_size, message):
    slices = [slice(i, min(i + batch_size, n)) for i in range(0, n, batch_size)]
    return progress.track(slices, message, unit="batches")


def _radius(epsilon):
    """Epsilon as a Python float, which leaves float32 arrays float32 where NumPy's would not."""
    if not 0 <= epsilon <= 255:  # NaN is not, either
        raise ValueError(f"epsilon must lie in 0..255 grey levels, got {epsilon}")
    return float(epsilon)
