"""Train a detector for images of ordinary size, and score it on sources that were held out.

Images of one source share their subjects and their processing, so a split by image would measure
how well sources are recognised. Here whole families of generators and whole repositories are held
out together, and every choice is made without them.
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
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from realfake_lib import code_hash, image_state, parallel, progress, settings
from realfake_lib.data import equalise
from realfake_lib.errors import UserError
from realfake_lib.evaluation import by_source, metrics, resampling, verdict
from realfake_lib.models import texture
from realfake_lib.settings import FAKE, REAL

CONDITIONS = ("equalised", "web_hard")
"""How the crops that are scored were delivered; see :mod:`realfake_lib.data.equalise`."""

DELIVERIES = ("as_found", "web", "screenshot", "webp")
"""More of them, under which no choice is made: only the panel's crops are scored so."""

FOLDS = 5

GAMMAS = (0.3, 1.0)
"""Widths of the kernel among which held-out sources choose; see :func:`fit`."""

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
    """Texture statistics of a panel's crops, (m, d) float16 arrays, by :data:`DELIVERIES`."""
    extract, found = texture.Extractor(texture.statistics()), {name: [] for name in DELIVERIES}
    for name, parts in found.items():
        for start in range(0, len(panel), 64):
            rows = np.arange(start, min(start + 64, len(panel)))
            crops = equalise.of_panel(panel, rows, name, seed=seed)
            squares = np.stack([equalise.resized(one, texture.SIDE) for one in crops])
            parts.append(extract(squares).astype(np.float16))
            progress.report(f"Statistics ({name})", rows[-1] + 1, len(panel), "crops")
    return {name: np.concatenate(parts) for name, parts in found.items()}


def unfit(panel, conditions, seed=0):
    """Crops of a panel of which ``predict`` can't tell, whatever their score.

    Returns
    -------
    dict of str to (m,) bool array
        By condition; see :func:`realfake_lib.image_state.reasons`.
    """
    found = {name: np.empty(len(panel), bool) for name in conditions}
    for name, values in found.items():
        for start in range(0, len(panel), 64):
            rows = np.arange(start, min(start + 64, len(panel)))
            crops = equalise.of_panel(panel, rows, name, seed=seed)
            values[rows] = [len(each) > 0 for each in parallel.each(image_state.reasons, crops)]
            progress.report(f"States ({panel.name}, {name})", rows[-1] + 1, len(panel), "crops")
    return found


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
    """What is held out as one: a family of generators, or a repository.

    A photograph goes with its repository, and so does a fake whose model nobody named. Where a
    repository holds both classes, it goes with the families of its fakes: a model that knows the
    processing of one of the two classes would take the other for it.
    """
    named = (table["label"] == FAKE) & (table["family"] != "unknown")
    repository = table["repository"].to_numpy()
    group = np.where(named, table["family"], repository)
    classes = table.groupby("repository")["label"].nunique()
    for name in classes.index[classes == 2]:
        joined = set(group[repository == name])
        group[np.isin(group, list(joined))] = min(joined)
    return group


def folds(table, seed=0):
    """A fold for each row, (n,) int: whole groups, spread evenly over the folds.

    So are the classes, and the panel's part of each, which is scored alone, too.
    """
    strata = 2 * table["label"] + (table["collection"] == "panel")
    found = np.empty(len(table), int)
    split = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for at, (_, held) in enumerate(split.split(table, strata, groups(table))):
        found[held] = at
    return found


def apart(table, fold, held):
    """Rows, (n,) bool, that share neither their group nor their repository with some folds.

    A repository with several families lies in several folds; ``held`` are the folds' numbers.
    """
    inside = np.isin(fold, held)
    return ~inside & ~table["repository"].isin(table["repository"][inside]).to_numpy()


