"""Train a detector, evaluate it on labelled images, export it: the work of these commands."""

from __future__ import annotations

import contextlib
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from realfake_lib import console, extras, model_metadata, outputs, progress, settings
from realfake_lib.detector import (
    CANT_TELL,
    VERDICTS,
    Detector,
    check_threshold,
    find_model,
    load_detector,
)
from realfake_lib.errors import UserError

if TYPE_CHECKING:
    from realfake_lib.data import ImageDataset

_log = logging.getLogger(__name__)


@extras.needed_for("train")
def train(
    data: str | os.PathLike[str] | ImageDataset = "auto",
    output: str | os.PathLike[str] | None = None,
    *,
    model: str = "compact_cnn",
    recipe: str | None = None,
    image_size: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    n_train: int | None = None,
    seed: int = 0,
) -> Detector:
    """Train a detector on labelled images.

    Temperature, threshold and uncertain band are chosen on validation images. An interrupted
    training carries on when it is called again.

    Parameters
    ----------
    data : str, path-like or ImageDataset
        ``"auto"``, ``"cifake"``, ``"demo"``, or a folder or archive of images.
    output : path-like, optional
        File for the model, ending in ``.keras``; its metadata go to the JSON file beside it.
    model : str
        Name of the network.
    recipe : str, optional
        Name of the recipe; by default one that suits the network.
    image_size : int, optional
        Side in pixels, 16 to 1024, that images are resized to.
    epochs, batch_size : int, optional
        Instead of the recipe's.
    n_train : int, optional
        Train on so many images only.
    seed : int

    Returns
    -------
    Detector
        Its ``meta`` holds ``trained_on`` and ``validation``: ``accuracy``, ``n`` and
        ``largest_class``, the share of the images that the larger class has.

    Raises
    ------
    UserError
        If the data, the settings or the place of the output cannot be used.
    """
    if output is not None:
        output = Path(output)
        outputs.check_new(output, ".keras", [output.with_suffix(".json")])
    from realfake_lib.data.dataset import check_image_size

    check_image_size(image_size)
    _check_data(data)
    console.import_tensorflow()
    from realfake_lib import data as library
    from realfake_lib import models, training
    from realfake_lib.evaluation.verdict import choose_operating_point

    known = models.available()
    if model not in known:
        raise UserError(f"--model {model}: no such network", f"Known: {', '.join(known)}")
    # baseline_cnn flattens its features, so it cannot train on windows of the images.
    recipe = recipe or ("baseline" if model == "baseline_cnn" else "short")
    chosen = training.get_recipe(recipe)
    dataset = _load(data, image_size=image_size)
    splits = library.make_splits(dataset, seed=seed, n_train=n_train)
    library.check_enough(
        dataset,
        splits,
        {"train": 1, "val": 1},
        "at least 10 different ones are needed, not counting those of a test folder",
    )
    asked = {"epochs": epochs, "batch_size": batch_size}
    asked = {name: value for name, value in asked.items() if value is not None}
    chosen = chosen.replace(least_steps=training.LEAST_STEPS).for_images(len(splits.train))
    chosen = chosen.replace(**asked)
    checkpoints = settings.cache_dir() / "training"
    fit = training.fit(model, dataset, splits, chosen, seed=seed, checkpoint_dir=checkpoints)
    labels = dataset.labels[splits.val]
    logits = training.predict_logits(fit.model, dataset.images, splits.val)
    meta = choose_operating_point(labels, logits).meta() | {
        "trained_on": {
            "data": dataset.name,
            "fingerprint": dataset.fingerprint,
            "n": len(splits.train),
            "recipe": recipe,
            "epochs": chosen.epochs,
            "seed": seed,
        },
        "validation": {
            "accuracy": float(fit.history["val_accuracy"].iloc[-1]),
            "n": len(labels),
            "largest_class": float(max((labels == label).mean() for label in (0, 1))),
        },
    }
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        models.save(fit.model, output, meta)
    return Detector.of(fit.model, output, dataset.image_size, meta)


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
    sources : list of dict
        One a source, the folder below REAL or FAKE, where there are such: ``class``, ``source``,
        ``n``, ``verdicts``, ``predicted_fake`` (share from ``threshold`` on) and ``auroc`` (against
        all images of the other class) with intervals. With two sources and more in each class the
        intervals of ``measures`` are those of a bootstrap of whole sources.
    verdicts : dict of str to dict
        By class, of how many of its images :func:`realfake_lib.predict` says ``"FAKE"``,
        ``"REAL"`` and ``"can't tell"``.
    """

    detector: Detector
    data: str
    part: str
    n: int
    threshold: float
    measures: dict[str, Measure]
    only: str | None = None
    sources: list[dict] = field(default_factory=list)
    verdicts: dict[str, dict[str, int]] = field(default_factory=dict)


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
    _check_data(data)
    if not isinstance(detector, Detector):
        detector = load_detector(detector)
    detector = detector.with_threshold(threshold)
    from realfake_lib.evaluation import by_source, metrics

    score = _score_views if detector.several_views else _score_dataset
    name, part, labels, p_fake, keys, said = score(detector, data, part)
    threshold = detector.threshold
    sources = by_source.sources_of(keys)
    classes = set(labels.tolist())
    only = settings.CLASS_NAMES[classes.pop()] if len(classes) == 1 else None
    if only is None:
        groups = sources if by_source.enough(labels, sources) else None
        found = metrics.evaluate(labels, p_fake, threshold, seed=seed, groups=groups).items()
    else:
        measure = "recall" if only == "FAKE" else "false_positive_rate"
        found = [(measure, *metrics.predicted_fake(p_fake, threshold))]
    measures = {name: Measure(value, *interval) for name, value, interval in found}
    table = by_source.by_source(labels, p_fake, sources, threshold) if any(sources) else None
    of_each = [] if table is None else table.to_dict("records")
    verdicts = {one: {what: 0 for what in VERDICTS} for one in settings.CLASS_NAMES}
    by_folder = {(one["class"], one["source"]): one for one in of_each}
    for label, source, what in zip(labels, sources, said, strict=True):
        verdicts[settings.CLASS_NAMES[label]][what] += 1
        if one := by_folder.get((settings.CLASS_NAMES[label], source)):
            one.setdefault("verdicts", {what: 0 for what in VERDICTS})[what] += 1
    return Evaluation(
        detector, name, part, len(labels), threshold, measures, only, of_each, verdicts
    )


def _score_dataset(detector, data, part):
    """Name of the data, part scored, labels, p_fake, keys and verdicts of its images."""
    import numpy as np

    from realfake_lib import data as library

    dataset = _unreduced(detector, data)
    fits = dataset is not None
    if not fits:
        dataset = _load(data, image_size=detector.image_size, one_class=True)
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
    parts = [rows[start : start + 1024] for start in range(0, len(rows), 1024)]
    scored = progress.track(parts, "Scoring", unit="batches")
    p_fake = np.concatenate([detector.p_fake(dataset.images, part) for part in scored])
    said = [detector.verdict(one) if fits else CANT_TELL for one in p_fake]
    return dataset.name, part, dataset.labels[rows], p_fake, dataset.index["key"].iloc[rows], said


def _unreduced(detector, data):
    """The data set, unless its images have to be reduced to sizes that a detector does not fit."""
    if detector.sides[0] != detector.sides[1]:
        return _load(data, image_size=detector.image_size, one_class=True)
    with contextlib.suppress(UserError):  # of several sizes
        dataset = _load(data, one_class=True)
        if detector.fits(dataset.image_size, dataset.image_size):
            return dataset
    _log.warning(
        f"{detector.name} was measured on images of {detector.sizes} pixels only. These are "
        "resized, and predict can't tell of any of them."
    )
    return None


def _score_views(detector, data, part):
    """The same for a detector that judges images at their own resolution, as ``predict`` does."""
    import numpy as np

    from realfake_lib import prediction
    from realfake_lib.data import archives, layout, panel_fetch

    if not isinstance(data, str | os.PathLike) or str(data) in ("auto", "cifake", "demo"):
        raise UserError(f"{detector.name} needs images of ordinary size: --data DIR.")
    if part == "test":
        raise UserError(f"{detector.name} was not trained here: all images are scored.")
    folder = archives.as_folder(data, subfolders=True)
    files, left_out = prediction.find_images([folder])
    places = [layout.place(file.relative_to(folder).as_posix()) for file in files]
    chosen = [at for at, one in enumerate(places) if one is not None and one.label is not None]
    if not chosen:
        raise UserError(f"{data} has no images of a class.", layout.EXPECTED)
    found = prediction.predict([files[at] for at in chosen], detector)
    good = [at for at, one in enumerate(found) if not one.error]
    missed = len(files) - len(good) + left_out.total()
    if missed:
        _log.warning(f"{missed:,} files are not scored: no class, or not to be read.")
        for one in [each for each in found if each.error][:5]:
            _log.warning(f"not scored: {one.path}: {one.error}")
    if not good:
        raise UserError(f"No image of {data} can be read.")
    seen = panel_fetch.originals() if "sources" in detector.meta else set()
    known = sum(model_metadata.sha256(files[chosen[at]]) in seen for at in good)
    if known:
        _log.warning(
            f"{detector.name} was trained on crops of {known:,} of these files: "
            "the figures are too good."
        )
    labels = np.array([places[chosen[at]].label for at in good])
    p_fake = np.array([found[at].p_fake for at in good])
    keys = [places[chosen[at]].key() for at in good]
    return (
        Path(data).resolve().name,
        "all",
        labels,
        p_fake,
        keys,
        [found[at].verdict for at in good],
    )


def _check_data(data):
    """Raise UserError where a data set's name leads nowhere; nothing is read or downloaded yet."""
    from realfake_lib.data import sources

    if isinstance(data, str | os.PathLike):
        if str(data) not in ("auto", "cifake") or settings.env(sources.VARIABLE):
            sources.locate(data, allow_download=False)


