"""A detector as an ONNX file, for programs without TensorFlow."""

from __future__ import annotations

import os
from pathlib import Path

from realfake_lib import console, extras, outputs
from realfake_lib.detector import find_model
from realfake_lib.errors import UserError


@extras.needed_for("export")
def export(output: str | os.PathLike[str], model: str | os.PathLike[str] | None = None) -> dict:
    """Write a detector as ONNX; the file is kept only if its logits equal Keras's.

    Parameters
    ----------
    output : path-like
        File to write, ending in ``.onnx``. What must be known of it, threshold and temperature
        among it, lies beside it as JSON.
    model : str or path-like, optional
        A ``.keras`` file or a trained detector's name; by default ``"detector"``.

    Returns
    -------
    dict
        What the JSON file says; see :func:`realfake_lib.models.export.to_onnx`.

    Raises
    ------
    UserError
        If the detector cannot be exported, or not to that place.
    """
    path, output = find_model(model, keras=True), Path(output)
    if path.suffix == ".onnx":
        raise UserError(f"--model {path} is an ONNX file already.", "Name a .keras file.")
    # Beside the model itself, one description serves both forms.
    beside = {output.with_suffix(".json").absolute()} - {path.with_suffix(".json").absolute()}
    outputs.check_new(output, ".onnx", beside)
    console.import_tensorflow()
    from realfake_lib import models
    from realfake_lib.models.export import to_onnx

    network, meta = models.load(path)
    return to_onnx(network, output, meta)
