"""Logits of a network for many images, in order."""

import weakref

import numpy as np
import tensorflow as tf

# Held weakly, so that a model that goes out of use takes its graph with it.
_compiled = weakref.WeakKeyDictionary()


def forward(model):
    """The model as a compiled function of (n, h, w, 3) float32 pixels, without dropout."""
    if model not in _compiled:
        shape = (None, *model.input_shape[1:])
        # Traced here once: a tf.function of its own for each model makes TensorFlow warn.
        _compiled[model] = tf.function(
            lambda pixels: model(pixels, training=False),
            input_signature=[tf.TensorSpec(shape, tf.float32)],
        ).get_concrete_function()
    return _compiled[model]


def predict_logits(model, images, indices=None, batch_size=512):
    """Logits for REAL, (n,) float32: :func:`predict_outputs` of a model with one logit."""
    return predict_outputs(model, images, indices, batch_size)[:, 0]


def predict_outputs(model, images, indices=None, batch_size=512):
    """All outputs of a network, float32, in the order of ``images`` or of the rows ``indices``.

    Pixels lie in [0, 255]; of a memory map one batch at a time is read.
    """
    count = len(images) if indices is None else len(indices)
    run = forward(model)
    found = np.empty((count, model.output_shape[-1]), np.float32)
    for start in range(0, count, batch_size):
        window = slice(start, start + batch_size)
        chosen = images[window] if indices is None else images[indices[window]]
        found[window] = run(tf.cast(chosen, tf.float32)).numpy()
    return found
