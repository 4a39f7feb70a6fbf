"""The one scoring of a final model: test set, test set without duplicates, unseen generators.

Every choice (temperature, threshold, uncertain band) is made on the validation split before a test
image is looked at, and no accuracy leaves here without the unseen generators' result beside it.
"""

import functools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from realfake_lib import data, training
from realfake_lib.evaluation import metrics
from realfake_lib.evaluation.calibration import apply_temperature
from realfake_lib.evaluation.verdict import OperatingPoint, choose_operating_point
from realfake_lib.names import in_words
from realfake_lib.settings import FAKE, REAL


@dataclass(frozen=True)
class UnseenScores(metrics.Measures):
    """Of ``n`` fakes of one unseen generator: AUROC against REAL test images, and recall."""

    auroc: float
    fake_recall: float
    n: int
    intervals: dict


@dataclass(frozen=True)
class FinalScores:
    """Everything that is measured of one final model.

    Attributes
    ----------
    point : OperatingPoint
        Chosen on validation.
    y_val, y_test : (n,) int8 arrays
    val_logits, test_logits : (n,) float32 arrays
        Logits for REAL, before the temperature.
    test, test_dedup : Scores
        Calibrated, at ``p_fake`` = 0.5: the full test set, and without the images that have a
        byte-identical duplicate in training.
    ece_uncalibrated : float
        Expected calibration error on the test set before the temperature.
    unseen : dict of str to UnseenScores
        By generator, and ``"all"`` of them together.
    unseen_logits : dict of str to (m,) float32 array
    """

    point: OperatingPoint
    y_val: np.ndarray
    val_logits: np.ndarray
    y_test: np.ndarray
    test_logits: np.ndarray
    test: object
    test_dedup: object
    ece_uncalibrated: float
    unseen: dict
    unseen_logits: dict

    @property
    def p_fake(self):
        """Calibrated probability of FAKE of each test image, (n,) float64."""
        return self.point.p_fake(self.test_logits)

    @property
    def errors(self):
        """Number of test images on the wrong side of ``p_fake`` = 0.5."""
        return int(self.test.n - np.trace(self.test.confusion))

    @property
    def accuracy_at_threshold(self):
        """Share of test images classified correctly at the threshold chosen on validation."""
        return float(np.mean((self.p_fake < self.point.threshold) == self.y_test))

    @property
    def false_positive_rate(self):
        """Share of REAL test images predicted FAKE at the threshold chosen on validation."""
        return float(np.mean(self.p_fake[self.y_test == REAL] >= self.point.threshold))

    def scores_by_origin(self):
        """Calibrated ``p_fake`` by class of the test images, and by title of unseen generator."""
        own = {"REAL": self.p_fake[self.y_test == REAL], "FAKE": self.p_fake[self.y_test == FAKE]}
        unseen = self.unseen_logits.items()
        return own | {in_words(name): self.point.p_fake(logits) for name, logits in unseen}

    def parts(self):
        """Yield ``(prefix, items, n)`` for each group of metrics, ready for ``run.metrics``."""
        yield "test", self.test.items(), self.test.n
        yield "test_dedup", self.test_dedup.items(), self.test_dedup.n
        low, high = self.point.uncertain_band
        chosen = {"temperature": self.point.temperature, "threshold": self.point.threshold}
        chosen |= {"uncertain_low": low, "uncertain_high": high}
        yield "operating_point", chosen, len(self.y_val)
        at_threshold = {
            "accuracy": self.accuracy_at_threshold,
            "false_positive_rate": self.false_positive_rate,
            "uncertain_share": float(np.mean((self.p_fake > low) & (self.p_fake < high))),
            "ece_before_temperature": self.ece_uncalibrated,
        }
        yield "test_at_threshold", at_threshold, len(self.y_test)
        for generator, scores in self.unseen.items():
            yield f"unseen.{generator}", scores.items(), scores.n


@dataclass(frozen=True)
class Logits:
    """Logits for REAL of one detector, or the mean of several, before any temperature.

    ``val`` and ``test`` are (n,) float32 arrays, ``unseen`` one (m,) array a generator.
    """

    val: np.ndarray
    test: np.ndarray
    unseen: dict


def average(several):
    """Mean of the :class:`Logits` of several detectors: the ensemble that they make."""

    def mean(parts):
        return functools.reduce(np.add, parts) / len(parts)

    unseen = {name: mean([one.unseen[name] for one in several]) for name in several[0].unseen}
    val, test = mean([one.val for one in several]), mean([one.test for one in several])
    return Logits(val, test, unseen)


