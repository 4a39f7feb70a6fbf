"""What is left of a detector's accuracy when several strong attacks are tried on each image.

Thousands of images under hours of attacks need not be attacked again by everybody who runs the
report: results lie in a folder of the repository, and are used only for the very network, images
and effort that they were measured with.
"""

import dataclasses
import json

import numpy as np
import pandas as pd

from realfake_lib import settings
from realfake_lib.robustness import attacks, detector
from realfake_lib.robustness.minimum_norm import minimum_norm
from realfake_lib.training.checkpoints import digest, model_digest

STAGES = ("PGD", "and FMN", "and Square")
"""Attacks in their order. Each tries the images that those before it have left."""


@dataclasses.dataclass(frozen=True)
class Effort:
    """How hard to try.

    Attributes
    ----------
    n : int >= 1
        Images.
    steps, restarts : int
        Of PGD.
    queries : int
        Of the Square attack, an image.
    """

    n: int
    steps: int = 40
    restarts: int = 5
    queries: int = 200


def standing(model, images, labels, epsilons, effort, *, seed=0, indices=None):
    """Which images every attack fails to turn, after each attack.

    An image broken at one epsilon counts as broken at every larger one, whose ball holds the same
    attacked image.

    Parameters
    ----------
    model : keras.Model
        Pixels 0..255 in, one logit for REAL out.
    images : (n, h, w, c) array, 0..255
    labels : (n,) int array
        FAKE = 0, REAL = 1.
    epsilons : sequence of float
        L∞ radii in grey levels, rising.
    effort : Effort
    seed : int
    indices : (n,) int array, optional
        Of the images in a larger set, for the random starts; 0..n-1 unless given.

    Returns
    -------
    (3, epsilons, n) bool array
        Correct after PGD, after a minimum-norm attack as well, after the Square attack as well.

    References
    ----------
    Carlini et al.: On evaluating adversarial robustness (2019), "report per-example attack
    success". Croce and Hein: Reliable evaluation of adversarial robustness with an ensemble of
    diverse parameter-free attacks (2020), for attacks in a row.
    """
    labels = np.asarray(labels)
    indices = np.arange(len(labels)) if indices is None else np.asarray(indices)
    untouched = detector.is_correct(detector.predict_logits(model, images), labels)
    left = np.tile(untouched, (len(epsilons), 1))

    def attack(function, **options):
        for row, epsilon in enumerate(epsilons):
            targets = np.flatnonzero(left[row])
            if len(targets):
                of_targets = images[targets], labels[targets], epsilon
                attacked = function(
                    model, *of_targets, seed=seed, indices=indices[targets], **options
                )
                logits = detector.predict_logits(model, attacked)
                left[row:, targets[~detector.is_correct(logits, labels[targets])]] = False
        return left.copy()

    found = [attack(attacks.pgd, steps=effort.steps, restarts=effort.restarts, early_stop=True)]
    targets = np.flatnonzero(left.any(axis=0))
    if len(targets):
        _, sizes = minimum_norm(model, images[targets], labels[targets], "FMN", seed=seed)
        left[:, targets] &= sizes > np.asarray(epsilons)[:, None]
    found.append(left.copy())
    found.append(attack(attacks.square, queries=effort.queries))
    return np.array(found)


def accuracies(found, labels, epsilons):
    """What :func:`standing` found as a table like :func:`.attacks.accuracies`, by STAGES."""
    frames = [
        attacks.accuracies(dict(zip(epsilons, rows, strict=True)), labels, name)
        for name, rows in zip(STAGES, found, strict=True)
    ]
    return pd.concat(frames, ignore_index=True)


def measure(model, images, labels, epsilons, effort, label, *, seed=0, folder=None, fallback=None):
    """The result that ``folder`` keeps of exactly this measurement, or else one made now.

    Parameters
    ----------
    model, images, labels, epsilons, seed
        As for :func:`standing`; more images than the effort asks for are left out.
    effort : Effort
    label : str
        Name of the file in ``folder``.
    folder : Path, optional
        None measures.
    fallback : Effort, optional
        Of a measurement made now, in place of ``effort``.

    Returns
    -------
    found : (3, epsilons, n) bool array
    labels : (n,) int array
    effort : Effort
        That of the result.
    """
    chosen = images[: effort.n], labels[: effort.n]
    if folder is not None:
        key = identity(model, *chosen, epsilons, effort, seed)
        try:
            with np.load(folder / f"{label}.npz", allow_pickle=False) as kept:
                if json.loads(str(kept["meta"]))["key"] == key:
                    return kept["standing"], chosen[1], effort
        except FileNotFoundError:
            pass
        effort = fallback or effort
        chosen = images[: effort.n], labels[: effort.n]
    return standing(model, *chosen, epsilons, effort, seed=seed), chosen[1], effort


def save(found, folder, label, key, **origin):
    """Keep a result in ``folder``; ``key`` is what :func:`identity` gives."""
    path = folder / f"{label}.npz"
    with settings.atomic_file(path) as temporary:
        meta = np.array(json.dumps({"key": key, "origin": origin}))
        np.savez_compressed(temporary, meta=meta, standing=found)


def identity(model, images, labels, epsilons, effort, seed):
    """SHA-256 over all that a measurement depends on, but for machine and versions."""
    chosen = np.asarray(images, np.uint8), np.asarray(labels, np.int64)
    return digest(
        model_digest(model), *chosen, list(map(float, epsilons)), dataclasses.asdict(effort), seed
    )


def folder():
    """The repository's folder of results, or None where the project runs without a checkout."""
    experiments = settings.experiments_dir()
    return experiments / "attacks" if experiments else None
