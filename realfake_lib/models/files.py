"""Model files: a `.keras` file with its metadata beside it, checked before it is trusted."""

import json
import re
import zipfile
from pathlib import Path

import keras

from realfake_lib import __version__, model_metadata
from realfake_lib.errors import UserError
from realfake_lib.settings import CLASS_NAMES, atomic_file

LAYERS = frozenset(
    """Activation Add AveragePooling2D BatchNormalization Conv2D Dense DepthwiseConv2D Dropout
    Flatten GlobalAveragePooling2D GlobalMaxPooling2D InputLayer MaxPooling2D Multiply Normalization
    ReLU Rescaling Reshape Resizing SeparableConv2D ZeroPadding2D""".split()
)
"""Layers that a model file may hold: those of this library's networks and its backbones. None of
them runs code that comes with the file."""


def save(model, path, meta=None):
    """Save a model in float32 as a ``.keras`` file, and its metadata as ``.json`` beside it.

    ``meta`` is JSON-able, e.g. ``threshold`` and ``temperature``. The result is that dict with what
    this function adds to it. A layer that could not be loaded again is a ValueError.
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise UserError(f"Cannot save a model as {path}.", "The name must end in .keras.")
    odd = sorted({type(layer).__name__ for layer in model.layers} - LAYERS)
    if odd:
        raise ValueError(f"a model with layers {', '.join(odd)} could not be loaded again")
    if any(layer.compute_dtype != "float32" for layer in model.layers):
        raise ValueError("a saved model is float32: copy the weights into a float32 model first")
    with atomic_file(path) as temporary:
        model.save(temporary)
        _settle(temporary)
        digest = model_metadata.sha256(temporary)
        # Never an old description beside a new model.
        model_metadata.path_of(path).unlink(missing_ok=True)
    written = {
        **(meta or {}),
        "schema": model_metadata.SCHEMA,
        "library": __version__,
        "keras": keras.__version__,
        "name": model.name,
        "image_size": model.input_shape[1],
        "classes": list(CLASS_NAMES),
        "output": "one logit for REAL; p_fake = 1 / (1 + exp(logit / temperature))",
        "parameters": model.count_params(),
        "sha256": digest,
    }
    model_metadata.write(path, written)
    return written


def _settle(path):
    """Take out of a ``.keras`` file what differs from one writing of a model to the next.

    These are times, and memory addresses, by which Keras tells objects that layers share.
    """
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    addresses = {}

    def numbered(match):
        return b'"shared_object_id": %d' % addresses.setdefault(match[1], len(addresses))

    parts["config.json"] = re.sub(rb'"shared_object_id": (\d+)', numbered, parts["config.json"])
    written = json.loads(parts["metadata.json"]) | {"date_saved": ""}
    parts["metadata.json"] = json.dumps(written).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            entry = zipfile.ZipInfo(name)  # of the year 1980
            # Weights from a checkpoint in half precision shrink to half.
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)


def load(path):
    """Load a model that :func:`save` wrote: the model and its metadata.

    Before Keras reads the file, its hash is compared with that in the metadata beside it and
    its layers with :data:`LAYERS`, so that no file can bring code of its own.

    All that is wrong with it is a UserError.
    """
    path = Path(path)
    meta = model_metadata.read(path)
    model_metadata.check_hash(path, model_metadata.sha256(path), meta.get("sha256"))
    _refuse_code(path)
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its readers raise
        raise UserError(
            f"Keras {keras.__version__} cannot read {path}, written by Keras "
            f"{meta.get('keras', 'of unknown version')}: {error}",
            model_metadata.AGAIN,
        ) from None
    return model, meta


def _refuse_code(path):
    """Raise UserError unless the archive's configuration names known Keras layers only."""
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
        layers = config["config"]["layers"]
        foreign = {
            layer["class_name"]
            for layer in layers
            if layer["module"] != "keras.layers" or layer["class_name"] not in LAYERS
        }
        plain = config["module"].startswith("keras.") and config["class_name"] == "Functional"
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        raise UserError(f"{path} is no Keras model file: {error!r}", model_metadata.AGAIN) from None
    if foreign or not plain:
        what = ", ".join(sorted(foreign)) or config["class_name"]
        raise UserError(
            f"{path} holds {what}, which this library does not load.", model_metadata.AGAIN
        )
