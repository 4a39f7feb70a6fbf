"""Where commands write: checks before the work begins, and the folder of explanations."""

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path

from realfake_lib import settings
from realfake_lib.data import layout
from realfake_lib.errors import UserError

RECORD = "realfake-explanations.json"
"""Lies in a folder of explanations and says which files in it were made, and from what."""


def check_place(option, path):
    """Raise UserError unless a file can be made at ``path``; nothing is made yet.

    ``option``, e.g. ``"--csv"``, stands in the message.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{option} {path} is a folder.", "Name a file.")
    if path.exists() and not os.access(path, os.W_OK):
        raise UserError(f"{option} {path} is write-protected.", "Name another file.")
    is_open = path.exists() and settings.own_descriptor(path) is not None
    if not is_open and not settings.is_special(path):
        _check_folder(option, path, Path(os.path.realpath(path)).parent)


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


def _check_folder(option, path, folder):
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise UserError(f"{option} {path}: {folder} is not a folder.", "Name another place.")
    try:  # permissions alone do not tell of a full or read-only disk
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"{option} {path}: nothing can be written in {folder}: {error.strerror}",
            "Name another place.",
        ) from error


class Explanations:
    """A folder with one explanation for each file that was judged.

    Those of an earlier run are replaced; files that no run made are never touched.
    """

    def __init__(self, folder):
        self.folder = Path(folder)

    def check(self, files=()):
        """Raise UserError if the folder holds other things or one of ``files``, or cannot be
        written."""
        if os.path.lexists(self.folder) and not self.folder.is_dir():
            raise UserError(f"--explain {self.folder} is not a folder.", "Name a folder.")
        if self.folder.is_dir() and self._made() is None:
            if any(not layout.is_hidden(name) for name in os.listdir(self.folder)):
                raise UserError(
                    f"--explain {self.folder} is not empty, and no earlier run has made it.",
                    "Name a new or an empty folder.",
                )
        _check_folder("--explain", self.folder, self.folder)
        if self._made():  # and these would be removed
            top = self.folder.resolve()
            for file in files:
                if Path(os.path.realpath(file)).is_relative_to(top):
                    raise UserError(
                        f"--explain {self.folder} holds {file}, which is to be judged.",
                        "Name another folder.",
                    )

    def begin(self, files):
        """Remove an earlier run's explanations and write down the names of those to come."""
        for name in self._made() or ():
            # A record from elsewhere must not lead out of the folder.
            if name == os.path.basename(name) and name.endswith(".png"):
                (self.folder / name).unlink(missing_ok=True)
        made = {self.target(file).name: str(file) for file in files}
        # Written first, so that a run that is killed leaves nothing that the next cannot name.
        with settings.atomic_file(self.folder / RECORD) as temporary:
            temporary.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")

    def target(self, file):
        """Path of the explanation for a file: its name and a hash of its path as given.

        Files of one name stay apart, and no disk finds the name too long or odd.
        """
        mark = hashlib.sha256(os.fsencode(os.path.normpath(file))).hexdigest()[:12]
        stem = re.sub(r"[^\w.-]+", "_", Path(file).stem, flags=re.ASCII)[:80]
        return self.folder / f"{stem}-{mark}.png"

    def _made(self):
        """Names in the record, or None where there is none that can be read."""
        try:
            return list(json.loads((self.folder / RECORD).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
