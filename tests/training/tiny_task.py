"""A learnable task of a few tiny images, as a data set and its splits."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Task:
    images: np.ndarray
    labels: np.ndarray
    fingerprint: str = "tiny"

    @property
    def image_size(self):
        return self.images.shape[1]

    def flipped(self):
        return replace(self, images=self.images[:, :, ::-1], fingerprint="tiny, flipped")

    def relabelled(self, labels):
        return replace(self, labels=labels)


@dataclass(frozen=True)
class Split:
    train: np.ndarray
    val: np.ndarray


def make_task(count=200, side=16):
    """REAL is brighter than FAKE, by less than the noise."""
    dice = np.random.default_rng(0)
    labels = (np.arange(count) % 2).astype("int8")
    images = dice.integers(0, 180, (count, side, side, 3)) + 60 * labels[:, None, None, None]
    return Task(images.astype("uint8"), labels), Split(np.arange(160), np.arange(160, count))
