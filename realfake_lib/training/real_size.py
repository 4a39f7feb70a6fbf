"""Train a detector for images of ordinary size, and score it on sources that were held out.

Which sources those are, and what is told of their scores: :mod:`realfake_lib.evaluation.held_out`.
"""

import hashlib
import itertools
import json
from dataclasses import dataclass, field

import keras
import numpy as np
import pandas as pd
from keras import layers, ops
from sklearn.cluster import MiniBatchKMeans
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from realfake_lib import code_hash, parallel, progress, settings
from realfake_lib.data import equalise
from realfake_lib.errors import UserError
from realfake_lib.evaluation import held_out
from realfake_lib.models import texture
from realfake_lib.settings import FAKE, REAL

GAMMAS = (0.3, 1.0)
"""Widths of the kernel, see :func:`fit`; sources that a model did not see decide between them."""

ALPHA = 1e-5
"""Strength of the penalty for each row."""

LANDMARKS = 4000
"""Rows at most with which others are compared."""

CONTENTS = 30
"""Groups of similar content, in each of which the classes count nearly alike; see :func:`fit`."""

DEEPEST = 384
"""Statistics of the deepest layer, the last ones; they tell most of what is shown."""

MAX_FACTOR = 4.0
"""By which that changes a weight at most, before both classes are made to count alike again."""


@dataclass(frozen=True)
class Statistics:
    """Texture statistics of crops.

    Attributes
    ----------
    table : DataFrame
        One row a crop: ``file``, ``label`` (int8, FAKE = 0, REAL = 1), ``family``, ``source``,
        ``repository``, ``collection`` ("panel", "pool").
    train : (n, draws, d) float16 array
        Of squares as some website might deliver them.
    scored : dict of str to (m, d) float16 array
        By condition; of the first m rows where it has fewer.
    """

    table: pd.DataFrame = field(repr=False)
    train: np.ndarray = field(repr=False)
    scored: dict = field(repr=False)


def measure(panels, draws=3, seed=0):
    """Texture statistics of all crops of several collections, kept in the cache.

    Parameters
    ----------
    panels : dict of str to Panel
        By the name of the collection.
    draws : int
        Squares of each crop for training.
    seed : int

    Returns
    -------
    Statistics

    Raises
    ------
    UserError
        If a collection is not available.
    """
    for panel in panels.values():
        if panel.missing is not None:
            raise UserError(*panel.notices())
    extract, tables, parts = None, [], []
    for name, panel in panels.items():
        columns = ["file", "label", "family", "source", "repository"]
        tables.append(panel.table[columns].assign(collection=name))
        key = _key(panel, draws, seed)
        path = settings.cache_dir() / "texture" / f"{key}.npz"
        if not path.exists():
            extract = extract or texture.Extractor(texture.statistics())
            found = _measured(panel, extract, draws, seed, name)
            with settings.atomic_file(path) as temporary, open(temporary, "wb") as stream:
                np.savez(stream, **found)
        with np.load(path) as kept:
            parts.append(dict(kept))
    together = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    train = together.pop("train")
    return Statistics(pd.concat(tables, ignore_index=True), train, together)


def deliveries(panel, seed=0):
    """Texture statistics of a panel's crops, (m, d) float16, by :data:`.held_out.DELIVERIES`."""
    extract, found = (
        texture.Extractor(texture.statistics()),
        {name: [] for name in held_out.DELIVERIES},
    )
    for name, parts in found.items():
        for start in range(0, len(panel), 64):
            rows = np.arange(start, min(start + 64, len(panel)))
            crops = equalise.of_panel(panel, rows, name, seed=seed)
            squares = np.stack([equalise.resized(one, texture.SIDE) for one in crops])
            parts.append(extract(squares).astype(np.float16))
            progress.report(f"Statistics ({name})", rows[-1] + 1, len(panel), "crops")
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _key(panel, draws, seed):
    told = panel.table[["file", "original_sha256", "crop_x", "crop_y"]].to_csv(index=False)
    code = code_hash.code_hash(equalise, texture)
    made = [hashlib.sha256(told.encode()).hexdigest(), code, draws, seed, *held_out.CONDITIONS]
    return hashlib.sha256(json.dumps(made).encode()).hexdigest()[:24]


