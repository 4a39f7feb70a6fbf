"""What the report measures of a detector's maps: by layer, by method, and against other maps."""

import keras
import numpy as np
import pandas as pd
from scipy import stats

from realfake_lib.explain import cam, sanity
from realfake_lib.settings import FAKE, REAL

CASES = {
    "FAKE, recognised": (FAKE, FAKE),
    "REAL, recognised": (REAL, REAL),
    "FAKE, missed": (FAKE, REAL),
    "REAL, accused": (REAL, FAKE),
}
"""What can happen to an image: its class, and the verdict."""

METHOD_TITLES = {
    "grad_cam": "Grad-CAM",
    "grad_cam_pp": "Grad-CAM++",
    "layer_cam": "LayerCAM",
    "score_cam": "Score-CAM",
}
"""How the methods are called in print."""


def cases(labels, p_fake, per_case=None, threshold=0.5):
    """Images of each case, the first ones in the given order.

    Parameters
    ----------
    labels : (n,) int array
        FAKE = 0, REAL = 1.
    p_fake : (n,) float array in [0, 1]
    per_case : int, optional
        At most so many of each; all unless given.
    threshold : float
        FAKE from this ``p_fake`` on.

    Returns
    -------
    dict of str to (m,) int array
        The images' positions for every name of :data:`CASES`; may be empty.
    """
    labels = np.asarray(labels)
    verdicts = np.where(np.asarray(p_fake) >= threshold, FAKE, REAL)
    return {
        name: np.flatnonzero((labels == label) & (verdicts == verdict))[:per_case]
        for name, (label, verdict) in CASES.items()
    }


def of_another(maps, groups):
    """To each image the map of another image of its group: what a map must beat to locate anything.

    Parameters
    ----------
    maps : (n, h, w) array
    groups : (n,) int array
        For example the class that each map explains. A group of one keeps its own map.

    Returns
    -------
    (n, h, w) array
    """
    source = np.arange(len(maps))
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        source[members] = np.roll(members, 1)
    return np.asarray(maps)[source]


def average_maps(maps, groups):
    """Mean map of each group.

    Parameters
    ----------
    maps : (n, h, w) array
    groups : (n,) array

    Returns
    -------
    dict of group to (h, w) array
        Empty maps are left out.
    """
    maps, groups = np.asarray(maps), np.asarray(groups)
    shown = ~cam.empty(maps)
    return {
        group: maps[shown & (groups == group)].mean(axis=0)
        for group in np.unique(groups)
        if (shown & (groups == group)).any()
    }


def middle(maps):
    """The middle half of maps (…, h, w) in both directions: a quarter of their area."""
    height, width = np.shape(maps)[-2:]
    return np.asarray(maps)[
        ..., height // 4 : height - height // 4, width // 4 : width - width // 4
    ]


def faithfulness_table(model, images, maps, target, seed=0):
    """Gain over a random order of pixels, for several sets of maps of the same images.

    Parameters
    ----------
    model : keras.Model
    images : (n, h, w, c) array, 0..255
    maps : dict of str to (n, h, w) array
    target : {"FAKE", "REAL"} or (n,) int array
        The class that the maps explain.
    seed : int

    Returns
    -------
    pandas.DataFrame
        Index ``maps``; ``deletion`` and ``insertion``, the gains of
        :func:`realfake_lib.explain.sanity.faithfulness`, each with ``_low`` and ``_high`` (95 %);
        ``n``; ``empty``, the share of maps that are zero everywhere.
    """
    rows = []
    for name, values in maps.items():
        gains = {
            curve: _gain(curve, *sanity.areas(model, images, values, target, curve, seed=seed))
            for curve in CURVES
        }
        rows.append({"maps": name, **_with_intervals(gains), "empty": cam.empty(values).mean()})
    return pd.DataFrame(rows).set_index("maps")


