"""Attacks within a ball around each image, and the accuracy that they leave over its radius.

A detector's one logit makes the binary cross-entropy of an image fall strictly in its margin,
``sign · logit`` with sign +1 for REAL and −1 for FAKE. The loss's gradient is therefore the
margin's, times a negative number, and the *sign* of both is the same; the attacks here follow the
margin, because the loss's own gradient underflows to zero for an image that the detector is very
sure of, which would pass for robustness. With one logit there is one other class: an attack on a
FAKE image is one that passes it off as REAL.

Epsilon is quoted in /255 of the pixel range: ``epsilon=1`` allows one grey level in the L∞ norm; in
the L2 norm it is the length of the whole change.
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
        step = epsilon * np.sign(gradient.numpy()) * _of_images(sign[part])
        attacked[part] = np.clip(clean[part] - step, 0, 255)
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
    norm="linf",
    random_start=True,
    early_stop=False,
    indices=None,
    batch_size=256,
):
    """Projected gradient descent: many small steps that stay within epsilon.

    Returned is, for each image, the point of lowest margin among all that the attack visited, the
    untouched image included. So an image that was wrong stays wrong, and neither a step nor a
    restart more can weaken the attack.

    Parameters
    ----------
    model, images, labels, batch_size
        As in :func:`fgsm`.
    epsilon : float >= 0
        Radius of the ball in that norm, in grey levels (/255).
    steps : int >= 1
    step_size : float > 0, optional
        In grey levels; ``2.5 · epsilon / steps`` unless given.
    restarts : int >= 1
        Attempts an image, each from another random point.
    seed : int
        Of the random starts, which depend on nothing but it, the restart and an image's index: not
        on the batch size, nor on the other images.
    norm : {"linf", "l2"}
    random_start : bool
        Start anywhere in the ball rather than at the image.
    early_stop : bool
        Leave an image alone as soon as it is classified wrongly. Much faster where only the
        accuracy counts; the examples are then weaker than they could be.
    indices : (n,) int array, optional
        Index of each image in the set that it was taken from, 0..n-1 unless given.

    Returns
    -------
    (n, h, w, c) float32 array

    References
    ----------
    Madry et al.: Towards deep learning models resistant to adversarial attacks (2018).
    """
    epsilon = _radius(epsilon, 255 if norm == "linf" else _UNBOUNDED)
    if steps < 1 or restarts < 1:
        raise ValueError(f"steps and restarts must be at least 1, got {steps} and {restarts}")
    if norm not in ("linf", "l2"):
        raise ValueError(f"norm must be 'linf' or 'l2', got {norm!r}")
    step_size = 2.5 * epsilon / steps if step_size is None else float(step_size)
    clean = detector.as_pixels(images)
    sign = detector.signs(labels, len(clean))
    indices = np.arange(len(clean)) if indices is None else np.asarray(indices)
    # Without early stopping no margin is low enough to stop at.
    stop_below = _broken_margins(sign) if early_stop else np.full_like(sign, -np.inf)

    attacked = clean.copy()
    for part in _batches(len(clean), batch_size, f"PGD-{steps}, epsilon {epsilon:g}/255"):
        margins = sign[part] * detector.forward(model)(tf.constant(clean[part])).numpy()
        for restart in range(restarts):
            open_ = np.flatnonzero(margins > stop_below[part])
            start = clean[part][open_]
            if random_start:
                draws = _noise(start.shape, indices[part][open_], (seed, restart), norm)
                start = np.clip(start + epsilon * draws, 0, 255)
            _descend(
                model,
                start=start,
                open_=open_,
                clean=clean[part],
                sign=sign[part],
                stop_below=stop_below[part],
                epsilon=epsilon,
                steps=steps,
                step_size=step_size,
                norm=norm,
                best=attacked[part],
                best_margins=margins,
            )
    return attacked


def _descend(
    model,
    start,
    open_,
    clean,
    sign,
    stop_below,
    epsilon,
    steps,
    step_size,
    norm,
    best,
    best_margins,
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
        step = step_size * _steepest(gradient.numpy()[going], norm) * _of_images(sign[open_])
        change = _project(points[going] - step - clean[open_], epsilon, norm)
        points = np.clip(clean[open_] + change, 0, 255)


def square(model, images, labels, epsilon, queries=300, seed=0, *, indices=None, batch_size=256):
    """Square attack in the L∞ ball: a random search that sees logits and no gradient.

    It starts from vertical stripes of ±epsilon and keeps changing a square of them to another
    corner of the ball, smaller and smaller squares, where that lowers the margin. An image is left
    alone as soon as it is classified wrongly. Where this succeeds and PGD does not, gradients
    mislead.

    Parameters
    ----------
    model, images, labels, epsilon, indices, batch_size
        As in :func:`pgd`.
    queries : int >= 1
        Logits asked for an image.
    seed : int
        Of the squares, which depend on it and an image's index alone.

    Returns
    -------
    (n, h, w, c) float32 array

    References
    ----------
    Andriushchenko et al.: Square attack (2020), algorithms 1 and 2.
    """
    epsilon = _radius(epsilon)
    clean = detector.as_pixels(images)
    sign = detector.signs(labels, len(clean))
    indices = np.arange(len(clean)) if indices is None else np.asarray(indices)
    broken = _broken_margins(sign)
    _, height, width, channels = clean.shape

    attacked = clean.copy()
    for part in _batches(len(clean), batch_size, f"Square attack, epsilon {epsilon:g}/255"):
        inside, best = clean[part], attacked[part]
        generators = [np.random.default_rng((seed, int(index))) for index in indices[part]]
        stripes = np.stack([one.random((1, width, channels)) for one in generators])
        draws = np.stack([one.random((queries, 2 + channels)) for one in generators])
        margins = sign[part] * detector.forward(model)(tf.constant(inside)).numpy()
        for query in range(queries):
            open_ = np.flatnonzero(margins > broken[part])
            if len(open_) == 0:
                break
            if query == 0:
                candidate = _corner(inside[open_], stripes[open_], epsilon)
            else:
                side = max(1, round(np.sqrt(_share(query / queries) * height * width)))
                top, left, *_ = draws[open_, query].T
                covered = (
                    _covered(top, side, height)[:, :, None, None]
                    & _covered(left, side, width)[:, None, :, None]
                )
                corner = _corner(inside[open_], draws[open_, query, None, None, 2:], epsilon)
                candidate = np.where(covered, corner, best[open_])
            found = sign[part][open_] * detector.forward(model)(tf.constant(candidate)).numpy()
            better = (found < margins[open_]) | (query == 0)  # it starts from the stripes anyhow
            best[open_[better]] = candidate[better]
            margins[open_[better]] = found[better]
    return attacked


def noise(model, images, labels, epsilon, *, seed=0, indices=None, batch_size=None):
    """Every pixel moved by epsilon up or down at random: what an attack must beat.

    It can be called like :func:`pgd`, and looks at ``images``, ``epsilon``, ``seed`` and
    ``indices``.
    """
    epsilon = _radius(epsilon)
    clean = detector.as_pixels(images)
    indices = np.arange(len(clean)) if indices is None else np.asarray(indices)
    moves = np.sign(_noise(clean.shape, indices, (seed, 0), "linf"))
    return np.clip(clean + epsilon * moves, 0, 255)


def universal(model, images, labels, epsilon, *, epochs=10, seed=0, batch_size=64):
    """One change that is added to every image, found by small steps over batches of images.

    Parameters
    ----------
    model, labels, epsilon
        As in :func:`fgsm`; labels of one class, unless the change is to serve both ways.
    images : (n, h, w, c) array, 0..255
        To find it on; it is for others like them.
    epochs : int
    seed : int
        Of the order of the images.
    batch_size : int

    Returns
    -------
    (h, w, c) float32 array
        In ±epsilon; add it and clip.

    References
    ----------
    Moosavi-Dezfooli et al.: Universal adversarial perturbations (2017). Shafahi et al.: Universal
    adversarial training (2020), algorithm 2, for the steps.
    """
    epsilon = _radius(epsilon)
    clean = detector.as_pixels(images)
    sign = detector.signs(labels, len(clean))
    compute = detector.backward(model)
    generator = np.random.default_rng(seed)
    change = np.zeros(clean.shape[1:], np.float32)
    for _ in range(epochs):
        order = generator.permutation(len(clean))
        for start in range(0, len(order), batch_size):
            part = order[start : start + batch_size]
            logits, gradient = compute(tf.constant(np.clip(clean[part] + change, 0, 255)))
            # An image that is clearly broken pulls no more.
            pull = sign[part] * (sign[part] * logits.numpy() > -1)
            step = np.sign(np.sum(gradient.numpy() * _of_images(pull), axis=0))
            change = np.clip(change - 0.1 * epsilon * step, -epsilon, epsilon)
    return change


ATTACKS = {"fgsm": fgsm, "pgd": pgd, "square": square, "noise": noise}
"""Attacks that :func:`survivors` knows by name."""


def survivors(model, images, labels, epsilons, attack="pgd", *, worst_case=True, **options):
    """Which images are classified correctly in spite of an attack, over epsilon.

    An image that is classified wrongly without any attack counts as broken at every epsilon.

    Parameters
    ----------
    model, images, labels
        As in :func:`fgsm`.
    epsilons : sequence of float >= 0
        In grey levels (/255); 0 is without attack.
    attack : {"pgd", "fgsm", "square", "noise"} or callable
        A callable takes ``(model, images, labels, epsilon)`` and returns the attacked images.
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
    run = _resolve(attack, options)
    clean = detector.as_pixels(images)
    labels = np.asarray(labels)
    detector.signs(labels, len(clean))

    untouched = detector.is_correct(detector.predict_logits(model, clean), labels)
    standing = untouched
    found = {}
    for epsilon in sorted({_radius(epsilon, _UNBOUNDED) for epsilon in epsilons}):
        targets = np.flatnonzero(standing if worst_case else untouched)
        correct = np.zeros(len(labels), bool)
        if epsilon == 0:
            correct[targets] = True
        elif len(targets):
            attacked = run(model, clean[targets], labels[targets], epsilon, targets)
            logits = detector.predict_logits(model, attacked)
            correct[targets] = detector.is_correct(logits, labels[targets])
        found[epsilon] = standing = correct
    return found


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


