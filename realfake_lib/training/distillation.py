"""Distillation: one network is trained on the probabilities of a teacher ensemble."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from realfake_lib import probability
from realfake_lib.data import ImageDataset, Splits
from realfake_lib.training import features, pretrained
from realfake_lib.training.checkpoints import digest, model_digest


def soft_labels(logits, labels, share=0.9, temperature=1.0):
    """Targets (n,) in [0, 1] between the teacher ensemble's probability of REAL and the label.

    Parameters
    ----------
    logits : (n,) float array
        Mean logits of the ensemble.
    labels : (n,) array
        FAKE = 0, REAL = 1.
    share : float in [0, 1]
        Weight of the ensemble's probability; the rest goes to the label.
    temperature : float above 0
        Divides the logits: above 1 makes the ensemble less certain.

    References
    ----------
    Hinton, Vinyals and Dean, Distilling the knowledge in a neural network, 2015, arXiv 1503.02531.
    """
    return share * (1 - probability.p_fake(logits, temperature)) + (1 - share) * labels


def mean_logits(ensemble, dataset, rows, cache=None):
    """Logits (n,) of an ensemble with TTA: mean over networks and horizontal flips."""
    logits = np.zeros(len(rows))
    for network in ensemble:
        for images in (dataset, dataset.flipped()):
            logits += features.logits(network, images, rows, cache)
    return logits / (2 * len(ensemble))


@dataclass(frozen=True)
class SoftLabels:
    """A data set whose training labels are soft: see :func:`soft_labels`.

    Attributes
    ----------
    dataset : ImageDataset
    splits : Splits
        The labels of ``train`` become soft; all others stay 0 or 1.
    ensemble : tuple of keras.Model
        The teacher ensemble.
    share, temperature : float
        As for :func:`soft_labels`.
    cache : Path, optional
        Folder from which logits that were computed before are read back.
    """

    dataset: ImageDataset
    splits: Splits
    ensemble: tuple
    share: float = 0.9
    temperature: float = 1.0
    cache: Path | None = None

    @cached_property
    def named(self):
        """The data set under a fingerprint of what its soft labels follow from."""
        made_by = [self.share, self.temperature], *map(_weights_digest, self.ensemble)
        return replace(self.dataset, fingerprint=digest(self.dataset.fingerprint, *made_by))

    @cached_property
    def relabelled(self):
        """:attr:`named` with its soft labels, float32 in [0, 1]; computed once."""
        rows = self.splits.train
        logits = mean_logits(self.ensemble, self.dataset, rows, self.cache)
        labels = self.dataset.labels.astype(np.float32)
        labels[rows] = soft_labels(logits, labels[rows], self.share, self.temperature)
        return self.named.relabelled(labels)


def _weights_digest(model):
    """The same for a network trained here and one read back from a pretrained checkpoint."""
    weights = [array.astype(np.float16) for array in model.get_weights()]
    return digest(model_digest(model, weights=False), *weights)


def fit_seeds(network, soft, recipe, seeds, label, weights_dir=None, fallback=None, **options):
    """:func:`.pretrained.fit_seeds` on ``soft``, a :class:`SoftLabels`."""
    return pretrained.fit_seeds(
        *(network, soft.named, soft.splits, recipe, seeds, label, weights_dir, fallback),
        relabelled=lambda: soft.relabelled,
        **options,
    )