def advantage(model, images, maps, rivals, target, seed=0):
    """Gain of maps over other maps of the same images, image by image.

    Parameters
    ----------
    model, images, target, seed
        As in :func:`faithfulness_table`.
    maps, rivals : (n, h, w) arrays

    Returns
    -------
    dict of str to float
        The measured columns of :func:`faithfulness_table`; positive where ``maps`` are better.
    """
    gains = {}
    for curve in CURVES:
        own, _ = sanity.areas(model, images, maps, target, curve, seed=seed)
        other, _ = sanity.areas(model, images, rivals, target, curve, seed=seed)
        gains[curve] = _gain(curve, own, other)
    return _with_intervals(gains)


CURVES = ("deletion", "insertion")


def _gain(curve, areas, others):
    """A small area is good in deletion, a large one in insertion."""
    return areas - others if curve == "insertion" else others - areas


def _with_intervals(gains):
    row = {}
    for curve, values in gains.items():
        low, high = sanity.mean_interval(values)
        row |= {curve: values.mean(), f"{curve}_low": low, f"{curve}_high": high, "n": len(values)}
    return row


def layer_table(model, images, target, method=cam.grad_cam, seed=0):
    """Every layer that could be explained: how fine its map is, and how faithful.

    Parameters
    ----------
    model : keras.Model
    images : (n, h, w, c) array, 0..255
        Of the validation split, since a layer may be chosen by this table.
    target : {"FAKE", "REAL"} or (n,) int array
    method : callable
        One of :data:`realfake_lib.explain.METHODS`.
    seed : int

    Returns
    -------
    pandas.DataFrame
        Index ``layer``, from the pixels on; ``map`` ("8×8"), ``pixels per cell`` (side, of the
        image), and the columns of :func:`faithfulness_table`.
    """
    layers = explainable_layers(model)
    maps = {name: method(model, images, name, target) for name in layers}
    table = faithfulness_table(model, images, maps, target, seed).rename_axis("layer")
    sizes = [model.get_layer(name).output.shape[1:3] for name in layers]
    table.insert(0, "map", [f"{height}×{width}" for height, width in sizes])
    table.insert(1, "pixels per cell", [images.shape[1] / height for height, _ in sizes])
    return table


def explainable_layers(model):
    """Names of all layers that give a rectified map larger than 1×1, from the pixels on."""
    return [
        layer.name
        for layer in model.layers
        if _is_rectified(layer)
        and len(layer.output.shape) == 4
        and min(layer.output.shape[1:3]) > 1
    ]


def _is_rectified(layer):
    relu = isinstance(layer, keras.layers.ReLU)
    return relu or getattr(layer, "activation", None) is keras.activations.relu


def agreement(maps):
    """Rank correlation of several methods' maps with those of the first, mean over the images.

    Parameters
    ----------
    maps : dict of str to (n, h, w) array

    Returns
    -------
    dict of str to float
        NaN where no image has a map by both methods.
    """
    first = next(iter(maps.values()))
    found = {}
    for name, values in maps.items():
        both = ~(cam.empty(first) | cam.empty(values))
        pairs = zip(first[both], values[both], strict=True)
        each = [stats.spearmanr(a, b, axis=None).statistic for a, b in pairs]
        found[name] = float(np.mean(each)) if each else float("nan")
    return found


def curves(model, images, maps, target, seed=0):
    """Deletion and insertion curves of several sets of maps, with the random order beside them.

    Parameters
    ----------
    model, images, maps, target, seed
        As in :func:`faithfulness_table`.

    Returns
    -------
    pandas.DataFrame
        curve ("deletion", "insertion"), order (the maps' name or "random order"), fraction, score.
    """
    parts = []
    for kind, measure in (("deletion", sanity.deletion), ("insertion", sanity.insertion)):
        for name, values in maps.items():
            curve = measure(model, images, values, target, seed=seed)
            parts.append(curve[["fraction", "score"]].assign(curve=kind, order=name))
        random = curve[["fraction", "random_score"]].rename(columns={"random_score": "score"})
        parts.append(random.assign(curve=kind, order="random order"))
    return pd.concat(parts, ignore_index=True)
