"""Recipes: everything that decides how a network is trained, by name."""

import dataclasses
import math
from dataclasses import dataclass

import keras
import numpy as np

from realfake_lib.errors import UserError
from realfake_lib.training import augment
from realfake_lib.training.muon import Muon

_CHOICES = {
    "optimizer": ("adam", "adamw", "muon", "sgd"),
    "schedule": ("constant", "one_cycle"),
    "precision": ("auto", "float32", "mixed_bfloat16"),
    "select": ("last", "best_val_loss", "best_val_accuracy"),
}


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes
    ----------
    epochs : int
        Passes over the training images.
    batch_size : int
        Images a step. The last, incomplete batch of an epoch is dropped (each epoch another).
    optimizer : {"adam", "adamw", "muon", "sgd"}
        ``"muon"`` is :class:`realfake_lib.training.muon.Muon`; ``"sgd"`` has Nesterov momentum .9.
    learning_rate : float
        The highest one.
    schedule : {"constant", "one_cycle"}
        ``"one_cycle"`` rises linearly from a twentieth, then falls to zero along a cosine.
    warmup : float in (0, 1)
        Share of the steps in which ``"one_cycle"`` rises.
    weight_decay : float
        Decoupled; spares biases and BatchNorm. Not for ``"adam"``.
    label_smoothing : float in [0, 1)
        Moves the targets 0 and 1 towards ½ by half of this.
    augment : str
        A policy of :mod:`realfake_lib.training.augment`.
    precision : {"auto", "float32", "mixed_bfloat16"}
        ``"auto"`` takes what :func:`realfake_lib.training.best_precision` measures as faster.
    select : {"last", "best_val_loss", "best_val_accuracy"}
        Which epoch's weights are kept; only validation images are consulted.
    data_pruning : float in [0, 1)
        Probability with which an easy image is left out of an epoch, see
        :class:`realfake_lib.training.curriculum.Curriculum`.
    data_pruning_share : float in [0, 1]
        Share of the epochs, from the first, in which images may be left out.
    crop_size : float in (0, 1]
        Side of the random crops that the first epochs train on, as a share of the images'; 1:
        whole images.
    crop_share : float in [0, 1]
        Share of the epochs, from the first, that train on crops.
    auxiliary_class_loss : float
        Weight of the auxiliary loss of classifying the object, where the data name it; see
        :class:`realfake_lib.training.objectives.RealOrFakeOfWhat`.
    adversarial_epsilon : float
        Above 0 the training is adversarial: largest radius of the attack in grey levels (/255), see
        :class:`realfake_lib.training.adversarial.Attack`.
    adversarial_steps : int
        Steps of the attack.
    trades : float
        Above 0, the weight of TRADES's divergence; then the images are trained on as they are, see
        :class:`realfake_lib.training.objectives.RealOrFake`.
    least_steps : int
        Steps that a training takes at least, with whatever number of images: see
        :meth:`for_images`.
    """

    epochs: int = 10
    batch_size: int = 128
    optimizer: str = "adamw"
    learning_rate: float = 4e-3
    schedule: str = "one_cycle"
    warmup: float = 0.25
    weight_decay: float = 0.02
    label_smoothing: float = 0.0
    augment: str = "flip_crop"
    precision: str = "auto"
    select: str = "last"
    data_pruning: float = 0.0
    data_pruning_share: float = 0.85
    crop_size: float = 1.0
    crop_share: float = 0.7
    auxiliary_class_loss: float = 0.0
    adversarial_epsilon: float = 0.0
    adversarial_steps: int = 0
    trades: float = 0.0
    least_steps: int = 0

    def __post_init__(self):
        for field, choices in _CHOICES.items():
            if getattr(self, field) not in choices:
                raise UserError(
                    f"Recipe: {field} is {getattr(self, field)!r}.", f"Known: {', '.join(choices)}"
                )
        augment.policy(self.augment)
        if not (self.epochs >= 1 and self.batch_size >= 1 and self.learning_rate > 0):
            raise UserError("Recipe: epochs, batch_size and learning_rate must be positive.")
        if not (0 <= self.label_smoothing < 1 and 0 < self.warmup < 1 and self.weight_decay >= 0):
            raise UserError(
                "Recipe: label_smoothing must lie in [0, 1), warmup in (0, 1), "
                "weight_decay at 0 or above."
            )
        if not (0 <= self.data_pruning < 1 and 0 < self.crop_size <= 1):
            raise UserError("Recipe: data_pruning must lie in [0, 1), crop_size in (0, 1].")
        if self.auxiliary_class_loss < 0 or self.least_steps < 0:
            raise UserError("Recipe: auxiliary_class_loss and least_steps must lie at 0 or above.")
        if not 0 <= self.adversarial_epsilon <= 255:
            raise UserError("Recipe: adversarial_epsilon must lie in [0, 255] grey levels.")
        if self.adversarial_steps < bool(self.adversarial_epsilon):
            raise UserError("Recipe: adversarial_steps must be 1 or more where there is an attack.")
        if self.trades < 0 or self.trades and not self.adversarial_epsilon:
            raise UserError("Recipe: trades must not be negative, and needs adversarial_epsilon.")
        if not (0 <= self.data_pruning_share <= 1 and 0 <= self.crop_share <= 1):
            raise UserError("Recipe: data_pruning_share and crop_share must lie in [0, 1].")

    def replace(self, **changes):
        """A copy with some fields changed."""
        unknown = set(changes) - {field.name for field in dataclasses.fields(self)}
        if unknown:
            raise UserError(f"A recipe has no {', '.join(sorted(unknown))}.")
        return dataclasses.replace(self, **changes)

    def for_images(self, n):
        """What the recipe comes to for ``n`` training images; its ``least_steps`` is then 0.

        No batch is larger than ``n``. Schedules are laid out for thousands of steps; a few hundred
        images in large batches would end a training before it has begun. So with ``least_steps``
        batches are smaller and epochs more where images are few.
        """
        if not self.least_steps:
            return self.replace(batch_size=min(self.batch_size, n))
        batch_size = min(self.batch_size, max(8, n // 32), n)
        epochs = -(-self.least_steps // (n // batch_size))
        return self.replace(batch_size=batch_size, epochs=max(self.epochs, epochs), least_steps=0)

    def rates(self, begin, end, steps):
        """Learning rates of ``steps`` steps, from the share ``begin`` to ``end`` of the training.

        Steps alone would not do: an epoch may have fewer of them than another.
        """
        if self.schedule == "constant":
            return np.full(steps, self.learning_rate, np.float32)
        done = begin + (end - begin) * np.arange(steps) / max(1, steps)
        rise = (1 + 19 * done / self.warmup) / 20
        fall = (1 + np.cos(math.pi * (done - self.warmup) / (1 - self.warmup))) / 2
        return (self.learning_rate * np.where(done < self.warmup, rise, fall)).astype(np.float32)

    def make_optimizer(self):
        """The optimizer; its learning rate is set step by step, see :meth:`rates`."""
        rate = self.learning_rate
        if self.optimizer == "adam":
            return keras.optimizers.Adam(rate)
        if self.optimizer == "muon":
            return Muon(rate, weight_decay=self.weight_decay)
        if self.optimizer == "adamw":
            optimizer = keras.optimizers.AdamW(rate, weight_decay=self.weight_decay)
        else:
            optimizer = keras.optimizers.SGD(
                rate, momentum=0.9, nesterov=True, weight_decay=self.weight_decay or None
            )
        if self.weight_decay:
            optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        return optimizer


LEAST_STEPS = 600
"""Steps that a training on one's own images takes at least, unless told otherwise."""

