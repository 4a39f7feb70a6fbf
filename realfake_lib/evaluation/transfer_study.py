"""Transfer learning: cut layer, input size, number of training images, and starting weights."""

import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from realfake_lib import models
from realfake_lib.evaluation.metrics import wilson
from realfake_lib.keras_setup import keras
from realfake_lib.models import cost, transfer
from realfake_lib.names import TRAININGS
from realfake_lib.training.copies import clone
from realfake_lib.training.features import extract_cuts, fit_frozen, fit_head
from realfake_lib.training.in_domain import transferred
from realfake_lib.training.loop import fit, prepared, set_seed
from realfake_lib.training.recipes import get_recipe


def find_backbones(backbones, allow_download=True):
    """Look for the ImageNet weights of each backbone.

    Parameters
    ----------
    backbones : sequence of str
        Keys of ``models.transfer.BACKBONES``.
    allow_download : bool
        Try Keras's server where no folder has the file.

    Returns
    -------
    found : dict of str to Path
        Weights file of each backbone that has one.
    table : DataFrame
        A row a backbone, found or not: ``backbone``, ``cut``, ``weights`` (the file, or why there
        is none) and ``found``.

    Raises
    ------
    UserError
        If a backbone is unknown.
    """
    found, rows = {}, []
    for backbone in backbones:
        try:
            found[backbone] = transfer.find_weights(backbone, allow_download=allow_download)
            weights = found[backbone].name
        except transfer.MissingWeights as error:
            # The error lists every folder of this machine, which means nothing to a reader.
            tried = "the download failed" if "download" in str(error) else "downloads are off"
            weights = f"missing: no {transfer.BACKBONES[backbone].file} here, and {tried}"
            if "REALFAKE_WEIGHTS: " in str(error):
                weights += "; REALFAKE_WEIGHTS names no folder or archive that can be read"
        cut = transfer.BACKBONES[backbone].cut_layer
        rows.append((backbone, cut, weights, backbone in found))
    return found, pd.DataFrame(rows, columns=["backbone", "cut", "weights", "found"])


def random_backbone(backbone, cut_layer=None, image_size=32, input_size=None, seed=0):
    """The cut backbone with random, frozen weights: the control of frozen ImageNet features.

    Arguments as for :func:`realfake_lib.models.transfer.build`; ``seed`` is that of the weights.
    """
    set_seed(seed)
    return transfer.build(backbone, cut_layer, image_size, input_size, weights=None)


def unfrozen_backbone(backbone, weights, cut_layer, stem_stride):
    """A builder ``network(image_size)`` of a backbone with all layers trainable, BatchNorm too.

    The arguments are those of :func:`realfake_lib.models.transfer.build`. A network without weights
    can still be found among the pretrained checkpoints.
    """
    return lambda image_size: prepared(
        transfer.build(backbone, cut_layer, image_size, None, weights, stem_stride),
        norm="trained",
    )


def with_fewer_val(splits, n_val, seed=0):
    """The same splits with at most ``n_val`` validation images, to compare many trainings on."""
    if n_val is None or n_val >= len(splits.val):
        return splits
    chosen = np.random.default_rng([seed, 8]).permutation(splits.val)[:n_val]
    return replace(splits, val=np.sort(chosen))


def by_cut_and_input(
    backbone, cuts, input_sizes, dataset, splits, weights=None, seed=0, cache=None
):
    """Accuracy of a logistic head on frozen features, by the cut and by the size of the input.

    All cuts of one input size come out of one pass through the backbone.

    Parameters
    ----------
    backbone : str
    cuts : sequence of str
        Cut layers, the lowest first; those that the weights do not reach are left out.
    input_sizes : sequence of int
        Sides in pixels to which the model enlarges the images.
    dataset, splits : ImageDataset, Splits
        ``train`` fits the heads; accuracy is that on ``val``.
    weights : path-like, optional
        ImageNet weights of the backbone; random ones by default, drawn by ``seed``.
    cache : path-like, optional
        Folder of the cached features.

    Returns
    -------
    DataFrame
        ``cut``, ``input`` (side in pixels), ``weights`` ("ImageNet" or "random"), ``channels``,
        ``map`` (side of the last feature map), ``mflop`` (forward, one image), ``val_accuracy``
        and ``n``.
    """
    rows = []
    of_train, of_val = dataset.labels[splits.train], dataset.labels[splits.val]
    kind = "random" if weights is None else "ImageNet"
    for side in input_sizes:
        model = _deepest(backbone, cuts, dataset.image_size, side, weights, seed)
        if model is None:
            continue
        reached = [cut for cut in cuts if cut in {layer.name for layer in model.layers}]
        train = extract_cuts(model, reached, dataset, splits.train, cache=cache)
        val = extract_cuts(model, reached, dataset, splits.val, cache=cache)
        for cut in reached:
            accuracy = fit_head(train[cut], of_train, val[cut], of_val).val_accuracy
            maps = model.get_layer(cut).output
            mflop = cost.flops(keras.Model(model.input, maps)) / 1e6
            row = cut, side, kind, maps.shape[-1], maps.shape[1], mflop, accuracy, len(splits.val)
            rows.append(row)
    columns = ["cut", "input", "weights", "channels", "map", "mflop", "val_accuracy", "n"]
    return pd.DataFrame(rows, columns=columns)


