"""Do the maps mean anything? They must depend on the weights, and on what the detector used.

The randomisation test asks for the first: a map that stays the same when the weights are replaced
by random ones shows the image, not the detector. Deletion and insertion ask for the second: taking
away the pixels that a map ranks first must lower the score faster than taking away random ones.
"""

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from scipy import ndimage, special, stats

from realfake_lib import progress
from realfake_lib.errors import UserError
from realfake_lib.explain import cam
from realfake_lib.robustness import detector


def randomisation_test(
    model, images, method=cam.grad_cam, layer=None, target="FAKE", *, cascading=True, seed=0
):
    """How alike maps stay while the weights are replaced by random ones, layer by layer.

    Parameters
    ----------
    model : keras.Model
        Stays as it is.
    images : (n, h, w, c) array, 0..255
    method : callable
        One of :data:`realfake_lib.explain.METHODS`.
    layer : str, optional
        Layer to explain; :func:`realfake_lib.explain.default_layer` unless given.
    target : {"FAKE", "REAL"} or (n,) int array
    cascading : bool
        Go from the logit towards the pixels, each layer staying random once it is. False does the
        complete randomisation only.
    seed : int
        Of the random weights; sets the random state of Python, NumPy and TensorFlow.

    Returns
    -------
    pandas.DataFrame
        A row a randomised layer, the first "none", the last "all" weights: layer, rank_correlation
        (Spearman's, its mean over the images), ssim (mean), n (images whose two maps could be
        compared), empty (share of images whose map vanished). Near 0 in both measures is good.

    References
    ----------
    Adebayo et al.: Sanity checks for saliency maps (2018).
    """
    layer = cam.default_layer(model) if layer is None else layer
    trained = method(model, images, layer, target)
    # A clone has weights as its initialisers draw them.
    keras.utils.set_random_seed(seed)
    random = keras.models.clone_model(model)
    changed = keras.models.clone_model(model)
    changed.set_weights(model.get_weights())

    weighted = [item.name for item in model.layers if _is_learned(item)]
    rows = [{"layer": "none", **_likeness(trained, trained)}]
    for name in progress.track(weighted[::-1], "randomisation test", unit="layers"):
        changed.get_layer(name).set_weights(random.get_layer(name).get_weights())
        last = name == weighted[0]
        if cascading or last:
            maps = method(changed, images, layer, target)
            rows.append({"layer": "all" if last else name, **_likeness(trained, maps)})
    return pd.DataFrame(rows)


def deletion(model, images, maps, target="FAKE", **options):
    """The target's probability while the pixels that a map ranks first are taken away.

    Parameters
    ----------
    model : keras.Model
    images : (n, h, w, c) array, 0..255
    maps : (n, h, w) array
        Larger is more important. Ties, such as the zeros of a rectified map, are broken at random.
    target : {"FAKE", "REAL"} or (n,) int array
        The class that the maps explain.
    steps : int
        Number of equal portions of pixels, 16 unless given.
    baseline : {"mean", "blur"}
        What a pixel is replaced by: the image's mean colour, or the image blurred (σ = 1/8 of its
        height). "mean" unless given.
    seed : int
        Of the random order and the ties.
    batch_size : int

    Returns
    -------
    pandas.DataFrame
        fraction (of pixels replaced, 0 to 1), score (mean probability of the target), random_score
        (the same for pixels in random order), n.

    References
    ----------
    Petsiuk, Das, Saenko: RISE (2018).
    """
    return _mean_curve(*_curves(model, images, maps, target, insert=False, **options))


def insertion(model, images, maps, target="FAKE", **options):
    """The target's probability while the pixels that a map ranks first come back.

    Parameters and result are those of :func:`deletion`, but for the baseline, which the image
    starts as: "blur" unless given, and for ``fraction``, the share of pixels that is back.

    References
    ----------
    Petsiuk, Das, Saenko: RISE (2018).
    """
    options = {"baseline": "blur", **options}
    return _mean_curve(*_curves(model, images, maps, target, insert=True, **options))