def _measured(panel, extract, draws, seed, name):
    """Arrays of :class:`Statistics` by name."""

    def squares(row):
        crop = panel.crop(row)
        rng = np.random.default_rng([seed, row])
        drawn = [equalise.random_delivery(crop, texture.SIDE, rng) for _ in range(draws)]
        given = [equalise.of_panel(panel, [row], one, seed=seed)[0] for one in held_out.CONDITIONS]
        return np.stack([*drawn, *(equalise.resized(one, texture.SIDE) for one in given)])

    found = []
    for start in range(0, len(panel), 16):
        rows = range(start, min(start + 16, len(panel)))
        some = np.concatenate(list(parallel.each(squares, rows)))
        found.append(extract(some).reshape(len(rows), -1, extract.width).astype(np.float16))
        progress.report(f"Statistics ({name})", rows[-1] + 1, len(panel), "crops")
    found = np.concatenate(found)
    scored = {one: found[:, draws + at] for at, one in enumerate(held_out.CONDITIONS)}
    return {"train": found[:, :draws], **scored}


def balanced(weight, labels, content):
    """Weights under which the classes count nearly alike in each group of similar content.

    Else a model learns what is shown: if most faces in training are generated, it takes faces for
    generated ones. Within a group, a class is multiplied by the root of the other's weight over its
    own, within :data:`MAX_FACTOR`.

    Parameters
    ----------
    weight : (n,) float array
    labels : (n,) int array
    content : (n,) int array
        The group of each row.

    Returns
    -------
    (n,) float array
        With mean 1; both classes count alike.
    """
    frame = pd.DataFrame({"label": labels, "content": content, "weight": weight})
    own = frame.groupby(["content", "label"])["weight"].transform("sum")
    other = frame.groupby("content")["weight"].transform("sum") - own
    found = weight * np.sqrt((other / own).to_numpy()).clip(1 / MAX_FACTOR, MAX_FACTOR)
    for label in (FAKE, REAL):
        found[labels == label] /= found[labels == label].sum()
    return found / found.mean()


def fit(train, table, gamma, seed=0):
    """Fit kernel ridge regression on +1 for REAL and −1 for FAKE.

    Rows are compared with some of them by a Gaussian kernel, the Nyström method (Williams and
    Seeger, NeurIPS 2000): its cost grows with the number of rows, not with its cube. Rows are
    weighted by :func:`balanced`, in groups by k-means of the statistics of the deepest layer.

    Parameters
    ----------
    train : (n, draws, d) array
    table : DataFrame
        The rows' labels and sources.
    gamma : float
        The kernel is exp(−gamma · the mean of the squared differences), of standardised statistics.
    seed : int
        Chooses the rows that others are compared with.

    Returns
    -------
    sklearn pipeline
        ``predict`` gives the score for REAL of (m, d) statistics.
    """
    draws, width = train.shape[1:]
    deepest = StandardScaler().fit_transform(train[:, 0, -DEEPEST:].astype(np.float32))
    groups_of = MiniBatchKMeans(min(CONTENTS, len(table)), random_state=seed, n_init=3)
    content = groups_of.fit_predict(deepest)
    weight = balanced(held_out.weights(table), table["label"].to_numpy(), content)
    weight = np.repeat(weight, draws)
    signs = np.repeat(np.where(table["label"] == REAL, 1.0, -1.0), draws)
    seen = train.reshape(-1, width).astype(np.float32)
    scaler = StandardScaler().fit(seen, sample_weight=weight)
    seen = scaler.transform(seen)
    rng, count = np.random.default_rng(seed), min(LANDMARKS, len(seen))
    rows = rng.choice(len(seen), count, replace=False, p=weight / weight.sum())
    landmarks = texture.rounded(seen[rows].astype(float), 1)
    kernel = Nystroem(gamma=gamma / width, n_components=count, random_state=seed).fit(landmarks)
    ridge = Ridge(ALPHA * len(seen)).fit(kernel.transform(seen), signs, weight)
    return make_pipeline(scaler, kernel, ridge)


