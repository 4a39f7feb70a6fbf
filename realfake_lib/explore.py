"""Widgets for JupyterLab: drag an attack or a corruption, and watch verdict, probability and map.

The pixels that are shown are those that are judged: they are rounded to whole grey levels, as in
an image file.
"""

import html
import io
from dataclasses import dataclass
from pathlib import Path

import ipywidgets as widgets
import numpy as np
from PIL import Image

from realfake_lib import console, settings
from realfake_lib.data import images as reading
from realfake_lib.detector import load_detector
from realfake_lib.errors import UserError

console.import_tensorflow()
from realfake_lib import explain  # noqa: E402
from realfake_lib.robustness import attacks, corruptions  # noqa: E402

SIDE = 288
"""Pixels of the screen that the shown images are wide."""

CHANGES = {
    "FGSM attack": ("ε (1/255)", 8, 1),
    "PGD attack": ("ε (1/255)", 8, 1),
    "Gaussian blur": ("σ (pixels)", 2, 0.25),
    "Gaussian noise": ("σ (share of the range)", 0.1, 0.01),
    "JPEG compression": ("100 − quality", 90, 10),
}
"""Change → (unit of its strength, highest strength, step). At strength 0 the image is unchanged."""


@dataclass(frozen=True)
class View:
    """A changed image, (n, n, 3) uint8, its verdict, and Grad-CAM for it, (n, n) in [0, 1]."""

    image: np.ndarray
    p_fake: float
    verdict: str
    heat: np.ndarray


def _predicted_class(detector, p_fake):
    return settings.FAKE if p_fake >= detector.threshold else settings.REAL


def changed(detector, image, change, strength):
    """An image after an attack on the detector's verdict, or after a corruption.

    ``change`` is a name in :data:`CHANGES`; ``strength`` 0 changes nothing.
    """
    images = image[None]
    if strength == 0:
        return image
    if change == "Gaussian blur":
        return corruptions.corrupted("gaussian_blur", images, strength)[0]
    if change == "Gaussian noise":
        return corruptions.corrupted("gaussian_noise", images, strength)[0]
    if change == "JPEG compression":
        return corruptions.corrupted("jpeg", images, round(100 - strength))[0]
    labels = [_predicted_class(detector, detector.p_fake(images)[0])]
    attack = attacks.fgsm if change == "FGSM attack" else attacks.pgd
    return np.rint(attack(detector.model, images, labels, strength)[0]).astype(np.uint8)


def view(detector, image, change="FGSM attack", strength=0.0):
    """Change an image and judge it; see :func:`changed`. Gives a :class:`View`."""
    image = changed(detector, image, change, strength)
    p_fake = float(detector.p_fake(image[None])[0])
    target = [_predicted_class(detector, p_fake)]
    (heat,) = explain.grad_cam(detector.model, image[None], target=target)
    return View(image, p_fake, detector.verdict(p_fake), heat)


class Explorer:
    """Choose or upload an image, choose a detector and a change, drag its strength.

    Parameters
    ----------
    files : iterable of path-like
        Images to choose from.
    detectors : sequence of str or path-like
        As for :func:`realfake_lib.load_detector`.

    Attributes
    ----------
    view : View
        What is shown.
    box : ipywidgets.Widget
        All widgets, to be displayed.
    """

    def __init__(self, files, detectors=("detector", "fast", "robust", "defended")):
        self._contents = {Path(file).name: Path(file).read_bytes() for file in files}
        self._detectors = {str(one): load_detector(one, gradients=True) for one in detectors}
        self.image = widgets.Dropdown(options=[*self._contents], description="Image")
        self.upload = widgets.FileUpload(accept="image/*", description="Upload")
        self.detector = widgets.Dropdown(options=[*self._detectors], description="Detector")
        self.change = widgets.Dropdown(options=[*CHANGES], description="Change")
        self.strength = widgets.FloatSlider(continuous_update=False)
        self.unit = widgets.Label()
        self.verdict, self.shown = widgets.HTML(), widgets.Image(format="png", width=2 * SIDE)
        choices = [self.image, self.upload, self.detector, self.change]
        drag = widgets.HBox([self.strength, self.unit])
        self.box = widgets.VBox([widgets.HBox(choices), drag, self.verdict, self.shown])
        self.upload.observe(self._add_upload, "value")
        self.change.observe(self._set_range, "value")
        for widget in (self.image, self.detector, self.change, self.strength):
            widget.observe(self._show, "value")
        self._set_range()
        self._show()

    def _add_upload(self, _):
        """Choose the uploaded image, if it can be read."""
        for file in self.upload.value:
            content = bytes(file["content"])
            try:
                reading.decode(content, file["name"])
            except UserError as error:
                self.verdict.value = html.escape(error.message)
                continue
            self._contents[file["name"]] = content
            self.image.options = [*self._contents]
            self.image.value = file["name"]

    def _set_range(self, _=None):
        """Fit the slider to the change, and begin with the unchanged image."""
        unit, highest, step = CHANGES[self.change.value]
        self.unit.value = unit
        with self.strength.hold_trait_notifications():
            self.strength.value, self.strength.max, self.strength.step = 0, highest, step

    def _show(self, _=None):
        """Judge the image as it is now, and show image, map, probability and verdict."""
        detector = self._detectors[self.detector.value]
        content = self._contents[self.image.value]
        image = reading.decode(content, self.image.value, detector.image_size)
        self.view = view(detector, image, self.change.value, self.strength.value)
        pair = [self.view.image, explain.overlay(self.view.image, self.view.heat)]
        pixels = Image.fromarray(np.concatenate(pair, axis=1))
        buffer = io.BytesIO()
        pixels.resize((2 * SIDE, SIDE), Image.Resampling.NEAREST).save(buffer, "PNG")
        self.shown.value = buffer.getvalue()
        self.verdict.value = f"<b>{self.view.verdict}</b>, p(fake) = {self.view.p_fake:.3f}"
