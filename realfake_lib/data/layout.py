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

IMAGE_SUFFIXES = frozenset(".jpg .jpeg .png .webp .bmp .tif .tiff .gif .ppm .pgm .avif".split())

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
    if os.path.splitext(file)[1].lower() not in IMAGE_SUFFIXES or file.startswith("."):
        return None
    start = _place_of_folder(folder)
    return start and start._replace(key=f"{start.key}/{file}")


@functools.lru_cache(maxsize=1024)  # a data set has many files in few folders
def _place_of_folder(folder):
    parts = [part for part in folder.split("/") if part not in ("", ".")]
    if any(part.startswith(".") or part == "__MACOSX" for part in parts):
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
