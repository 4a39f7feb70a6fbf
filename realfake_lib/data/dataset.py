"""A data set in memory-mapped arrays, and the one function that loads any of them."""

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from realfake_lib.data import archives, demo, fingerprint, layout, sources, splits, store
from realfake_lib.errors import UserError
from realfake_lib.settings import CLASS_NAMES, OBJECT_CLASSES

MIN_IMAGE_SIZE, MAX_IMAGE_SIZE = splits.MIN_IMAGE_SIZE, 1024
"""Sides in pixels that images may be brought to."""


@dataclass(frozen=True)
class ImageDataset:
    """Images with their labels and origin, in the order of their keys.

    Attributes
    ----------
    images : (n, h, w, 3) uint8 array in [0, 255]
        Memory-mapped, read-only.
    index : DataFrame
        One row an image: ``key`` ("train/FAKE/0 (2).jpg"), ``split`` ("train" or "test"),
        ``label`` (int8, FAKE = 0, REAL = 1), ``object_class`` (int8, 0 to 9 or -1 for unknown),
        ``blob`` (git's id of the file's bytes), ``file_size`` (int32, bytes), ``group`` (int32, the
        same for byte-identical files), ``encoding`` (int32, the same for identical JPEG headers).
    name : str
        "CIFAKE", "demo", or the folder's or archive's name.
    fingerprint : str
        Of the contents, in hexadecimal digits.
    source : str
        Where the files came from, in words.
    notices : tuple of str
        What a reader of any result has to know, e.g. that this is the demo set.
    resized : bool
        Whether the files have other sizes than the images.
    """

    images: np.ndarray = field(repr=False)
    index: pd.DataFrame = field(repr=False)
    name: str
    fingerprint: str
    source: str
    is_demo: bool = False
    notices: tuple = ()
    resized: bool = False

    @property
    def n(self):
        """Number of images."""
        return len(self.images)

    @property
    def labels(self):
        """(n,) int8 array, FAKE = 0, REAL = 1."""
        return self.index["label"].to_numpy()

    @property
    def image_size(self):
        """Side of the square images in pixels."""
        return self.images.shape[1]

    @property
    def object_names(self):
        """Name of each ``object_class``: CIFAR-10's; the demo set's are photograph and scale."""
        return demo.SCENE_NAMES if self.is_demo else OBJECT_CLASSES

    @property
    def facts(self):
        """What a detector's metadata say of the data that it was trained and measured on."""
        facts = {"data": self.name, "demo": self.is_demo, "fingerprint": self.fingerprint}
        return facts if self.resized else facts | {"sides": [self.image_size, self.image_size]}

    def flipped(self):
        """The same images flipped left to right, under a fingerprint of their own."""
        fingerprint = f"{self.fingerprint}-flipped"
        return replace(self, images=self.images[:, :, ::-1], fingerprint=fingerprint)

    def relabelled(self, labels):
        """The same images with other labels, (n,) in [0, 1], e.g. soft ones."""
        return replace(self, index=self.index.assign(label=labels))

    def subset(self, indices):
        """Copy the rows ``indices`` into a data set of their own."""
        indices = np.asarray(indices, np.int64)
        chosen = hashlib.sha256(self.fingerprint.encode() + indices.tobytes()).hexdigest()
        return ImageDataset(
            np.take(self.images, indices, axis=0),
            self.index.iloc[indices].reset_index(drop=True),
            self.name,
            chosen,
            f"{len(indices):,} images of {self.source}",
            self.is_demo,
            self.notices,
            self.resized,
        )


@dataclass(frozen=True)
class DataIdentity:
    """What data a request stands for, without loading them.

    ``resolved`` is what to hand to :func:`load` to get just these: "cifake", "demo" or a path.
    """

    name: str
    fingerprint: str
    source: str
    is_demo: bool
    notices: tuple
    n: int
    resolved: str


def load(data="auto", image_size=None, allow_download=True, one_class=False):
    """Load a data set; decoded once, memory-mapped afterwards.

    Parameters
    ----------
    data : str or path-like
        ``"auto"`` (``REALFAKE_DATA``, else the cache, else a download, else the demo set, said in
        ``notices``), ``"cifake"`` (never falls back), ``"demo"``, or the path of a folder or
        archive (tar, tar.gz, zip) with ``[train|test/]REAL|FAKE`` in it, or with other names for
        them that :mod:`realfake_lib.data.layout` knows.
    image_size : int, optional
        Side in pixels to bring all images to; by default they keep theirs, which has to be one.
    allow_download : bool
        Whether CIFAKE may be downloaded.
    one_class : bool
        Whether a data set of REAL or FAKE images alone will do.

    Returns
    -------
    ImageDataset

    Raises
    ------
    UserError
        Data that are missing, damaged, changed or not usable; names the file or the setting.
    """
    check_image_size(image_size)
    found = sources.locate(data, allow_download)
    path = found.path or demo.archive()
    content, (images, arrays) = _decoded(path, image_size, one_class)
    identity = _identity(found, content, one_class)
    return ImageDataset(
        images,
        _frame(arrays, named_objects=content.is_cifake or identity.is_demo),
        identity.name,
        identity.fingerprint,
        identity.source,
        identity.is_demo,
        identity.notices,
        image_size is not None,
    )


