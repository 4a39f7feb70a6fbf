"""What the report measures of detectors under attack, put together from the single attacks."""

import numpy as np
import pandas as pd

from realfake_lib.evaluation.calibration import apply_temperature
from realfake_lib.evaluation.metrics import wilson
from realfake_lib.robustness import attacks, corruptions, detector, minimum_norm
from realfake_lib.settings import FAKE, REAL


def accuracy_curves(
    detectors, images, labels, epsilons, kinds=("noise", "fgsm", "pgd"), *, seed=0, **options
):
    """Accuracy over epsilon of several detectors, under several attacks on the same images.

    Noise and FGSM stand for each epsilon by itself, as they are usually published; under PGD a
    broken image stays broken.

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
        Of PGD: ``steps``, ``restarts``, ``norm``.

    Returns
    -------
    pandas.DataFrame
        The columns of :func:`realfake_lib.robustness.attacks.accuracies`, after ``detector``.
    """
    of_kind = {"noise": {"seed": seed}, "fgsm": {}, "pgd": {"seed": seed, **options}}
    frames = []
    for name, model in detectors.items():
        for kind in kinds:
            found = attacks.survivors(
                model,
                images,
                labels,
                [0, *epsilons],
                kind,
                worst_case=kind == "pgd",
                **of_kind[kind],
            )
            frames.append(attacks.accuracies(found, labels, kind).assign(detector=name))
    table = pd.concat(frames, ignore_index=True)
    return table[["detector", *table.columns.drop("detector")]]


