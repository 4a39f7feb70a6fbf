"""Where commands write: checks before the work begins."""

import os
import tempfile
from pathlib import Path

from realfake_lib.errors import UserError


def check_place(option, path):
    """Raise UserError unless a file can be made at ``path``; nothing is made yet.

    ``option``, e.g. ``"--csv"``, stands in the message.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{option} {path} is a folder.", "Name a file.")
    if path.exists() and not os.access(path, os.W_OK):
        raise UserError(f"{option} {path} is write-protected.", "Name another file.")
    if path.is_file() or not path.exists():  # a device or a pipe stays as it is
        check_folder(f"{option} {path}", Path(os.path.realpath(path)).parent)


def check_folder(what, folder):
    """Raise UserError unless ``folder``, or the nearest one above it, can be written in."""
    folder = Path(folder)
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise UserError(f"{what}: {folder} is not a folder.", "Name another place.")
    try:  # permissions alone do not tell of a full or read-only disk
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        why = f"nothing can be written in {folder}: {error.strerror}"
        raise UserError(f"{what}: {why}", "Name another place.") from error


def check_new(output, suffix, beside):
    """Raise UserError unless a model file of this suffix can be made at ``output``.

    Neither it nor the files ``beside`` it may be there already.
    """
    if output.suffix != suffix:
        raise UserError(f"--output {output}: the name must end in {suffix}")
    for file in (output, *beside):
        if os.path.lexists(file):
            raise UserError(
                f"--output {output}: {file} exists", "Name another file, or remove this one first."
            )
    check_place("--output", output)