def network(model, slope, intercept, weights="imagenet"):
    """A network from pixels to one logit for REAL.

    Parameters
    ----------
    model : sklearn pipeline
        Fitted by :func:`fit`.
    slope, intercept : float
        ``slope · score + intercept`` is the logit for a score that the model predicts.
    weights
        As for :func:`realfake_lib.models.texture.statistics`.

    Returns
    -------
    keras.Model
    """
    scaler, kernel, ridge = (step for _, step in model.steps)
    landmarks, width = kernel.components_, kernel.n_features_in_
    inner = texture.statistics(weights=weights)
    found = (inner.output - scaler.mean_.astype("float32")) / scaler.scale_.astype("float32")
    # As a convolution, so that an ONNX file holds a byte for each number.
    compare = layers.Conv2D(len(landmarks), 1, use_bias=False, dtype="float32")
    products = layers.Flatten()(compare(ops.expand_dims(found, (1, 2))))
    lengths = ops.mean(ops.square(found), axis=-1, keepdims=True)
    others = np.square(landmarks).mean(axis=1).astype("float32")
    similar = ops.exp(-kernel.gamma * width * (lengths + others - 2 * products / width))
    output = layers.Dense(1, dtype="float32", name="logit")
    made = keras.Model(inner.input, output(similar), name="real_size")
    compare.set_weights([landmarks.T[None, None]])
    coefficients = slope * ridge.coef_ @ kernel.normalization_
    output.set_weights([coefficients[:, None], np.array([slope * ridge.intercept_ + intercept])])
    return made


def held_out_scores(statistics, fold, gamma, held):
    """Scores for REAL of the rows of some folds by a model that saw nothing related to them.

    ``held`` are the numbers of the folds; what is related to them, :func:`.held_out.apart` tells.

    Returns
    -------
    dict of str to (m,) float array
        By condition; NaN for the rows of other folds.
    """
    seen, found = held_out.apart(statistics.table, fold, held), {}
    model = fit(statistics.train[seen], statistics.table[seen], gamma)
    for name, values in statistics.scored.items():
        rows = np.flatnonzero(np.isin(fold[: len(values)], held))
        found[name] = np.full(len(values), np.nan)
        if len(rows):
            found[name][rows] = model.predict(values[rows].astype(np.float32))
    return found


@dataclass(frozen=True)
class Outcome:
    """Scores of sources that no part of a model saw, and what was chosen for each fold.

    Attributes
    ----------
    fold : (repeats, n) int array
    scores : dict of str to (repeats, m) float array
        By condition, as :attr:`Statistics.scored`: for REAL, a fold's by one model.
    chosen : list of lists of float
        For each repeat and fold the kernel's width, chosen by the other folds alone.
    """

    fold: np.ndarray = field(repr=False)
    scores: dict = field(repr=False)
    chosen: list


def nested(statistics, repeats=2, seed=0, gammas=GAMMAS):
    """Held-out scores with nested selection.

    For each fold the width is that whose mean AUROC over the other folds is best, by models that
    saw neither the fold scored nor the one held out.

    Parameters
    ----------
    statistics : Statistics
        Widths are chosen by :data:`.held_out.CONDITIONS`.
    repeats : int
        Assignments of groups to folds.
    seed : int
    gammas : sequence of float

    Returns
    -------
    Outcome
    """
    all_folds, scores, chosen = [], {name: [] for name in statistics.scored}, []
    for repeat in range(repeats):
        fold = held_out.folds(statistics.table, seed + repeat)
        best = _chosen(statistics, fold, gammas, f"assignment {repeat + 1} of {repeats}")
        parts = [
            held_out_scores(statistics, fold, gamma, [held]) for held, gamma in enumerate(best)
        ]
        for name, kept in scores.items():
            kept.append(np.nansum([part[name] for part in parts], axis=0))
        all_folds.append(fold)
        chosen.append(best)
    return Outcome(
        np.stack(all_folds), {name: np.stack(each) for name, each in scores.items()}, chosen
    )


def _chosen(statistics, fold, gammas, told):
    """For each fold the best width by the others."""
    found = [[[] for _ in gammas] for _ in range(held_out.FOLDS)]
    pairs = list(itertools.combinations(range(held_out.FOLDS), 2))
    for done, pair in enumerate(pairs, 1):
        for at, gamma in enumerate(gammas):
            scores = held_out_scores(statistics, fold, gamma, pair)
            for name in held_out.CONDITIONS:
                each = held_out.auroc_by_source(statistics.table, fold, scores[name])
                for held, scored in (pair, pair[::-1]):
                    found[held][at].append(each.loc[each["fold"] == scored, "auroc"])
        progress.report(f"Held-out sources ({told})", done, len(pairs), "pairs of folds")
    means = [[np.concatenate(values).mean() for values in of] for of in found]
    return [gammas[int(np.argmax(values))] for values in means]
