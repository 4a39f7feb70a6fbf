"""A detector that is quick to fit and neither perfect nor robust, and the images for it."""

import keras
import numpy as np
import pytest


def build(size=12, units=8, activation=None):
    inputs = keras.Input((size, size, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    x = keras.layers.Conv2D(units, 3, padding="same", activation="relu")(x)
    x = keras.layers.Conv2D(units, 3, padding="same", strides=2, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(1, name="logit", activation=activation)(x))


def draw(n, seed, size=12):
    """FAKE are smooth ramps, REAL the same with a little noise: a task of fine texture."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    ramp = np.linspace(-1, 1, size)
    slopes = generator.normal(0, 30, (n, 2, 1, 1, 3))
    images = generator.uniform(80, 176, (n, 1, 1, 3))
    images = images + slopes[:, 0] * ramp[:, None, None] + slopes[:, 1] * ramp[None, :, None]
    spread = np.where(labels == 1, 16, 5)[:, None, None, None]
    images = images + generator.normal(0, 1, images.shape) * spread
    return np.clip(np.rint(images), 0, 255).astype(np.uint8), labels


@pytest.fixture(scope="session")
def images_and_labels():
    return draw(60, seed=1)


@pytest.fixture(scope="session")
def training_images_and_labels():
    return draw(600, seed=2)


@pytest.fixture(scope="session")
def model(training_images_and_labels):
    keras.utils.set_random_seed(0)
    network = build()
    network.compile(keras.optimizers.Adam(1e-2), keras.losses.BinaryCrossentropy(from_logits=True))
    images, labels = training_images_and_labels
    network.fit(images.astype("float32"), labels, batch_size=32, epochs=12, verbose=0)
    return network


@pytest.fixture(scope="session")
def build_detector():
    """The function that makes such a detector with random weights."""
    return build