def _deepest(backbone, cuts, image_size, input_size, weights, seed):
    """The backbone up to the last of ``cuts`` that its weights reach, or None."""
    if weights is None:
        return random_backbone(backbone, cuts[-1], image_size, input_size, seed)
    for cut in reversed(cuts):
        try:
            return transfer.build(backbone, cut, image_size, input_size, weights)
        except transfer.MissingWeights:
            continue
    return None


@dataclass(frozen=True)
class Start:
    """What a training starts from; ``end`` is a key of :data:`~realfake_lib.names.TRAININGS`.

    Without a recipe only a logistic head is fitted. With a ``probe``, the same network frozen, the
    training starts from its logit, fitted on the same images: a random one would distort the
    pretrained features (Kumar et al., ICLR 2022, arXiv 2202.10054).
    """

    network: str
    end: str
    model: object
    recipe: object = None
    probe: object = None

    @property
    def name(self):
        return f"{self.network}_{self.end}"


def starts(backbone, weights, small_network, by_objects, epochs, image_size, seed=0):
    """Everything that :func:`by_size` compares, a list of Start.

    Parameters
    ----------
    backbone : str
    weights : path-like or None
        Its ImageNet weights; without them, what needs them is left out.
    small_network : str
        A network of :func:`realfake_lib.models.available`.
    by_objects : FitResult or None
        ``small_network`` pre-trained by :func:`realfake_lib.training.in_domain.pretrain`.
    epochs : dict of str to int
        Of ``"finetune"`` and ``"scratch"``.
    image_size, seed : int
    """
    recipe = get_recipe("comparison").replace(epochs=epochs["scratch"])
    random = random_backbone(backbone, image_size=image_size, seed=seed)
    fresh = prepared(random, norm="trained")
    found = [
        Start(backbone, "random_frozen", random),
        Start(backbone, "scratch", fresh, recipe),
    ]
    if weights is not None:
        frozen = transfer.build(backbone, image_size=image_size, weights=weights)
        gentle = get_recipe("fine_tune").replace(epochs=epochs["finetune"])
        found.append(Start(backbone, "frozen", frozen))
        found.append(Start(backbone, "finetuned", prepared(frozen), gentle, frozen))
    set_seed(seed)
    found.append(Start(small_network, "scratch", models.build(small_network, image_size), recipe))
    if by_objects is not None:
        frozen = transferred(by_objects, frozen=True, seed=seed)
        model = transferred(by_objects, seed=seed)
        found.append(Start(small_network, "objects_frozen", frozen))
        found.append(Start(small_network, "from_objects", model, recipe, frozen))
    return found


def by_size(
    starts, sizes, dataset, splits, least_steps=600, seed=0, checkpoint_dir=None, cache=None
):
    """Validation accuracy by number of training images.

    Parameters
    ----------
    starts : list of Start
        A model without a recipe gets the head of the largest size; others are left as they are.
    sizes : sequence of int
        Numbers of training images; each subset contains the smaller ones.
    dataset, splits : ImageDataset, Splits
    least_steps : int
        Least number of steps of a training: small sets are repeated, in smaller batches.
    seed : int
        Of the choice of images and of the trainings.
    checkpoint_dir, cache : path-like, optional
        Folders of checkpoints and of cached features.

    Returns
    -------
    table : DataFrame
        ``network``, ``training``, ``n_train``, ``val_accuracy``, ``ci_low``, ``ci_high`` (95 %,
        Wilson), ``n``.
    largest : dict of str to FitResult
        The fits on the largest size, by name.
    """
    rows, largest = [], {}
    for start in starts:
        if start.probe is not None:
            start = replace(start, model=clone(start.model), probe=clone(start.probe))
        for size, subset in _nested(dataset, splits, sizes, seed):
            few = replace(splits, train=subset)
            if start.recipe is None:
                result = fit_frozen(start.model, dataset, few, cache)
            else:
                result = _train(start, dataset, few, least_steps, seed, checkpoint_dir, cache)
            accuracy, n = float(result.history["val_accuracy"].iloc[-1]), len(splits.val)
            ci = wilson(round(accuracy * n), n)
            rows.append((start.network, TRAININGS[start.end], size, accuracy, *ci, n))
            largest[start.name] = result
    columns = ["network", "training", "n_train", "val_accuracy", "ci_low", "ci_high", "n"]
    return pd.DataFrame(rows, columns=columns), largest


