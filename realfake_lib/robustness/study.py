"""What the report measures of detectors under attack, put together from the single attacks."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from realfake_lib.robustness import attacks, corruptions, detector
from realfake_lib.settings import FAKE, REAL


def worst_case(model, images, labels, epsilon, *, steps=10, restarts=1, seed=0, threshold=0.5):
    """The strongest that is known against each single image: FGSM, then PGD where that failed.

    Parameters
    ----------
    model, images, labels, epsilon, steps, restarts, seed, threshold
        As in :func:`realfake_lib.robustness.attacks.pgd`.

    Returns
    -------
    (n, h, w, c) float32 array

    References
    ----------
    Carlini et al.: On evaluating adversarial robustness (2019), "report per-example attack
    success".
    """
    labels = np.asarray(labels)
    attacked = attacks.fgsm(model, images, labels, epsilon)
    logits = detector.predict_logits(model, attacked)
    standing = np.flatnonzero(detector.is_correct(logits, labels, threshold))
    if len(standing):
        attacked[standing] = attacks.pgd(
            model,
            np.asarray(images)[standing],
            labels[standing],
            epsilon,
            steps=steps,
            restarts=restarts,
            seed=seed,
            early_stop=True,
            threshold=threshold,
            indices=standing,
        )
    return attacked


def accuracy_curves(
    detectors,
    images,
    labels,
    epsilons,
    include=("noise", "fgsm", "pgd", "worst"),
    *,
    n_strong=None,
    steps=10,
    restarts=1,
    seed=0,
):
    """Accuracy over epsilon of several detectors, under noise, FGSM, PGD and the worst of them.

    Noise and FGSM stand for each epsilon by itself, as they are usually published. Under ``pgd``
    and ``worst`` an image that was broken at a smaller epsilon stays broken.

    Parameters
    ----------
    detectors : dict of str to keras.Model
    images : (n, h, w, 3) uint8 array
    labels : (n,) int array
        FAKE = 0, REAL = 1.
    epsilons : sequence of float
        In grey levels (/255).
    include : sequence of str
        Which of the four.
    n_strong : int, optional
        PGD and the worst case take the first ``n_strong`` images; all unless given.
    steps, restarts, seed : int
        Of PGD.

    Returns
    -------
    pandas.DataFrame
        The columns of :func:`realfake_lib.robustness.attacks.curve`, after ``detector``.
    """
    strong = {"steps": steps, "restarts": restarts, "seed": seed}
    runs = [
        ("noise", "noise", False, slice(None), {"seed": seed}),
        ("fgsm", "fgsm", False, slice(None), {}),
        ("pgd", "pgd", True, slice(n_strong), strong),
        ("worst", worst_case, True, slice(n_strong), strong),
    ]
    frames = []
    for name, model in detectors.items():
        for attack, function, monotonic, part, options in runs:
            if attack not in include:
                continue
            curve = attacks.curve(
                model,
                images[part],
                labels[part],
                [0, *epsilons],
                function,
                worst_case=monotonic,
                **options,
            )
            frames.append(curve.assign(attack=attack, detector=name))
    table = pd.concat(frames, ignore_index=True)
    return table[["detector", *table.columns.drop("detector")]]


def metric_name(kind, strength):
    """An attack or corruption and its strength as a word of a metric's name.

    ``"pgd", 0.5`` becomes ``"pgd_0_5"``; at strength 0 all are ``"clean"``.
    """
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
