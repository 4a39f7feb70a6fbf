"""A detector of which one knows where it must look: REAL is whatever has a bright square."""

import keras
import numpy as np
import pytest

SIZE, SQUARE = 24, 6


def build():
    inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(8, 3, padding="same", name="early")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.ReLU(name="early_relu")(x)
    x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Conv2D(8, 3, padding="same", use_bias=False, name="late")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.ReLU(name="late_relu")(x)
    x = keras.layers.GlobalMaxPooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(1, name="logit")(x))


def draw(n, seed):
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    images = generator.integers(40, 120, (n, SIZE, SIZE, 3))
    corners = generator.integers(0, SIZE - SQUARE, (n, 2))
    for image, label, (y, x) in zip(images, labels, corners, strict=True):
        if label == 1:
            image[y : y + SQUARE, x : x + SQUARE] += 120
    return images.astype(np.uint8), labels, corners


@pytest.fixture(scope="session")
def square_detector():
    keras.utils.set_random_seed(1)
    model = build()
    images, labels, _ = draw(400, seed=0)
    model.compile(keras.optimizers.Adam(1e-2), keras.losses.BinaryCrossentropy(from_logits=True))
    model.fit(images.astype("float32"), labels, batch_size=32, epochs=6, verbose=0)
    return model


@pytest.fixture(scope="session")
def squares():
    """Images, labels, and the upper left corners of the squares of those that have one."""
    return draw(24, seed=5)


@pytest.fixture(scope="session")
def in_square(squares):
    """(n, h, w) bool: the pixels of each image's square, REAL images only."""
    images, _, corners = squares
    inside = np.zeros(images.shape[:3], bool)
    for mask, (y, x) in zip(inside, corners, strict=True):
        mask[y : y + SQUARE, x : x + SQUARE] = True
    return inside
