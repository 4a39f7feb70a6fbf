"""Do the maps mean anything? They must depend on the weights, and on what the detector used."""

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from scipy import ndimage, special, stats

from realfake_lib import progress
from realfake_lib.explain import cam
from realfake_lib.robustness import detector


def randomisation_test(model, images, method=cam.grad_cam, layer=None, target="FAKE", seed=0):
    """How alike maps stay while the weights are replaced by random ones, layer by layer.

    It goes from the logit towards the pixels, each layer staying random once it is.

    Parameters
    ----------
    model : keras.Model
        Stays as it is.
    images : (n, h, w, c) array, 0..255
    method : callable
        One of :data:`realfake_lib.explain.METHODS`.
    layer, target
        As for :func:`realfake_lib.explain.grad_cam`.
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

    # A Normalization layer's statistics are preprocessing, not something that was learned.
    fixed = keras.layers.Normalization
    learned = [item for item in model.layers if item.get_weights() and not isinstance(item, fixed)]
    weighted = [item.name for item in learned]
    rows = [{"layer": "none", **likeness(trained, trained)}]
    for name in progress.track(weighted[::-1], "randomisation test", unit="layers"):
        changed.get_layer(name).set_weights(random.get_layer(name).get_weights())
        maps = method(changed, images, layer, target)
        name = "all" if name == weighted[0] else name
        rows.append({"layer": name, **likeness(trained, maps)})
    return pd.DataFrame(rows)


def removal_curves(model, images, maps, target="FAKE", steps=16, seed=0):
    """The target's probability while the pixels that maps rank first go (deletion) or come back.

    In deletion the image's mean colour takes the place of a pixel; insertion starts from the image
    blurred (σ = 1/8 of its height).

    Parameters
    ----------
    model : keras.Model
    images : (n, h, w, c) array, 0..255
    maps : dict of str to (n, h, w) array
        Larger is more important. Ties, such as the zeros of a rectified map, are broken at random.
    target : {"FAKE", "REAL"} or (n,) int array
        The class that the maps explain.
    steps : int
        Number of equal portions of pixels.
    seed : int
        Of the random order and the ties.

    Returns
    -------
    pandas.DataFrame
        curve ("deletion", "insertion"), order (the maps' name, or :data:`RANDOM` for pixels in
        random order), image, fraction (of pixels replaced, 0 to 1), score (the probability).

    References
    ----------
    Petsiuk, Das, Saenko: RISE (2018).
    """
    pixels = detector.as_pixels(images)
    n, height, width, _ = pixels.shape
    sign = cam.target_signs(target, n)
    generator = np.random.default_rng(seed)
    ties = generator.random((n, height * width))
    maps = maps | {RANDOM: generator.random((n, height, width))}
    counts = np.rint(np.linspace(0, height * width, steps + 1)).astype(int)
    sigma = height / 8
    mean = np.broadcast_to(pixels.mean(axis=(1, 2), keepdims=True), pixels.shape)
    blurred = ndimage.gaussian_filter(pixels, (0, sigma, sigma, 0), mode="reflect")
    parts = []
    for order, values in maps.items():
        if np.shape(values) != (n, height, width):
            raise ValueError(f"maps {np.shape(values)} and images {pixels.shape} do not fit")
        ranked = np.lexsort((ties, -np.reshape(values, (n, -1))), axis=1)
        rank = np.argsort(ranked, axis=1).reshape(n, height, width, 1)
        for curve, start, end in zip(CURVES, (pixels, blurred), (mean, pixels), strict=True):
            steps_taken = (np.where(rank < count, end, start) for count in counts)
            logits = [detector.predict_logits(model, x) for x in steps_taken]
            scores = special.expit(sign[:, None] * np.stack(logits, axis=1, dtype=np.float64))
            part = {"curve": curve, "order": order, "image": np.repeat(np.arange(n), len(counts))}
            part |= {"fraction": np.tile(counts / (height * width), n), "score": scores.ravel()}
            parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


CURVES = ("deletion", "insertion")
RANDOM = "random order"


def gains(curves, over=RANDOM):
    """Areas between the curves of :func:`removal_curves` and those of the order ``over``, by image.

    Returns
    -------
    pandas.DataFrame
        Index ``order``; ``deletion`` and ``insertion``, mean gains, positive where the maps are
        better (a smaller area in deletion, a larger one in insertion), each with ``_low`` and
        ``_high`` (95 %, Student's t over the images); ``n``.
    """
    each = curves.pivot(index=["curve", "order", "image"], columns="fraction", values="score")
    areas = pd.Series(np.trapezoid(each, each.columns, axis=1), each.index)
    rows = {order: {} for order in curves["order"].unique() if order != over}
    for order, row in rows.items():
        for curve, sign in zip(CURVES, (-1, 1), strict=True):
            values = sign * (areas[curve, order] - areas[curve, over]).to_numpy()
            mean, n = values.mean(), len(values)
            half = np.nan
            if n > 1:
                half = stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n)
            row |= {curve: mean, f"{curve}_low": mean - half, f"{curve}_high": mean + half}
        row["n"] = n
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("order")


def named(row, word):
    """A row of :func:`gains` for ``run.metrics``: ``("deletion_<word>", mean, interval)``, …"""
    for curve in CURVES:
        yield f"{curve}_{word}", row[curve], (row[f"{curve}_low"], row[f"{curve}_high"])


def likeness(trained, maps):
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
