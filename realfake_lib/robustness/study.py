"""What the report measures of detectors under attack, put together from the single attacks."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from realfake_lib.robustness import attacks, corruptions, detector
from realfake_lib.settings import FAKE, REAL

WORST = "worst"
"""Name of the worst case of all attacks in what :func:`accuracy_curves` returns."""


def accuracy_curves(
    detectors, images, labels, epsilons, kinds=("noise", "fgsm", "pgd"), *, seed=0, **options
):
    """Accuracy over epsilon of several detectors, under several attacks and the worst of them.

    All attacks see the same images. In the worst case an image counts as classified correctly
    only if every attack has failed on it, at this epsilon and at the smaller ones, whose balls
    lie inside; so it is nowhere above any single attack. Noise and FGSM stand for each epsilon by
    itself, as they are usually published; under PGD a broken image stays broken.

    Parameters
    ----------
    detectors : dict of str to keras.Model
    images : (n, h, w, 3) uint8 array
    labels : (n,) int array
        FAKE = 0, REAL = 1.
    epsilons : sequence of float
        In grey levels (/255); 0, without attack, is added.
    kinds : sequence of str
        Names in :data:`realfake_lib.robustness.attacks.ATTACKS`.
    seed : int
        Of noise and PGD.
    **options
        Of PGD: ``steps``, ``restarts``.

    Returns
    -------
    pandas.DataFrame
        The columns of :func:`realfake_lib.robustness.attacks.accuracies`, after ``detector``; the
        worst case is the attack ``"worst"``.

    References
    ----------
    Carlini et al.: On evaluating adversarial robustness (2019), "report per-example attack
    success".
    """
    of_kind = {"noise": {"seed": seed}, "fgsm": {}, "pgd": {"seed": seed, **options}}
    frames = []
    for name, model in detectors.items():
        found = {
            kind: attacks.survivors(
                model,
                images,
                labels,
                [0, *epsilons],
                kind,
                worst_case=kind == "pgd",
                **of_kind[kind],
            )
            for kind in kinds
        }
        found[WORST] = _union(list(found.values()))
        for kind, standing in found.items():
            frames.append(attacks.accuracies(standing, labels, kind).assign(detector=name))
    table = pd.concat(frames, ignore_index=True)
    return table[["detector", *table.columns.drop("detector")]]


def _union(found):
    """What survives all attacks, from what survives each, as ``attacks.survivors`` gives it."""
    of_each = np.array([list(one.values()) for one in found])  # attacks × epsilons × images
    worst = np.logical_and.accumulate(of_each.all(axis=0))
    return dict(zip(found[0], worst, strict=True))


def metric_name(kind, strength):
    """An attack or corruption and its strength as a word of a metric's name.

    ``"pgd", 0.5`` becomes ``"pgd_0_5"``; at strength 0 all are ``"clean"``. A kind without a
    strength (NaN), such as no corruption at all, is its own name.
    """
    if np.isnan(strength):
        return kind
    return "clean" if strength == 0 else f"{kind}_{strength:g}".replace(".", "_")


def first_below(curves, level=0.5, attack="pgd"):
    """The smallest radius at which less than ``level`` of the accuracy is left.

    Parameters
    ----------
    curves : pandas.DataFrame
        As :func:`accuracy_curves` returns it.
    level : float in (0, 1)
    attack : str

    Returns
    -------
    dict of str to float
        Detector to epsilon in /255; detectors that stay above it at every radius are left out.
    """
    below = curves[(curves["attack"] == attack) & (curves["accuracy"] < level)]
    return below.groupby("detector", sort=False)["epsilon"].min().to_dict()


def against_published(curve, accuracies, low=-1.0, high=1.0):
    """Accuracies under FGSM that others measured, beside ours at the same radius.

    Parameters
    ----------
    curve : pandas.DataFrame
        One detector's rows of :func:`accuracy_curves`.
    accuracies : dict of float to float
        Their epsilon to their accuracy.
    low, high : float
        The range that their inputs were scaled to, in which their epsilon counts.

    Returns
    -------
    pandas.DataFrame
        ``their epsilon``, ``epsilon (/255)``, ``published``, ``here`` (interpolated between the
        neighbouring radii of the curve, NaN beyond the largest).
    """
    fgsm = curve[curve["attack"] == "fgsm"].sort_values("epsilon")
    theirs = np.array(list(accuracies))
    ours = theirs * 255 / (high - low)
    here = np.interp(ours, fgsm["epsilon"], fgsm["accuracy"], right=np.nan)
    return pd.DataFrame(
        {
            "their epsilon": theirs,
            "epsilon (/255)": ours,
            "published": list(accuracies.values()),
            "here": here,
        }
    )


def corruption_tables(detectors, images, labels, seed=0):
    """How several detectors fare on the same corrupted images.

    Parameters
    ----------
    detectors : dict of str to keras.Model
    images : (n, h, w, 3) uint8 array
    labels : (n,) int array
        FAKE = 0, REAL = 1.
    seed : int

    Returns
    -------
    pandas.DataFrame
        The columns of :func:`realfake_lib.robustness.corruptions.corruption_table`, after
        ``detector``.
    """
    frames = []
    for name, model in detectors.items():

        def predict(pixels, model=model):
            return _p_fake(detector.predict_logits(model, pixels))

        table = corruptions.corruption_table(predict, images, labels, seed=seed)
        table.insert(0, "detector", name)
        frames.append(table)
    return pd.concat(frames, ignore_index=True)


@dataclass(frozen=True)
class Examples:
    """Attacked images, FAKE ones first.

    Attributes
    ----------
    clean : (m, h, w, 3) uint8 array
    attacked : (m, h, w, 3) float32 array, 0..255
    labels : (m,) int array
        FAKE = 0, REAL = 1.
    p_clean, p_attacked : (m,) float array
        Probability of FAKE before and after.
    """

    clean: np.ndarray
    attacked: np.ndarray
    labels: np.ndarray
    p_clean: np.ndarray
    p_attacked: np.ndarray


def examples(model, images, labels, epsilon, per_class=2, *, steps=10, seed=0, temperature=1.0):
    """Images that PGD turns, the first of each class; where it turns too few, others beside them.

    Parameters
    ----------
    model, images, labels, epsilon, steps, seed
        As in :func:`realfake_lib.robustness.attacks.pgd`.
    per_class : int
    temperature : float
        Divides the logits, for calibrated probabilities.

    Returns
    -------
    Examples
    """
    images, labels = np.asarray(images), np.asarray(labels)
    logits = detector.predict_logits(model, images)
    attacked = attacks.pgd(model, images, labels, epsilon, steps=steps, seed=seed)
    attacked_logits = detector.predict_logits(model, attacked)
    was_right = detector.is_correct(logits, labels)
    turned = was_right & ~detector.is_correct(attacked_logits, labels)
    # Turned ones first, then others that were right, then the rest; each in its old order.
    rank = np.argsort(np.where(turned, 0, np.where(was_right, 1, 2)), kind="stable")
    chosen = np.concatenate([rank[labels[rank] == c][:per_class] for c in (FAKE, REAL)])
    return Examples(
        clean=images[chosen],
        attacked=attacked[chosen],
        labels=labels[chosen],
        p_clean=_p_fake(logits[chosen], temperature),
        p_attacked=_p_fake(attacked_logits[chosen], temperature),
    )


def _p_fake(logits, temperature=1.0):
    return np.exp(-np.logaddexp(0.0, np.asarray(logits, np.float64) / temperature))