def _train(start, dataset, splits, least_steps, seed, checkpoint_dir, cache):
    """One training of :func:`by_size`, on all of ``splits.train``."""
    recipe, size = start.recipe, len(splits.train)
    batch_size = min(recipe.batch_size, max(8, size // 32))
    steps = recipe.epochs * max(1, size // batch_size)
    # Repeated images instead of more epochs: each epoch is validated, which on few images would
    # cost more than all training.
    repeats = max(1, -(-least_steps // steps))
    if start.probe is not None:
        fit_frozen(start.probe, dataset, splits, cache)
        logit = start.probe.get_layer("logit").get_weights()
        start.model.get_layer("logit").set_weights(logit)
    return fit(
        start.model,
        dataset,
        replace(splits, train=np.tile(splits.train, repeats)),
        recipe.replace(batch_size=batch_size),
        seed=seed,
        checkpoint_dir=checkpoint_dir,
        label=f"{start.name}_{size}",
    )


def size_metrics(table):
    """The rows of :func:`by_size` for ``run.metrics``: (name, value, interval).

    A name is for example ``"mobilenet.fine_tuned.n_100.val_accuracy"``.
    """
    for row in table.itertuples():
        training = re.sub(r"\W+", "_", row.training)
        name = f"{row.network}.{training}.n_{row.n_train}.val_accuracy"
        yield name, row.val_accuracy, (row.ci_low, row.ci_high)


def ahead_up_to(table, first, second):
    """Up to how many training images one training is better than another, intervals apart.

    Parameters
    ----------
    table : DataFrame
        From :func:`by_size`.
    first, second : (str, str)
        Network and training.

    Returns
    -------
    int, or float NaN
        The largest number of images up to which ``first`` is ahead at every size; 0 if it is not
        at the smallest. NaN if the table lacks one of them.
    """
    lines = dict(list(table.set_index("n_train").groupby(["network", "training"])))
    if first not in lines or second not in lines:
        return np.nan
    apart = (lines[first]["ci_low"] > lines[second]["ci_high"]).sort_index()
    return max(apart.index[apart.cumprod() > 0], default=0)


def landmarks(by_cut):
    """The rows of :func:`by_cut_and_input` that the text quotes, for ``run.metrics``.

    ``best.*``; ``native.*``, the best at the smallest input; ``deepest.*``, the best of the last
    cut; all of these with ImageNet weights. ``random.*``, the best with random ones.
    """
    pretrained = by_cut[by_cut["weights"] == "ImageNet"]
    parts = {
        "best": pretrained,
        "native": pretrained[pretrained["input"] == pretrained["input"].min()],
        "deepest": pretrained[pretrained["cut"] == by_cut["cut"].iloc[-1]],
        "random": by_cut[by_cut["weights"] == "random"],
    }
    for name, part in parts.items():
        if not part.empty:
            row = part.loc[part["val_accuracy"].idxmax()]
            yield f"{name}.cut", row["cut"]
            yield f"{name}.input", int(row["input"])
            yield f"{name}.mflop", row["mflop"]
            accuracy, n = row["val_accuracy"], row["n"]
            yield f"{name}.val_accuracy", accuracy, wilson(round(accuracy * n), n)


def strategies(results, backbones, all_images=None):
    """Test accuracy by network and training, for ``plots.transfer_bars``.

    Parameters
    ----------
    results : dict of str to FinalScores
        Named ``<network>_<end>``, with an end of :data:`~realfake_lib.names.TRAININGS`.
    backbones : sequence of str
    all_images : str, optional
        The model that was trained on all images.

    Returns
    -------
    DataFrame
        ``backbone``, ``strategy``, ``accuracy``, ``ci_low``, ``ci_high``.
    """
    rows = []
    for backbone in backbones:
        own = {name: name.removeprefix(f"{backbone}_") for name in results}
        own = {name: TRAININGS[end] for name, end in own.items() if end in TRAININGS}
        for name, strategy in own.items():
            low, high = results[name].test.intervals["accuracy"]
            strategy = strategy.removesuffix(" on few images")  # unless it is on all
            strategy += " on all images" if name == all_images else ""
            rows.append((backbone, strategy, results[name].test.accuracy, low, high))
    return pd.DataFrame(rows, columns=["backbone", "strategy", "accuracy", "ci_low", "ci_high"])


def _nested(dataset, splits, sizes, seed):
    """Yield ``(size, rows)``: balanced subsets of the training split, the smaller in the larger.

    Sizes rise; one above the split's own stands for all of it.
    """
    order = np.random.default_rng([seed, 7]).permutation(splits.train)
    rank_in_class = pd.Series(order).groupby(dataset.labels[order]).cumcount()
    order = order[np.argsort(rank_in_class, kind="stable")]
    for size in sorted({min(size, len(order)) for size in sizes}):
        yield size, np.sort(order[:size])
