"""Verdicts on people's own images: files, folders, arrays or Pillow images."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from realfake_lib import (
    extras,
    listing,
    outputs,
    parallel,
    probability,
    progress,
    provenance,
    settings,
)
from realfake_lib.data import archives, decoding, layout
from realfake_lib.data import images as reading
from realfake_lib.detector import (
    CANT_TELL,
    Detector,
    load_detector,
    load_published,
    no_gradients,
)
from realfake_lib.errors import UserError

if TYPE_CHECKING:
    ImageLike = str | os.PathLike[str] | np.ndarray | Image.Image


_LOG = logging.getLogger(__name__)

BATCH_PIXELS = 2**15
"""Pixels that a core takes at a time, at most, unless one image has more: 32 images of 32×32."""

EXPLANATION = ".gradcam.png"
"""End of the names of explanations. In a folder they are none of the images that a user means."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The verdict on one image, or why there is none.

    Attributes
    ----------
    path : str
        The file; ``""`` for an image that came from memory.
    p_fake : float in [0, 1] or None
        Calibrated probability of FAKE; None where the image could not be read, and where no
        detector was measured on images of its size.
    verdict : str
        ``"FAKE"``, ``"REAL"`` or ``"can't tell"``; ``""`` where the image could not be read.
    reasons : tuple of str
        Why there is no verdict; empty where there is one.
    detector : str
        Name of the detector that judged it; ``""`` where ``p_fake`` is None.
    width, height : int
        Size of the original in pixels; 0 where it could not be read.
    error : str
        What is wrong with the image; ``""`` where nothing is.
    explanation : str
        Path of the Grad-CAM map; ``""`` where none was asked for.
    statements : tuple of provenance.Statement
        What the file says of itself; no verdict depends on it. Empty for images from memory.
    """

    path: str
    p_fake: float | None = None
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    detector: str = ""
    width: int = 0
    height: int = 0
    error: str = ""
    explanation: str = ""
    statements: tuple[provenance.Statement, ...] = ()


def predict(
    images: ImageLike | Iterable[ImageLike],
    detector: Detector | str | os.PathLike[str] | Iterable[Detector] | None = None,
    *,
    batch_size: int = 32,
    explain: str | os.PathLike[str] | None = None,
    cluster: str | None = None,
) -> list[Prediction]:
    """Judge images.

    Parameters
    ----------
    images : path-like, array, Pillow image, or an iterable of these
        A folder stands for the images in it and in its folders. An array is uint8, (h, w, 3).
    detector : Detector, str or path-like, or several Detectors, optional
        A name or a file is one that :func:`realfake_lib.load_detector` knows. Of several, each
        image gets the first that was measured on images of its size, by default of those that
        :func:`realfake_lib.detector.load_published` gives; where none was, it gets no ``p_fake``.
        A single detector scores every image. :meth:`Detector.with_false_positive_rate` and
        :meth:`Detector.with_threshold` change when it says FAKE.
    batch_size : int
        Images that a core takes at a time, at most.
    explain : path-like, optional
        Folder for one file an image: the image and its Grad-CAM for the verdict given. Files
        that an earlier call made of the same images are replaced. Needs TensorFlow and detectors
        with gradients.
    cluster : str, optional
        Address of the scheduler of a Dask cluster whose workers judge the images, which have to be
        files that all of them see: ``"tcp://HOST:8786"``. Needs a detector in an ONNX file.

    Returns
    -------
    list of Prediction
        One per image, in order. An image that cannot be read ends nothing: its record says why.
        Files in folders that are of no kind read here are counted in a logged warning.

    Raises
    ------
    UserError
        If a folder holds no images, or the detector, the folder for the explanations or the file
        ``REALFAKE_C2PA_TRUST`` cannot be used.
    ValueError
        If something is no image, or an explanation or a cluster is asked for where an image has no
        file.
    """
    if isinstance(images, str | os.PathLike | np.ndarray | Image.Image | bytes) or hasattr(
        images, "read"
    ):
        images = [images]
    if not isinstance(images, Iterable):
        raise ValueError(f"images are paths, arrays or Pillow images, not {type(images).__name__}")
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it has to be at least 1")
    if cluster is not None and explain is not None:
        raise UserError("--explain is made on one machine: leave --cluster out.")
    sources = list(_expanded(images))
    if not all(isinstance(source, Path) for source in sources):
        if explain is not None:
            raise ValueError("explanations are named after files: give paths")
        if cluster is not None:
            raise ValueError("the workers of a cluster read the images themselves: give paths")
    if detector is None:
        detectors = load_published(gradients=explain is not None)
    elif isinstance(detector, str | os.PathLike):
        detectors = (load_detector(detector, gradients=explain is not None),)
    else:
        detectors = (detector,) if isinstance(detector, Detector) else tuple(detector)
    if cluster is not None:
        from realfake_lib import cluster_prediction

        return cluster_prediction.predict(sources, detectors, cluster, batch_size)
    explanations = None
    if explain is not None:
        if not any(one.has_gradients for one in detectors):
            raise no_gradients(detectors[0].path)
        outputs.check_folder("--explain", explain)
        explanations = _Explanations(explain)
    anchors = provenance.trust_anchors()
    # TensorFlow spreads one batch over the cores itself.
    alone = any(one.has_gradients for one in detectors)
    turn = threading.Lock() if alone else contextlib.nullcontext()

    def judge(some):
        images = [_read(source, detectors, anchors) for source in some]
        for one in detectors:
            mine = [image for image in images if image.detector is one]
            if mine:
                with turn:
                    _score(one, mine)
                    if explanations is not None and one.has_gradients:
                        explanations.draw(one, mine)
        return [image.record for image in images]

    # Few enough for every core to have some, and for its cache to hold what becomes of them.
    side = min(one.image_size for one in detectors)
    shares = BATCH_PIXELS // side**2, len(sources) // (8 * parallel.cores())
    step = max(1, min(batch_size, *shares))
    batches = [sources[start : start + step] for start in range(0, len(sources), step)]
    found = []
    for records in parallel.each(judge, batches):
        found += records
        progress.report("Predicting", len(found), len(sources), "images")
    return found


def _expanded(images):
    """Each image by itself: a Path, an array or a Pillow image."""
    for image in images:
        if isinstance(image, str | os.PathLike):
            path = _as_path(image)
            if os.path.isdir(path):  # False, not an error, where that cannot be found out
                files, left_out = find_images([path])
                if left_out:
                    _LOG.warning(listing.left_out(left_out))
                yield from files
            else:
                yield path
        elif isinstance(image, Image.Image):
            yield image
        elif hasattr(image, "read") or isinstance(image, bytes | bytearray | memoryview):
            raise ValueError("for bytes or an open file, give PIL.Image.open(…) of it")
        else:
            yield _checked(np.asarray(image))


def _checked(array):
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise ValueError(f"an image is a (h, w, 3) uint8 array, not {array.shape} of {array.dtype}")
    return array


@dataclass(slots=True)
class _Image:
    """An image on its way to a verdict: its record, and the squares that its detector judges."""

    source: object
    record: Prediction
    detector: Detector | None = None
    squares: np.ndarray | None = None


def _read(source, detectors, trust_anchors):
    """An :class:`_Image` without a score; without a detector where it could not be read."""
    record = Prediction(layout.as_text(str(source)) if isinstance(source, Path) else "")
    # One square of a small side is decoded in a fraction of the time.
    whole = len(detectors) > 1 or detectors[0].several_views
    try:
        if isinstance(source, Path):
            size = None if whole else detectors[0].image_size
            pixels, width, height = reading.read(source, size)
            record = replace(record, statements=tuple(provenance.read(source, trust_anchors)))
        else:
            pixels = source
            if isinstance(source, Image.Image):
                pixels = reading.from_pillow(source, "the image")
            height, width = pixels.shape[:2]
            decoding.check_side("the image", width, height)
    except UserError as found:
        # The path has a place of its own.
        error = found.message.removeprefix(f"{source} ")
        return _Image(source, replace(record, error=error, statements=()))
    record = replace(record, width=width, height=height)
    fitting = (one for one in detectors if one.fits(width, height))
    detector = next(fitting, detectors[0] if len(detectors) == 1 else None)
    if detector is None:
        sizes = ", ".join(f"{one.name} for {one.sizes}" for one in detectors)
        reasons = (f"no detector was measured on images of this size: {sizes}",)
        return _Image(source, replace(record, verdict=CANT_TELL, reasons=reasons))
    reasons = detector.against(pixels, width, height)
    record = replace(record, detector=detector.name, reasons=reasons)
    return _Image(source, record, detector, detector.squares(pixels))


def _score(detector, images):
    """Give the records of images that one detector judges their scores and verdicts."""
    logits = detector.logits(np.concatenate([image.squares for image in images]))
    ends = np.cumsum([len(image.squares) for image in images])
    for image, views in zip(images, np.split(logits, ends[:-1]), strict=True):
        p_fake = float(probability.p_fake(views.mean(keepdims=True), detector.temperature)[0])
        verdict, reasons = detector.verdict(p_fake), image.record.reasons
        low, high = detector.uncertain_band
        of_views = probability.p_fake(views, detector.temperature)
        if low < high and of_views.min() <= low and high <= of_views.max():
            reasons += ("parts of it contradict each other",)
        if verdict == CANT_TELL:
            reasons += (f"p(fake) lies between {low:.3f} and {high:.3f}",)
        verdict = CANT_TELL if reasons else verdict
        image.record = replace(image.record, p_fake=p_fake, verdict=verdict, reasons=reasons)


class _Explanations:
    """The folder of explanations of one call."""

    def __init__(self, folder):
        self.folder, self.failed = Path(folder), False

    def draw(self, detector, images):
        """Draw what was judged beside Grad-CAM for FAKE or REAL, and write down the files' paths.

        There are none any more once one could not be written, which is logged: no verdict depends
        on it.
        """
        if self.failed:
            return
        with extras.needed_for("Grad-CAM"):
            from realfake_lib import explain
        pixels = np.stack([image.squares[0] for image in images])
        fake = np.array([image.record.p_fake for image in images]) >= detector.threshold
        targets = np.where(fake, settings.FAKE, settings.REAL)
        overlays = explain.overlay(pixels, explain.grad_cam(detector.model, pixels, target=targets))
        try:
            for image, square, overlay in zip(images, pixels, overlays, strict=True):
                saved = self._save(image.source, np.concatenate([square, overlay], axis=1))
                image.record = replace(image.record, explanation=saved)
        except OSError as error:
            self.failed = True
            _LOG.warning("--explain %s is incomplete: %s", self.folder, error.strerror)

    def _save(self, file, pair):
        pair = Image.fromarray(pair)
        scale = max(1, 256 // pair.height)
        pair = pair.resize((pair.width * scale, pair.height * scale), Image.Resampling.NEAREST)
        target = self.folder / explanation_name(file)
        with settings.atomic_file(target) as temporary:
            pair.save(temporary)
        return layout.as_text(str(target))


def explanation_name(file):
    """Name of a file's explanation: its own and a hash of its path as given, fit for any disk."""
    mark = hashlib.sha256(os.fsencode(file)).hexdigest()[:12]
    return re.sub(r"[^\w.-]+", "_", file.stem, flags=re.ASCII)[:70] + f"-{mark}{EXPLANATION}"


