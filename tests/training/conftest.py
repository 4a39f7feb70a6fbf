"""Fixtures of the training tests."""

import pytest
from training.tiny_task import make_task

from realfake_lib import training


@pytest.fixture(scope="session")
def task():
    return make_task()


@pytest.fixture(scope="session")
def recipe():
    """Dropout, augmentation and a schedule, so that all randomness is in play."""
    return training.Recipe(
        epochs=3, batch_size=32, learning_rate=1e-3, augment="original", precision="float32"
    )
