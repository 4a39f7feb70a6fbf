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
from realfake_lib.data.images import jpeg_header
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
    return _tree_digest(files).hex()


def _tree_digest(files):
    below, entries = defaultdict(dict), []
    for path, blob in files.items():
        head, slash, rest = path.partition("/")
        if slash:
            below[head][rest] = blob
        else:
            entries.append((head.encode(), b"100644", blob))
    for name, inside in below.items():
        entries.append((name.encode(), b"40000", _tree_digest(inside)))
    # Git sorts a folder as if its name ended in a slash.
    entries.sort(key=lambda entry: entry[0] + (b"/" if entry[1] == b"40000" else b""))
    body = b"".join(b"%s %s\0%s" % (mode, name, blob) for name, mode, blob in entries)
    return hashlib.sha1(b"tree %d\0" % len(body) + body).digest()


@dataclass
class Listing:
    """What :func:`read` noted of each image file, in the order of reading."""

    rows: list = field(default_factory=list)
    roots: dict = field(default_factory=dict)
    left_out: Counter = field(default_factory=Counter)


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
        if layout.place(name) is not None:
            return True
        kind = layout.left_out(name)
        if kind:
            listing.left_out[kind] += 1
        return False

    files = archives.read_files(path, wanted, bad)
    for name, file in progress.track(files, "Reading the images", unit="images"):
        try:
            name.encode()
        except UnicodeEncodeError:
            shown = os.fsencode(name).decode("utf-8", "replace")
            bad.add(f"{shown} has a name that is not UTF-8; rename it")
            continue
        place = layout.place(name)
        listing.roots.setdefault(place.root, name)
        header = headers.setdefault(jpeg_header(file), len(headers))
        listing.rows.append((place.key, place.split, place.label, blob_id(file), len(file), header))
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


def scan(path):
    """Read a data set without decoding it; see :func:`read` and :func:`summary`."""
    bad = BadFiles(path)
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
    keys, splits, labels, blobs, sizes, encodings = zip(*listing.rows, strict=True)
    index = {
        "key": np.array(keys),
        "split": np.array([split or "" for split in splits]),
        "label": np.array(labels, np.int8),
        "blob": np.frombuffer(b"".join(blobs), np.uint8).reshape(-1, 20),
        "file_size": np.array(sizes, np.int32),
        "encoding": np.array(encodings, np.int32),
    }
    return index, _content(keys, splits, blobs, listing.left_out)


def check_classes(path, content):
    """Raise UserError unless every part of the data set has both classes."""
    classes = defaultdict(set)
    for folder in content.folders:
        above, _, name = folder.rpartition("/")
        classes[layout.SPLIT_FOLDERS.get(above, "")].add(name)
    for split, names in sorted(classes.items()):
        if len(names) == 1:
            where = f" for {split}" if split else ""
            raise UserError(
                f"{path} holds only {names.pop()} images{where}",
                "Both classes are needed: REAL and FAKE.",
            )


def _content(keys, splits, blobs, left_out=()):
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
        digest.hexdigest(), len(keys), trees, dict(counts), tuple(sorted(folders)), dict(left_out)
    )


def _check(path, listing):
    rows, roots = listing.rows, listing.roots
    if not rows:
        others = f" ({layout.counted(listing.left_out)})" if listing.left_out else ""
        raise UserError(
            f"{path} holds no images of the classes REAL and FAKE{others}",
            "Expected are train/REAL, train/FAKE, test/REAL, test/FAKE, or just REAL and FAKE.",
        )
    if len(roots) > 1:
        first, second = list(roots.values())[:2]
        raise UserError(
            f"{path} holds more than one data set, e.g. {first!r} and {second!r}",
            "Point at the one to use.",
        )
    if len({row[1] is None for row in rows}) > 1:
        raise UserError(
            f"{path} mixes images inside and outside of train and test folders",
            "Put all of them into train and test, or none.",
        )
    (key, times), *_ = Counter(row[0] for row in rows).most_common(1)
    if times > 1:
        raise UserError(f"{path} holds {key!r} {times} times (letter case aside)")


class Memo:
    """Remembers contents by the files' sizes and times, so that asking again is quick."""

    def __init__(self, cache):
        self.folder = Path(cache) / "fingerprints"

    def get(self, path):
        """Content of the data set at ``path``, or None where it is unknown or may have changed."""
        try:
            entry = json.loads(self._file(path).read_text())
            if entry.pop("stamp") != stamp(path):
                return None
            return Content(**{**entry, "folders": tuple(entry["folders"])})
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, path, content, seen):
        """Remember ``content``; ``seen`` is the stamp from before the files were read."""
        if seen != stamp(path) or time.time() - _newest(path) < _SETTLED:
            return  # changed while it was read, or a change right now could pass unnoticed
        with settings.atomic_file(self._file(path)) as file:
            file.write_text(json.dumps({"stamp": seen, **asdict(content)}))

    def _file(self, path):
        return self.folder / (hashlib.sha256(str(Path(path).resolve()).encode()).hexdigest()[:24]
                              + ".json")  # fmt: skip


def stamp(path):
    """Digest of the sizes and times of an archive, or of all files of a folder."""
    digest = hashlib.sha256()
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
        with os.scandir(waiting.pop()) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                    continue
                # Below the data set only: what the folders above it are called means nothing.
                name = entry.path[above:].replace(os.sep, "/")
                if layout.place(name) is not None or layout.left_out(name):
                    try:
                        yield entry.path, entry.stat()
                    except FileNotFoundError:  # a link to nothing, which reading will name
                        yield entry.path, entry.stat(follow_symlinks=False)
