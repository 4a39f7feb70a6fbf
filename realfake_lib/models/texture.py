"""Statistics of an image's texture, for detectors that are trained without a large data set.

They are the mean and the standard deviation of each channel at several depths of a frozen
EfficientNet-Lite0 with ImageNet weights. They describe texture whatever its place (Gatys et al.,
2015, use the channels' correlations in the same way).
"""

import keras
import numpy as np
from keras import layers, ops

from realfake_lib import onnx_files, parallel
from realfake_lib.models import export, transfer

BACKBONE = "efficientnet_lite0"

STAGES = ("block2b_add", "block3b_add", "block4c_add", "block5c_add", "block6d_add")
"""Layers whose statistics are taken, at 1/4, 1/8, 1/16, 1/16 and 1/32 of the side."""

SIDE = 224
"""Side in pixels of the squares that go in."""


def statistics(stages=STAGES, weights="imagenet", side=SIDE):
    """The network from pixels to statistics.

    Parameters
    ----------
    stages : tuple of str
        Of :data:`STAGES`, in their order.
    weights
        As for :func:`realfake_lib.models.transfer.build`.
    side : int
        Of the squares that go in, in pixels.

    Returns
    -------
    keras.Model
        Pixels (n, side, side, 3) in [0, 255] to (n, d) float32: for each stage the means of its
        channels, then their standard deviations. Each channel's weights take 255 levels at most, so
        that an ONNX file holds a byte for each.
    """
    network = transfer.build(BACKBONE, stages[-1], image_size=side, weights=weights)
    round_kernels(network)
    parts = []
    for stage in stages:
        maps = network.get_layer(stage).output
        mean = ops.mean(maps, axis=(1, 2), keepdims=True)
        variance = ops.mean(ops.square(maps - mean), axis=(1, 2))
        parts += [layers.Flatten()(mean), ops.sqrt(variance + 1e-6)]
    return keras.Model(network.input, ops.concatenate(parts, axis=-1), name="texture")


def round_kernels(network):
    """Round the kernels of all convolutions to 255 levels for each channel that comes out."""
    for layer in network.layers:
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        if not depthwise and not isinstance(layer, layers.Conv2D):
            continue
        kernel, *others = layer.get_weights()
        axes = (0, 1) if depthwise else (0, 1, 2)
        layer.set_weights([rounded(kernel, axes), *others])


def rounded(values, axes):
    """Round an array to 255 even levels, those of each part along ``axes`` its own."""
    step = np.abs(values).max(axis=axes, keepdims=True) / 127
    step = np.maximum(step, np.finfo(np.float32).tiny)
    return np.round(values / step) * step


class Extractor:
    """Statistics of images without TensorFlow's overhead: a fifth of its time on a processor.

    ``network`` is what :func:`statistics` gives.
    """

    def __init__(self, network):
        self._session = onnx_files.session(export.to_bytes(network), "the texture network")
        self.width = network.output_shape[-1]

    def __call__(self, squares):
        """(n, d) float32 statistics of (n, side, side, 3) uint8 squares, a core for each eight."""

        def some(start):
            pixels = np.ascontiguousarray(squares[start : start + 8])
            return self._session.run([onnx_files.OUTPUT], {onnx_files.INPUT: pixels})[0]

        return np.concatenate(list(parallel.each(some, range(0, len(squares), 8))))