def _resolve(attack, options):
    """The attack as a function of (model, images, labels, epsilon, indices)."""
    if callable(attack):
        return lambda m, x, y, e, _: attack(m, x, y, e, **options)
    if attack not in ATTACKS:
        raise UserError(
            f"unknown attack {attack!r}", hint=f"Known are {', '.join(sorted(ATTACKS))}."
        )
    if attack == "pgd":
        options = {"early_stop": True, **options}  # only right or wrong counts here
    return lambda m, x, y, e, i: ATTACKS[attack](m, x, y, e, indices=i, **options)


def _steepest(gradient, norm):
    """The direction in which the logit rises fastest, of length one in that norm."""
    return np.sign(gradient) if norm == "linf" else gradient / _lengths(gradient)


def _project(change, epsilon, norm):
    """The nearest change that lies within epsilon."""
    if norm == "linf":
        return np.clip(change, -epsilon, epsilon)
    return change * np.minimum(1, epsilon / _lengths(change))


def _lengths(changes):
    """Euclidean lengths, (n, 1, 1, 1); at least the smallest float, to divide by."""
    squares = np.sum(np.square(changes), axis=(1, 2, 3), keepdims=True)
    return np.maximum(np.sqrt(squares), np.finfo(np.float32).tiny)


def _noise(shape, indices, seed, norm):
    """Points drawn uniformly in the ball of radius one, each image's from its own generator."""
    draws = np.empty(shape, np.float32)
    for row, index in enumerate(indices):
        generator = np.random.default_rng((*seed, int(index)))
        if norm == "linf":
            draws[row] = 2 * generator.random(shape[1:], np.float32) - 1
        else:
            point = generator.standard_normal(shape[1:])
            length = generator.random() ** (1 / point.size)
            draws[row] = point * (length / np.linalg.norm(point))
    return draws


