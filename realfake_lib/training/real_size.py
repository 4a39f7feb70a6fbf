"""Train a detector for images of ordinary size, and score it on sources that it never saw.

Images of one source share their subjects and their processing, so a split by image would measure
how well sources are recognised. Here whole families of generators and whole sources of photographs
are held out together, and every choice is made without them.
"""

import hashlib
import json
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from realfake_lib import code_hash, parallel, progress, settings
from realfake_lib.data import equalise
from realfake_lib.models import texture
from realfake_lib.settings import FAKE, REAL

CONDITIONS = ("equalised", "web_hard")
"""How the crops that are scored were delivered; see :mod:`realfake_lib.data.equalise`."""

FOLDS = 5

CHOICES = tuple(
    (stages, alpha)
    for stages in (texture.STAGES[:3], texture.STAGES[:4], texture.STAGES)
    for alpha in (0.03, 0.3, 3.0)
)
"""Stages of the network and strengths of ridge regression among which held-out sources choose. The
strength is multiplied by the number of rows."""


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
    scored : dict of str to (n, d) float16 array
        By condition.
    """

    table: pd.DataFrame = field(repr=False)
    train: np.ndarray = field(repr=False)
    scored: dict = field(repr=False)


def measure(panels, draws=4, seed=0):
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
    """
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


def _key(panel, draws, seed):
    told = panel.table[["file", "original_sha256", "crop_x", "crop_y"]].to_csv(index=False)
    code = code_hash.code_hash(equalise, texture)
    made = [hashlib.sha256(told.encode()).hexdigest(), code, draws, seed, *CONDITIONS]
    return hashlib.sha256(json.dumps(made).encode()).hexdigest()[:24]


def _measured(panel, extract, draws, seed, name):
    """Arrays of :class:`Statistics` by name."""

    def squares(row):
        crop = panel.crop(row)
        rng = np.random.default_rng([seed, row])
        drawn = [equalise.random_delivery(crop, texture.SIDE, rng) for _ in range(draws)]
        given = [equalise.of_panel(panel, [row], one, seed=seed)[0] for one in CONDITIONS]
        return np.stack([*drawn, *(equalise.resized(one, texture.SIDE) for one in given)])

    found = []
    for start in range(0, len(panel), 16):
        rows = range(start, min(start + 16, len(panel)))
        some = np.concatenate(list(parallel.each(squares, rows)))
        found.append(extract(some).reshape(len(rows), -1, extract.width).astype(np.float16))
        progress.report(f"Statistics ({name})", rows[-1] + 1, len(panel), "crops")
    found = np.concatenate(found)
    scored = {one: found[:, draws + at] for at, one in enumerate(CONDITIONS)}
    return {"train": found[:, :draws], **scored}


def groups(table):
    """What is held out as one: the family of a fake, the repository of a photograph.

    A fake whose model nobody named is held out with its repository.
    """
    unnamed = (table["label"] == REAL) | (table["family"] == "unknown")
    return np.where(unnamed, table["repository"], table["family"])


def folds(table, seed=0, count=FOLDS):
    """A fold for each row, (n,) int: whole groups, each class spread evenly over the folds."""
    rng = np.random.default_rng(seed)
    group, found = groups(table), np.empty(len(table), int)
    for label in (FAKE, REAL):
        names, counts = np.unique(group[table["label"] == label], return_counts=True)
        filled = np.zeros(count)
        for at in rng.permutation(len(names))[np.argsort(-counts, kind="stable").argsort()]:
            fold = int(filled.argmin())
            filled[fold] += counts[at]
            found[(group == names[at]) & (table["label"] == label)] = fold
    return found


def weights(table):
    """Weight of each row: both classes count alike, a source by the root of its size."""
    counts = table.groupby("source")["source"].transform("size").to_numpy(float)
    weight = counts**-0.5
    for label in (FAKE, REAL):
        chosen = (table["label"] == label).to_numpy()
        weight[chosen] /= weight[chosen].sum()
    return weight / weight.mean()


def fit(train, table, alpha):
    """Fit ridge regression on +1 for REAL and −1 for FAKE.

    Parameters
    ----------
    train : (n, draws, d) array
    table : DataFrame
        The rows' labels and sources.
    alpha : float
        Strength of the penalty for each row.

    Returns
    -------
    sklearn pipeline
        ``predict`` gives the score for REAL of (m, d) statistics.
    """
    draws = train.shape[1]
    signs = np.where(table["label"] == REAL, 1.0, -1.0)
    model = make_pipeline(StandardScaler(), Ridge(alpha * train.shape[0] * draws))
    weight = np.repeat(weights(table), draws)
    return model.fit(
        train.reshape(-1, train.shape[-1]).astype(np.float32),
        np.repeat(signs, draws),
        standardscaler__sample_weight=weight,
        ridge__sample_weight=weight,
    )


def held_out_scores(statistics, fold, stages, alpha, skip=None):
    """Scores for REAL of each row by a model that saw no row of its fold.

    ``skip`` is a fold that no model sees and that is not scored: NaN.

    Returns
    -------
    dict of str to (n,) float array
        By condition.
    """
    chosen = texture.columns(stages)
    found = {name: np.full(len(fold), np.nan) for name in statistics.scored}
    for held in sorted(set(fold) - {skip}):
        seen = (fold != held) & (fold != skip)
        model = fit(statistics.train[seen][..., chosen], statistics.table[seen], alpha)
        for name, values in statistics.scored.items():
            rows = fold == held
            found[name][rows] = model.predict(values[rows][:, chosen].astype(np.float32))
    return found


def auroc_by_source(table, fold, scores):
    """AUROC of each source of fakes against the photographs of its fold.

    Returns
    -------
    DataFrame
        ``source``, ``family``, ``fold``, ``n``, ``auroc``.
    """
    rows = []
    label, source = table["label"].to_numpy(), table["source"].to_numpy()
    for at in sorted(set(fold)):
        here = (fold == at) & ~np.isnan(scores)
        reals = scores[here & (label == REAL)]
        for name in sorted(set(source[here & (label == FAKE)])):
            fakes = scores[here & (label == FAKE) & (source == name)]
            truth = np.r_[np.zeros(len(fakes)), np.ones(len(reals))]
            auroc = roc_auc_score(truth, np.r_[fakes, reals])
            family = table["family"][source == name].iloc[0]
            rows.append((name, family, at, len(fakes), auroc))
    return pd.DataFrame(rows, columns=["source", "family", "fold", "n", "auroc"])