def weights(table):
    """Weight of each row: both classes count alike, a source by the root of its size."""
    counts = table.groupby("source")["source"].transform("size").to_numpy(float)
    weight = counts**-0.5
    for label in (FAKE, REAL):
        chosen = (table["label"] == label).to_numpy()
        weight[chosen] /= weight[chosen].sum()
    return weight / weight.mean()


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
    weight = balanced(weights(table), table["label"].to_numpy(), content)
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

    ``held`` are the numbers of the folds; what is related to them, :func:`apart` tells.

    Returns
    -------
    dict of str to (m,) float array
        By condition; NaN for the rows of other folds.
    """
    seen, found = apart(statistics.table, fold, held), {}
    model = fit(statistics.train[seen], statistics.table[seen], gamma)
    for name, values in statistics.scored.items():
        rows = np.flatnonzero(np.isin(fold[: len(values)], held))
        found[name] = np.full(len(values), np.nan)
        if len(rows):
            found[name][rows] = model.predict(values[rows].astype(np.float32))
    return found


def auroc_by_source(table, fold, scores):
    """AUROC of each source of fakes against the photographs of its fold.

    Returns
    -------
    DataFrame
        ``source``, ``n``, ``auroc``, ``auroc_low``, ``auroc_high`` (95 %, DeLong), ``family``,
        ``fold``.
    """
    frames = []
    label, source = table["label"].to_numpy(), table["source"].to_numpy()
    for at in sorted(set(fold)):
        here = (fold == at) & ~np.isnan(scores)
        of_fakes = here & (label == FAKE)
        fakes = {
            name: -scores[of_fakes & (source == name)] for name in sorted(set(source[of_fakes]))
        }
        found = by_source.against_photographs(fakes, -scores[here & (label == REAL)])
        frames.append(found.assign(fold=at))
    families = table.groupby("source")["family"].agg(
        lambda of: of.iloc[0] if of.nunique() == 1 else f"{of.nunique()} families"
    )
    found = pd.concat(frames, ignore_index=True)
    return found.assign(family=found["source"].map(families))


@dataclass(frozen=True)
class Outcome:
    """Scores of sources that no part of a model saw, and what was chosen for each fold.

    Attributes
    ----------
    fold : (repeats, n) int array
    scores : dict of str to (repeats, m) float array
        By condition, as :attr:`Statistics.scored`: for REAL, comparable within a fold only.
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
        Widths are chosen by :data:`CONDITIONS`.
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
        fold = folds(statistics.table, seed + repeat)
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
    found = [[[] for _ in gammas] for _ in range(FOLDS)]
    pairs = list(itertools.combinations(range(FOLDS), 2))
    for done, pair in enumerate(pairs, 1):
        for at, gamma in enumerate(gammas):
            scores = held_out_scores(statistics, fold, gamma, pair)
            for name in CONDITIONS:
                each = auroc_by_source(statistics.table, fold, scores[name])
                for held, scored in (pair, pair[::-1]):
                    found[held][at].append(each.loc[each["fold"] == scored, "auroc"])
        progress.report(f"Held-out sources ({told})", done, len(pairs), "pairs of folds")
    means = [[np.concatenate(values).mean() for values in of] for of in found]
    return [gammas[int(np.argmax(values))] for values in means]


def write_held_out(path, table, fold, p_fake):
    """Keep what :func:`read_held_out` reads; ``p_fake`` of fewer rows are those of the first."""
    arrays = {f"table_{name}": table[name].to_numpy() for name in table}
    arrays = {n: a.astype(str) if a.dtype == object else a for n, a in arrays.items()}
    scores = {f"p_fake_{name}": each.astype(np.float16) for name, each in p_fake.items()}
    with settings.atomic_file(path) as temporary, open(temporary, "wb") as stream:
        np.savez_compressed(stream, fold=fold.astype(np.int8), **arrays, **scores)


def read_held_out(path):
    """Scores of sources that no part of the published detector's selection saw.

    Returns
    -------
    (table, fold, p_fake)
        A DataFrame of n crops: ``file``, ``label``, ``family``, ``source``, ``repository``,
        ``collection``, ``original_width`` and ``original_height`` in pixels, and ``unfit_…`` by
        condition, see :func:`unfit`; a (repeats, n) int array; and by condition a (repeats, n)
        float array, of the panel alone (its rows come first) for :data:`DELIVERIES`.
    """
    with np.load(path) as kept:
        found = dict(kept)
    names = {kind: [n for n in found if n.startswith(kind)] for kind in ("table_", "p_fake_")}
    table = pd.DataFrame({name[len("table_") :]: found[name] for name in names["table_"]})
    p_fake = {name[len("p_fake_") :]: found[name].astype(float) for name in names["p_fake_"]}
    return table, found["fold"].astype(int), p_fake