def find_images(
    paths: Iterable[str | os.PathLike[str]],
) -> tuple[list[Path], Counter[str]]:
    """List the image files that ``paths`` name, folders searched, each file once, in order.

    A file named outright is taken whatever it is called, even one that is not there: its record
    will say so, as that of a link to nothing in a folder. In a folder what has an image's suffix is
    taken, hidden files and explanations apart. The second result counts the others by suffix, and
    names links to folders and folders that cannot be read.
    """
    files: list[Path] = []
    left_out: Counter[str] = Counter()
    paths = list(map(_as_path, paths))
    if paths and not any(map(os.path.lexists, paths)):
        raise UserError(f"No such file or folder: {', '.join(map(str, paths))}")
    for path in paths:
        if os.path.isdir(path):
            files += sorted(_search(path, left_out))
        else:
            files.append(path)
    if not files:
        others = f" ({layout.counted(left_out)})" if left_out else ""
        kinds = ", ".join(sorted(layout.IMAGE_SUFFIXES))
        raise UserError(
            f"No images in {', '.join(map(str, paths))}{others}.",
            f"Files of these kinds count: {kinds}",
        )
    return list(dict.fromkeys(files)), left_out


def _as_path(given):
    if not os.fspath(given):  # to Path it is the current folder
        raise UserError("A path is empty.", "Name an image or a folder.")
    if re.match(r"https?://", str(given)):
        raise UserError(f"{given} is a web address.", "Download the image, and name its file.")
    return Path(given)


def _search(top, left_out):
    def left(what, folder):
        left_out[f"{what} ({layout.as_text(str(Path(folder)))})"] += 1

    def unreadable(error):
        left("unreadable folder", error.filename)

    for folder, folders, names in archives.walk(top, unreadable):
        for linked in filter(os.path.islink, (os.path.join(folder, name) for name in folders)):
            left("linked folder", linked)
        for name in names:
            if layout.is_hidden(name) or name.endswith(EXPLANATION):
                continue
            if layout.is_image(name):
                yield Path(folder, name)
            else:
                left_out[layout.kind(name)] += 1
