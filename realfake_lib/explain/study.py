"""What the report measures of a detector's maps: by layer, by method, and on which images."""

import numpy as np

from realfake_lib.explain import cam, sanity
from realfake_lib.settings import FAKE, REAL

CASES = {
    "true_positives": (FAKE, FAKE),
    "true_negatives": (REAL, REAL),
    "false_negatives": (FAKE, REAL),
    "false_positives": (REAL, FAKE),
}
"""What can happen to an image: its class, and the verdict, with FAKE as positive."""

METHOD_TITLES = {
    "grad_cam": "Grad-CAM",
    "grad_cam_pp": "Grad-CAM++",
    "layer_cam": "LayerCAM",
    "score_cam": "Score-CAM",
}
"""How the methods are called in print."""


def cases(labels, p_fake):
    """Positions of the images of each case, in their order, by the names of :data:`CASES`.

    Parameters
    ----------
    labels : (n,) int array
        FAKE = 0, REAL = 1.
    p_fake : (n,) float array in [0, 1]
    """
    labels = np.asarray(labels)
    verdicts = np.where(np.asarray(p_fake) >= 0.5, FAKE, REAL)
    return {
        name: np.flatnonzero((labels == label) & (verdicts == verdict))
        for name, (label, verdict) in CASES.items()
    }


def of_another(maps, groups):
    """To each image the map of another image of its group: what a map must beat to locate anything.

    ``groups`` (n,) is for example the class that each map explains. A group of one keeps its map.
    """
    source = np.arange(len(maps))
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        source[members] = np.roll(members, 1)
    return np.asarray(maps)[source]


def layer_table(model, images, target, seed=0):
    """Every layer that could be explained: how fine its Grad-CAM map is, and how faithful.

    Parameters
    ----------
    model : keras.Model
    images : (n, h, w, c) array, 0..255
        Of the validation split, since a layer may be chosen by this table.
    target : {"FAKE", "REAL"} or (n,) int array
    seed : int

    Returns
    -------
    pandas.DataFrame
        Index ``layer``, from the pixels on; ``map`` ("8×8"), the columns of
        :func:`realfake_lib.explain.sanity.gains`, and ``empty``, the share of maps that are zero
        everywhere.
    """
    maps = {
        name: cam.grad_cam(model, images, name, target) for name in cam.explainable_layers(model)
    }
    curves = sanity.removal_curves(model, images, maps, target, seed=seed)
    table = sanity.gains(curves).rename_axis("layer")
    sizes = [model.get_layer(name).output.shape[1:3] for name in maps]
    table.insert(0, "map", [f"{height}×{width}" for height, width in sizes])
    return table.assign(empty=[cam.empty(values).mean() for values in maps.values()])


def agreement(maps):
    """Rank correlation of several methods' maps with those of the first, mean over the images.

    It is NaN where no image has a map by both methods.
    """
    first = next(iter(maps.values()))
    return {name: sanity.likeness(first, found)["rank_correlation"] for name, found in maps.items()}
