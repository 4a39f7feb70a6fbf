"""Networks written down as a line of text, for experiments with the order and width of layers."""

import re

from keras import layers

from realfake_lib.errors import UserError
from realfake_lib.models.blocks import conv_bn_relu, head, pixels

_LAYER = re.compile(r"(\+?)(\d+)(P?)")


def stack(image_size=32, plan="32 32P 64 64P 128 128", name="stack"):
    """Stack of 3×3 convolutions with BatchNorm, written as a line of text.

    Parameters
    ----------
    image_size : int
        Side of the square input, in pixels.
    plan : str
        A layer a word: its channels; ``+`` before them adds the layer's input to its output (the
        channels must be those before), ``P`` behind them halves the resolution by max pooling.
        ``F`` as the first word folds each 2×2 pixels into channels, by a learned linear map.
        ``"32 32P 64 64P 128 128"`` is ``compact_cnn``.
    name : str

    Returns
    -------
    keras.Model

    Raises
    ------
    UserError
        If the plan cannot be read, or a sum has unequal channels.

    References
    ----------
    He et al., Deep residual learning for image recognition, CVPR 2016 (the sums).
    """
    inputs, x = pixels(image_size)
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
            x = layers.Add(name=f"{block}_add")([x, conv_bn_relu(x, channels, block)])
            x = layers.MaxPooling2D(name=f"{block}_pool")(x) if pooled else x
        else:
            x = conv_bn_relu(x, channels, block, pool=bool(pooled))
    return head(inputs, x, name)
