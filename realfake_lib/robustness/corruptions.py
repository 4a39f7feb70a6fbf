"""Common corruptions: JPEG compression, blur, noise, rescaling.

All functions take and return 8-bit images and need no TensorFlow. The severities are mild ones, as
fit images of 32 pixels; ImageNet-C's would leave nothing to see.
"""

import io

import numpy as np
import pandas as pd
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


def jpeg(images, quality):
    """Compress as JPEG with 4:2:0 chroma subsampling, then decode.

    Parameters
    ----------
    images : (n, h, w, 3) uint8 array
    quality : int in 1..95
        libjpeg's scale.

    Returns
    -------
    (n, h, w, 3) uint8 array
    """
    if not 1 <= quality <= 95:
        raise ValueError(f"JPEG quality must lie in 1..95, got {quality}")
    out = np.empty_like(_checked(images))
    for i, image in enumerate(images):
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "JPEG", quality=int(quality), subsampling=2)
        out[i] = np.asarray(Image.open(stream))
    return out


def gaussian_blur(images, sigma):
    """Blur with a Gaussian; the border is mirrored.

    Parameters
    ----------
    images : (n, h, w, 3) uint8 array
    sigma : float >= 0
        Standard deviation in pixels.

    Returns
    -------
    (n, h, w, 3) uint8 array
    """
    if sigma < 0:
        raise ValueError(f"sigma must not be negative, got {sigma}")
    pixels = _checked(images).astype(np.float32)
    return _to_uint8(ndimage.gaussian_filter(pixels, (0, sigma, sigma, 0), mode="reflect"))


def gaussian_noise(images, sigma, seed=0):
    """Add white Gaussian noise, independent in each pixel and channel.

    Parameters
    ----------
    images : (n, h, w, 3) uint8 array
    sigma : float >= 0
        Standard deviation as a share of the pixel range, 0.05 = 12.75 grey levels.
    seed : int
        Noise of an image depends on it and on the image's position only.

    Returns
    -------
    (n, h, w, 3) uint8 array
    """
    if sigma < 0:
        raise ValueError(f"sigma must not be negative, got {sigma}")
    out = np.empty_like(_checked(images))
    for i, image in enumerate(images):
        draw = np.random.default_rng((seed, i)).standard_normal(image.shape, np.float32)
        out[i] = _to_uint8(image + np.float32(255 * sigma) * draw)
    return out


def rescale_and_back(images, factor):
    """Resize by ``factor`` and back to the old size, bicubic and antialiased both ways.

    Parameters
    ----------
    images : (n, h, w, 3) uint8 array
    factor : float > 0
        0.5 halves width and height.

    Returns
    -------
    (n, h, w, 3) uint8 array
    """
    if factor <= 0:
        raise ValueError(f"factor must be positive, got {factor}")
    _, height, width, _ = _checked(images).shape
    small = max(1, round(width * factor)), max(1, round(height * factor))
    out = np.empty_like(images)
    for i, image in enumerate(images):
        resized = Image.fromarray(image).resize(small, Image.Resampling.BICUBIC)
        out[i] = resized.resize((width, height), Image.Resampling.BICUBIC)
    return out


CORRUPTIONS = {
    "jpeg": jpeg,
    "gaussian_blur": gaussian_blur,
    "gaussian_noise": gaussian_noise,
    "rescale_and_back": rescale_and_back,
}
"""Corruptions by name; each takes images and one severity."""

DEFAULT = {
    "jpeg": (90, 75, 50, 40, 30),
    "gaussian_blur": (0.5, 1.0, 2.0),
    "gaussian_noise": (0.02, 0.05, 0.10),
    "rescale_and_back": (0.75, 0.5),
}
"""Severities of :func:`corruption_table`, mild ones first."""


def corruption_table(predict, images, labels, corruptions=DEFAULT, *, threshold=0.5, seed=0):
    """How a detector fares on corrupted images; its threshold stays what it was.

    Parameters
    ----------
    predict : callable
        (n, h, w, 3) uint8 images to (n,) float ``p_fake`` in [0, 1].
    images : (n, h, w, 3) uint8 array
    labels : (n,) int array
        FAKE = 0, REAL = 1.
    corruptions : dict of name to severities
        Names from :data:`CORRUPTIONS`.
    threshold : float in (0, 1)
        FAKE is predicted where ``p_fake >= threshold``.
    seed : int
        Of the noise.

    Returns
    -------
    pandas.DataFrame
        corruption, severity, accuracy, auroc (FAKE positive; NaN when a class is absent),
        fake_recall, n, ci_low, ci_high (of the accuracy; Wilson, 95 %), ece (expected calibration
        error). The first row, ``none``, is the untouched images.

    Raises
    ------
    UserError
        If a corruption has an unknown name.
    ValueError
        If ``predict`` returns anything but probabilities.
    """
    unknown = sorted(set(corruptions) - set(CORRUPTIONS))
    if unknown:
        raise UserError(
            f"unknown corruption {unknown[0]!r}",
            hint=f"Known are {', '.join(sorted(CORRUPTIONS))}.",
        )
    images, labels = _checked(images), np.asarray(labels)
    cases = [("none", np.nan)]
    cases += [(name, severity) for name, values in corruptions.items() for severity in values]
    rows = []
    for name, severity in progress.track(cases, "corruptions"):
        corrupted = images if name == "none" else _apply(name, images, severity, seed)
        scores = _scores(np.asarray(predict(corrupted)), labels, threshold)
        rows.append({"corruption": name, "severity": severity, **scores})
    return pd.DataFrame(rows)


def _apply(name, images, severity, seed):
    options = {"seed": seed} if name == "gaussian_noise" else {}
    return CORRUPTIONS[name](images, severity, **options)


def _scores(p_fake, labels, threshold):
    if p_fake.shape != labels.shape or not ((p_fake >= 0) & (p_fake <= 1)).all():
        raise ValueError("predict must return one p_fake in [0, 1] for each image")
    fake = labels == FAKE
    correct = predict_labels(p_fake, threshold) == labels
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


def _to_uint8(pixels):
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
