"""The pieces that several networks share."""

import keras
from keras import layers

MOMENTUM = 0.9
"""Of BatchNorm's moving averages. Keras's .99 needs hundreds of steps to settle, and the short
trainings of this project would be judged by averages of weights long gone."""


def pixels(image_size):
    """Input and its rescaling to [-1, 1]: ``(inputs, x)``."""
    inputs = keras.Input((image_size, image_size, 3), name="pixels")
    return inputs, layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(inputs)


def conv_bn_relu(x, filters, name, kernel=3, pool=False, relu=True):
    """Convolution, optional 2×2 max pooling, BatchNorm, ReLU.

    Pooling comes before BatchNorm because that leaves a quarter of the values to normalise.
    """
    x = layers.Conv2D(filters, kernel, padding="same", use_bias=False, name=f"{name}_conv")(x)
    if pool:
        x = layers.MaxPooling2D(name=f"{name}_pool")(x)
    x = layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def head(inputs, x, name):
    """Global average pooling and the one logit for REAL, as a model."""
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    return keras.Model(inputs, layers.Dense(1, dtype="float32", name="logit")(x), name=name)
