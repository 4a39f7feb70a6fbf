"""Checkpoints of a training: written whole after each epoch, found again by what made them."""

import hashlib
import json
from pathlib import Path

import keras
import numpy as np

from realfake_lib import settings


def digest(*parts):
    """SHA-256 over arrays and JSON-able values, in hexadecimal."""
    sha = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            sha.update(f"{part.dtype}{part.shape}".encode())
            sha.update(np.ascontiguousarray(part).tobytes())
        else:
            sha.update(json.dumps(part, sort_keys=True, default=str).encode())
    return sha.hexdigest()


def model_digest(model, weights=True):
    """SHA-256 over a model's architecture and weights, whatever its layers are called."""
    names = {layer.name: number for number, layer in enumerate(model.layers)}
    config = _anonymous(json.loads(model.to_json()), {model.name: "model"} | names)
    return digest(config, *(model.get_weights() if weights else []))


def _anonymous(config, names):
    """Drop what differs from build to build of a model: numbers in names, memory addresses."""
    if isinstance(config, dict):
        kept = {key: value for key, value in config.items() if key != "shared_object_id"}
        return {key: _anonymous(value, names) for key, value in kept.items()}
    if isinstance(config, list):
        return [_anonymous(item, names) for item in config]
    return names.get(config, config) if isinstance(config, str) else config


class Checkpoint:
    """One training's state on disk, under a ``key`` of all that it depends on, or nowhere."""

    def __init__(self, folder, label, key):
        self.path = None if folder is None else Path(folder) / f"{label}-{key[:16]}.npz"
        self.key = key

    def save(self, copy, optimizer, history, best, losses):
        """Write the state after an epoch; a kill leaves the previous file or this one, whole."""
        if self.path is None:
            return
        arrays = {f"w{i:04d}": array for i, array in enumerate(copy.get_weights())}
        arrays |= {
            f"o{i:04d}": np.asarray(keras.ops.convert_to_numpy(variable))
            for i, variable in enumerate(optimizer.variables)
        }
        arrays |= {f"b{i:04d}": array for i, array in enumerate(best or [])}
        arrays["losses"] = losses
        meta = json.dumps({"key": self.key, "history": history})
        with settings.atomic_file(self.path) as temporary:
            np.savez(temporary, meta=np.array(meta), **arrays)

    def restore(self, copy, optimizer, losses):
        """Put the saved state back; the history so far, and the best epoch's weights or None."""
        if self.path is None or not self.path.is_file():
            return [], None
        with np.load(self.path, allow_pickle=False) as saved:
            meta = json.loads(str(saved["meta"]))
            if meta["key"] != self.key:  # a file renamed by hand
                return [], None
            numbered = sorted(name for name in saved.files if name[1:].isdigit())
            groups = {
                letter: [saved[name] for name in numbered if name[0] == letter] for letter in "wob"
            }
            losses[:] = saved["losses"]
        copy.set_weights(groups["w"])
        for variable, value in zip(optimizer.variables, groups["o"], strict=True):
            variable.assign(value)
        return meta["history"], groups["b"] or None
