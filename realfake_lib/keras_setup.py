"""Keras and TensorFlow as this library uses them; importing this module imports both.

Keras takes its backend, its number format and the order of its axes from variables and from
``~/.keras/keras.json``, where a user may have set them for other work. So no module imports Keras
on its own: it takes it from here, or its package imports this module first.
"""

import os
import sys

from realfake_lib.errors import UserError

_OTHERS = (
    "TF_USE_LEGACY_KERAS",
    "KERAS_NNX_ENABLED",
    "KERAS_MAX_EPOCHS",
    "KERAS_MAX_STEPS_PER_EPOCH",
)


def _set_up():
    """Import Keras on TensorFlow, with its settings at their defaults."""
    for name in _OTHERS:
        os.environ.pop(name, None)
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    import tensorflow  # noqa: F401

    if keras.config.backend() != "tensorflow":
        raise UserError(
            f"Keras runs on {keras.config.backend()} here, and this library needs TensorFlow.",
            "Import realfake_lib.models before keras, or set KERAS_BACKEND=tensorflow.",
        )
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy("float32")
    return keras


keras = _set_up()