def predict(model, dataset, splits, unseen=None, flip=False, cache=None):
    """Logits of a final model for everything that it was not trained on.

    Parameters
    ----------
    model : keras.Model
        Pixels 0 to 255 to one logit for REAL, in float32.
    dataset : ImageDataset
    splits : Splits
        ``val`` and ``test`` are predicted.
    unseen : dict of str to (n, h, w, 3) uint8 array, optional
        Fakes by generator; resized where the network's input has another size.
    flip : bool
        Predict each image flipped left to right: averaged with the unflipped logits, this is
        test-time augmentation (TTA).
    cache : path-like, optional
        Folder from which logits that were computed before are read back.

    Returns
    -------
    Logits
    """
    images, step = (dataset.flipped(), -1) if flip else (dataset, 1)
    of_unseen = {}
    for generator, tiles in (unseen or {}).items():
        resized = data.resize(tiles, model.input_shape[1])[:, :, ::step]
        of_unseen[generator] = training.predict_logits(model, resized)
    return Logits(
        val=training.features.logits(model, images, splits.val, cache),
        test=training.features.logits(model, images, splits.test, cache),
        unseen=of_unseen,
    )


def predict_each(fits, *arguments, **options):
    """:func:`predict` for a dict of FitResult, by name; one of two names is predicted once."""
    models = {id(fit): fit.model for fit in fits.values()}
    logits = {key: predict(model, *arguments, **options) for key, model in models.items()}
    return {name: logits[id(fit)] for name, fit in fits.items()}


def score(model, dataset, splits, unseen=None, seed=0):
    """Score a final model, once, on everything that it was not trained on.

    Parameters
    ----------
    model, dataset, splits, unseen
        As for :func:`predict`; ``val`` serves the choices, ``test`` and ``test_dedup`` are scored.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    FinalScores
    """
    return score_logits(predict(model, dataset, splits, unseen), dataset, splits, seed)


def score_logits(logits, dataset, splits, seed=0):
    """:func:`score` for :class:`Logits` that are there already, e.g. those of an ensemble."""
    labels = np.asarray(dataset.labels)
    y_val, y_test = labels[splits.val], labels[splits.test]
    point = choose_operating_point(y_val, logits.val)
    p_test = point.p_fake(logits.test)
    no_duplicates = np.isin(splits.test, splits.test_dedup)
    uncalibrated = apply_temperature(logits.test)
    return FinalScores(
        point=point,
        y_val=y_val,
        val_logits=logits.val,
        y_test=y_test,
        test_logits=logits.test,
        test=metrics.evaluate(y_test, p_test, seed=seed),
        test_dedup=metrics.evaluate(y_test[no_duplicates], p_test[no_duplicates], seed=seed),
        ece_uncalibrated=metrics.expected_calibration_error(y_test, uncalibrated),
        unseen=_score_unseen(logits.unseen, p_test[y_test == REAL], point),
        unseen_logits=logits.unseen,
    )


def over_seeds(results):
    """Mean, lowest and highest of every measure over trainings that differ in their seed alone.

    Parameters
    ----------
    results : sequence of FinalScores
        One a seed, scored on the same images.

    Yields
    ------
    (prefix, items, n)
        As :meth:`FinalScores.parts`, with (lowest, highest) over the seeds in place of intervals.
    """
    for parts in zip(*(result.parts() for result in results), strict=True):
        prefix, _, n = parts[0]
        listed = [items.items() if isinstance(items, dict) else items for _, items, _ in parts]
        seeds = pd.DataFrame([{name: float(v) for name, v, *_ in items} for items in listed])
        spread = zip(seeds.mean(), seeds.min(), seeds.max(), strict=True)
        rows = zip(seeds.columns, spread, strict=True)
        yield prefix, [(name, mean, (low, high)) for name, (mean, low, high) in rows], n


def _score_unseen(logits, p_of_reals, point):
    """:class:`UnseenScores` by generator, and of all of them together."""
    p_fakes = {generator: point.p_fake(found) for generator, found in logits.items()}
    if p_fakes:
        p_fakes["all"] = np.concatenate(list(p_fakes.values()))
    scores = {}
    for name, p_of_fakes in p_fakes.items():
        caught, n = int(np.sum(p_of_fakes >= point.threshold)), len(p_of_fakes)
        y_true = np.repeat([FAKE, REAL], [n, len(p_of_reals)])
        p_fake = np.concatenate([p_of_fakes, p_of_reals])
        scores[name] = UnseenScores(
            auroc=float(roc_auc_score(y_true == FAKE, p_fake)),
            fake_recall=caught / n,
            n=n,
            intervals={
                "auroc": metrics.auroc_interval(y_true, p_fake),
                "fake_recall": metrics.wilson(caught, n),
            },
        )
    return scores