_PLAIN = Recipe(
    epochs=5,
    batch_size=32,
    optimizer="adam",
    learning_rate=1e-3,
    schedule="constant",
    weight_decay=0.0,
    augment="flip",
)

# Flipped, not shifted: a shift moves the image against the 8×8 blocks of its JPEG compression,
# which both classes share. In long trainings that cost accuracy (experiments/exploration.csv).
_MUON = Recipe(
    optimizer="muon",
    learning_rate=6e-3,
    weight_decay=0.1,
    augment="flip",
    data_pruning=0.6,
    crop_size=0.75,
)
_AUXILIARY = _MUON.replace(auxiliary_class_loss=0.15)
_ANY_SIZE = {"least_steps": LEAST_STEPS}

RECIPES = {
    # The original report's: 10 epochs, batch 32, rotation, shifts and flip.
    "baseline_original": _PLAIN.replace(epochs=10, augment="original"),
    # The same without what interpolates: no rotation, no shift.
    "baseline": _PLAIN,
    # For images of one's own.
    "short": _MUON.replace(epochs=12, **_ANY_SIZE),
    "hard_labels": _AUXILIARY.replace(epochs=24, **_ANY_SIZE),
    # For soft labels, see training.distillation.
    "distilled": _AUXILIARY.replace(epochs=36, **_ANY_SIZE),
    # From a trained detector on, see chapter 6.
    "robust": _AUXILIARY.replace(epochs=24, augment="flip_corrupt", data_pruning=0.5),
    "robust_short": _AUXILIARY.replace(epochs=4, augment="flip_corrupt", **_ANY_SIZE),
    # From a trained detector on, see chapter 5.
    "adversarial": _AUXILIARY.replace(
        epochs=10, data_pruning=0.4, adversarial_epsilon=6.0, adversarial_steps=1
    ),
    "adversarial_short": _AUXILIARY.replace(
        epochs=3, adversarial_epsilon=6.0, adversarial_steps=1, **_ANY_SIZE
    ),
    "smoke_adversarial": _AUXILIARY.replace(
        epochs=1, batch_size=32, data_pruning=0.0, adversarial_epsilon=6.0, adversarial_steps=1
    ),
    "smoke": _AUXILIARY.replace(epochs=3, batch_size=32, data_pruning=0.0),
    # For the benchmark of time to an accuracy: one epoch of crops, and half of hard_labels.
    "sprint": _AUXILIARY.replace(epochs=1, data_pruning=0.0),
    "race": _AUXILIARY.replace(epochs=12),
    "comparison": Recipe(epochs=4, batch_size=64),
    # bfloat16 slows the depthwise convolutions of MobileNet down to half the speed.
    "fine_tune": Recipe(
        epochs=3, batch_size=64, learning_rate=1e-3, augment="flip", precision="float32"
    ),
    # For all training images and BatchNorm trained with the rest (loop.fine_tune's norm).
    # MobileNet, two epochs on 10,000 images: Muon and that were two points ahead of AdamW and
    # frozen BatchNorm. EfficientNet-Lite0, four epochs on 20,000 images, without data pruning and
    # crops: validation accuracy 97.3 % with `auxiliary_class_loss` at 0, 97.8 % at 0.15 (96.4 %
    # with `auxiliary_class_loss` at 0 where it is cut at block3b_add).
    "fine_tune_full": Recipe(
        epochs=20,
        batch_size=64,
        optimizer="muon",
        data_pruning=0.6,
        crop_size=0.75,
        auxiliary_class_loss=0.15,
        precision="float32",
    ),
}
"""Recipes by name. Those of ``baseline_cnn`` follow the original report; the others were chosen on
CIFAKE's validation split, none of them on its test set."""


def get_recipe(recipe):
    """A recipe by name, a UserError if there is none; a :class:`Recipe` is handed through."""
    if isinstance(recipe, Recipe):
        return recipe
    try:
        return RECIPES[recipe]
    except (KeyError, TypeError):
        raise UserError(
            f"Unknown recipe {recipe!r}.", f"Known recipes: {', '.join(RECIPES)}"
        ) from None
