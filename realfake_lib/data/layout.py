"""How a data set's files are laid out: which split and class a path inside it stands for.

Understood, in any letter case and below any common folders: ``train|test/REAL|FAKE/…`` (the CIFAKE
author's repository has it below ``DATASET/``, Kaggle's archive at its top) and plain
``REAL|FAKE/…``.
"""

import functools
import os
import re
from typing import NamedTuple

from realfake_lib.settings import CLASS_NAMES, FAKE, REAL

IMAGE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .mpo .png .webp .bmp .tif .tiff .gif .ppm .pgm .pbm .pnm .avif".split()
)
"""What counts as an image inside a folder or archive, everywhere in this library."""

_LITTER = {"thumbs.db", "desktop.ini", "__macosx"}  # made by file managers, not by people

SPLIT_FOLDERS = {"train": "train", "test": "test", "valid": "train", "val": "train"}
"""Folder name to split. A validation folder joins training: the library makes its own split."""

CLASS_FOLDERS = {"real": REAL, "fake": FAKE}
_CIFAKE_NAME = re.compile(r"\d+(?: \((\d+)\))?\.jpg")


class Place(NamedTuple):
    """Where one image belongs: ``key`` is ``[split folder/]CLASS/name``, unique in a data set."""

    key: str
    split: str | None
    label: int
    root: str


def place(name):
    """Work out the place of a file from its path inside the data set.

    Parameters
    ----------
    name : str
        Path with forward slashes, e.g. ``"cifake/train/FAKE/0 (2).jpg"``.

    Returns
    -------
    Place or None
        None for what is not an image of a class: a read-me, hidden files, other folders.
    """
    folder, _, file = name.rpartition("/")
    if not is_image(file) or is_hidden(file):
        return None
    start = _place_of_folder(folder)
    return start and start._replace(key=f"{start.key}/{file}")


def is_image(name):
    """Whether a file's name is one of an image of a kind read here."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def is_hidden(name):
    """Whether a file or folder of this name is none that a user sees or means."""
    return name.startswith(".") or name.lower() in _LITTER


def kind(name):
    """What files of no kind read here are counted by: the suffix, e.g. ``".heic"``."""
    return os.path.splitext(name)[1].lower() or "without suffix"


def left_out(name):
    """Kind of a file that lies in a class folder and is no image of a kind read here, or None.

    Parameters
    ----------
    name : str
        Path inside the data set, with forward slashes.

    Returns
    -------
    str or None
    """
    folder, _, file = name.rpartition("/")
    if is_image(file) or is_hidden(file) or _place_of_folder(folder) is None:
        return None
    return kind(file)


def counted(kinds):
    """Counts by kind in words, the most frequent first: ``"2 .heic, 1 .txt"``."""
    ranked = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {kind}" for kind, count in ranked)


@functools.lru_cache(maxsize=1024)  # a data set has many files in few folders
def _place_of_folder(folder):
    parts = [part for part in folder.split("/") if part not in ("", ".")]
    if any(map(is_hidden, parts)):
        return None
    for at in range(len(parts) - 1, -1, -1):
        label = CLASS_FOLDERS.get(parts[at].lower())
        if label is None:
            continue
        above = parts[at - 1].lower() if at else ""
        split = SPLIT_FOLDERS.get(above)
        head = [above] if split else []
        key = "/".join([*head, CLASS_NAMES[label], *parts[at + 1 :]])
        return Place(key, split, label, "/".join(parts[: at - len(head)]))
    return None


def cifake_object_class(key):
    """CIFAR-10 object class that CIFAKE's file names carry, 0 to 9, or -1.

    No suffix is class 0, ``(2)`` class 1, … ``(10)`` class 9; checked against CIFAR-10 itself.
    """
    match = _CIFAKE_NAME.fullmatch(key.rsplit("/", 1)[-1])
    if match is None:
        return -1
    number = int(match[1] or 1)
    return number - 1 if 1 <= number <= 10 else -1
