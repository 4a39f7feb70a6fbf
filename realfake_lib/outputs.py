"""Where commands write: checks before the work begins, and the folder of explanations."""

import hashlib
import json
import os
import tempfile
import unicodedata
from pathlib import Path

from realfake_lib import settings
from realfake_lib.data import layout
from realfake_lib.errors import UserError

LONGEST = 140
"""Bytes in a file's name or a folder's: most disks take 255, eCryptfs 143."""

RECORD = "realfake-explanations.json"
"""Lies in a folder of explanations and says which files in it were made, and from what."""


def check_place(option, path):
    """Raise UserError unless a file can be made at ``path``; nothing is made yet.

    Parameters
    ----------
    option : str
        Stands in the message, e.g. ``"--csv"``.
    path : path-like
        Folders above it that are missing will be made.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{option} {path} is a folder.", "Name a file.")
    if path.exists() and not os.access(path, os.W_OK):
        raise UserError(f"{option} {path} is write-protected.", "Name another file.")
    is_open = path.exists() and settings.own_descriptor(path) is not None
    if not is_open and not settings.is_special(path):
        _check_folder(option, path, Path(os.path.realpath(path)).parent)


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

    An explanation is named after the path of its file as it was given, so that files of one name
    stay apart. Those of an earlier run are replaced; files that no run made are never touched.

    Parameters
    ----------
    folder : path-like
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.names = {}

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
        """Remove an earlier run's explanations and choose the names of those to come.

        Parameters
        ----------
        files : sequence of path-like
        """
        self._clear()
        self.names = explanation_names(files)
        made = {name: str(file) for file, name in self.names.items()}
        # Written first, so that a run that is killed leaves nothing that the next cannot name.
        with settings.atomic_file(self.folder / RECORD) as temporary:
            temporary.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")

    def target(self, file):
        """Path of the explanation for one of the files, its folder made."""
        target = self.folder / _on_disk(self.names[file])
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def _made(self):
        """Names in the record, or None where there is none that can be read."""
        try:
            return list(json.loads((self.folder / RECORD).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def _clear(self):
        top = self.folder.resolve()
        for name in self._made() or ():
            explanation = self.folder / _on_disk(str(name))
            # A record from elsewhere must not lead out of the folder.
            if explanation.suffix != ".png" or not explanation.parent.resolve().is_relative_to(top):
                continue
            explanation.unlink(missing_ok=True)
            for above in explanation.relative_to(self.folder).parents[:-1]:
                try:
                    (self.folder / above).rmdir()
                except OSError:  # holds something else
                    break


def explanation_names(files):
    """Name of each file's explanation inside the folder: the path as given, and ``.png``.

    Parameters
    ----------
    files : sequence of path-like

    Returns
    -------
    dict
        File to relative path with forward slashes: text that every disk takes, no part longer than
        :data:`LONGEST`, all different whatever the letter case. The same for the same files.
    """
    names, taken = {}, set()
    for file in files:
        path = os.path.normpath(file)
        if os.path.isabs(path) or path.split(os.sep)[0] == os.pardir:
            path = os.path.abspath(path)
        path = Path(path).relative_to(Path(path).anchor)
        *folders, stem = (_shortened(os.fsencode(part)) for part in path.parts)
        number = 1
        while True:
            end = ".png" if number == 1 else f"-{number}.png"
            name = "/".join([*folders, stem + end])
            # Two names are one where a disk knows no letter case, or only one form of an accent.
            same = unicodedata.normalize("NFC", name).casefold()
            if same not in taken:
                break
            number += 1
        taken.add(same)
        names[file] = name
    return names


def _on_disk(name):
    """A name whose bytes on the disk are UTF-8, whatever encoding Python takes the disk's for."""
    return os.fsdecode(name.encode("utf-8", "surrogateescape"))


def _shortened(name):
    """Text for one part of a path: its beginning and a hash where it is too long for all of it."""
    text = name.decode("utf-8", "replace")
    if len(text.encode()) <= LONGEST - len("-999999.png"):
        return text
    mark = "-" + hashlib.sha256(name).hexdigest()[:12]
    kept = LONGEST - len("-999999.png") - len(mark)
    return text.encode()[:kept].decode("utf-8", "ignore").rstrip() + mark
