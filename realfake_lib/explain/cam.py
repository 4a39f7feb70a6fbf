"""Class activation maps: where in an image a detector found what spoke for a class.

A method is the few lines that combine what one pass, :func:`gather`, yields. The score of REAL is
the logit, that of FAKE its negative: before any sigmoid, whose gradient can be zero.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from realfake_lib.errors import UserError
from realfake_lib.robustness import detector
from realfake_lib.settings import CLASS_NAMES, FAKE, REAL

MIN_SIZE = 7
"""Smallest height and width of a map that :func:`default_layer` is content with."""

BATCH = 64
"""Images in one pass."""

_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
_ACTIVATIONS = (layers.Activation, layers.ReLU, layers.LeakyReLU, layers.PReLU, layers.ELU)


def grad_cam(model, images, layer=None, target="FAKE"):
    """Gradient-weighted class activation maps.

    Parameters
    ----------
    model : keras.Model
        Pixels 0..255 in, one logit for REAL out; a flat functional graph.
    images : (n, h, w, c) array, uint8 or float, 0..255
    layer : str, optional
        Layer whose output is explained; :func:`default_layer` unless given.
    target : {"FAKE", "REAL"} or (n,) int array
        The class to explain, for all images or for each.

    Returns
    -------
    (n, h, w) float32 array in [0, 1]
        The largest value of a map is 1. A map is all zero where nothing in the layer spoke for the
        target: :func:`empty` tells which are.

    Raises
    ------
    UserError
        If the layer is unknown or has no map larger than 1×1, or the model is not flat.

    References
    ----------
    Selvaraju et al.: Grad-CAM (2017).
    """
    return _maps(model, images, layer, target, _grad_cam)


def grad_cam_pp(model, images, layer=None, target="FAKE"):
    """Grad-CAM++ (Chattopadhyay et al., 2018), which does more justice to several places that speak
    for the same class. As :func:`grad_cam`.
    """
    return _maps(model, images, layer, target, _grad_cam_pp)


def layer_cam(model, images, layer=None, target="FAKE"):
    """LayerCAM (Jiang et al., 2021), which weighs each place by itself and so suits early, fine
    layers. As :func:`grad_cam`.
    """
    return _maps(model, images, layer, target, _layer_cam)


def score_cam(model, images, layer=None, target="FAKE"):
    """Score-CAM (Wang et al., 2020): what does the score do when only a channel's place shows?

    It uses no gradient, and as many forward passes an image as the layer has channels. As
    :func:`grad_cam`.
    """

    def combine(activations, _, pixels, sign):
        weights, size = [], pixels.shape[1:3]
        for image, channels, s in zip(pixels, activations, sign, strict=True):
            masks = resize(np.moveaxis(channels, -1, 0), size)
            low = masks.min(axis=(1, 2), keepdims=True)
            spread = masks.max(axis=(1, 2), keepdims=True) - low
            masks = np.divide(masks - low, spread, out=np.zeros_like(masks), where=spread > 0)
            shown = masks[..., None] * image
            scores = s * detector.predict_logits(model, shown, BATCH).astype(np.float64)
            softmax = np.exp(scores - scores.max())
            weights.append(softmax / softmax.sum())
        return (np.asarray(weights, np.float32)[:, None, None, :] * activations).sum(-1)

    return _maps(model, images, layer, target, combine)


METHODS = {
    "grad_cam": grad_cam,
    "grad_cam_pp": grad_cam_pp,
    "layer_cam": layer_cam,
    "score_cam": score_cam,
}
"""Methods by name, all called alike."""


def _grad_cam(activations, gradients, *_):
    weights = gradients.mean(axis=(1, 2), keepdims=True)
    return (weights * activations).sum(-1)


def _grad_cam_pp(activations, gradients, *_):
    # The paper's class score is exp(S): its powers cancel in alpha, and what is left of them in
    # the weights is one factor an image, which goes when the map is scaled to 1.
    square = gradients**2
    total = activations.sum(axis=(1, 2), keepdims=True)
    denominator = 2 * square + total * gradients**3
    alpha = np.divide(square, denominator, out=np.zeros_like(square), where=denominator != 0)
    weights = (alpha * np.maximum(gradients, 0)).sum(axis=(1, 2), keepdims=True)
    return (weights * activations).sum(-1)


def _layer_cam(activations, gradients, *_):
    return (np.maximum(gradients, 0) * activations).sum(-1)


def gather(model, images, layer, sign):
    """Activations (b, h, w, channels) of a layer and the gradient of each image's score by them."""
    both = keras.Model(model.inputs, [model.get_layer(layer).output, *model.outputs])
    images = tf.constant(images)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        # Watching the images records every operation, also where all weights are frozen.
        tape.watch(images)
        activations, logits = both(images, training=False)
        score = tf.reduce_sum(tf.reshape(logits, [-1]) * sign)
    gradients = tape.gradient(
        score, activations, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    return activations.numpy(), gradients.numpy()


def default_layer(model):
    """Name of the layer that the methods here explain unless told otherwise.

    The last one that gives a map of at least 7×7, else of the largest size. A class activation map
    is defined on rectified features: a convolution without an activation is taken only where there
    is nothing else.

    Raises
    ------
    UserError
        If no convolution has a map larger than 1×1.
    """
    _check_flat(model)
    convolutions = [item for item in model.layers if isinstance(item, _CONVOLUTIONS)]
    rectified = map(model.get_layer, explainable_layers(model))
    useful = list(rectified) or [item for item in convolutions if _side(item) > 1]
    if not useful:
        raise UserError(
            f"model {model.name!r} has no convolution with a map larger than 1×1",
            hint="A class activation map needs one; an input of more pixels may give it.",
        )
    enough = min(MIN_SIZE, max(map(_side, useful)))
    return [item.name for item in useful if _side(item) >= enough][-1]


def _is_rectified(layer):
    if isinstance(layer, layers.Add):  # a sum of rectified features is one
        return all(_is_rectified(part._keras_history.operation) for part in layer.input)
    activation = getattr(layer, "activation", None)
    own = activation not in (None, keras.activations.linear)
    return own or isinstance(layer, _ACTIVATIONS)


def _side(layer):
    return min(_map_size(layer))


def explainable_layers(model):
    """Names of all layers that give a rectified map larger than 1×1, from the pixels on."""
    return [layer.name for layer in model.layers if _is_rectified(layer) and _side(layer) > 1]


def empty(maps):
    """Which (n,) maps are zero everywhere: nothing in the layer spoke for the class."""
    return ~np.any(np.asarray(maps) != 0, axis=(1, 2))


def target_signs(target, n):
    """+1 where REAL is explained and −1 where FAKE is, (n,) float32, else UserError."""
    if isinstance(target, str):
        if target not in CLASS_NAMES:
            raise UserError(f"unknown class {target!r}", hint="Explain 'FAKE' or 'REAL'.")
        target = np.full(n, REAL if target == "REAL" else FAKE)
    return detector.signs(target, n)


def resize(maps, size):
    """Bring (n, h, w) maps to an image's size (height, width), bilinearly, float32."""
    return tf.image.resize(maps[..., None], size, method="bilinear").numpy()[..., 0]


def _maps(model, images, layer, target, combine):
    """Maps by what ``combine`` makes of a batch, brought to the images' size, their maximum 1."""
    detector.check_model(model)
    pixels = detector.as_pixels(images)
    layer = default_layer(model) if layer is None else layer
    _check_layer(model, layer)
    sign = target_signs(target, len(pixels))
    maps = []
    for first in range(0, len(pixels), BATCH):
        part = slice(first, first + BATCH)
        found = combine(*gather(model, pixels[part], layer, sign[part]), pixels[part], sign[part])
        found = resize(np.maximum(found, 0), pixels.shape[1:3])
        peak = found.max(axis=(1, 2), keepdims=True)
        maps.append(np.divide(found, peak, out=np.zeros_like(found), where=peak > 0))
    return np.concatenate(maps)


def _check_layer(model, name):
    """Raise UserError unless the layer is there and has a map larger than 1×1."""
    _check_flat(model)
    known = {layer.name: _map_size(layer) for layer in model.layers}
    if min(known.get(name, (0, 0))) > 1:
        return
    problem = f"layer {name!r} has no map larger than 1×1: it locates nothing"
    if name not in known:
        problem = f"model {model.name!r} has no layer {name!r}"
    maps = [f"{name} ({h}×{w})" for name, (h, w) in known.items() if min(h, w) > 1]
    raise UserError(problem, hint=f"Layers with a map: {', '.join(maps)}.")


def _check_flat(model):
    nested = [layer.name for layer in model.layers if isinstance(layer, keras.Model)]
    if nested:
        raise UserError(
            f"model {model.name!r} holds another model as its layer {nested[0]!r}",
            hint="Build it flat (backbone with input_tensor=…), so that gradients can be gathered.",
        )


def _map_size(layer):
    """Height and width of a layer's output, (0, 0) where it has no such map."""
    shape = getattr(layer.output, "shape", ())
    return (0, 0) if len(shape) != 4 or None in shape[1:3] else tuple(shape[1:3])
