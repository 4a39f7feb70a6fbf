"""The network of the report this project starts from, layer by layer."""

import keras
from keras import layers


def baseline_cnn(image_size=32, dropout=0.5):
    """The original report's CNN: two convolutions, two poolings, a dense layer, dropout.

    Its sigmoid is left to the loss, its rescaling is moved inside; nothing else differs.

    Parameters
    ----------
    image_size : int
        Side of the square input, in pixels.
    dropout : float in [0, 1)
        Share of the dense layer's outputs dropped in training.

    Returns
    -------
    keras.Model
    """
    inputs = keras.Input((image_size, image_size, 3), name="pixels")
    x = layers.Rescaling(1 / 255, name="rescale")(inputs)
    x = layers.Conv2D(32, 3, activation="relu", name="conv1")(x)
    x = layers.MaxPooling2D(name="pool1")(x)
    x = layers.Conv2D(64, 3, activation="relu", name="conv2")(x)
    x = layers.MaxPooling2D(name="pool2")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(64, activation="relu", name="dense")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    logit = layers.Dense(1, dtype="float32", name="logit")(x)
    return keras.Model(inputs, logit, name="baseline_cnn")
