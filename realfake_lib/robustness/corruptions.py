"""Common corruptions: what happens to images without an attacker, in five severities each.

All functions take and return 8-bit images and need no TensorFlow. Severities are those of
CIFAR-10-C (Hendrycks and Dietterich, 2019) where it has the corruption; ImageNet-C's would leave
nothing of 32 pixels.
"""

import io
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv
from PIL import Image
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from realfake_lib import progress
from realfake_lib.errors import UserError
from realfake_lib.evaluation.metrics import (
    expected_calibration_error,
    predict_labels,
    wilson,
)
from realfake_lib.settings import FAKE


@dataclass(frozen=True)
class Corruption:
    """One way in which an image changes.

    ``function(image, severity, rng)`` takes a (h, w, 3) uint8 array and a NumPy generator and gives
    pixels, whole or not; values outside 0..255 are clipped. ``severities`` are numbers, or pairs of
    them, mild ones first; ``unit`` says what they are, for an axis.
    """

    function: callable
    severities: tuple
    unit: str


def _through_file(kind, image, **options):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind, **options)
    return np.asarray(Image.open(stream).convert("RGB"))


def _jpeg(image, quality, rng=None):
    if not 1 <= quality <= 95:
        raise ValueError(f"JPEG quality must lie in 1..95, got {quality}")
    return _through_file("JPEG", image, quality=int(quality), subsampling=2)


def _jpeg_twice(image, qualities, rng):
    """Shifted by a few pixels in between, as by a crop, so that the 8×8 blocks do not match."""
    first = _jpeg(image, qualities[0])
    shift = tuple(rng.integers(1, 8, 2))
    return np.roll(_jpeg(np.roll(first, shift, (0, 1)), qualities[1]), np.negative(shift), (0, 1))


def _webp(image, quality, rng):
    return _through_file("WEBP", image, quality=quality)


def _avif(image, quality, rng):
    return _through_file("AVIF", image, quality=quality, speed=8)


def _gaussian_noise(image, sigma, rng):
    if sigma < 0:
        raise ValueError(f"sigma must not be negative, got {sigma}")
    return image + np.float32(255 * sigma) * rng.standard_normal(image.shape, np.float32)


def _shot_noise(image, photons, rng):
    return rng.poisson(image / 255 * photons) * (255 / photons)


def _impulse_noise(image, share, rng):
    chance = rng.random(image.shape)
    return np.where(chance < share, np.where(chance < share / 2, 0, 255), image)


def _gaussian_blur(image, sigma, rng=None):
    if sigma < 0:
        raise ValueError(f"sigma must not be negative, got {sigma}")
    pixels = image.astype(np.float32)
    return ndimage.gaussian_filter(pixels, (sigma, sigma, 0), mode="reflect")


def _defocus_blur(image, parameters, rng):
    """Convolution with a disk, its edge blurred: a lens out of focus."""
    radius, softness = parameters
    reach = np.arange(-8, 9)
    disk = (np.add.outer(reach**2, reach**2) <= radius**2).astype(float)
    kernel = ndimage.gaussian_filter(disk / disk.sum(), softness, truncate=1 / softness)
    return _convolve(image, kernel / kernel.sum())


def _motion_blur(image, parameters, rng):
    """Convolution with a fading line in a random direction within 45° of the horizontal."""
    length, sigma = parameters
    angle = np.deg2rad(rng.uniform(-45, 45))
    kernel = np.zeros((2 * length + 1, 2 * length + 1))
    for step in np.arange(0, length, 0.25):
        row, column = (round(length + step * f(angle)) for f in (np.sin, np.cos))
        kernel[row, column] += np.exp(-(step**2) / (2 * sigma**2))
    return _convolve(image, kernel / kernel.sum())


def _convolve(image, kernel):
    return ndimage.convolve(image.astype(np.float32), kernel[..., None], mode="reflect")


def _rescale(down, up):
    def corrupt(image, factor, rng=None):
        if factor <= 0:
            raise ValueError(f"factor must be positive, got {factor}")
        height, width, _ = image.shape
        small = max(1, round(width * factor)), max(1, round(height * factor))
        return np.asarray(Image.fromarray(image).resize(small, down).resize((width, height), up))

    return corrupt


