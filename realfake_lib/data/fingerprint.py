"""Identity of a data set by its contents: git's blob and tree ids, and one fingerprint over all."""

import hashlib
import json
import os
import time
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from realfake_lib import progress, settings
from realfake_lib.data import archives, layout
from realfake_lib.data.containers import jpeg_header
from realfake_lib.errors import BadFiles, UserError
from realfake_lib.settings import CLASS_NAMES

CIFAKE_TREES = {
    "test/FAKE": "57d33a9178ae16419ef1a26cd04962f34b2c77d8",
    "test/REAL": "73e2e93fe4f84fc36130ae09231bb46079221120",
    "train/FAKE": "38d6ac38142e1e6c28fff256b8f1b3ee992605df",
    "train/REAL": "3c7707a09723bb1312970a0cfe91390d7d811b0b",
}
"""Git tree ids of CIFAKE's four folders in its author's repository, at the pinned commit."""

CIFAKE_IMAGES = 120_000

_CHUNK = 4096  # files handed on together: enough to keep every decoding thread busy
_CHUNK_BYTES = 16 * 2**20  # and of photographs only so many that they fit the memory
_SETTLED = 2.0  # seconds after which a file's time stamp can be trusted to show the next change


@dataclass(frozen=True)
class Content:
    """What one reading of all files of a data set found, but for the pixels."""

    fingerprint: str
    n: int
    trees: dict = field(default_factory=dict)
    splits: dict = field(default_factory=dict)
    folders: tuple = ()
    left_out: dict = field(default_factory=dict)
    outside: dict = field(default_factory=dict)
    roots: tuple = ()

    @property
    def is_cifake(self):
        """Whether these are the CIFAKE author's 120,000 files, byte for byte and name for name."""
        return self.trees == CIFAKE_TREES