def _decoded(path, image_size, one_class):
    """Content of a folder or archive, and its decoded images and index, made if need be."""

    def ready():
        content = fingerprint.remembered(path)
        if content is None:
            return None
        stored = store.read(store.folder(content.fingerprint, image_size))
        return stored and (content, stored)

    if done := ready():
        return done
    with store.lock():
        if done := ready():  # another process may have made it meanwhile
            return done
        seen = fingerprint.stamp(path)
        content = store.build(path, image_size, one_class)
        with store.writing():
            fingerprint.remember(path, content, seen)
        return content, store.read(store.folder(content.fingerprint, image_size))


def fingerprint_of(data="auto", allow_download=True):
    """Say which data a request stands for, as :class:`DataIdentity`; the arguments as for load.

    Quick when nothing changed, and nothing is decoded.
    """
    found = sources.locate(data, allow_download)
    if found.path is None:
        return _identity(found, None)
    content = fingerprint.remembered(found.path)
    if content is None:
        seen = fingerprint.stamp(found.path)
        _, content = fingerprint.scan(found.path)
        with store.writing():
            fingerprint.remember(found.path, content, seen)
    return _identity(found, content)


def _identity(found, content, one_class=False):
    if found.path is None:
        return DataIdentity(
            "demo", demo.recipe_fingerprint(), found.source, True, found.notices,
            demo.N_TRAIN + demo.N_TEST, "demo",
        )  # fmt: skip
    if found.must_be_cifake:
        sources.require_cifake(found.path, content)
    if not one_class:  # what is remembered may have been read when one class would do
        fingerprint.check_classes(found.path, content)
    notices = [*found.notices]
    # One class alone is not for training, and evaluated as a whole.
    if not content.is_cifake and len(content.classes) == 1 and len(content.trees) > 1:
        notices.append(
            f"The data set has no test part of its own: {splits.TEST_FRACTION:.0%} of it was set "
            "aside as one."
        )
    if not content.is_cifake and content.left_out:
        notices.append(
            "Left out were files of kinds not read here, and images in folders whose names say no "
            f"class: {layout.counted(content.left_out)}."
        )
    if content.roots > 1:
        notices.append(f"The images of {content.roots} folders are taken together, as one set.")
    name = "CIFAKE" if content.is_cifake else archives.stem(found.path.resolve())
    resolved = "cifake" if found.must_be_cifake else str(found.path)
    return DataIdentity(
        name, content.fingerprint, found.source, False, tuple(notices), content.n, resolved
    )


def check_image_size(image_size):
    """Raise UserError unless ``image_size`` is None or a side that the networks take."""
    if image_size is not None and not MIN_IMAGE_SIZE <= image_size <= MAX_IMAGE_SIZE:
        raise UserError(
            f"image_size is {image_size}",
            f"It has to be from {MIN_IMAGE_SIZE} pixels, which every network needs, "
            f"to {MAX_IMAGE_SIZE}.",
        )


def _frame(arrays, named_objects):
    keys = [key.decode("utf-8") for key in arrays["key"].tolist()]
    blobs = arrays["blob"].tobytes().hex()
    named = np.array([blobs[at : at + 40] for at in range(0, len(blobs), 40)], object)
    objects = [layout.cifake_object_class(key) for key in keys] if named_objects else -1
    frame = pd.DataFrame(
        {
            "key": keys,
            "split": arrays["split"],
            "label": arrays["label"],
            "object_class": np.full(len(keys), objects, np.int8),
            "blob": named,
            "file_size": arrays["file_size"],
            "group": pd.factorize(named)[0].astype(np.int32),
            "encoding": arrays["encoding"],
        }
    )
    if not (frame["split"] == "test").any():
        strata = frame["label"].to_numpy().astype(np.int64)
        is_test = splits.assign_test(strata, frame["group"].to_numpy())
        frame["split"] = np.where(is_test, "test", "train")
    return frame


def describe(dataset):
    """Count a data set by split and class.

    Returns
    -------
    DataFrame
        Columns ``split``, ``class``, ``images``, ``distinct`` (different files), ``object_classes``
        (known ones) and ``file_size_median`` (bytes).
    """
    index = dataset.index.assign(known=dataset.index["object_class"].where(lambda at: at >= 0))
    table = index.groupby(["split", "label"]).agg(
        images=("key", "size"),
        distinct=("group", "nunique"),
        object_classes=("known", "nunique"),
        file_size_median=("file_size", "median"),
    )
    table = table.reset_index().rename(columns={"label": "class"})
    return table.assign(**{"class": table["class"].map(dict(enumerate(CLASS_NAMES)))})
