"""Trained detectors: where they lie, loading one, and what anyone who uses it must know."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realfake_lib import console, extras, model_metadata, probability, settings
from realfake_lib.errors import UserError

if TYPE_CHECKING:
    import numpy as np

FOLDER = Path(__file__).parent / "detectors"
"""The published detectors, a part of the installed package."""

DEFAULT = "detector"
"""The trained detector that is taken where none is named."""

PUBLISHED = (DEFAULT, "real_size")
"""Those from which each image gets the one that fits its size, where none is named."""

SUFFIXES = (".keras", ".onnx")

CANT_TELL = "can't tell"

VERDICTS = (*settings.CLASS_NAMES, CANT_TELL)
"""What may be said of an image, in the order in which it is counted."""
"""The verdict where a score lies between the two classes, or is worth nothing for the image."""


@dataclass(frozen=True)
class Detector:
    """A trained model with the operating point that was chosen for it on validation data.

    Attributes
    ----------
    model : keras.Model or realfake_lib.onnx_files.OnnxNetwork
        Pixels (n, image_size, image_size, 3) in [0, 255] to one logit for REAL.
    path : pathlib.Path or None
        The file that it came from.
    image_size : int
        Side of the square, in pixels, that images are resized to.
    temperature : float
        Divides the logit, so that ``p_fake`` is calibrated (Guo et al., 2017).
    threshold : float in [0, 1]
        FAKE from this ``p_fake`` on.
    uncertain_band : (low, high)
        REAL up to ``low``, FAKE from ``high`` on, no verdict between them; both are the threshold
        where there is always a verdict.
    sides : (low, high)
        Lengths of the sides, in pixels, of the images that it judges; ``high`` may be None.
    several_views : bool
        Whether it judges several squares of an image (:func:`realfake_lib.views.squares`) in place
        of one, reduced to its size.
    meta : dict
        Everything else that the JSON file beside the model file says.
    """

    model: Any
    path: Path | None
    image_size: int
    temperature: float = 1.0
    threshold: float = 0.5
    uncertain_band: tuple[float, float] = (0.5, 0.5)
    sides: tuple[int, int | None] = (1, None)
    several_views: bool = False
    meta: dict = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, model: Any, path: Path | None, image_size: int, meta: dict) -> Detector:
        """A detector with the operating point that a model's metadata record."""
        threshold = float(meta.get("threshold", 0.5))
        return cls(
            model=model,
            path=path,
            image_size=image_size,
            temperature=float(meta.get("temperature", 1.0)),
            threshold=threshold,
            uncertain_band=tuple(meta.get("uncertain_band", (threshold, threshold))),
            sides=tuple(meta.get("sides", (1, None))),
            several_views=bool(meta.get("several_views")),
            meta=meta,
        )

    @property
    def name(self) -> str:
        """Name of the model file, without its end."""
        return "the detector" if self.path is None else self.path.stem

    def squares(self, image: np.ndarray) -> np.ndarray:
        """What it looks at of a (h, w, 3) uint8 image: (v, image_size, image_size, 3) uint8."""
        from realfake_lib import views
        from realfake_lib.data import images

        if self.several_views:
            return views.squares(image, self.image_size)
        return images.resize(image, self.image_size)[None]

    def against(self, image: np.ndarray, width: int, height: int) -> tuple[str, ...]:
        """Reasons for which its score on an image is worth nothing; see :mod:`image_state`.

        ``image`` may have been reduced where this detector judges one reduced square anyway; the
        width and the height are the original's.
        """
        from realfake_lib import image_state

        if not self.fits(width, height):
            return (f"{self.name} was measured on images of {self.sizes} pixels only",)
        # Of one size alone, or cut into squares: nothing was reduced.
        own = self.several_views or self.sides[0] == self.sides[1]
        return image_state.reasons(image, at_own_resolution=own)

    def fits(self, width: int, height: int) -> bool:
        """Whether it was measured on images of this size in pixels."""
        low, high = self.sides
        return low <= min(width, height) and (high is None or max(width, height) <= high)

    @property
    def sizes(self) -> str:
        """Words for the sizes of the images that it was measured on."""
        low, high = self.sides
        return f"{low}×{low}" if low == high else f"at least {low}×{low}"

    @property
    def has_gradients(self) -> bool:
        """Whether the model can explain its verdicts: a Keras model can, an ONNX file cannot."""
        from realfake_lib.onnx_files import OnnxNetwork

        return not isinstance(self.model, OnnxNetwork)

    def p_fake(
        self, images: np.ndarray, indices: np.ndarray | None = None, batch_size: int = 64
    ) -> np.ndarray:
        """Calibrated probability of FAKE.

        Parameters
        ----------
        images : (n, image_size, image_size, 3) uint8 array
        indices : (m,) int array, optional
            Only these images, in this order; memory-mapped others stay where they are.
        batch_size : int

        Returns
        -------
        (n,) or (m,) float64 array in [0, 1]
        """
        return probability.p_fake(self.logits(images, indices, batch_size), self.temperature)

    def logits(
        self, images: np.ndarray, indices: np.ndarray | None = None, batch_size: int = 64
    ) -> np.ndarray:
        """Logits for REAL, (n,) or (m,) float32; the parameters of :meth:`p_fake`."""
        import numpy as np

        if self.has_gradients:
            from realfake_lib.training import predict_logits

            return predict_logits(self.model, np.asarray(images), indices, batch_size)
        return self.model.logits(np.asarray(images), indices, batch_size)

    def verdict(self, p_fake: float) -> str:
        """``"FAKE"``, ``"REAL"``, or ``"can't tell"`` inside the uncertain band."""
        low, high = self.uncertain_band
        if low < p_fake < high:
            return CANT_TELL
        return "FAKE" if p_fake >= self.threshold else "REAL"

    def with_threshold(self, threshold: float | None) -> Detector:
        """The same detector with a threshold of one's own, and no calibrated band around it."""
        if threshold is None:
            return self
        check_threshold(threshold)
        return replace(self, threshold=threshold, uncertain_band=(threshold, threshold))

    def with_false_positive_rate(self, fpr: float | None) -> Detector:
        """The same detector with another share of photographs that it may predict to be FAKE.

        The rate is the share of the REAL images on which the operating point was chosen, or for
        ``real_size`` its mean over sources. No more of the FAKE images there are predicted REAL. A
        UserError says where it was not measured.
        """
        if fpr is None:
            return self
        if not 0 < fpr < 1:
            raise UserError(f"A false-positive rate lies between 0 and 1, not at {fpr}.")
        rates = self.meta.get("bands")
        if not rates:
            raise UserError(
                f"{self.name} has no record of false positives at other thresholds.",
                "Choose a threshold on p(fake) instead.",
            )
        known = sorted(float(rate) for rate in rates)
        if not known[0] <= fpr <= known[-1]:
            raise UserError(
                f"{self.name} was measured at false-positive rates of {known[0]} to {known[-1]}, "
                f"not at {fpr}.",
                "Give a share between these, or name another detector.",
            )
        # The next lower rate that was measured: what is promised is kept.
        rate = max(one for one in known if one <= fpr)
        low, high = rates[str(rate)]
        return replace(self, threshold=high, uncertain_band=(min(low, high), high))

    def caveat(self) -> str:
        """What anyone who reads a verdict must know, in one paragraph, from the model's record."""
        if held_out := self.meta.get("held_out"):
            data = self.meta.get("data", "an unnamed data set")
            return f"Trained on {data}. {_of_held_out(held_out)}"
        size = f"{self.image_size}×{self.image_size}"
        facts = self.meta | (self.meta.get("trained_on") or {})
        data = facts.get("data", "an unnamed data set")
        lines = [f"Trained on {data} at {size} pixels, and measured there alone."]
        if data == "demo":
            lines.append("TRAINED ON THE EMBEDDED DEMO DATA: crops of two photographs.")
        unseen = self.meta.get("unseen") or {}
        recalls = [found["fake_recall"] for found in unseen.values()]
        if recalls:
            lines.append(
                f"Recall on fakes of {len(unseen)} unseen generators: {min(recalls):.0%} to "
                f"{max(recalls):.0%}. REAL means only “not like the fakes of {data}”."
            )
        return " ".join(lines)


