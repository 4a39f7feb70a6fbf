"""Pre-training without a download: object classes of the data set's own REAL photographs."""

from dataclasses import replace

import numpy as np

from realfake_lib import models
from realfake_lib.models.transfer import with_head
from realfake_lib.settings import REAL
from realfake_lib.training.loop import fit, set_seed
from realfake_lib.training.objectives import ObjectClasses, names_objects


def object_classes(dataset):
    """Number of object classes that the data set knows; 0 where fewer than two."""
    known = names_objects(dataset, slice(None))
    return int(dataset.index["object_class"].max()) + 1 if known else 0


def photographs(dataset, rows):
    """Those of ``rows`` that are REAL and whose object class is known, in their order."""
    index = dataset.index.iloc[rows]
    chosen = (index["label"] == REAL) & (index["object_class"] >= 0)
    return np.asarray(rows)[chosen.to_numpy()]


def pretrain(network, dataset, splits, recipe, n_train=None, seed=0, checkpoint_dir=None):
    """Train a network to classify the objects of REAL photographs.

    Parameters
    ----------
    network : str
        A name of :func:`realfake_lib.models.available`, ending in global average pooling.
    dataset, splits, recipe, seed, checkpoint_dir
        As for :func:`realfake_lib.training.fit`; of ``train`` and ``val`` the photographs are used.
    n_train : int, optional
        So many photographs, drawn by ``seed``; all by default.

    Returns
    -------
    FitResult
        Its accuracies are those of the object classes; its model has a logit for each, and is the
        input of :func:`transferred`.

    Raises
    ------
    UserError
        If the network has no layer for another head.
    """
    classes = object_classes(dataset)
    train, val = photographs(dataset, splits.train), photographs(dataset, splits.val)
    if n_train is not None and n_train < len(train):
        train = np.sort(np.random.default_rng([seed, 9]).permutation(train)[:n_train])
    set_seed(seed)
    model = with_head(models.build(network, dataset.image_size), classes)
    return fit(
        model,
        dataset,
        replace(splits, train=train, val=val),
        recipe,
        seed=seed,
        checkpoint_dir=checkpoint_dir,
        label=f"{network}_objects",
        objective=ObjectClasses(classes=classes),
    )


def transferred(fit, frozen=False, seed=0):
    """The network of :func:`pretrain` under a fresh logit for REAL, all else frozen or not."""
    set_seed(seed)
    model = with_head(fit.model, 1)
    for layer in model.layers[:-1]:
        layer.trainable = not frozen
    return model
