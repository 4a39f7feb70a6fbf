"""Distillation: one small network learns what several large ones say together."""

from dataclasses import replace

import numpy as np

from realfake_lib.training import kept, loop
from realfake_lib.training.checkpoints import digest, model_digest
from realfake_lib.training.predict import predict_logits


def fit(
    network,
    dataset,
    splits,
    recipe,
    seed,
    label,
    teachers,
    share=0.9,
    temperature=1.0,
    look_in=None,
    **options,
):
    """Train a network on the teachers' probabilities in place of bare labels.

    Parameters
    ----------
    network, dataset, splits, recipe, seed, label, look_in, **options
        As for :func:`realfake_lib.training.kept.fit`.
    teachers : sequence of keras.Model
        Their logits are averaged, over each training image and its mirror image.
    share : float in [0, 1]
        Weight of the teachers; the rest goes to the true label.
    temperature : float above 0
        Divides the teachers' mean logit: above 1 makes them less sure.

    Returns
    -------
    FitResult

    References
    ----------
    Hinton, Vinyals and Dean, Distilling the knowledge in a neural network, 2015, arXiv 1503.02531.
    """
    if look_in is not None:
        named = _named(dataset, teachers, share, temperature)
        found = kept.find(network, named, splits, recipe, seed, look_in, label)
        if found is not None:
            return found
    softened = soften(dataset, splits, teachers, share, temperature)
    return loop.fit(network, softened, splits, recipe, seed=seed, label=label, **options)


def identity(network, dataset, splits, recipe, seed, teachers, share=0.9, temperature=1.0):
    """:func:`realfake_lib.training.kept.identity` of a distillation; parameters as for :func:`fit`.

    Returns
    -------
    str
    """
    named = _named(dataset, teachers, share, temperature)
    return kept.identity(network, named, splits, recipe, seed)


def _named(dataset, teachers, share, temperature):
    """The data set under the name of what its soft labels follow from.

    So a kept training is found without asking the teachers about every training image.
    """
    told = [share, temperature], *(model_digest(teacher) for teacher in teachers)
    return replace(dataset, fingerprint=digest(dataset.fingerprint, *told))


def soften(dataset, splits, teachers, share=0.9, temperature=1.0):
    """The data set with the teachers' probability of REAL mixed into the training labels.

    Parameters
    ----------
    dataset : ImageDataset
    splits : Splits
        The labels of ``train`` are mixed; all others stay 0 or 1.
    teachers, share, temperature
        As for :func:`fit`.

    Returns
    -------
    ImageDataset
        Its labels are float32 in [0, 1].
    """
    rows = splits.train
    logits = np.zeros(len(rows))
    for teacher in teachers:
        for step in (1, -1):
            logits += predict_logits(teacher, dataset.images[:, :, ::step], rows)
    logits /= 2 * len(teachers) * temperature
    labels = dataset.labels.astype(np.float32)
    labels[rows] = share / (1 + np.exp(-logits)) + (1 - share) * labels[rows]
    return _named(dataset, teachers, share, temperature).relabelled(labels)
