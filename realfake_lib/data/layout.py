"""How a data set's files are laid out: which split and class a path inside it stands for.

A folder stands for a class or a split if its name, taken as words, says that and nothing else:

- REAL: ``real``, ``nature``, ``natural``, ``authentic``, ``genuine``;
- FAKE: ``fake``, ``deepfake``, ``ai``, ``synthetic``, ``generated``, ``artificial``;
- splits: ``train``, ``training``; ``val``, ``valid``, ``validation``, ``dev``; ``test``,
  ``testing``.

Letter case, numbers, a plural's ``s`` and words such as ``images`` or ``set`` change nothing, so
``0_real``, ``Fake Images``, ``AI-generated`` and ``training_real`` are understood. ``sd_fakes`` and
``real_vs_fake`` stand for no class: the first says more, the second both. The outermost split
counts, and a folder that says ``real`` or ``fake`` outright counts before the other words
(``FAKE/nature`` is FAKE). Other folders, above, between and below, may have any names.
"""

import functools
import os
import re
from typing import NamedTuple

from realfake_lib.settings import CLASS_NAMES, FAKE, REAL

IMAGE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .mpo .png .webp .heic .heif .hif .avif .bmp .tif .tiff .gif "
    ".ppm .pgm .pbm .pnm".split()
)
"""What counts as an image inside a folder or archive, everywhere in this library."""

_LITTER = frozenset(
    "thumbs.db desktop.ini __macosx lost+found @eadir #recycle @recycle $recycle.bin".split()
) | {"system volume information"}
"""What file managers, disks and storage devices put among people's files, in lower case."""

VERSION = 2
"""Raised when the rules of this module change, so that what was remembered is read again."""

_OUTRIGHT = {"real": REAL, "fake": FAKE}
_IN_OTHER_WORDS = dict.fromkeys("nature natural authentic genuine".split(), REAL) | dict.fromkeys(
    "deepfake ai synthetic generated artificial".split(), FAKE
)
_SPLITS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "dev": "val", "test": "test", "testing": "test",
}  # fmt: skip
_NEUTRAL = frozenset(
    "image img picture pic photo photograph face art sample data dataset set".split()
)
_WORD = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")

EXPECTED = (
    "Expected are folders REAL and FAKE (or real images, nature; ai, synthetic, generated), alone "
    "or with train, val and test."
)
_CIFAKE_NAME = re.compile(r"\d+(?: \((\d+)\))?\.jpg")


class Place(NamedTuple):
    """Where one image belongs: ``root/split/class/inside``.

    ``split`` is the folder that names one, in lower case, or None; ``label`` is None where the path
    names both classes; ``inside`` keeps the name of a class folder that isn't plain REAL or FAKE.
    """

    split: str | None
    label: int | None
    inside: str
    root: str

    def key(self, below=""):
        """``[split/]CLASS/[below/]inside``, the image's name in the data set."""
        parts = (self.split, CLASS_NAMES[self.label], below, self.inside)
        return "/".join(part for part in parts if part)


def place(name):
    """The :class:`Place` of a file by its path inside the data set, ``"c/train/FAKE/0 (2).jpg"``.

    None for what is not an image of a class: a read-me, hidden files, other folders.
    """
    folder, _, file = name.rpartition("/")
    if not is_image(file) or is_hidden(file):
        return None
    start = _place_of_folder(folder)
    return start and start._replace(inside="/".join(filter(None, (start.inside, file))))


@functools.lru_cache(maxsize=1024)
def said_by(folder):
    """Split, class, and whether it is said outright, by real or fake, of a folder's name."""
    for form in (folder, _CAMEL.sub(" ", folder)):
        words = {word.removesuffix("s") for word in _WORD.findall(form.lower())} - _NEUTRAL
        plain = words & _OUTRIGHT.keys()
        labels = {_OUTRIGHT[word] for word in plain}
        labels |= {_IN_OTHER_WORDS[word] for word in words & _IN_OTHER_WORDS.keys()}
        splits = {_SPLITS[word] for word in words & _SPLITS.keys()}
        known = words <= _OUTRIGHT.keys() | _IN_OTHER_WORDS.keys() | _SPLITS.keys()
        if words and known and len(labels) <= 1 and len(splits) <= 1:
            return next(iter(splits), None), next(iter(labels), None), bool(plain)
    return None, None, False


def says_class(folder):
    """Whether a folder of this name stands for a class."""
    return said_by(folder)[1] is not None


def joins(split):
    """The part of a split folder's images. Validation joins training: the library splits itself."""
    return {"train": "train", "val": "train", "test": "test"}[said_by(split)[0]]


def is_image(name):
    """Whether a file's name is one of an image of a kind read here."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def is_hidden(name):
    """Whether a file or folder of this name is none that a user sees or means."""
    return name.startswith(".") or name.lower() in _LITTER


def as_text(name):
    """A file's name, whose bytes need not be UTF-8, as text: the odd bytes as ``\\xe9``."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def kind(name):
    """What files of no kind read here are counted by: the suffix, e.g. ``".nef"``."""
    return os.path.splitext(name)[1].lower() or "without suffix"


def left_out(name):
    """What a file that is no image of a class is counted by, or None where nobody misses it.

    In a class folder that is its kind; of an image in no class folder, that folder.
    """
    folder, _, file = name.rpartition("/")
    if _is_litter(name):
        return None
    if _place_of_folder(folder) is not None:
        return None if is_image(file) else kind(file)
    if not is_image(file):
        return None
    return f"in {folder!r}" if folder else "at the top"


def counted(kinds, shown=10):
    """Counts by kind in words, the most frequent first: ``"2 .nef, 1 .txt"``."""
    ranked = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    words = [f"{count:,} {kind}" for kind, count in ranked[:shown]]
    if others := sum(count for _, count in ranked[shown:]):
        words.append(f"{others:,} others")
    return ", ".join(words)


@functools.lru_cache(maxsize=1024)  # a data set has many files in few folders
def _place_of_folder(folder):
    if _is_litter(folder):
        return None
    parts = [part for part in folder.split("/") if part not in ("", ".")]
    said = [said_by(part) for part in parts]
    outright = [at for at, (_, label, plain) in enumerate(said) if plain and label is not None]
    classes = outright or [at for at, (_, label, _) in enumerate(said) if label is not None]
    if not classes:
        return None
    labels = {said[at][1] for at in classes}
    at_class = classes[0]
    at_split = next((at for at, (split, _, _) in enumerate(said) if split), None)
    split = None
    if at_split is not None:
        split = said[at_split][0] if at_split == at_class else parts[at_split].lower()
    top = at_class if at_split is None else min(at_class, at_split)
    # What the key says already need not be said twice; all else is kept, so that keys are unique.
    plain = at_class if parts[at_class].upper() in CLASS_NAMES else None
    said_already = {plain, at_split if at_split != at_class else None}
    inside = [parts[at] for at in range(top, len(parts)) if at not in said_already]
    label = labels.pop() if len(labels) == 1 else None
    return Place(split, label, "/".join(inside), "/".join(parts[:top]))


def _is_litter(path):
    return any(is_hidden(part) for part in path.split("/") if part not in ("", "."))


def cifake_object_class(key):
    """CIFAR-10 object class that CIFAKE's file names give: ``(2)`` is 1, nothing is 0; or -1."""
    match = _CIFAKE_NAME.fullmatch(key.rsplit("/", 1)[-1])
    if match is None:
        return -1
    number = int(match[1] or 1)
    return number - 1 if 1 <= number <= 10 else -1
