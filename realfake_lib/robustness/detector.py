"""What attacks and explanations ask of a detector: pixels in, one float32 logit for REAL out."""

import weakref

import numpy as np
import tensorflow as tf

from realfake_lib.errors import UserError
from realfake_lib.evaluation.calibration import apply_temperature
from realfake_lib.keras_setup import keras
from realfake_lib.settings import FAKE, REAL
from realfake_lib.training import predict

_PIXELS = (0.0, 255.0)


def check_model(model):
    """Refuse, by a UserError, a model whose gradients would mislead.

    It must take pixels in 0..255, compute in float32 or more, and end in one logit for REAL.
    """
    shape = model.output_shape
    if not isinstance(shape, tuple) or len(shape) != 2 or shape[-1] != 1:
        raise UserError(
            f"model {model.name!r} has the output shape {shape}, not (None, 1)",
            hint="A detector ends in one logit for REAL.",
        )
    last = model.layers[-1]
    activation = getattr(last, "activation", None)
    if activation not in (None, keras.activations.linear):
        raise UserError(
            f"model {model.name!r} ends in the activation {activation.__name__!r}",
            # At a logit of 17 the float32 gradient through a sigmoid is exactly zero.
            hint="Let it end in the logit itself: an activation there hides the gradient.",
        )
    rounded = [layer.name for layer in model.layers if layer.compute_dtype in _HALF]
    if rounded:
        raise UserError(
            f"model {model.name!r} computes in {model.get_layer(rounded[0]).compute_dtype}"
            f" (layer {rounded[0]!r})",
            hint="Rebuild it in float32: rounded gradients make a network look more robust"
            " than it is.",
        )


_HALF = ("float16", "bfloat16")


def as_pixels(images):
    """Images (n, h, w, c) as float32 pixels in memory of their own, else ValueError.

    That is also for float images within 0..1, which were scaled by mistake: all scaling is inside
    the models.
    """
    images = np.asarray(images)
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(f"images must have the shape (n, h, w, channels), got {images.shape}")
    pixels = images.astype(np.float32)
    low, high = float(pixels.min()), float(pixels.max())
    if not (_PIXELS[0] <= low and high <= _PIXELS[1]):
        raise ValueError(f"pixels must lie in 0..255, got {low:g}..{high:g}")
    if images.dtype.kind == "f" and 0 < high <= 1:
        raise ValueError("pixels lie in 0..1; detectors take 0..255 and scale inside")
    return pixels


def signs(labels, n):
    """+1 for each REAL and −1 for each FAKE: ``sign · logit`` is the margin; else ValueError."""
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise ValueError(f"labels must have the shape ({n},), got {labels.shape}")
    if not np.isin(labels, (FAKE, REAL)).all():
        raise ValueError("labels must be 0 (FAKE) or 1 (REAL)")
    return np.where(labels == REAL, 1, -1).astype(np.float32)


def is_correct(logits, labels):
    """Whether each image is classified correctly: called REAL where its logit is above 0."""
    return (np.asarray(logits) > 0) == (np.asarray(labels) == REAL)


# Traced once a model, for any batch size. The dictionary and the closure hold the model weakly, so
# that a model that goes out of use takes its graph with it.
_backward = weakref.WeakKeyDictionary()


def forward(model):
    """The compiled function from pixels (b, h, w, c) float32 to logits (b,)."""
    check_model(model)
    compute = predict.forward(model)
    return lambda images: tf.reshape(compute(images), [-1])


def backward(model):
    """The compiled function from pixels (b, h, w, c) float32 to logits and ∂logit/∂pixels."""
    if model not in _backward:
        check_model(model)
        reference = weakref.ref(model)

        shape = (None, *model.input_shape[1:])

        @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)])
        def logits_and_gradient(images):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(images)
                logits = tf.reshape(reference()(images, training=False), [-1])
            # No layer mixes images in inference, so the sum's gradient is each image's own. A layer
            # without a gradient gives zeros, for the checks of robustness.sanity to find.
            gradient = tape.gradient(
                logits, images, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            return logits, gradient

        # Traced now: within a caller's tape that is paused, the inner one would record nothing.
        _backward[model] = logits_and_gradient.get_concrete_function()
    return _backward[model]


def predict_logits(model, images, batch_size=512):
    """Logits for REAL, (n,) float32, of images (n, h, w, c) in 0..255."""
    check_model(model)
    return predict.predict_logits(model, images, batch_size=batch_size)


def predictor(model, temperature=1.0):
    """The function from images (n, h, w, c) in 0..255 to calibrated ``p_fake``, (n,) in [0, 1]."""
    return lambda images: apply_temperature(predict_logits(model, images), temperature)