def _of_held_out(found: dict) -> str:
    """What was measured of models that were trained without what they scored, by default."""
    near, far = found["all.equalised"], found["all.web_hard"]
    panel = found["panel.equalised"]
    return (
        "What follows was measured with models trained in the same way without the family, where "
        "it is known, and the repository that they scored: "
        f"{near['sources_of_fakes']} sources of fakes and {near['sources_of_photographs']} of "
        "photographs; it does better on these itself. AUROC "
        f"{near['auroc']:.2f} ({panel['auroc']:.2f} on the {panel['sources_of_fakes']} of the "
        f"panel), and {far['auroc']:.2f} for images reduced to 512 pixels and compressed. "
        f"By default they predict FAKE for {near['recall']:.0%} of fakes and for "
        f"{near['false_positive_rate']:.0%} of photographs (of a single source, up to "
        f"{near['worst_false_positive_rate']:.0%}), REAL for {near['specificity']:.0%} of "
        f"photographs and {near['missed']:.0%} of fakes, and can't tell for the rest. REAL means "
        "only “more like those photographs than like those fakes”. Not for "
        "drawings, paintings, renders or documents; on close-ups of faces it can be wrong more "
        "often than right."
    )


def no_gradients(path: Path | None) -> UserError:
    """What to raise where a detector from an ONNX file is asked to explain its verdicts."""
    return UserError(
        f"Grad-CAM needs the gradients of a .keras file, and {path} has none.",
        "Name the .keras file that it was made from, or ask for no explanations.",
    )


