"""A detector trained on CIFAKE or on images of one's own, ready to judge."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from realfake_lib import console, detector_evaluation, extras, outputs, settings
from realfake_lib.detector import Detector
from realfake_lib.errors import UserError

if TYPE_CHECKING:
    from realfake_lib.data import ImageDataset


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
    detector_evaluation.check_data(data)
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
    dataset = detector_evaluation.load(data, image_size=image_size)
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