def _crop(image, pixels, rng):
    """Cut away rows and columns at random sides, and enlarge what is left."""
    height, width, _ = image.shape
    if not 0 <= pixels < min(height, width):
        raise ValueError(f"cannot cut {pixels} pixels off {width}×{height}")
    top, left = rng.integers(0, pixels + 1, 2)
    cut = Image.fromarray(image[top : top + height - pixels, left : left + width - pixels])
    return np.asarray(cut.resize((width, height), Image.Resampling.BICUBIC))


def _shift(image, pixels, rng):
    """Move by whole pixels in a random direction, the border reflected."""
    moves = pixels * np.array([(1, 0), (-1, 0), (0, 1), (0, -1)][rng.integers(4)])
    return ndimage.shift(image, (*moves, 0), order=0, mode="reflect")


def _screenshot(image, parameters, rng):
    """Shown larger on a screen, photographed pixel by pixel, saved as JPEG and shrunk again."""
    zoom, quality = parameters
    height, width, _ = image.shape
    shown = Image.fromarray(image).resize(
        (round(width * zoom), round(height * zoom)), Image.Resampling.BILINEAR
    )
    saved = Image.fromarray(_jpeg(np.asarray(shown), quality))
    return np.asarray(saved.resize((width, height), Image.Resampling.BICUBIC))


def _brightness(image, amount, rng):
    return _in_hsv(image, 2, 1.0, amount)


def _saturation(image, parameters, rng):
    return _in_hsv(image, 1, *parameters)


def _in_hsv(image, channel, factor, offset):
    hsv = rgb_to_hsv(image / 255)
    hsv[..., channel] = np.clip(hsv[..., channel] * factor + offset, 0, 1)
    return 255 * hsv_to_rgb(hsv)


def _contrast(image, factor, rng):
    mean = image.mean(axis=(0, 1), keepdims=True)
    return mean + factor * (image - mean)


_KERNEL = Image.Resampling
_FACTORS = (0.9, 0.75, 0.6, 0.5, 0.35)

CORRUPTIONS = {
    "gaussian_noise": Corruption(
        _gaussian_noise, (0.04, 0.06, 0.08, 0.09, 0.10), "σ, of the range 0 to 1"
    ),
    "shot_noise": Corruption(_shot_noise, (500, 250, 100, 75, 50), "photons at white"),
    "impulse_noise": Corruption(
        _impulse_noise, (0.01, 0.02, 0.03, 0.05, 0.07), "share of the values"
    ),
    "gaussian_blur": Corruption(_gaussian_blur, (0.4, 0.6, 0.7, 0.8, 1.0), "σ in pixels"),
    "motion_blur": Corruption(
        _motion_blur, ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)), "length and σ in pixels"
    ),
    "defocus_blur": Corruption(
        _defocus_blur,
        ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        "radius and softness in pixels",
    ),
    "rescale": Corruption(
        _rescale(_KERNEL.BICUBIC, _KERNEL.BICUBIC), _FACTORS, "factor of the side, bicubic"
    ),
    "rescale_bilinear": Corruption(
        _rescale(_KERNEL.BILINEAR, _KERNEL.BILINEAR), _FACTORS, "factor of the side, bilinear"
    ),
    "rescale_lanczos": Corruption(
        _rescale(_KERNEL.LANCZOS, _KERNEL.LANCZOS), _FACTORS, "factor of the side, Lanczos"
    ),
    "pixelate": Corruption(
        _rescale(_KERNEL.BOX, _KERNEL.BOX), (0.95, 0.9, 0.85, 0.75, 0.65), "factor of the side"
    ),
    "crop": Corruption(_crop, (1, 2, 3, 4, 6), "pixels cut away"),
    "shift": Corruption(_shift, (1, 2, 3, 4, 6), "pixels"),
    "jpeg": Corruption(_jpeg, (95, 80, 65, 40, 10), "quality"),
    "jpeg_twice": Corruption(
        _jpeg_twice, ((90, 90), (85, 75), (75, 75), (60, 60), (40, 40)), "both qualities"
    ),
    "webp": Corruption(_webp, (90, 75, 60, 40, 10), "quality"),
    "avif": Corruption(_avif, (90, 75, 60, 40, 20), "quality"),
    "screenshot": Corruption(
        _screenshot, ((3, 95), (2, 90), (1.5, 85), (1.3, 75), (1.1, 60)), "zoom and JPEG quality"
    ),
    "brightness": Corruption(_brightness, (0.05, 0.1, 0.15, 0.2, 0.3), "added to the value"),
    "contrast": Corruption(_contrast, (0.75, 0.5, 0.4, 0.3, 0.15), "factor"),
    "saturation": Corruption(
        _saturation, ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)), "factor and offset"
    ),
}
"""Corruptions by name. JPEG's severities are wider than CIFAR-10-C's, from hardly visible to
blocks; where CIFAR-10-C draws motion blur with ImageMagick, its line is drawn here."""


