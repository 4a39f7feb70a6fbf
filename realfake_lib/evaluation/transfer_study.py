"""Transfer learning studied: weights that can be had, depth of the cut, number of images."""

from dataclasses import replace

import keras
import numpy as np
import pandas as pd

from realfake_lib.evaluation.metrics import wilson
from realfake_lib.models import cost, transfer
from realfake_lib.training.features import extract, fit_head
from realfake_lib.training.loop import fit, set_seed
from realfake_lib.training.recipes import get_recipe


def find_backbones(backbones, cut_layers=None, allow_download=True):
    """Look for the ImageNet weights of each backbone.

    Parameters
    ----------
    backbones : sequence of str
        Keys of ``models.transfer.BACKBONES``.
    cut_layers : dict of str to str, optional
        Backbone to the layer that its weights have to reach; by default the backbone's own.
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
        If a backbone or layer is unknown.
    """
    found, rows = {}, []
    for backbone in backbones:
        cut = (cut_layers or {}).get(backbone) or transfer.BACKBONES[backbone].cut_layer
        try:
            file = transfer.find_weights(backbone, cut, allow_download)
        except transfer.MissingWeights as error:
            # The error lists every folder of this machine, which means nothing to a reader.
            tried = "the download failed" if "download" in str(error) else "downloads are off"
            weights = f"missing: no {transfer.BACKBONES[backbone].file} here, and {tried}"
        else:
            found[backbone] = file.path
            weights = file.path.name
        rows.append(
            {"backbone": backbone, "cut": cut, "weights": weights, "found": backbone in found}
        )
    return found, pd.DataFrame(rows)


def random_backbone(backbone, cut_layer=None, image_size=32, input_size=None, seed=0):
    """The control: the cut backbone with random weights that stay as they are.

    Parameters
    ----------
    backbone, cut_layer, image_size, input_size
        As for :func:`realfake_lib.models.transfer.build`.
    seed : int
        Of the weights.

    Returns
    -------
    keras.Model
    """
    set_seed(seed)
    return transfer.build(backbone, cut_layer, image_size, input_size, weights=None)


def scratch_backbone(backbone, cut_layer=None, image_size=32, input_size=None, seed=0):
    """The other control: random weights, all of which are to be trained.

    Parameters and result as for :func:`random_backbone`.
    """
    model = random_backbone(backbone, cut_layer, image_size, input_size, seed)
    for layer in model.layers:
        layer.trainable = True
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9  # at .99 the averages lag behind a training as short as these
    return model


def by_depth(backbone, cuts, dataset, splits, weights, input_size=None, seed=0, cache=None):
    """Accuracy of a logistic head on frozen features, by where the backbone is cut.

    Parameters
    ----------
    backbone : str
    cuts : sequence of str
        Layers, the lowest first; those that the weights do not reach are left out.
    dataset : ImageDataset
    splits : Splits
        ``train`` fits the heads; accuracy is that on ``val``.
    weights : path-like
        ImageNet weights of the backbone.
    input_size : int, optional
    seed : int
        Of the random weights.
    cache : path-like, optional
        Folder that keeps features.

    Returns
    -------
    DataFrame
        ``cut``, ``weights`` ("ImageNet" or "random"), ``channels``, ``map`` (side of the last
        feature map), ``mflop`` (forward, one image), ``val_accuracy`` and ``n``.
    """
    rows = []
    for cut in cuts:
        size = dataset.image_size
        try:
            pretrained = transfer.build(backbone, cut, size, input_size, weights)
        except transfer.MissingWeights:
            continue
        control = random_backbone(backbone, cut, size, input_size, seed)
        for name, model in (("ImageNet", pretrained), ("random", control)):
            train = extract(model, dataset, splits.train, cache=cache)
            val = extract(model, dataset, splits.val, cache=cache)
            head = fit_head(train, dataset.labels[splits.train], val, dataset.labels[splits.val])
            maps = model.get_layer("gap").input.shape
            rows.append(
                {
                    "cut": cut,
                    "weights": name,
                    "channels": maps[-1],
                    "map": maps[1],
                    "mflop": cost.flops(model) / 1e6,
                    "val_accuracy": head.val_accuracy,
                    "n": len(splits.val),
                }
            )
    return pd.DataFrame(rows)


