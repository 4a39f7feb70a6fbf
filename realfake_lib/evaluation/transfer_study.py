"""Transfer learning studied: where to cut, at what size, and from how many images on it pays."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from realfake_lib import models
from realfake_lib.evaluation.metrics import wilson
from realfake_lib.keras_setup import keras
from realfake_lib.models import cost, transfer
from realfake_lib.training import pretrained
from realfake_lib.training.features import extract, extract_cuts, fit_frozen, fit_head
from realfake_lib.training.loop import fit, fresh_model, prepared, set_seed
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
            if "REALFAKE_WEIGHTS: " in str(error):
                weights += "; REALFAKE_WEIGHTS names no folder or archive that can be read"
        else:
            found[backbone] = file.path
            weights = file.path.name
        rows.append(
            {"backbone": backbone, "cut": cut, "weights": weights, "found": backbone in found}
        )
    return found, pd.DataFrame(rows)


def random_backbone(
    backbone, cut_layer=None, image_size=32, input_size=None, seed=0, stem_stride=None
):
    """The control: the cut backbone with random weights that stay as they are.

    Parameters
    ----------
    backbone, cut_layer, image_size, input_size, stem_stride
        As for :func:`realfake_lib.models.transfer.build`.
    seed : int
        Of the weights.

    Returns
    -------
    keras.Model
    """
    set_seed(seed)
    return transfer.build(backbone, cut_layer, image_size, input_size, None, stem_stride)


def scratch_backbone(
    backbone, cut_layer=None, image_size=32, input_size=None, seed=0, stem_stride=None
):
    """The other control: random weights, all of which are to be trained.

    Parameters and result as for :func:`random_backbone`.
    """
    model = random_backbone(backbone, cut_layer, image_size, input_size, seed, stem_stride)
    for layer in model.layers:
        layer.trainable = True
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9  # at .99 the averages lag behind a training as short as these
    return model


def fresh(network, image_size, seed=0):
    """A network of :func:`realfake_lib.models.available` with fresh, seeded weights."""
    set_seed(seed)
    return models.build(network, image_size)


def thawed_backbone(backbone, weights=None, cut_layer=None, input_size=None, stem_stride=None):
    """A backbone with all its layers to be trained, BatchNorm too: ``network(image_size)``.

    Parameters
    ----------
    backbone, cut_layer, input_size, stem_stride
        As for :func:`realfake_lib.models.transfer.build`.
    weights : path-like, optional
        ImageNet weights to start from. Without them it serves to find a training that was kept,
        whose weights then take the place of the random ones.

    Returns
    -------
    callable
    """

    def network(image_size):
        model = transfer.build(backbone, cut_layer, image_size, input_size, weights, stem_stride)
        return prepared(model, norm="trained")

    return network


def find_or_fit(
    network, dataset, splits, recipe, label, seed=0, folder=None, checkpoint_dir=None, train=True
):
    """A long training as it was kept, or else done here.

    Parameters
    ----------
    network, dataset, splits, recipe, seed, checkpoint_dir
        As for :func:`realfake_lib.training.fit`; the network by name or as a builder.
    label : str
        Names the kept file and the checkpoint.
    folder : path-like, optional
        Of kept trainings, see :mod:`realfake_lib.training.pretrained`.
    train : bool
        Whether to train where none was kept.

    Returns
    -------
    FitResult or None
        Its ``origin`` is empty where it was trained here. None: not found, and not to be trained.
    """
    folder = None if folder is None else Path(folder)
    arguments = (network, dataset, splits, recipe, seed)
    if train:
        return pretrained.fit(*arguments, label, folder, checkpoint_dir=checkpoint_dir)
    return None if folder is None else pretrained.find(*arguments, folder, label)


def judged_on(splits, n_val, seed=0):
    """The same splits with fewer validation images, to judge many trainings by.

    Parameters
    ----------
    splits : Splits
    n_val : int or None
        None: all of them.
    seed : int

    Returns
    -------
    Splits
    """
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
        Layers, the lowest first; those that the weights do not reach are left out.
    input_sizes : sequence of int
        Sides in pixels to which the model enlarges its images.
    dataset : ImageDataset
    splits : Splits
        ``train`` fits the heads; accuracy is that on ``val``.
    weights : path-like, optional
        ImageNet weights of the backbone; random ones by default.
    seed : int
        Of the random weights.
    cache : path-like, optional
        Folder that keeps features.

    Returns
    -------
    DataFrame
        ``cut``, ``input`` (side in pixels), ``weights`` ("ImageNet" or "random"), ``channels``,
        ``map`` (side of the last feature map), ``mflop`` (forward, one image), ``val_accuracy``
        and ``n``.
    """
    rows = []
    for side in input_sizes:
        model = _deepest(backbone, cuts, dataset.image_size, side, weights, seed)
        if model is None:
            continue
        reached = [cut for cut in cuts if cut in {layer.name for layer in model.layers}]
        train = extract_cuts(model, reached, dataset, splits.train, cache=cache)
        val = extract_cuts(model, reached, dataset, splits.val, cache=cache)
        for cut in reached:
            head = fit_head(
                train[cut], dataset.labels[splits.train], val[cut], dataset.labels[splits.val]
            )
            maps = model.get_layer(cut).output
            rows.append(
                {
                    "cut": cut,
                    "input": side,
                    "weights": "random" if weights is None else "ImageNet",
                    "channels": maps.shape[-1],
                    "map": maps.shape[1],
                    "mflop": cost.flops(keras.Model(model.input, maps)) / 1e6,
                    "val_accuracy": head.val_accuracy,
                    "n": len(splits.val),
                }
            )
    return pd.DataFrame(rows)