def _load(data, **options):
    """Load a data set, unless it is one already, and log what must be known of it."""
    from realfake_lib import data as library

    if not isinstance(data, str | os.PathLike):
        return data
    dataset = library.load(data, **options)
    for notice in dataset.notices:
        _log.warning(notice)
    return dataset


@extras.needed_for("export")
def export(output: str | os.PathLike[str], model: str | os.PathLike[str] | None = None) -> dict:
    """Write a detector as ONNX; the file is kept only if its logits equal Keras's.

    What must be known of ``output``, threshold and temperature among it, lies beside it as JSON,
    and is the result; see :func:`realfake_lib.models.export.to_onnx`. ``model`` is a ``.keras``
    file or a trained detector's name. What cannot be exported, or not to that place, is a
    UserError.
    """
    path, output = find_model(model, keras=True), Path(output)
    if path.suffix == ".onnx":
        raise UserError(f"--model {path} is an ONNX file already.", "Name a .keras file.")
    # Beside the model itself, one description serves both forms.
    beside = {output.with_suffix(".json").absolute()} - {path.with_suffix(".json").absolute()}
    outputs.check_new(output, ".onnx", beside)
    console.import_tensorflow()
    from realfake_lib import models
    from realfake_lib.models.export import to_onnx

    network, meta = models.load(path)
    return to_onnx(network, output, meta)
