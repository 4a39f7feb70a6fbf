"""Networks by name, small enough to train here: the original report's, the detectors, and others.

References
----------
He et al., Deep residual learning for image recognition, CVPR 2016 (the sums). Howard et al.,
MobileNets, 2017, arXiv 1704.04861. Shi et al., Real-time single image and video super-resolution,
CVPR 2016 (space to depth, there the other way round).
"""

import inspect
import re

import keras
from keras import layers

from realfake_lib.errors import UserError

MOMENTUM = 0.9
"""Of BatchNorm's moving averages. Keras's .99 needs hundreds of steps to settle, and the short
trainings of this project would be judged by averages of weights long gone."""

_LAYER = re.compile(r"(\+?)(\d+)(P?)")


def baseline_cnn(image_size=32, dropout=0.5):
    """The original report's CNN: two convolutions, two poolings, a dense layer, dropout.

    Its sigmoid is left to the loss, its rescaling is moved inside; nothing else differs.
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


def stack(image_size=32, plan="32 32P 64 64P 128 128", name="stack"):
    """Stack of 3×3 convolutions with BatchNorm, written as a line of text.

    In ``plan`` a layer is a word: its channels; ``+`` before them adds the layer's input to its
    output (the channels must be those before), ``P`` behind them halves the resolution by max
    pooling. ``F`` as the first word folds each 2×2 pixels into channels, by a learned linear map. A
    plan that cannot be read is a UserError.
    """
    inputs, x = _pixels(image_size)
    words = plan.split()
    if words[:1] == ["F"]:
        x = layers.Conv2D(12, 2, strides=2, use_bias=False, name="fold")(x)
        words = words[1:]
    for number, word in enumerate(words, 1):
        found = _LAYER.fullmatch(word)
        if not found:
            raise UserError(f"Cannot read {word!r} in the plan {plan!r}.", "Write e.g. 32 +32P 64.")
        added, channels, pooled = found[1], int(found[2]), found[3]
        if added and x.shape[-1] != channels:
            raise UserError(
                f"{word!r} in the plan {plan!r} adds {channels} channels to {x.shape[-1]}."
            )
        block = f"layer{number}"
        if added:
            x = layers.Add(name=f"{block}_add")([x, _conv_bn_relu(x, channels, block)])
            x = layers.MaxPooling2D(name=f"{block}_pool")(x) if pooled else x
        else:
            x = _conv_bn_relu(x, channels, block, pool=bool(pooled))
    return _head(inputs, x, name)


def compact_cnn(image_size=32):
    """Compact VGG-style CNN: six 3×3 convolutions with BatchNorm, global average pooling.

    The traces that generation leaves are fine ones, so two convolutions see the full resolution
    before anything is pooled.
    """
    return stack(image_size, "32 32P 64 64P 128 128", "compact_cnn")


def tiny_cnn(image_size=32):
    """Tiny CNN: three convolutions, each pooled, global average pooling."""
    return stack(image_size, "16P 32P 64P", "tiny_cnn")


def deep_cnn(image_size=32):
    """The detector's network: three stages of three convolutions, the second and third residual.

    The first pooling comes after three convolutions: pooling loses where a trace lies to within a
    pixel.
    """
    return stack(image_size, "32 +32 +32P 64 +64 +64P 128 +128 +128", "deep_cnn")


def folded_small(image_size=32):
    """Small residual CNN on folded pixels: each 2×2 of them become channels first, for speed.

    The first layer is a learned linear map of the twelve values of 2×2 pixels to twelve channels at
    half the resolution, so all that follows costs a quarter.
    """
    return stack(image_size, "F 32 +32P 64 +64 +64", "folded_small")


def resnet_small(image_size=32):
    """Small residual CNN: three stages, one residual block each, no bottleneck."""
    inputs, x = _pixels(image_size)
    for stage, width in enumerate((32, 64, 128), 1):
        name = f"stage{stage}"
        x = _conv_bn_relu(x, width, f"{name}_down", pool=True)
        branch = _conv_bn_relu(x, width, f"{name}_a")
        branch = _conv_bn_relu(branch, width, f"{name}_b", relu=False)
        x = layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, branch]))
    return _head(inputs, x, "resnet_small")


def depthwise_cnn(image_size=32):
    """Depthwise-separable CNN in the manner of MobileNet: few weights, many channels."""
    inputs, x = _pixels(image_size)
    x = _conv_bn_relu(x, 32, "stem", pool=True)
    for stage in range(1, 3):
        for part in "ab":
            name = f"stage{stage}{part}"
            x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"{name}_depth")(x)
            x = layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_depth_bn")(x)
            x = layers.ReLU(name=f"{name}_depth_relu")(x)
            x = _conv_bn_relu(x, 32 * 2**stage, name, kernel=1, pool=part == "b")
    return _head(inputs, x, "depthwise_cnn")


def wide_cnn(image_size=32):
    """Wide, shallow CNN: two convolutions with many channels, global average pooling.

    It judges by patches of 12 pixels a side: no layer could put traces together to objects.
    """
    inputs, x = _pixels(image_size)
    x = _conv_bn_relu(x, 64, "wide1", kernel=5, pool=True)
    x = _conv_bn_relu(x, 128, "wide2", pool=True)
    return _head(inputs, x, "wide_cnn")


def _pixels(image_size):
    """Input and its rescaling to [-1, 1]."""
    inputs = keras.Input((image_size, image_size, 3), name="pixels")
    return inputs, layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(inputs)


def _conv_bn_relu(x, filters, name, kernel=3, pool=False, relu=True):
    """Convolution, 2×2 max pooling if wanted, BatchNorm (on what pooling leaves), ReLU."""
    x = layers.Conv2D(filters, kernel, padding="same", use_bias=False, name=f"{name}_conv")(x)
    if pool:
        x = layers.MaxPooling2D(name=f"{name}_pool")(x)
    x = layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _head(inputs, x, name):
    """Global average pooling and the one logit for REAL, as a model."""
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    return keras.Model(inputs, layers.Dense(1, dtype="float32", name="logit")(x), name=name)


_BUILDERS = {
    builder.__name__: builder
    for builder in (
        baseline_cnn,
        compact_cnn,
        tiny_cnn,
        resnet_small,
        depthwise_cnn,
        deep_cnn,
        folded_small,
        wide_cnn,
        stack,
    )
}


def available():
    """Names that :func:`build` knows, each with a one-line description."""
    return {name: inspect.getdoc(builder).splitlines()[0] for name, builder in _BUILDERS.items()}


def build(name, image_size=32, **options):
    """Build a network with fresh weights.

    Parameters
    ----------
    name : str
        One of :func:`available`.
    image_size : int
        Side of the square input, in pixels.
    **options
        Passed to the network's own function, e.g. ``dropout=0.3`` for ``"baseline_cnn"``.

    Returns
    -------
    keras.Model
        Functional, flat, float32; pixels (n, image_size, image_size, 3) in [0, 255] to a logit
        for REAL, (n, 1). The weights come from Keras's global generator, so call
        ``training.set_seed`` before. What cannot be built is a UserError.
    """
    try:
        builder = _BUILDERS[name]
    except (KeyError, TypeError):
        raise UserError(
            f"Unknown model {name!r}.", f"Known models: {', '.join(_BUILDERS)}"
        ) from None
    known = list(inspect.signature(builder).parameters)[1:]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise UserError(
            f"Model {name!r} has no option {', '.join(map(repr, unknown))}.",
            f"Its options: {', '.join(known) or 'none'}",
        )
    if not isinstance(image_size, int) or image_size < 16:
        raise UserError(
            f"image_size is {image_size!r}; model {name!r} needs a whole number of 16 or more."
        )
    return builder(image_size, **options)