def blob_id(content):
    """Git's id of a file's bytes (20 raw bytes)."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).digest()


def tree_id(files):
    """Git's id of a folder.

    Parameters
    ----------
    files : dict
        Path inside the folder (str, forward slashes) to blob id (20 bytes).

    Returns
    -------
    str
        40 hexadecimal digits.
    """
    folders = defaultdict(list)
    for path, blob in files.items():
        folder, _, name = path.rpartition("/")
        folders[folder].append((name.encode(), b"100644", blob))
        while folder:
            folder = folder.rpartition("/")[0]
            if folder in folders:
                break
            folders[folder] = []
    for folder in sorted(folders, reverse=True):  # the folders inside of one before itself
        # Git sorts a folder as if its name ended in a slash.
        entries = sorted(folders[folder], key=lambda e: e[0] + b"/" * (e[1] == b"40000"))
        body = b"".join(b"%s %s\0%s" % (mode, name, blob) for name, mode, blob in entries)
        digest = hashlib.sha1(b"tree %d\0" % len(body) + body)
        above, _, name = folder.rpartition("/")
        if folder:
            folders[above].append((name.encode(), b"40000", digest.digest()))
    return digest.hexdigest()


@dataclass
class Listing:
    """What :func:`read` noted of each image file, in the order of reading.

    ``rows`` are (name, place, blob id, size in bytes, number of its JPEG header). ``left_out``
    counts files of no kind read here by kind, ``outside`` images in no class folder by folder.
    """

    rows: list = field(default_factory=list)
    left_out: Counter = field(default_factory=Counter)
    outside: Counter = field(default_factory=Counter)


def read(path, bad, sink=None):
    """Read every image file of a data set once.

    Parameters
    ----------
    path : path-like
        Folder or archive.
    bad : BadFiles
        Takes the files that cannot be read.
    sink : callable, optional
        Takes ``(names, contents)``, two lists, chunk by chunk, in the order of reading.

    Returns
    -------
    Listing
        For :func:`summary`.
    """
    listing, headers = Listing(), {}
    names, contents, held = [], [], 0

    def wanted(name):
        place = layout.place(name)
        if place is not None and place.label is None:
            raise UserError(
                f"{path}: the folders of {layout.as_text(name)!r} name both classes",
                "Rename one of them, or point at the folder below.",
            )
        if place is not None:
            return True
        if kind := layout.left_out(name):
            listing.left_out[kind] += 1
        elif folder := layout.outside(name):
            listing.outside[folder] += 1
        return False

    files = archives.read_files(path, wanted, bad)
    for name, file in progress.track(files, "Reading the images", unit="images"):
        name = layout.as_text(name)
        header = headers.setdefault(jpeg_header(file), len(headers))
        listing.rows.append((name, layout.place(name), blob_id(file), len(file), header))
        if sink is not None:
            names.append(name)
            contents.append(file)
            held += len(file)
            if len(names) == _CHUNK or held >= _CHUNK_BYTES:
                sink(names, contents)
                names, contents, held = [], [], 0
    if names:
        sink(names, contents)
    return listing


def scan(path, cache=None):
    """Read a data set without decoding it; see :func:`read` and :func:`summary`."""
    bad = BadFiles(path, cache)
    listing = read(path, bad)
    bad.check()
    return summary(path, listing)


def summary(path, listing):
    """Check what was read, and put it into arrays.

    Returns
    -------
    index : dict of arrays
        ``key`` (str), ``split`` (str, "" where the data set has none), ``label`` (int8),
        ``blob`` ((n, 20) uint8), ``file_size`` (int32), ``encoding`` (int32: same number, same JPEG
        header), in the order of reading.
    content : Content

    Raises
    ------
    UserError
        No images, or two data sets in one place.
    """
    _check(path, listing)
    _, places, blobs, sizes, encodings = zip(*listing.rows, strict=True)
    keys = _keys(path, listing)
    splits = ["" if place.split is None else layout.joins(place.split) for place in places]
    index = {
        "key": np.array(keys),
        "split": np.array(splits),
        "label": np.array([place.label for place in places], np.int8),
        "blob": np.frombuffer(b"".join(blobs), np.uint8).reshape(-1, 20),
        "file_size": np.array(sizes, np.int32),
        "encoding": np.array(encodings, np.int32),
    }
    return index, _content(keys, splits, blobs, listing)


def check_classes(path, content):
    """Raise UserError unless every part of the data set has both classes."""
    classes = defaultdict(set)
    for folder in content.folders:
        above, _, name = folder.rpartition("/")
        classes[layout.joins(above) if above else ""].add(name)
    for split, names in sorted(classes.items()):
        if len(names) == 1:
            where = f" for {split}" if split else ""
            others = f"; left out: {layout.counted(content.outside)}" if content.outside else ""
            raise UserError(
                f"{path} holds only {names.pop()} images{where}{others}",
                f"Both classes are needed. {layout.EXPECTED}",
            )


def _content(keys, splits, blobs, listing):
    folders = defaultdict(dict)
    digest = hashlib.sha256()
    for key, blob in sorted(zip(keys, blobs, strict=True)):
        parts = key.split("/")
        depth = 1 if parts[0] in CLASS_NAMES else 2
        folders["/".join(parts[:depth])]["/".join(parts[depth:])] = blob
        digest.update(b"%s\0%s\n" % (key.encode(), blob.hex().encode()))
    trees = {folder: tree_id(files) for folder, files in folders.items()}
    counts = Counter(split or "none" for split in splits)
    return Content(
        digest.hexdigest(),
        len(keys),
        trees,
        dict(counts),
        tuple(sorted(folders)),
        dict(listing.left_out),
        dict(listing.outside),
        tuple(_roots(listing)),
    )


def _check(path, listing):
    if not listing.rows:
        others = layout.counted(listing.left_out + listing.outside)
        raise UserError(
            f"{path} holds no images of the classes REAL and FAKE{f' ({others})' * bool(others)}",
            layout.EXPECTED,
        )
    splits = {place.split is None for _, place, *_ in listing.rows}
    roots = _roots(listing)
    if len(roots) > 1 and splits != {True}:  # a folder with train and test is a whole data set
        first, second = list(roots.values())[:2]
        raise UserError(
            f"{path} holds more than one data set, e.g. {first!r} and {second!r}",
            "Point at the one to use.",
        )
    if len(splits) > 1:
        inside, outside = (
            next(name for name, place, *_ in listing.rows if (place.split is None) == alone)
            for alone in (False, True)
        )
        raise UserError(
            f"{path} mixes images inside and outside of train and test folders, e.g. {inside!r} "
            f"and {outside!r}",
            "Put all of them into train and test, or none.",
        )


def _roots(listing):
    """The folders that class folders (or those around them that name a split) lie in, each with the
    name of a file below it."""
    roots = {}
    for name, place, *_ in listing.rows:
        roots.setdefault(place.root, name)
    return roots


def _keys(path, listing):
    """Key of each image; several roots are told apart by what their paths don't share."""
    roots = [root.split("/") for root in _roots(listing)]
    shared = len(os.path.commonprefix(roots))
    names = {}
    for name, place, *_ in listing.rows:
        below = "/".join(place.root.split("/")[shared:])
        other = names.setdefault(place.key(below), name)
        if other is not name:
            raise UserError(
                f"{path} holds {place.key(below)!r} 2 times (letter case aside): {other!r} and "
                f"{name!r}",
                "Rename one of them.",
            )
    return tuple(names)