def transfer(detectors, images, labels, epsilon, **options):
    """Accuracy of each detector on images that were attacked with another one's gradients.

    The attacker knows the images and one detector, the source, and not the one that is deceived.

    Parameters
    ----------
    detectors : dict of str to keras.Model
    images, labels
        As in :func:`accuracy_curves`.
    epsilon : float
        In grey levels (/255).
    **options
        Of :func:`.attacks.pgd`.

    Returns
    -------
    pandas.DataFrame
        Accuracies, a row a source (``none``: unchanged images), a column a detector.
    """
    attacked = {"none": images} | {
        source: attacks.pgd(model, images, labels, epsilon, **options)
        for source, model in detectors.items()
    }
    rows = {
        source: {
            name: detector.is_correct(detector.predict_logits(model, pixels), labels).mean()
            for name, model in detectors.items()
        }
        for source, pixels in attacked.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def distances(model, images, labels, names=tuple(minimum_norm.ATTACKS), seed=0):
    """How small a change suffices, by each minimum-norm attack, on the same images.

    Parameters
    ----------
    model : keras.Model
    images, labels
        As in :func:`accuracy_curves`; images of both classes.
    names : sequence of str
        In :data:`.minimum_norm.ATTACKS`.
    seed : int

    Returns
    -------
    pandas.DataFrame
        Index ``attack``; norm, median (grey levels, of the images that were classified correctly;
        NaN where the attack fails on half of them), succeeded (their share), n.
    """
    rows = []
    for name in names:
        _, sizes = minimum_norm.minimum_norm(model, images, labels, name, seed=seed)
        sizes = pd.Series(sizes[sizes > 0]).replace(np.inf, np.nan)
        failed = sizes.isna().mean()
        median = sizes.fillna(np.inf).median() if failed < 0.5 else np.nan
        found = {"median": median, "succeeded": 1 - failed}
        norm = {"linf": "L∞", "l2": "L2"}[minimum_norm.ATTACKS[name][0]]
        rows.append({"attack": name, "norm": norm, **found, "n": len(sizes)})
    return pd.DataFrame(rows).set_index("attack")


def metric_name(kind, strength):
    """An attack and its strength as a word of a metric's name.

    ``"pgd", 0.5`` becomes ``"pgd_0.5"``; at strength 0 all are ``"clean"``.
    """
    return "clean" if strength == 0 else f"{kind}_{strength:g}"


def metrics(table):
    """What of a table ``metrics.json`` keeps, for ``run.metrics``.

    Parameters
    ----------
    table : pandas.DataFrame
        One detector's rows of :func:`accuracy_curves`.

    Yields
    ------
    (str, float, (float, float))
        Such as ``"pgd_1.accuracy"``, the accuracy, and its 95 % interval.
    """
    # Without attack all are the same.
    names = table["attack"].combine(table["epsilon"], metric_name)
    for row in table[~names.duplicated()].assign(name=names).itertuples():
        yield f"{row.name}.accuracy", row.accuracy, (row.ci_low, row.ci_high)


def corruption_name(corruption, severity, level):
    """A corruption and its severity as a word of a metric's name.

    ``"jpeg", 40`` becomes ``"jpeg_40"``. Where a severity is a pair of numbers, its level stands
    for it: ``"motion_blur_level_3"``. Rescaling to half the side is ``"rescale_half"``.
    """
    if corruption == "none":
        return "test"
    if isinstance(severity, tuple):
        return f"{corruption}_level_{level}"
    return f"{corruption}_half" if (corruption, severity) == HALF else f"{corruption}_{severity:g}"


HALF = ("rescale", 0.5)


def corruption_metrics(table):
    """Accuracy with its interval, AUROC and ECE of each row, for ``run.metrics``.

    Parameters
    ----------
    table : pandas.DataFrame
        One detector's rows of :func:`.corruptions.corruption_table`.

    Yields
    ------
    (str, float, (float, float)) or (str, float)
    """
    for row in table.itertuples():
        name = corruption_name(row.corruption, row.severity, row.level)
        yield f"{name}.accuracy", row.accuracy, (row.ci_low, row.ci_high)
        yield f"{name}.auroc", row.auroc
        yield f"{name}.ece", row.ece


def examples(model, images, labels, attacked, per_class=2, temperature=1.0):
    """Images that an attack turns, the first of each class; others where it turns too few.

    Parameters
    ----------
    model : keras.Model
    images, attacked : (n, h, w, c) arrays, 0..255
        Before and after the attack.
    labels : (n,) int array
        FAKE = 0, REAL = 1.
    per_class : int
    temperature : float
        Divides the logits, for calibrated probabilities.

    Returns
    -------
    dict
        ``clean`` (m, h, w, 3) uint8 and ``attacked`` (m, h, w, 3) float32, FAKE ones first;
        ``labels`` (m,); ``p_clean`` and ``p_attacked`` (m,), the probability of FAKE.
    """
    logits, attacked_logits = (detector.predict_logits(model, x) for x in (images, attacked))
    was_correct = detector.is_correct(logits, labels)
    turned = was_correct & ~detector.is_correct(attacked_logits, labels)
    # Turned ones first, then others that were correct, then the rest; each in its old order.
    rank = np.argsort(np.where(turned, 0, np.where(was_correct, 1, 2)), kind="stable")
    chosen = np.concatenate([rank[labels[rank] == c][:per_class] for c in (FAKE, REAL)])
    return {
        "clean": images[chosen],
        "attacked": attacked[chosen],
        "labels": labels[chosen],
        "p_clean": apply_temperature(logits[chosen], temperature),
        "p_attacked": apply_temperature(attacked_logits[chosen], temperature),
    }


def after_saving(model, images, labels, attacked):
    """Whether an attack survives that the images are saved as files.

    Parameters
    ----------
    model : keras.Model
    images : (n, h, w, 3) uint8 array
    labels : (n,) int array
        FAKE = 0, REAL = 1.
    attacked : (n, h, w, 3) float array, 0..255

    Returns
    -------
    pandas.DataFrame
        Index ``images``: not attacked, attacked, attacked and rounded to whole grey levels (as a
        PNG file has them), attacked and saved as JPEG of quality 90; accuracy, ci_low, ci_high
        (Wilson, 95 %), n.
    """
    rounded = np.rint(attacked).astype(np.uint8)
    versions = {
        "not attacked": images,
        "attacked": attacked,
        "attacked, rounded to grey levels": rounded,
        "attacked, saved as JPEG (quality 90)": corruptions.corrupted("jpeg", rounded, 90),
    }
    rows = []
    for name, pixels in versions.items():
        correct = detector.is_correct(detector.predict_logits(model, pixels), labels)
        low, high = wilson(correct.sum(), len(correct))
        row = {"accuracy": correct.mean(), "ci_low": low, "ci_high": high, "n": len(correct)}
        rows.append({"images": name, **row})
    return pd.DataFrame(rows).set_index("images")