def calibrate(table, scores):
    """Platt scaling (Platt, 1999) of held-out scores.

    Parameters
    ----------
    table : DataFrame
        Labels and sources.
    scores : (k, n) float array
        For REAL; k scores of each row.

    Returns
    -------
    (slope, intercept)
        ``slope · score + intercept`` is the calibrated logit for REAL, both classes alike.
    """
    truth, weight = (np.tile(each, len(scores)) for each in (table["label"], weights(table)))
    model = LogisticRegression(C=np.inf).fit(scores.reshape(-1, 1), truth, weight)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def operating_point(table, p_fake):
    """Threshold and bands for whole sources: each source of a class counts alike.

    Parameters
    ----------
    table : DataFrame
    p_fake : sequence of (k, n) float arrays
        By condition, of rows that no model saw. What a band promises holds in each condition.

    Returns
    -------
    OperatingPoint
        With temperature 1, and the band for :data:`FALSE_POSITIVES` as its uncertain band. Rates
        that so few sources of photographs cannot promise of another one are left out.
    """
    sources = table["source"][table["label"] == REAL].nunique()
    rates = [one for one in verdict.RATES if _for_new(one, sources) or one == FALSE_POSITIVES]
    bands = {str(rate): band for rate, band in _bands(table, p_fake, rates).items()}
    together, grid = np.concatenate(p_fake), np.linspace(0, 1, 1001)
    gain = _shares(table, together, FAKE, grid) - _shares(table, together, REAL, grid)
    threshold = float(grid[int(np.argmax(gain))])
    return verdict.OperatingPoint(1.0, threshold, bands[str(FALSE_POSITIVES)], bands)


FALSE_POSITIVES = 0.05
"""Share of photographs of sources never seen that may be predicted FAKE by default."""


def _bands(table, p_fake, rates):
    """For each rate the band that holds in all conditions."""
    lows = [_quantiles(table, each, FAKE) for each in p_fake]
    highs = [_quantiles(table, each, REAL) for each in p_fake]
    sources = table["source"][table["label"] == REAL].nunique()
    bands = {}
    for rate in rates:
        # Just beyond the score that the share ends at.
        low = np.nextafter(min(quantile(rate) for quantile in lows), 0)
        share = 1 - _for_new(rate, sources)
        high = np.nextafter(max(quantile(share) for quantile in highs), 1)
        bands[rate] = float(min(low, high)), float(high)
    return bands


def _for_new(rate, sources):
    """Share of the sources known to which a rate is held, so that it holds for one yet unknown.

    The unknown one is counted as wholly wrong: conformal risk control (Angelopoulos et al.,
    ICLR 2024) with sources as its units. 0 where so few sources promise nothing.
    """
    return max(0.0, ((sources + 1) * rate - 1) / sources)


def held_out_bands(table, fold, p_fake):
    """For every score a band chosen apart from its fold, as by :func:`operating_point`.

    Parameters
    ----------
    table : DataFrame
    fold : (repeats, n) int array
    p_fake : sequence of (repeats, n) float arrays
        By condition.

    Returns
    -------
    (low, high)
        Two (repeats, n) float arrays.
    """
    ends = np.empty((2, *fold.shape))
    for repeat, folds_of in enumerate(fold):
        for held in set(folds_of):
            seen = apart(table, folds_of, [held])
            scores = [each[repeat : repeat + 1, seen] for each in p_fake]
            band = _bands(table[seen], scores, [FALSE_POSITIVES])[FALSE_POSITIVES]
            ends[:, repeat, folds_of == held] = np.array(band)[:, None]
    return ends[0], ends[1]


def _by_source(table, p_fake, label):
    """Scores of each source of a class."""
    source = table["source"].to_numpy()
    chosen = (table["label"] == label).to_numpy()
    return [p_fake[:, chosen & (source == name)].ravel() for name in sorted(set(source[chosen]))]


def _ranked(table, p_fake, label):
    """Scores of a class in order, and the share up to each one; each source counts alike."""
    each = _by_source(table, p_fake, label)
    values = np.concatenate(each)
    weight = np.concatenate([np.full(len(one), 1 / len(one)) for one in each])
    order = np.argsort(values)
    below = np.cumsum(weight[order])
    return values[order], below / below[-1]


def _shares(table, p_fake, label, thresholds):
    """Mean over the sources of a class of the share predicted FAKE, at each threshold."""
    values, below = _ranked(table, p_fake, label)
    return 1 - np.append(0.0, below)[np.searchsorted(values, thresholds)]


def _quantiles(table, p_fake, label):
    """The function from a share to the score below which that share of a class lies."""
    values, below = _ranked(table, p_fake, label)
    return lambda share: values[min(np.searchsorted(below, share), len(values) - 1)]


