"""A compact network without shortcuts, for the comparison of architectures."""

from realfake_lib.models.blocks import conv_bn_relu, head, pixels


def compact_cnn(image_size=32, width=32):
    """Compact VGG-style CNN: six 3×3 convolutions with BatchNorm, global average pooling.

    The traces that generation leaves are fine ones, so two convolutions see the full resolution
    before anything is pooled.

    Parameters
    ----------
    image_size : int
        Side of the square input, in pixels.
    width : int
        Channels at full resolution; doubled at each pooling.

    Returns
    -------
    keras.Model
    """
    inputs, x = pixels(image_size)
    x = conv_bn_relu(x, width, "block1_1")
    x = conv_bn_relu(x, width, "block1_2", pool=True)
    x = conv_bn_relu(x, 2 * width, "block2_1")
    x = conv_bn_relu(x, 2 * width, "block2_2", pool=True)
    x = conv_bn_relu(x, 4 * width, "block3_1")
    x = conv_bn_relu(x, 4 * width, "block3_2")
    return head(inputs, x, "compact_cnn")
