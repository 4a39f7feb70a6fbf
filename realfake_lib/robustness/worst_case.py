"""What is left of a detector's accuracy when several strong attacks are tried on each image.

Thousands of images under hours of attacks need not be attacked again by everybody who runs the
report: results lie in a folder of the repository, and are used only for the very network, images
and effort that they were measured with.
"""

import dataclasses
import json
import zipfile

import numpy as np
import pandas as pd

from realfake_lib import settings
from realfake_lib.errors import UserError
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


def efforts(given):
    """The :class:`Effort` asked for, and the ``fallback`` or None, of the chapter's parameter."""
    asked = {name: value for name, value in given.items() if name != "fallback"}
    return Effort(**asked), given["fallback"] and Effort(**given["fallback"])


def standing(model, images, labels, epsilons, effort, *, seed=0, indices=None):
    """Which images every attack fails to turn, after each attack.

    An image broken at one epsilon counts as broken at every larger one, whose ball holds the same
    attacked image. So the largest epsilon comes first, and an attack that an image withstands there
    is not repeated at smaller ones.

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
        withstood = np.zeros(len(labels), bool)
        for row in reversed(range(len(epsilons))):
            targets = np.flatnonzero(left[row] & ~withstood)
            if len(targets):
                of_targets = images[targets], labels[targets], epsilons[row]
                attacked = function(
                    model, *of_targets, seed=seed, indices=indices[targets], **options
                )
                logits = detector.predict_logits(model, attacked)
                left[row:, targets[~detector.is_correct(logits, labels[targets])]] = False
            withstood = left[row]
        return left.copy()

    found = [attack(attacks.pgd, steps=effort.steps, restarts=effort.restarts, early_stop=True)]
    targets = np.flatnonzero(left.any(axis=0))
    if len(targets):
        _, sizes = minimum_norm(model, images[targets], labels[targets], "FMN", seed=seed)
        left[:, targets] &= sizes > np.asarray(epsilons)[:, None]
    found.append(left.copy())
    found.append(attack(attacks.square, queries=effort.queries))
    return np.array(found)


@dataclasses.dataclass(frozen=True)
class Result:
    """What :func:`measure` found.

    Attributes
    ----------
    standing : (3, epsilons, n) bool array
        As from :func:`standing`, and at epsilon 0 the images that are correct without an attack.
    epsilons : tuple of float
    labels : (n,) int array
    effort : Effort
    kept : bool
        Whether it was measured before.
    """

    standing: np.ndarray
    epsilons: tuple
    labels: np.ndarray
    effort: Effort
    kept: bool

    def accuracies(self):
        """A table like that of :func:`.attacks.accuracies`, the attack by :data:`STAGES`."""
        frames = [
            attacks.accuracies(dict(zip(self.epsilons, rows, strict=True)), self.labels, name)
            for name, rows in zip(STAGES, self.standing, strict=True)
        ]
        return pd.concat(frames, ignore_index=True)

    def metrics(self):
        """Worst-case accuracy and recall of FAKE at each epsilon, for ``run.metrics``."""
        table = self.accuracies().query("attack == @STAGES[-1] and epsilon > 0")
        for row in table.itertuples():
            interval = row.ci_low, row.ci_high
            yield f"linf_{row.epsilon:g}.worst_case_accuracy", row.accuracy, interval
            yield f"linf_{row.epsilon:g}.worst_case_fake_recall", row.fake_recall


def measure(model, images, labels, epsilons, effort, label, *, seed=0, folder=None, fallback=None):
    """The result that ``folder`` keeps of this measurement, or else one made now.

    One that is kept of the first images alone is taken as it is.

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
    Result
    """
    images, labels = images[: effort.n], np.asarray(labels[: effort.n])

    def key_of(n):
        of_first = images[:n], labels[:n], epsilons, dataclasses.replace(effort, n=n)
        return identity(model, *of_first, seed)

    found = None if folder is None else find(folder / f"{label}.npz", key_of)
    kept = found is not None
    if kept:
        effort = dataclasses.replace(effort, n=found.shape[-1])
        images, labels = images[: effort.n], labels[: effort.n]
    else:
        effort = fallback or effort
        images, labels = images[: effort.n], labels[: effort.n]
        found = standing(model, images, labels, epsilons, effort, seed=seed)
    untouched = detector.is_correct(detector.predict_logits(model, images), labels)
    before = np.broadcast_to(untouched, (len(STAGES), 1, len(labels)))
    found = np.concatenate([before, found], axis=1)
    return Result(found, (0, *epsilons), labels, effort, kept)


def notices(results, effort, stage):
    """Sentences on where results come from.

    Parameters
    ----------
    results : dict of str to Result
        By detector.
    effort : Effort
        What was asked for.
    stage : str
        Whose parameter ``use_pretrained`` decides it.
    """
    if any(result.kept for result in results.values()):
        yield (
            "The attacks of the worst case were not run here: their results are in "
            f"experiments/attacks. To run them (hours): SET={stage}.use_pretrained=false"
        )
    for name, result in results.items():
        if result.kept and result.effort != effort:
            yield (
                f"{name}: experiments/attacks has the worst case of {result.effort.n:,} of "
                f"{effort.n:,} images (`make attacks` measures the others)."
            )
        elif result.effort != effort:
            yield (
                f"{name}: experiments/attacks has no worst case of this network and these images, "
                f"so it was measured here with less effort: {result.effort.n} images, "
                f"PGD-{result.effort.steps} with {result.effort.restarts} restarts, Square with "
                f"{result.effort.queries} queries."
            )


def find(path, key_of):
    """The array (3, epsilons, n) in ``path``, or None where its key is not ``key_of(n)``."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as kept:
            found, key = kept["standing"], json.loads(str(kept["meta"]))["key"]
            return found if key == key_of(found.shape[-1]) else None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read: {error}", "Get the file again.") from None


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
