"""Small networks of different kinds, for the comparison of architectures."""

from keras import layers

from realfake_lib.models.blocks import MOMENTUM, conv_bn_relu, head, pixels
from realfake_lib.models.stack import stack


def tiny_cnn(image_size=32, width=16):
    """Tiny CNN: three convolutions, each pooled, global average pooling.

    Parameters
    ----------
    image_size : int
        Side of the square input, in pixels.
    width : int
        Channels of the first convolution; doubled at each pooling.

    Returns
    -------
    keras.Model
    """
    inputs, x = pixels(image_size)
    for stage in range(3):
        x = conv_bn_relu(x, width * 2**stage, f"block{stage + 1}", pool=True)
    return head(inputs, x, "tiny_cnn")


def resnet_small(image_size=32, width=32):
    """Small residual CNN: three stages, one residual block each, no bottleneck.

    Parameters
    ----------
    image_size : int
        Side of the square input, in pixels.
    width : int
        Channels of the first stage; doubled at each later one.

    Returns
    -------
    keras.Model

    References
    ----------
    He et al., Deep residual learning for image recognition, CVPR 2016.
    """
    inputs, x = pixels(image_size)
    for stage in range(3):
        name = f"stage{stage + 1}"
        x = conv_bn_relu(x, width * 2**stage, f"{name}_down", pool=True)
        branch = conv_bn_relu(x, width * 2**stage, f"{name}_a")
        branch = conv_bn_relu(branch, width * 2**stage, f"{name}_b", relu=False)
        x = layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, branch]))
    return head(inputs, x, "resnet_small")


def depthwise_cnn(image_size=32, width=32):
    """Depthwise-separable CNN in the manner of MobileNet: few weights, many channels.

    Parameters
    ----------
    image_size : int
        Side of the square input, in pixels.
    width : int
        Channels of the first convolution; doubled at each pooling.

    Returns
    -------
    keras.Model

    References
    ----------
    Howard et al., MobileNets, 2017, arXiv 1704.04861.
    """
    inputs, x = pixels(image_size)
    x = conv_bn_relu(x, width, "stem", pool=True)
    for stage in range(1, 3):
        for part in "ab":
            name = f"stage{stage}{part}"
            x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"{name}_depth")(x)
            x = layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_depth_bn")(x)
            x = layers.ReLU(name=f"{name}_depth_relu")(x)
            x = conv_bn_relu(x, width * 2**stage, name, kernel=1, pool=part == "b")
    return head(inputs, x, "depthwise_cnn")


def deep_cnn(image_size=32, width=32):
    """The detector's network: three stages of three convolutions, the second and third residual.

    The first pooling comes after three convolutions: pooling loses where a trace lies to within a
    pixel.

    Parameters
    ----------
    image_size : int
        Side of the square input, in pixels.
    width : int
        Channels at full resolution; doubled at each pooling.

    Returns
    -------
    keras.Model

    References
    ----------
    Simonyan and Zisserman, Very deep convolutional networks, ICLR 2015; He et al., Deep residual
    learning for image recognition, CVPR 2016 (the residual connections).
    """
    stages = [f"{w} +{w} +{w}" for w in (width, 2 * width, 4 * width)]
    return stack(image_size, "P ".join(stages), name="deep_cnn")


def folded_small(image_size=32, width=32):
    """Small residual CNN on folded pixels: each 2×2 of them become channels first, for speed.

    The first layer is a learned linear map of the twelve values of 2×2 pixels to twelve channels at
    half the resolution, so all that follows costs a quarter.

    Parameters
    ----------
    image_size : int
        Side of the square input, in pixels; the last row and column of an odd one are left out.
    width : int
        Channels after folding; doubled at the pooling.

    Returns
    -------
    keras.Model

    References
    ----------
    Shi et al., Real-time single image and video super-resolution, CVPR 2016 (space to depth,
    there the other way round); He et al., Deep residual learning for image recognition, CVPR 2016.
    """
    plan = f"F {width} +{width}P {2 * width} +{2 * width} +{2 * width}"
    return stack(image_size, plan, name="folded_small")


def wide_cnn(image_size=32, width=64):
    """Wide, shallow CNN: two convolutions with many channels, global average pooling.

    What speaks for a fake it must find in patches of 12 pixels a side: it has no layers that could
    put traces together to objects.

    Parameters
    ----------
    image_size : int
        Side of the square input, in pixels.
    width : int
        Channels of the first convolution, of 5×5 pixels; the second has twice as many.

    Returns
    -------
    keras.Model
    """
    inputs, x = pixels(image_size)
    x = conv_bn_relu(x, width, "wide1", kernel=5, pool=True)
    x = conv_bn_relu(x, 2 * width, "wide2", pool=True)
    return head(inputs, x, "wide_cnn")
