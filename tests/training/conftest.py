"""A learnable task of a few tiny images, as a data set and its splits."""

from dataclasses import dataclass

import numpy as np
import pytest

from realfake_lib import training


@dataclass(frozen=True)
class Task:
    images: np.ndarray
    labels: np.ndarray
    fingerprint: str = "tiny"

    image_size = 16


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


@pytest.fixture(scope="session")
def task():
    return make_task()


@pytest.fixture(scope="session")
def recipe():
    """Dropout, augmentation and a schedule, so that all randomness is in play."""
    return training.Recipe(
        epochs=3, batch_size=32, learning_rate=1e-3, augment="original", precision="float32"
    )
