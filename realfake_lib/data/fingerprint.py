"""Identity of a data set by its contents: git's blob and tree ids, and one fingerprint over all."""

import contextlib
import hashlib
import json
import os
import time
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field

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

_SETTLED = 2.0  # seconds after which a file's time stamp can be trusted to show the next change


@dataclass(frozen=True)
class Content:
    """What one reading of all files of a data set found, but for the pixels.

    ``trees`` holds git's id of each class folder, ``left_out`` counts files that were not taken,
    ``roots`` is the number of folders that hold class folders.
    """

    fingerprint: str
    n: int
    trees: dict
    left_out: dict
    roots: int

    @property
    def is_cifake(self):
        """Whether these are the CIFAKE author's 120,000 files, byte for byte and name for name."""
        return self.trees == CIFAKE_TREES

    @property
    def classes(self):
        """Part, ``""`` where the data set has none, to the classes that it has images of."""
        found = defaultdict(set)
        for folder in self.trees:
            above, _, name = folder.rpartition("/")
            found[layout.joins(above) if above else ""].add(name)
        return found


def blob_id(content):
    """Git's id of a file's bytes (20 raw bytes)."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).digest()


def tree_id(files):
    """Git's id, 40 hexadecimal digits, of a folder without others in it: file name to blob id.

    CIFAKE's are of that kind. What other folders get is no id of git's.
    """
    body = b"".join(b"100644 %s\0%s" % (name.encode(), files[name]) for name in sorted(files))
    return hashlib.sha1(b"tree %d\0" % len(body) + body).hexdigest()


@dataclass
class Listing:
    """What :func:`read` noted of each image file, in the order of reading.

    ``rows`` are (name, place, blob id, size in bytes, number of its JPEG header). ``left_out``
    counts the other files by kind, and images in no class folder by folder.
    """

    rows: list = field(default_factory=list)
    left_out: Counter = field(default_factory=Counter)

    @property
    def roots(self):
        """Folders that hold class folders (or those around them that name a split), each with the
        name of a file below it."""
        return {place.root: name for name, place, *_ in reversed(self.rows)}


def read(path, bad, listing):
    """Yield name and bytes of every image file of a data set, and note each in ``listing``.

    ``bad``, a BadFiles, takes the files that cannot be read.
    """
    headers = {}

    def wanted(name):
        place = layout.place(name)
        if place is None:
            if kind := layout.left_out(name):
                listing.left_out[kind] += 1
            return False
        if place.label is None:
            raise UserError(
                f"{path}: the folders of {layout.as_text(name)!r} name both classes",
                "Rename one of them, or point at the folder below.",
            )
        return True

    files = archives.read_files(path, wanted, bad)
    for name, content in progress.track(files, "Reading the images", unit="images"):
        name = layout.as_text(name)
        header = headers.setdefault(jpeg_header(content), len(headers))
        row = name, layout.place(name), blob_id(content), len(content), header
        listing.rows.append(row)
        yield name, content


def scan(path):
    """Read a data set without decoding it; see :func:`summary`."""
    bad, listing = BadFiles(path), Listing()
    for _ in read(path, bad, listing):
        pass
    bad.check()
    return summary(path, listing)


def summary(path, listing):
    """Check what was read, and put it into an index and a :class:`Content`.

    The index is a dict of arrays in the order of reading: ``key`` (str), ``split`` (str, "" where
    the data set has none), ``label`` (int8), ``blob`` ((n, 20) uint8), ``file_size`` (int32),
    ``encoding`` (int32: same number, same JPEG header). No images, or two data sets in one place,
    is a UserError.
    """
    _check(path, listing)
    _, places, blobs, sizes, encodings = zip(*listing.rows, strict=True)
    keys = _keys(path, listing)
    index = {
        "key": np.array(keys),
        "split": np.array([place.split and layout.joins(place.split) or "" for place in places]),
        "label": np.array([place.label for place in places], np.int8),
        "blob": np.frombuffer(b"".join(blobs), np.uint8).reshape(-1, 20),
        "file_size": np.array(sizes, np.int32),
        "encoding": np.array(encodings, np.int32),
    }
    left_out, roots = dict(listing.left_out), len(listing.roots)
    return index, Content(*_identity(keys, blobs), left_out, roots)


def check_classes(path, content):
    """Raise UserError unless every part of the data set has both classes."""
    for split, names in sorted(content.classes.items()):
        if len(names) == 1:
            where = f" for {split}" if split else ""
            others = f"; left out: {layout.counted(content.left_out)}" if content.left_out else ""
            raise UserError(
                f"{path} holds only {names.pop()} images{where}{others}",
                f"Both classes are needed. {layout.EXPECTED}",
            )


def _identity(keys, blobs):
    """Fingerprint, number of images, and tree id of each class folder."""
    folders = defaultdict(dict)
    digest = hashlib.sha256()
    for key, blob in sorted(zip(keys, blobs, strict=True)):
        parts = key.split("/")
        depth = 1 if parts[0] in CLASS_NAMES else 2
        folders["/".join(parts[:depth])]["/".join(parts[depth:])] = blob
        digest.update(b"%s\0%s\n" % (key.encode(), blob.hex().encode()))
    trees = {folder: tree_id(files) for folder, files in folders.items()}
    return digest.hexdigest(), len(keys), trees


def _check(path, listing):
    if not listing.rows:
        others = f" ({layout.counted(listing.left_out)})" if listing.left_out else ""
        raise UserError(f"{path} holds no images of the classes REAL and FAKE{others}",
                        layout.EXPECTED)  # fmt: skip
    without_split = {place.split is None: name for name, place, *_ in listing.rows}
    if len(listing.roots) > 1 and False in without_split:  # train and test: a whole data set
        first, second, *_ = listing.roots.values()
        raise UserError(
            f"{path} holds more than one data set, e.g. {first!r} and {second!r}",
            "Point at the one to use.",
        )
    if len(without_split) > 1:
        raise UserError(
            f"{path} mixes images inside and outside of train and test folders, e.g. "
            f"{without_split[False]!r} and {without_split[True]!r}",
            "Put all of them into train and test, or none.",
        )


def _keys(path, listing):
    """Key of each image; several roots are told apart by what their paths don't share."""
    shared = len(os.path.commonprefix([root.split("/") for root in listing.roots]))
    names = {}
    for name, place, *_ in listing.rows:
        key = place.key("/".join(place.root.split("/")[shared:]))
        other = names.setdefault(key, name)
        if other is not name:
            raise UserError(
                f"{path} holds {key!r} 2 times (letter case aside): {other!r} and {name!r}",
                "Rename one of them.",
            )
    return tuple(names)