def frozen_by_size(model, sizes, dataset, splits, seed=0, cache=None):
    """Validation accuracy of a head on frozen features, by the number of training images.

    Parameters
    ----------
    model : keras.Model
        From :func:`realfake_lib.models.transfer.build`.
    sizes : sequence of int
        Numbers of training images; each subset holds the smaller ones.
    dataset : ImageDataset
    splits : Splits
    seed : int
        Of the choice of images.
    cache : path-like, optional

    Returns
    -------
    DataFrame
        ``n_train``, ``val_accuracy``, ``n``.
    """
    train = extract(model, dataset, splits.train, cache=cache)
    val = extract(model, dataset, splits.val, cache=cache)
    rows = []
    for size, subset in _nested(dataset, splits, sizes, seed):
        chosen = np.isin(splits.train, subset)
        head = fit_head(train[chosen], dataset.labels[subset], val, dataset.labels[splits.val])
        rows.append({"n_train": size, "val_accuracy": head.val_accuracy, "n": len(splits.val)})
    return pd.DataFrame(rows)


def trained_by_size(
    model, sizes, dataset, splits, recipe, max_epochs=10, seed=0, checkpoint_dir=None, label=None
):
    """Validation accuracy of a training of all weights, by the number of training images.

    A smaller set is passed over more often, so that every training sees about as many images, up
    to ``max_epochs``.

    Parameters
    ----------
    model : keras.Model
        Starting point, left as it is.
    sizes : sequence of int
    dataset : ImageDataset
    splits : Splits
    recipe : str or Recipe
        Its epochs are those of the largest size.
    max_epochs : int
    seed : int
        Of the choice of images and of the training.
    checkpoint_dir : path-like, optional
    label : str, optional

    Returns
    -------
    frame : DataFrame
        ``n_train``, ``epochs``, ``val_accuracy``, ``n``.
    largest : FitResult
        The training on the largest size.
    """
    recipe = get_recipe(recipe)
    label = label or model.name
    rows, result = [], None
    for size, subset in _nested(dataset, splits, sorted(sizes), seed):
        epochs = min(max_epochs, round(recipe.epochs * max(sizes) / size))
        epochs = max(recipe.epochs, epochs)
        result = fit(
            model,
            dataset,
            replace(splits, train=subset),
            recipe.replace(epochs=epochs),
            seed=seed,
            checkpoint_dir=checkpoint_dir,
            label=f"{label}_{size}",
        )
        rows.append(
            {
                "n_train": size,
                "epochs": epochs,
                "val_accuracy": float(result.history["val_accuracy"].iloc[-1]),
                "n": len(splits.val),
            }
        )
    return pd.DataFrame(rows), result


def with_intervals(curves):
    """Several curves of validation accuracy as one table, with 95 % Wilson intervals.

    Parameters
    ----------
    curves : dict of str to DataFrame
        Name of the training to ``n_train``, ``val_accuracy``, ``n``.

    Returns
    -------
    DataFrame
        ``training``, ``n_train``, ``val_accuracy``, ``ci_low``, ``ci_high``, ``n``.
    """
    table = pd.concat([frame.assign(training=name) for name, frame in curves.items()])
    intervals = [
        wilson(round(a * n), n) for a, n in zip(table["val_accuracy"], table["n"], strict=True)
    ]
    table["ci_low"], table["ci_high"] = np.transpose(intervals)
    columns = ["training", "n_train", "val_accuracy", "ci_low", "ci_high", "n"]
    return table[columns].reset_index(drop=True)


def strategies(results, backbones, missing=()):
    """Test accuracy by backbone and strategy, for ``plots.transfer_bars``.

    Parameters
    ----------
    results : dict of str to FinalScores
        Named ``<backbone>_<strategy>``.
    backbones : sequence of str
    missing : sequence of str
        Backbones without weights; each gets a row of NaN.

    Returns
    -------
    DataFrame
        ``backbone``, ``strategy`` ("frozen", "finetuned", ...), ``accuracy``, ``ci_low``,
        ``ci_high``.
    """
    rows = []
    for backbone in backbones:
        own = [name for name in results if name.startswith(f"{backbone}_")]
        for name in own:
            low, high = results[name].test.intervals["accuracy"]
            strategy = name.removeprefix(f"{backbone}_").replace("_", " ")
            accuracy = results[name].test.accuracy
            rows.append((backbone, strategy, accuracy, low, high))
        if backbone in missing and not own:
            rows.append((backbone, "frozen", np.nan, np.nan, np.nan))
    return pd.DataFrame(rows, columns=["backbone", "strategy", "accuracy", "ci_low", "ci_high"])


def _nested(dataset, splits, sizes, seed):
    """Yield ``(size, rows)``: balanced subsets of the training split, the smaller in the larger."""
    order = np.random.default_rng([seed, 7]).permutation(splits.train)
    labels = dataset.labels[order]
    rank = np.empty(len(order), np.int64)  # of an image within its class
    for label in np.unique(labels):
        rank[labels == label] = np.arange(np.count_nonzero(labels == label))
    order = order[np.argsort(rank, kind="stable")]
    for size in sizes:
        subset = np.sort(order[:size])
        yield len(subset), subset