def _deepest(backbone, cuts, image_size, input_size, weights, seed):
    """The backbone up to the last of ``cuts`` that its weights reach, or None."""
    for cut in reversed(cuts):
        if weights is None:
            return random_backbone(backbone, cut, image_size, input_size, seed)
        try:
            return transfer.build(backbone, cut, image_size, input_size, weights)
        except transfer.MissingWeights:
            continue
    return None


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
    model,
    sizes,
    dataset,
    splits,
    recipe,
    least_steps=600,
    seed=0,
    checkpoint_dir=None,
    label=None,
    probe=None,
    cache=None,
):
    """Validation accuracy of a training, by the number of training images.

    A small set is passed over more often, in smaller batches, so that every training takes at
    least ``least_steps`` steps: nobody with a hundred images would stop after a hundred looks.

    Parameters
    ----------
    model : keras.Model
        Starting point, left as it is; its trainable layers are trained.
    sizes : sequence of int
    dataset : ImageDataset
    splits : Splits
    recipe : str or Recipe
        Its epochs are passes over the largest sets, and how often validation is looked at.
    least_steps : int
    seed : int
        Of the choice of images and of the training.
    checkpoint_dir : path-like, optional
    label : str, optional
    probe : keras.Model, optional
        The same network, frozen, left as it is. Its logit, fitted on the images of each size and on
        no others, is what the training of that size starts from: a random one would first spoil
        what the layers below it know.
    cache : path-like, optional
        Folder that keeps the features of ``probe``.

    Returns
    -------
    frame : DataFrame
        ``n_train``, ``passes`` over them, ``val_accuracy``, ``n``.
    largest : FitResult
        The training on the largest size.

    References
    ----------
    Kumar et al., Fine-tuning can distort pretrained features and underperform out-of-distribution,
    ICLR 2022, arXiv 2202.10054 (the logit first).
    """
    recipe = get_recipe(recipe)
    if probe is not None:
        model, probe = (fresh_model(each, dataset.image_size) for each in (model, probe))
    label = label or model.name
    rows, result = [], None
    for size, subset in _nested(dataset, splits, sizes, seed):
        batch_size = min(recipe.batch_size, max(8, size // 32))
        steps = recipe.epochs * max(1, size // batch_size)
        # Images that stand in the list more than once, not more epochs: each epoch is validated,
        # and on few images that would cost more than all training.
        often = max(1, -(-least_steps // steps))
        if probe is not None:
            fit_frozen(probe, dataset, replace(splits, train=subset), cache)
            model.get_layer("logit").set_weights(probe.get_layer("logit").get_weights())
        result = fit(
            model,
            dataset,
            replace(splits, train=np.tile(subset, often)),
            recipe.replace(batch_size=batch_size),
            seed=seed,
            checkpoint_dir=checkpoint_dir,
            label=f"{label}_{size}",
        )
        rows.append(
            {
                "n_train": size,
                "passes": often * recipe.epochs,
                "val_accuracy": float(result.history["val_accuracy"].iloc[-1]),
                "n": len(splits.val),
            }
        )
    return pd.DataFrame(rows), result


def with_intervals(curves):
    """Several curves of validation accuracy as one table, with 95 % Wilson intervals.

    Parameters
    ----------
    curves : dict of (str, str) to DataFrame
        Network and way of training to ``n_train``, ``val_accuracy``, ``n`` and, as it may be, more.

    Returns
    -------
    DataFrame
        ``network``, ``training``, ``n_train``, ``val_accuracy``, ``ci_low``, ``ci_high``, ``n``; a
        network's rows stand together.
    """
    networks = list(dict.fromkeys(network for network, _ in curves))
    table = pd.concat(
        frame.assign(network=network, training=training)
        for wanted in networks
        for (network, training), frame in curves.items()
        if network == wanted
    )
    intervals = [
        wilson(round(a * n), n) for a, n in zip(table["val_accuracy"], table["n"], strict=True)
    ]
    table["ci_low"], table["ci_high"] = np.transpose(intervals)
    columns = ["network", "training", "n_train", "val_accuracy", "ci_low", "ci_high", "n"]
    return table[columns].reset_index(drop=True)


def crossings(table, pairs):
    """Where one way of training overtakes another as training images grow in number.

    Parameters
    ----------
    table : DataFrame
        From :func:`with_intervals`.
    pairs : dict of str to (way, way)
        A name for each comparison, and the two ways compared, each a pair of network and training;
        a comparison of which one is not in the table is left out.

    Returns
    -------
    DataFrame
        Index ``comparison``; ``few`` and ``many``, the way ahead with the fewest and with the most
        images, and ``other``, the one that is not ``few``; ``fewest`` and ``most``, these numbers
        of images; ``few_clear`` and ``many_clear``, whether the two intervals are apart there;
        ``n``, the number of images at which the lines cross (the last time, read off between the
        two sizes next to it on a logarithmic axis; NaN where they never do), ``above`` and
        ``below``, these two sizes, and ``crossings``, how often they cross.
    """
    lines = {
        way: rows.set_index("n_train").sort_index()
        for way, rows in table.groupby(["network", "training"])
    }
    rows = []
    for name, (first, second) in pairs.items():
        if first not in lines or second not in lines:
            continue
        one, other = lines[first], lines[second]
        ahead = (one["val_accuracy"] - other["val_accuracy"]).dropna()  # at the sizes of both
        ahead = ahead[ahead != 0]  # a draw says nothing about who is ahead
        if ahead.empty:
            continue
        sizes, ahead = ahead.index.to_numpy(), ahead.to_numpy()
        one, other = one.loc[sizes], other.loc[sizes]
        clear = (one["ci_low"] > other["ci_high"]) | (other["ci_low"] > one["ci_high"])
        words = [" ".join(way) for way in (first, second)]
        rows.append(
            {
                "comparison": name,
                "few": words[int(ahead[0] < 0)],
                "other": words[int(ahead[0] > 0)],
                "many": words[int(ahead[-1] < 0)],
                "fewest": int(sizes[0]),
                "most": int(sizes[-1]),
                "few_clear": bool(clear.iloc[0]),
                "many_clear": bool(clear.iloc[-1]),
                **_last_crossing(sizes, ahead),
            }
        )
    columns = ["comparison", "few", "other", "many", "fewest", "most", "few_clear", "many_clear"]
    columns += ["n", "above", "below", "crossings"]
    return pd.DataFrame(rows, columns=columns).set_index("comparison")


def _last_crossing(sizes, ahead):
    """Where a lead, none of it zero, last changes its sign over rising sizes."""
    changes = np.flatnonzero(ahead[:-1] * ahead[1:] < 0)
    if not len(changes):
        return {"n": np.nan, "above": np.nan, "below": np.nan, "crossings": 0}
    at = changes[-1]
    above, below = int(sizes[at]), int(sizes[at + 1])
    share = ahead[at] / (ahead[at] - ahead[at + 1])
    n = float(np.exp((1 - share) * np.log(above) + share * np.log(below)))
    return {"n": n, "above": above, "below": below, "crossings": len(changes)}


def crossing_facts(row):
    """A row of :func:`crossings` as metrics; of what is not there, there is no metric.

    Parameters
    ----------
    row : named tuple
        From ``itertuples``.

    Returns
    -------
    dict
        Its columns, and ``crosses``: whether another way is ahead with many images than with few.
    """
    facts = {name: value for name, value in row._asdict().items() if name != "Index"}
    known = {name: value for name, value in facts.items() if value == value}  # NaN is not itself
    whole = {name: int(known[name]) for name in ("above", "below") if name in known}
    return known | whole | {"crosses": row.few != row.many}


def landmarks(by_cut):
    """The rows of :func:`by_cut_and_input` that a text speaks of.

    Parameters
    ----------
    by_cut : DataFrame
        With ImageNet's weights, random ones, or both.

    Returns
    -------
    dict of str to Series
        ``best``; ``native``, the best at the smallest input; ``deepest``, the best of the last
        cut; all of these with ImageNet's weights. ``random``, the best with random ones.
    """
    pretrained = by_cut[by_cut["weights"] == "ImageNet"]
    parts = {
        "best": pretrained,
        "native": pretrained[pretrained["input"] == pretrained["input"].min()],
        "deepest": pretrained[pretrained["cut"] == by_cut["cut"].iloc[-1]],
        "random": by_cut[by_cut["weights"] == "random"],
    }
    return {
        name: part.loc[part["val_accuracy"].idxmax()]
        for name, part in parts.items()
        if not part.empty
    }


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
    """Yield ``(size, rows)``: balanced subsets of the training split, the smaller in the larger.

    Sizes rise, and one that the split doesn't have stands for all of it.
    """
    order = np.random.default_rng([seed, 7]).permutation(splits.train)
    labels = dataset.labels[order]
    rank = np.empty(len(order), np.int64)  # of an image within its class
    for label in np.unique(labels):
        rank[labels == label] = np.arange(np.count_nonzero(labels == label))
    order = order[np.argsort(rank, kind="stable")]
    for size in sorted({min(size, len(order)) for size in sizes}):
        yield size, np.sort(order[:size])