def selective(table, p_fake, band, unfit=None, n_bootstrap=1000, seed=0):
    """What verdicts outside a band are worth: measures in which each source counts alike.

    Parameters
    ----------
    table : DataFrame
    p_fake : (repeats, n) float array
    band : (low, high)
        Of all scores, or of each score its own, as of :func:`held_out_bands`.
    unfit : (n,) bool array, optional
        Images that get no verdict, whatever their score.
    n_bootstrap, seed : int

    Returns
    -------
    dict
        ``coverage``: share of images that get a verdict; ``false_positive_rate`` and
        ``worst_false_positive_rate``: share of photographs predicted FAKE, the latter of the worst
        source; ``specificity``: share of photographs predicted REAL; ``recall``: share of fakes
        predicted FAKE; ``missed``: share of fakes predicted REAL;
        ``balanced_accuracy``: mean over the classes of the share of right verdicts among verdicts;
        ``intervals``: 95 %, of a bootstrap over sources; of the worst source, Wilson's over its
        images.
    """
    low, high = band
    judged = True if unfit is None else ~np.asarray(unfit)
    verdicts = (p_fake >= high) & judged, (p_fake <= low) & judged
    told = {}
    for label in (FAKE, REAL):
        each = zip(*(_by_source(table, one, label) for one in verdicts), strict=True)
        told[label] = np.array([(fake.mean(), real.mean()) for fake, real in each])
    rng = np.random.default_rng(seed)
    draws = [
        each[rng.integers(0, len(each), (n_bootstrap, len(each)))].mean(axis=1)
        for each in told.values()
    ]
    drawn = _of_verdicts(*draws)
    found = _of_verdicts(*(each.mean(axis=0) for each in told.values()))
    intervals = {
        name: np.quantile(values, (0.025, 0.975)).tolist() for name, values in drawn.items()
    }
    worst, at = told[REAL][:, 0].max(), told[REAL][:, 0].argmax()
    images = _by_source(table, p_fake[:1], REAL)[at].size
    intervals["worst_false_positive_rate"] = list(metrics.wilson(round(worst * images), images))
    found["worst_false_positive_rate"] = worst
    return {name: float(value) for name, value in found.items()} | {"intervals": intervals}


def _of_verdicts(fakes, reals):
    """Measures from the shares predicted FAKE and REAL of each class, (..., 2)."""
    right = fakes[..., 0] / np.maximum(fakes.sum(axis=-1), 1e-9)
    right_reals = reals[..., 1] / np.maximum(reals.sum(axis=-1), 1e-9)
    return {
        "coverage": (fakes.sum(axis=-1) + reals.sum(axis=-1)) / 2,
        "balanced_accuracy": (right + right_reals) / 2,
        "false_positive_rate": reals[..., 0],
        "specificity": reals[..., 1],
        "recall": fakes[..., 0],
        "missed": fakes[..., 1],
    }


def held_out_figures(table, fold, p_fake):
    """What is told of a detector, from what :func:`read_held_out` reads.

    Returns
    -------
    dict of str to dict
        By part and condition (``"panel.web"``; ``"all.equalised"`` of panel and pool): ``auroc``
        with its interval ``ci``, ``n``, the numbers of sources, and :func:`selective` with bands
        that were chosen without the sources that they are measured on.
    """
    bands = held_out_bands(table, fold, [p_fake[name] for name in CONDITIONS])
    panel = int((table["collection"] == "panel").sum())  # its rows come first
    told = {}
    for part, count in (("panel", panel), ("all", len(table))):
        some = table[:count]
        counts = some.groupby("label")["source"].nunique()
        for name, scores in p_fake.items():
            if scores.shape[1] < count:
                continue
            scores = scores[:, :count]
            auroc, ci, _ = mean_auroc(some, fold[:, :count], -scores)
            of_part = tuple(end[:, :count] for end in bands)
            told[f"{part}.{name}"] = {
                "auroc": auroc,
                "ci": list(ci),
                "n": count,
                "sources_of_fakes": int(counts[FAKE]),
                "sources_of_photographs": int(counts[REAL]),
                **selective(some, scores, of_part, some[f"unfit_{name}"]),
            }
    return told


def mean_auroc(table, fold, scores, n_bootstrap=1000, seed=0):
    """Mean over sources of fakes of their AUROC, with an interval over sources.

    Parameters
    ----------
    table : DataFrame
    fold, scores : (repeats, n) arrays
    n_bootstrap, seed : int

    Returns
    -------
    (value, (low, high), by_source)
        The interval is the bootstrap over sources of fakes, since images of one source are no
        independent draws; ``by_source`` is a DataFrame with an interval over images for each,
        the mean over the repeats.
    """
    each = pd.concat(
        [auroc_by_source(table, *one) for one in zip(fold, scores, strict=True)],
        ignore_index=True,
    )
    measures = dict.fromkeys(["auroc", "auroc_low", "auroc_high"], "mean")
    each = each.groupby(["family", "source"], as_index=False).agg({"n": "sum"} | measures)
    each["n"] //= len(fold)  # of all folds that it lies in, once for each repeat
    value = float(each["auroc"].mean())
    return value, resampling.mean_interval(each["auroc"], n_bootstrap, seed), each