def remembered(path):
    """Content of the data set at ``path`` as last read, or None where it may have changed."""
    try:
        return Content(**json.loads(_memo(stamp(path)).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def remember(path, content, seen):
    """Keep ``content`` for later; ``seen`` is the stamp from before the files were read."""
    if seen == stamp(path) and time.time() - seen[1] > _SETTLED:  # or a change could pass unnoticed
        with settings.atomic_file(_memo(seen)) as file:
            file.write_text(json.dumps(asdict(content)), "utf-8")


def _memo(seen):
    return settings.cache_dir() / "fingerprints" / f"{seen[0][:24]}.json"


def stamp(path):
    """Digest of the sizes and times of an archive, or of all files of a folder, and the newest."""
    digest, newest = hashlib.sha256(b"%d" % layout.VERSION), 0.0
    for name, info in _stats(os.path.realpath(path)):
        line = f"{name}\0{info.st_size}\0{info.st_mtime_ns}\0{info.st_ctime_ns}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
        newest = max(newest, info.st_mtime)
    return digest.hexdigest(), newest


def _stats(path):
    if not os.path.isdir(path):
        yield path, os.stat(path)
        return
    for folder, _, files in archives.walk(path, lambda error: None):  # reading names what fails
        for full in sorted(os.path.join(folder, file) for file in files):
            # Below the data set only: what the folders above it are called means nothing.
            name = os.path.relpath(full, path).replace(os.sep, "/")
            if layout.place(name) or layout.left_out(name):
                with contextlib.suppress(FileNotFoundError):
                    yield full, os.stat(full)