def _corner(clean, draws, epsilon):
    """A corner of the L∞ ball, by draws in 0..1, within the pixel range."""
    return np.clip(clean + epsilon * np.where(draws < 0.5, -1, 1).astype(np.float32), 0, 255)


def _covered(draws, side, size):
    """Which of ``size`` places an interval of length ``side`` covers, (n, size) bool."""
    first = np.floor(draws * (size - side + 1))[:, None]
    places = np.arange(size)
    return (first <= places) & (places < first + side)


def _share(progress):
    """Share of the image that a square covers, after that share of the queries."""
    return 0.8 / 2 ** np.searchsorted(_HALVINGS, progress)


_HALVINGS = np.array([10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000]) / 10000


def _broken_margins(sign):
    """Margin at or below which an image of that sign is classified wrongly."""
    # REAL needs a logit above 0, FAKE one at or below it.
    return np.where(sign > 0, 0, -np.finfo(np.float32).smallest_subnormal).astype(np.float32)


def _of_images(values):
    """One value an image, to multiply its pixels by."""
    return values[:, None, None, None]


def _batches(n, batch_size, message):
    slices = [slice(i, min(i + batch_size, n)) for i in range(0, n, batch_size)]
    return progress.track(slices, message, unit="batches")


def _radius(epsilon, largest=255):
    """Epsilon as a Python float, which leaves float32 arrays float32 where NumPy's would not."""
    if not 0 <= epsilon <= largest:  # NaN is not, either
        raise ValueError(f"epsilon must lie in 0..{largest} grey levels, got {epsilon}")
    return float(epsilon)


_UNBOUNDED = float(np.finfo(np.float32).max)