def corrupted(name, images, severity, seed=0):
    """Images after one corruption.

    Parameters
    ----------
    name : str
        A key of :data:`CORRUPTIONS`.
    images : (n, h, w, 3) uint8 array
    severity
        As in the corruption's ``severities``; any other value of its range too.
    seed : int
        What is random for an image depends on it and on the image's position only.

    Returns
    -------
    (n, h, w, 3) uint8 array

    Raises
    ------
    UserError
        If there is no corruption of that name.
    ValueError
        If the images are no 8-bit colour images, or the severity is out of range.
    """
    if name not in CORRUPTIONS:
        raise UserError(f"unknown corruption {name!r}", f"Known are {', '.join(CORRUPTIONS)}.")
    function = CORRUPTIONS[name].function
    out = np.empty_like(_checked(images))
    for i, image in enumerate(images):
        pixels = function(image, severity, np.random.default_rng((seed, i)))
        out[i] = np.clip(np.rint(pixels), 0, 255)
    return out


def corruption_table(predictors, images, labels, chosen=None, *, seed=0):
    """How detectors fare on the same corrupted images; the threshold stays at one half.

    Parameters
    ----------
    predictors : dict of str to callable
        By detector: (n, h, w, 3) uint8 images to (n,) float ``p_fake`` in [0, 1].
    images : (n, h, w, 3) uint8 array
    labels : (n,) int array
        FAKE = 0, REAL = 1.
    chosen : dict of name to severities, optional
        All of :data:`CORRUPTIONS` unless given.
    seed : int
        Of what is random.

    Returns
    -------
    pandas.DataFrame
        detector, corruption, severity, level (1, 2, … in the order of the severities), accuracy,
        auroc (FAKE positive; NaN when a class is absent), fake_recall, n, ci_low, ci_high (of the
        accuracy; Wilson, 95 %), ece (expected calibration error). Each detector's first row, the
        corruption ``none`` of level 0, is the untouched images.

    Raises
    ------
    UserError
        If a corruption has an unknown name.
    ValueError
        If a predictor returns anything but probabilities.
    """
    images, labels = _checked(images), np.asarray(labels)
    if chosen is None:
        chosen = {name: corruption.severities for name, corruption in CORRUPTIONS.items()}
    cases = [("none", np.nan, 0)]
    for name, severities in chosen.items():
        cases += [(name, severity, level) for level, severity in enumerate(severities, 1)]
    rows = []
    for name, severity, level in progress.track(cases, "corruptions"):
        pixels = images if name == "none" else corrupted(name, images, severity, seed)
        case = {"corruption": name, "severity": severity, "level": level}
        for detector, predict in predictors.items():
            scores = _scores(np.asarray(predict(pixels)), labels)
            rows.append({"detector": detector, **case, **scores})
    table = pd.DataFrame(rows)
    order = table["detector"].map(list(predictors).index)
    return table.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)


def _scores(p_fake, labels):
    if p_fake.shape != labels.shape or not ((p_fake >= 0) & (p_fake <= 1)).all():
        raise ValueError("predict must return one p_fake in [0, 1] for each image")
    fake = labels == FAKE
    correct = predict_labels(p_fake) == labels
    low, high = wilson(correct.sum(), len(correct))
    both = fake.any() and not fake.all()
    return {
        "accuracy": correct.mean(),
        "auroc": roc_auc_score(fake, p_fake) if both else np.nan,
        "fake_recall": correct[fake].mean() if fake.any() else np.nan,
        "n": len(correct),
        "ci_low": low,
        "ci_high": high,
        "ece": expected_calibration_error(labels, p_fake),
    }


def _checked(images):
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise ValueError(f"need (n, h, w, 3) uint8 images, got {images.shape} {images.dtype}")
    return images