def check_threshold(threshold: float | None) -> None:
    """Raise UserError unless a threshold on p(fake) is None or lies in [0, 1]."""
    if threshold is not None and not 0.0 <= threshold <= 1.0:
        raise UserError(f"--threshold is {threshold}, but a probability lies between 0 and 1.")


def load_detector(
    model: str | os.PathLike[str] | None = None, *, gradients: bool = False
) -> Detector:
    """Load a trained detector.

    Parameters
    ----------
    model : str or path-like, optional
        A model file, whose name ends in ``.keras`` or ``.onnx``, or the name of a trained
        detector: ``"detector"`` (the default), ``"fast"``, ``"robust"`` or ``"defended"``.
    gradients : bool
        Take the Keras form of a detector that is named: it can explain its verdicts, and needs
        TensorFlow. Otherwise the ONNX form is taken, which gives the same probabilities.

    Returns
    -------
    Detector

    Raises
    ------
    UserError
        If the file is missing, damaged, of another version, or not a model of this library, or if
        it needs an extra that is not installed.
    """
    path = find_model(model, keras=gradients)
    if path.suffix == ".onnx":
        if gradients:
            raise no_gradients(path)
        from realfake_lib import onnx_files

        network, meta = onnx_files.load(path)
        return Detector.of(network, path, network.image_size, meta)
    with extras.needed_for("Grad-CAM" if gradients else path.name):
        console.import_tensorflow()
        from realfake_lib import models

        network, meta = models.load(path)
    return Detector.of(network, path, int(meta.get("image_size") or network.input_shape[1]), meta)


def load_published(*, gradients: bool = False) -> tuple[Detector, ...]:
    """The published detectors from which each image gets the one that fits its size.

    ``gradients`` as for :func:`load_detector`, for those that have a Keras form.
    """
    found = []
    for name in PUBLISHED:
        keras = gradients and (FOLDER / f"{name}.keras").is_file()
        found.append(load_detector(name, gradients=keras))
    return tuple(found)


def find_model(model: str | os.PathLike[str] | None = None, keras: bool = False) -> Path:
    """Path of a model file: a path as given, or a trained detector's name looked up.

    What ends in ``.keras`` or ``.onnx`` is a path; anything else is a name, whatever lies in the
    current folder. A name is looked for among the published detectors, whose figures are in the
    reference report, then in what ``make report`` built here. With ``keras`` its Keras form is
    taken, else the ONNX form where there is one, since it starts without TensorFlow.
    """
    if model is not None and Path(model).suffix in SUFFIXES:
        if not Path(model).is_file():
            raise UserError(f"No model file {model}.", "Give the path of a .keras or .onnx file.")
        return Path(model)
    if model is not None and Path(model).name != str(model):
        raise UserError(
            f"{model} is neither a model file nor a detector's name.",
            "A model file's name ends in .keras or .onnx.",
        )
    root = settings.project_root() or Path()
    # The demo detector of the smoke profile knows two photographs, so it never serves by default.
    builds = [root / "build" / profile / "stages" / "training" for profile in ("full", "standard")]
    folders = [FOLDER, *(build / "models" for build in builds)]
    name = DEFAULT if model is None else str(model)
    candidates = (folder / f"{name}{suffix}" for folder in folders for suffix in SUFFIXES)
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        files = [path for folder in folders for path in folder.glob("*")]
        known = sorted({path.stem for path in files if path.suffix in SUFFIXES})
        raise UserError(
            f"No trained detector {name!r} found. Known: {', '.join(known) or 'none'}.",
            "Name one of them, or a model file, whose name ends in .keras or .onnx.",
        )
    onnx = found.with_suffix(".onnx")
    # One that the description does not tell of was left behind by an earlier detector.
    if keras or not onnx.is_file() or not model_metadata.describes_onnx(model_metadata.read(found)):
        return found
    return onnx
