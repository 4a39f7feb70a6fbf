"""Model files: a `.keras` file beside a JSON sidecar, checked before anything in it is trusted."""

import hashlib
import json
import zipfile
from pathlib import Path

import keras

from realfake_lib import __version__
from realfake_lib.errors import UserError
from realfake_lib.settings import CLASS_NAMES, atomic_file

SCHEMA = 1
LAYERS = frozenset(
    """Activation Add AveragePooling2D BatchNormalization Conv2D Dense DepthwiseConv2D Dropout
    Flatten GlobalAveragePooling2D GlobalMaxPooling2D InputLayer MaxPooling2D Multiply Normalization
    ReLU Rescaling Reshape Resizing SeparableConv2D ZeroPadding2D""".split()
)
"""Layers that a model file may hold: those of this library's networks and its backbones. None of
them runs code that comes with the file."""


def sidecar(path):
    """Path of the JSON file that belongs to a model file."""
    return Path(path).with_suffix(".json")


def save(model, path, meta=None):
    """Save a model in float32, with what a reader must know about it beside it.

    Parameters
    ----------
    model : keras.Model
        As :func:`realfake_lib.models.build` makes it.
    path : str or path-like
        Ends in ``.keras``; the sidecar takes its place beside it, ending in ``.json``.
    meta : dict, optional
        JSON-able, e.g. ``threshold`` and ``temperature``.

    Returns
    -------
    dict
        What the sidecar says: ``meta`` with ``schema``, ``library``, ``keras``, ``name``,
        ``image_size``, ``classes``, ``output``, ``parameters`` and ``sha256``.

    Raises
    ------
    UserError
        If the path does not end in ``.keras``.
    ValueError
        If the model holds a layer that could not be loaded again.
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise UserError(f"Cannot save a model as {path}.", "The name must end in .keras.")
    odd = sorted({type(layer).__name__ for layer in model.layers} - LAYERS)
    if odd:
        raise ValueError(f"a model with layers {', '.join(odd)} could not be loaded again")
    if any(layer.compute_dtype != "float32" for layer in model.layers):
        raise ValueError("a saved model is float32: copy the weights into a float32 twin first")
    with atomic_file(path) as temporary:
        model.save(temporary)
        digest = _sha256(temporary)
        sidecar(path).unlink(missing_ok=True)  # never an old description beside a new model
    written = {
        **(meta or {}),
        "schema": SCHEMA,
        "library": __version__,
        "keras": keras.__version__,
        "name": model.name,
        "image_size": model.input_shape[1],
        "classes": list(CLASS_NAMES),
        "output": "one logit for REAL; p_fake = 1 / (1 + exp(logit / temperature))",
        "parameters": model.count_params(),
        "sha256": digest,
    }
    with atomic_file(sidecar(path)) as temporary:
        temporary.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    return written


def load(path):
    """Load a model that :func:`save` wrote.

    Before Keras reads the file, its hash is compared with the sidecar's and its layers with
    :data:`LAYERS`, so that no file can bring code of its own.

    Parameters
    ----------
    path : str or path-like
        The ``.keras`` file; its ``.json`` sidecar must lie beside it.

    Returns
    -------
    keras.Model
    dict
        What the sidecar says.

    Raises
    ------
    UserError
        If a file is missing, damaged, changed, of another version, or holds anything but the
        layers known here.
    """
    path = Path(path)
    again = "Train it again (`make report`), or get both files from whoever made them."
    if not path.is_file():
        raise UserError(f"No model file {path}.", again)
    try:
        meta = json.loads(sidecar(path).read_text(encoding="utf-8"))
        if not isinstance(meta, dict):
            raise ValueError("not a JSON object")
    except FileNotFoundError:
        raise UserError(
            f"{path} has no {sidecar(path).name} beside it, so nothing says what it is.", again
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{sidecar(path)} cannot be read: {error}", again) from None
    if meta.get("schema") != SCHEMA:
        raise UserError(
            f"{path} is of model schema {meta.get('schema')!r}; this version reads {SCHEMA}.", again
        )
    if _sha256(path) != meta.get("sha256"):
        raise UserError(
            f"{path} is not the file that {sidecar(path).name} describes: "
            "it was changed, or cut off in a copy.",
            again,
        )
    _refuse_code(path, again)
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its readers raise
        raise UserError(
            f"Keras {keras.__version__} cannot read {path}, written by Keras "
            f"{meta.get('keras', 'of unknown version')}: {error}",
            again,
        ) from None
    return model, meta


def _refuse_code(path, hint):
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
        raise UserError(f"{path} is no Keras model file: {error!r}", hint) from None
    if foreign or not plain:
        what = ", ".join(sorted(foreign)) or config["class_name"]
        raise UserError(f"{path} holds {what}, which this library does not load.", hint)


def _sha256(path):
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