UNSEEN = {
    "auroc": "AUROC of FAKE against REAL test images, by generator; chance level is one half.",
    "fake_recall": "Recall of FAKE (%) by generator, at the threshold chosen on validation images.",
}
"""Measures of :func:`unseen_table`, with the caption of each."""


def unseen_table(results, measure):
    """The known generator and the unseen ones side by side, a row a model.

    Parameters
    ----------
    results : dict of str to FinalScores
    measure : str
        A key of :data:`UNSEEN`.

    Returns
    -------
    DataFrame
        Index ``model``; columns ``training generator`` (the data set's own fakes), then a column a
        generator and ``all`` of them together.
    """
    rows = []
    for name, result in results.items():
        own = result.p_fake[result.y_test == FAKE] >= result.point.threshold
        known = {"auroc": result.test.auroc, "fake_recall": float(np.mean(own))}
        row = {"model": name, "training generator": known[measure]}
        rows.append(row | {key: getattr(one, measure) for key, one in result.unseen.items()})
    return pd.DataFrame(rows).set_index("model")


def headline_table(results):
    """Scores of each model on the test set, a row a model.

    Parameters
    ----------
    results : dict of str to FinalScores

    Returns
    -------
    DataFrame
        Index ``model``; the measures of :class:`~realfake_lib.evaluation.metrics.Scores` at
        ``p_fake`` = 0.5; ``accuracy_dedup`` without duplicates of training images;
        ``accuracy_at_threshold``, ``false_positive_rate`` and, of all unseen generators together,
        ``unseen_recall`` at the threshold chosen on validation; ``unseen_auroc``.
    """
    rows = []
    cells = ("true_positives", "false_negatives", "false_positives", "true_negatives")
    for name, result in results.items():
        row = {measure: value for measure, value, _ in result.test.items()} | {"model": name}
        row["accuracy_low"], row["accuracy_high"] = result.test.intervals["accuracy"]
        row["accuracy_dedup"] = result.test_dedup.accuracy
        row["accuracy_at_threshold"] = result.accuracy_at_threshold
        row["false_positive_rate"] = result.false_positive_rate
        if result.unseen:
            row["unseen_recall"] = result.unseen["all"].fake_recall
            row["unseen_auroc"] = result.unseen["all"].auroc
        rows.append(row | dict(zip(cells, result.test.confusion.ravel(), strict=True)))
    columns = (
        *("accuracy", "accuracy_low", "accuracy_high", "accuracy_dedup", "auroc", "tpr_at_fpr_01"),
        *("ece", "unseen_recall", "unseen_auroc", "accuracy_at_threshold", "false_positive_rate"),
        *("precision", "recall", "f1", "tpr_at_fpr_05", *cells),
    )
    frame = pd.DataFrame(rows).set_index("model")
    return frame[[column for column in columns if column in frame]]


def metadata(result, per_object=None):
    """What a reader must know of a detector, for the JSON file beside its model file.

    Parameters
    ----------
    result : FinalScores
    per_object : DataFrame, optional
        The same test images by object class, from
        :func:`realfake_lib.evaluation.metrics.per_group`.

    Returns
    -------
    dict
        JSON-able: operating point; ``test`` and ``test_dedup`` (measures by name, ``n``, and
        ``intervals``); ``false_positive_rate`` of REAL test images at the threshold;
        ``per_object_class``, by name, where given; ``unseen``, by generator.
    """

    def plain(scores):
        items = list(scores.items())
        return {name: float(value) for name, value, _ in items} | {
            "n": int(scores.n),
            "intervals": {name: [float(low), float(high)] for name, _, (low, high) in items},
        }

    described = result.point.meta()
    if per_object is not None:
        described["per_object_class"] = {
            row.group: {
                "accuracy": float(row.accuracy),
                "n": int(row.n),
                "intervals": {"accuracy": [float(row.ci_low), float(row.ci_high)]},
            }
            for row in per_object.itertuples()
        }
    return described | {
        "test": plain(result.test),
        "test_dedup": plain(result.test_dedup),
        "false_positive_rate": result.false_positive_rate,
        "unseen": {name: plain(result.unseen[name]) for name in result.unseen_logits},
    }