def faithfulness(model, images, maps, target="FAKE", **options):
    """Areas under the deletion and insertion curves, against pixels in random order.

    Parameters
    ----------
    model, images, maps, target, **options
        As in :func:`deletion`.

    Returns
    -------
    pandas.DataFrame
        A row a curve: curve ("deletion", "insertion"), auc (mean over the images), random_auc, gain
        (mean difference, positive where the map beats the random order: a smaller area in
        deletion, a larger one in insertion), ci_low, ci_high (of the gain, 95 %, Student's t over
        the images), n.
    """
    rows = []
    for name in ("deletion", "insertion"):
        auc, random_auc = areas(model, images, maps, target, name, **options)
        gains = auc - random_auc if name == "insertion" else random_auc - auc
        low, high = mean_interval(gains)
        rows.append(
            {
                "curve": name,
                "auc": auc.mean(),
                "random_auc": random_auc.mean(),
                "gain": gains.mean(),
                "ci_low": low,
                "ci_high": high,
                "n": len(gains),
            }
        )
    return pd.DataFrame(rows)


def areas(model, images, maps, target="FAKE", curve="deletion", **options):
    """Area under each image's deletion or insertion curve.

    Parameters
    ----------
    model, images, maps, target, **options
        As in :func:`deletion`.
    curve : {"deletion", "insertion"}

    Returns
    -------
    areas, random_areas : (n,) float arrays
        In the order of the map, and in random order.
    """
    insert = curve == "insertion"
    chosen = {"baseline": "blur" if insert else "mean", **options}
    fractions, ranked, random = _curves(model, images, maps, target, insert=insert, **chosen)
    return np.trapezoid(ranked, fractions, axis=1), np.trapezoid(random, fractions, axis=1)


def mean_interval(values):
    """95 % interval of the mean of (n,) values by Student's t: ``(low, high)``, NaN for n = 1."""
    n = len(values)
    half = stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n) if n > 1 else np.nan
    return np.mean(values) - half, np.mean(values) + half


def _curves(
    model, images, maps, target, *, insert, steps=16, baseline="mean", seed=0, batch_size=512
):
    """Fractions (steps + 1,) and the target's probability in map order and in random order."""
    pixels, maps = detector.as_pixels(images), np.asarray(maps)
    n, height, width, channels = pixels.shape
    if maps.shape != (n, height, width):
        raise ValueError(f"images {pixels.shape} and maps {maps.shape} do not belong together")
    sign = cam.target_signs(target, n)
    replaced = _baseline(pixels, baseline)
    start, end = (replaced, pixels) if insert else (pixels, replaced)

    generator = np.random.default_rng(seed)
    ties = generator.random((n, height * width))
    shuffled = generator.random((n, height * width))
    counts = np.rint(np.linspace(0, height * width, steps + 1)).astype(int)
    curves = []
    for values in (maps.reshape(n, -1), shuffled):
        order = np.lexsort((ties, -values), axis=1)
        rank = np.argsort(order, axis=1).reshape(n, height, width, 1)
        scores = [
            sign * detector.predict_logits(model, np.where(rank < count, end, start), batch_size)
            for count in counts
        ]
        curves.append(special.expit(np.stack(scores, axis=1, dtype=np.float64)))
    return counts / (height * width), *curves


def _mean_curve(fractions, ranked, random):
    return pd.DataFrame(
        {
            "fraction": fractions,
            "score": ranked.mean(axis=0),
            "random_score": random.mean(axis=0),
            "n": len(ranked),
        }
    )


def _baseline(pixels, name):
    if name == "mean":
        return np.broadcast_to(pixels.mean(axis=(1, 2), keepdims=True), pixels.shape)
    if name == "blur":
        sigma = pixels.shape[1] / 8
        return ndimage.gaussian_filter(pixels, (0, sigma, sigma, 0), mode="reflect")
    raise UserError(f"unknown baseline {name!r}", hint="Known are 'mean' and 'blur'.")


def _is_learned(layer):
    # A Normalization layer's statistics are preprocessing, not something that was learned.
    return bool(layer.get_weights()) and not isinstance(layer, keras.layers.Normalization)


def _likeness(trained, maps):
    """Mean rank correlation and SSIM of two sets of maps, where neither map is empty."""
    compared = ~(cam.empty(trained) | cam.empty(maps))
    pairs = list(zip(trained[compared], maps[compared], strict=True))
    size = min(11, *trained.shape[1:])  # the usual window, unless the map is smaller
    return {
        "rank_correlation": np.mean([_spearman(a, b) for a, b in pairs]) if pairs else np.nan,
        "ssim": np.mean([_ssim(a, b, size) for a, b in pairs]) if pairs else np.nan,
        "n": len(pairs),
        "empty": cam.empty(maps).mean(),
    }


def _spearman(a, b):
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float(np.array_equal(a, b))  # a constant map ranks nothing
    return stats.spearmanr(a, b, axis=None).statistic


def _ssim(a, b, size):
    return float(tf.image.ssim(a[..., None], b[..., None], max_val=1.0, filter_size=size))
