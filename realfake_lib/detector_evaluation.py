"""How well a detector does on labelled images: CIFAKE, or images of one's own."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from realfake_lib import extras, progress, settings
from realfake_lib.detector import Detector, check_threshold, find_model, load_detector
from realfake_lib.errors import UserError

if TYPE_CHECKING:
    from realfake_lib.data import ImageDataset

_log = logging.getLogger(__name__)


class Measure(NamedTuple):
    """A measured value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Evaluation:
    """What a detector reaches on labelled images.

    Attributes
    ----------
    detector : Detector
    data : str
        Name of the data set.
    part : str
        ``"test"`` or ``"all"``.
    n : int
        Number of images scored.
    threshold : float
        FAKE from this ``p_fake`` on.
    measures : dict of str to Measure
        Accuracy, precision, recall, F1 (all for FAKE), AUROC and more. Of images of one class
        alone ``recall`` (all FAKE) or ``false_positive_rate`` (all REAL).
    only : str or None
        The class of all images, where they are of one class alone.
    """

    detector: Detector
    data: str
    part: str
    n: int
    threshold: float
    measures: dict[str, Measure]
    only: str | None = None


@extras.needed_for("evaluate")
def evaluate(
    detector: Detector | str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | ImageDataset = "auto",
    *,
    part: str | None = None,
    threshold: float | None = None,
    seed: int = 0,
) -> Evaluation:
    """Score a detector on labelled images.

    Parameters
    ----------
    detector : Detector, str or path-like, optional
        By default, and for a name or a file, what :func:`realfake_lib.load_detector` gives.
    data : str, path-like or ImageDataset
        ``"auto"``, ``"cifake"``, ``"demo"``, or a folder or archive of images.
    part : str, optional
        ``"test"`` (20 % are set aside where a folder has none) or ``"all"``; by default test, but
        all of a folder with one class alone.
    threshold : float in [0, 1], optional
        Instead of the detector's.
    seed : int
        Of the resampling that gives intervals.

    Returns
    -------
    Evaluation

    Raises
    ------
    UserError
        If the detector, the data or the settings cannot be used.
    """
    if part not in (None, "test", "all"):
        raise UserError(f"--part {part}: use test or all")
    check_threshold(threshold)
    if not isinstance(detector, Detector):
        detector = find_model(detector)
    check_data(data)
    if not isinstance(detector, Detector):
        detector = load_detector(detector)
    import numpy as np

    from realfake_lib import data as library

    dataset = load(data, image_size=detector.image_size, one_class=True)
    chosen = part
    if part is None:
        part = "test" if len(set(dataset.labels)) > 1 else "all"
    trained_on = detector.meta.get("fingerprint") == dataset.fingerprint
    if part == "all" and trained_on and not dataset.is_demo:
        _log.warning("The detector was trained on most of these images: the figures are too good.")
    elif chosen is None and part == "test" and not trained_on:
        _log.warning(
            "Only the test part is scored. --part all scores all images, which is right if the "
            "detector was trained on none of them."
        )
    rows = np.arange(dataset.n) if part == "all" else library.make_splits(dataset).test
    if not len(rows):
        raise UserError(f"{dataset.name} has too few images for a test part.", "Use --part all.")
    threshold = detector.threshold if threshold is None else threshold
    p_fake = _p_fake(detector, dataset.images, rows)
    labels = dataset.labels[rows]
    classes = set(labels.tolist())
    only = settings.CLASS_NAMES[classes.pop()] if len(classes) == 1 else None
    measures = _measures(labels, p_fake, threshold, seed, only)
    return Evaluation(detector, dataset.name, part, len(rows), threshold, measures, only)


def check_data(data):
    """Raise UserError where a data set's name leads nowhere; nothing is read or downloaded yet."""
    if not isinstance(data, str | os.PathLike):
        return
    from realfake_lib.data import sources

    if str(data) not in ("auto", "cifake") or settings.env(sources.VARIABLE):
        sources.locate(data, settings.cache_dir(), allow_download=False)


def load(data, **options):
    """Load a data set, unless it is one already, and log what must be known of it."""
    if not isinstance(data, str | os.PathLike):
        return data
    from realfake_lib import data as library

    dataset = library.load(data, **options)
    for notice in dataset.notices:
        _log.warning(notice)
    return dataset


def _p_fake(detector, images, rows, step=1024):
    """Probabilities of many images, a part at a time, so that progress can be shown."""
    import numpy as np

    parts = []
    for start in range(0, len(rows), step):
        parts.append(detector.p_fake(images, rows[start : start + step]))
        progress.report("Scoring", min(start + step, len(rows)), len(rows), "images")
    return np.concatenate(parts)


def _measures(labels, p_fake, threshold, seed, only):
    from realfake_lib.evaluation import metrics

    if only is None:
        scores = metrics.evaluate(labels, p_fake, threshold, seed=seed)
        return {name: Measure(value, *interval) for name, value, interval in scores.items()}
    name = "recall" if only == "FAKE" else "false_positive_rate"
    value, interval = metrics.predicted_fake(p_fake, threshold)
    return {name: Measure(value, *interval)}