class Memo:
    """Remembers contents by the files' sizes and times, so that asking again is quick."""

    def __init__(self, cache):
        self.folder = Path(cache) / "fingerprints"

    def get(self, path):
        """Content of the data set at ``path``, or None where it is unknown or may have changed."""
        try:
            entry = json.loads(self._file(path).read_text("utf-8"))
            if entry.pop("stamp") != stamp(path):
                return None
            tuples = {name: tuple(entry[name]) for name in ("folders", "roots")}
            return Content(**{**entry, **tuples})
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, path, content, seen):
        """Remember ``content``; ``seen`` is the stamp from before the files were read."""
        if seen != stamp(path) or time.time() - _newest(path) < _SETTLED:
            return  # changed while it was read, or a change right now could pass unnoticed
        with settings.atomic_file(self._file(path)) as file:
            file.write_text(json.dumps({"stamp": seen, **asdict(content)}), "utf-8")

    def _file(self, path):
        name = str(Path(path).resolve()).encode("utf-8", "surrogateescape")
        name = hashlib.sha256(name).hexdigest()[:24]
        return self.folder / f"{name}.json"


def stamp(path):
    """Digest of the sizes and times of an archive, or of all files of a folder."""
    digest = hashlib.sha256(b"%d" % layout.VERSION)
    for name, info in _stats(path):
        line = f"{name}\0{info.st_size}\0{info.st_mtime_ns}\0{info.st_ctime_ns}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _newest(path):
    return max((info.st_mtime for _, info in _stats(path)), default=0.0)


def _stats(path):
    path = Path(path)
    if not path.is_dir():
        yield path.name, path.stat()
        return
    waiting = [str(path)]
    above = len(os.path.join(path, ""))
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                entries = sorted(entries, key=lambda entry: entry.name)
        except PermissionError:  # reading will name it
            yield folder, os.stat(folder)
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if not layout.is_hidden(entry.name):
                    waiting.append(entry.path)
                continue
            # Below the data set only: what the folders above it are called means nothing.
            name = entry.path[above:].replace(os.sep, "/")
            if layout.place(name) or layout.left_out(name) or layout.outside(name):
                try:
                    yield entry.path, entry.stat()
                except FileNotFoundError:  # a link to nothing, which reading will name
                    yield entry.path, entry.stat(follow_symlinks=False)
