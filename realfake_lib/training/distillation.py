"""Distillation: one network learns what several say together."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from realfake_lib import settings
from realfake_lib.data import ImageDataset, Splits
from realfake_lib.training import loop, pretrained
from realfake_lib.training.checkpoints import digest, model_digest
from realfake_lib.training.predict import predict_logits


@dataclass(frozen=True)
class Lesson:
    """What teachers say of the training images, and what is to be learnt from it.

    Attributes
    ----------
    dataset : ImageDataset
    splits : Splits
        The labels of ``train`` are mixed with the teachers'; all others stay 0 or 1.
    teachers : tuple of keras.Model
        Their logits are averaged, over each training image and its mirror image.
    share : float in [0, 1]
        Weight of the teachers; the rest goes to the true label.
    temperature : float above 0
        Divides the teachers' mean logit: above 1 makes them less sure.
    notes : Path, optional
        Folder in which the teachers' answers are kept, for the next process that asks.

    References
    ----------
    Hinton, Vinyals and Dean, Distilling the knowledge in a neural network, 2015, arXiv 1503.02531.
    """

    dataset: ImageDataset
    splits: Splits
    teachers: tuple
    share: float = 0.9
    temperature: float = 1.0
    notes: Path | None = None

    @cached_property
    def named(self):
        """The data set under the name of what its soft labels follow from, an ImageDataset.

        So a kept training is found without asking the teachers about every training image.
        """
        told = [self.share, self.temperature], *map(_teacher_digest, self.teachers)
        return replace(self.dataset, fingerprint=digest(self.dataset.fingerprint, *told))

    @cached_property
    def softened(self):
        """:attr:`named`, with labels float32 in [0, 1]: the teachers are asked once."""
        rows = self.splits.train
        logits = self._answers(rows) / self.temperature
        labels = self.dataset.labels.astype(np.float32)
        labels[rows] = self.share / (1 + np.exp(-logits)) + (1 - self.share) * labels[rows]
        return self.named.relabelled(labels)

    def _answers(self, rows):
        """The teachers' mean logits of images and mirror images, (n,) float64."""
        path = None
        if self.notes is not None:
            asked = digest(self.dataset.fingerprint, rows, *map(_teacher_digest, self.teachers))
            path = self.notes / f"answers-{asked[:16]}.npy"
            if path.is_file():
                return np.load(path, allow_pickle=False)
        logits = np.zeros(len(rows))
        for teacher in self.teachers:
            for step in (1, -1):
                logits += predict_logits(teacher, self.dataset.images[:, :, ::step], rows)
        logits /= 2 * len(self.teachers)
        if path is not None:
            with settings.atomic_file(path) as temporary:
                np.save(temporary, logits)
        return logits


def _teacher_digest(model):
    """The same for a teacher trained here and one read back from a pretrained checkpoint."""
    weights = [array.astype(np.float16) for array in model.get_weights()]
    return digest(model_digest(model, weights=False), *weights)


def fit(network, lesson, recipe, seed, label, weights_dir=None, **options):
    """Train a network on the teachers' probabilities in place of bare labels.

    Parameters
    ----------
    network, recipe, seed, label, weights_dir, **options
        As for :func:`realfake_lib.training.pretrained.fit`.
    lesson : Lesson

    Returns
    -------
    FitResult
    """
    if weights_dir is not None:
        found = pretrained.find(
            network, lesson.named, lesson.splits, recipe, seed, weights_dir, label
        )
        if found is not None:
            return found
    arguments = (network, lesson.softened, lesson.splits, recipe)
    return loop.fit(*arguments, seed=seed, label=label, **options)


def fit_seeds(network, lesson, recipe, seeds, label, weights_dir=None, fallback=None, **options):
    """Trainings by one lesson that differ in their seed alone, kept ones where there are any.

    Parameters
    ----------
    network, lesson, recipe, label, weights_dir, **options
        As for :func:`fit`.
    seeds, fallback
        As for :func:`realfake_lib.training.pretrained.fit_seeds`.

    Returns
    -------
    dict of int to FitResult
        By seed.
    """
    arguments = (network, lesson.named, lesson.splits, recipe)
    recipe, seeds = pretrained.what_to_train(*arguments, seeds, label, weights_dir, fallback)
    return {
        seed: fit(network, lesson, recipe, seed, label, weights_dir, **options) for seed in seeds
    }


def identity(network, lesson, recipe, seed):
    """:func:`.pretrained.identity` of a distillation; parameters as for :func:`fit`.

    Returns
    -------
    str
    """
    return pretrained.identity(network, lesson.named, lesson.splits, recipe, seed)
