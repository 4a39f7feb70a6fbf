"""What a network costs: its parameters, and the floating-point operations for one image."""

from math import prod

import keras


def parameters(model):
    """Number of trainable weights of ``model``."""
    return int(sum(prod(weight.shape) for weight in model.trainable_weights))


def flops(model):
    """Floating-point operations for one image through a flat ``model``, forward only.

    A multiplication with its addition counts as two. Convolutions and dense layers are counted;
    pooling, normalisation and activations, a few per cent of the work, are not. A layer type whose
    multiplications are not known here is a ValueError.
    """
    return 2 * sum(_multiplications(layer) for layer in model.layers if layer.weights)


def _multiplications(layer):
    layers = keras.layers
    # The one weight of a dropout layer is the state of its random generator.
    if isinstance(layer, layers.BatchNormalization | layers.LayerNormalization | layers.Dropout):
        return 0
    if isinstance(layer, layers.Dense):
        return prod(layer.output.shape[1:]) * layer.kernel.shape[0]
    if isinstance(layer, layers.SeparableConv2D):
        positions = prod(layer.output.shape[1:3])
        return positions * (prod(layer.depthwise_kernel.shape) + prod(layer.pointwise_kernel.shape))
    if isinstance(layer, layers.DepthwiseConv2D | layers.Conv2D):
        # A convolution kernel's shape is (height, width, inputs per group, outputs).
        return prod(layer.output.shape[1:3]) * prod(layer.kernel.shape)
    raise ValueError(
        f"cannot count the operations of layer {layer.name!r} ({type(layer).__name__})"
    )
