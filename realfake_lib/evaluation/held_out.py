"""How detectors for images of ordinary size are measured: on sources that no part of them saw.

Images of one source share their subjects and their processing, so a split by image would measure
how well sources are recognised. Here whole families of generators, where they are known, and whole
repositories are held out together; intervals come from drawing them anew. The frozen backbone knows
ImageNet, though, which is one of the sources of photographs.
"""

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from realfake_lib import image_state, parallel, progress, settings
from realfake_lib.data import equalise
from realfake_lib.evaluation import by_source, metrics, resampling, verdict
from realfake_lib.settings import FAKE, REAL

CONDITIONS = ("equalised", "web_hard")
"""How the crops that are scored were delivered; see :mod:`realfake_lib.data.equalise`."""

DELIVERIES = ("as_found", "web", "screenshot", "webp")
"""More of them, under which no choice is made: only the panel's crops are scored so."""

FOLDS = 5

FALSE_POSITIVES = 0.05
"""Share of photographs of sources never seen that may be predicted FAKE by default."""


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

    So are the classes, and the panel's part of each, which is scored alone, too. Groups of the same
    make-up change places with ``seed``; the large ones fall alike.
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


def mean_auroc(table, fold, scores, n_bootstrap=1000, seed=0):
    """Mean over sources of fakes of their AUROC, with an interval over families.

    Parameters
    ----------
    table : DataFrame
    fold, scores : (repeats, n) arrays
    n_bootstrap, seed : int

    Returns
    -------
    (value, (low, high), by_source)
        The interval is 95 % of a bootstrap over the groups of fakes (:func:`groups`): what is
        scored by models that lack the same family goes up and down together. ``by_source`` is a
        DataFrame with an interval over images for each, the mean over the repeats.
    """
    each = pd.concat(
        [auroc_by_source(table, *one) for one in zip(fold, scores, strict=True)],
        ignore_index=True,
    )
    measures = dict.fromkeys(["auroc", "auroc_low", "auroc_high"], "mean")
    each = each.groupby(["family", "source"], as_index=False).agg({"n": "sum"} | measures)
    each["n"] //= len(fold)  # of all folds that it lies in, once for each repeat
    value = float(each["auroc"].mean())
    group = each["source"].map(_group_of_source(table, FAKE))
    return value, resampling.mean_interval(each["auroc"], group, n_bootstrap, seed), each


def _group_of_source(table, label):
    """The group that most images of a source lie in, a Series by source in alphabetical order."""
    chosen = (table["label"] == label).to_numpy()
    group, source = pd.Series(groups(table)[chosen]), table["source"].to_numpy()[chosen]
    return group.groupby(source).agg(lambda of: of.mode().iloc[0])


def write(path, table, fold, p_fake):
    """Keep what :func:`read` reads; ``p_fake`` of fewer rows are those of the first."""
    arrays = {f"table_{name}": table[name].to_numpy() for name in table}
    arrays = {n: a.astype(str) if a.dtype == object else a for n, a in arrays.items()}
    scores = {f"p_fake_{name}": each.astype(np.float16) for name, each in p_fake.items()}
    with settings.atomic_file(path) as temporary, open(temporary, "wb") as stream:
        np.savez_compressed(stream, fold=fold.astype(np.int8), **arrays, **scores)


def read(path):
    """Scores of each source by models that saw neither its group nor its repository.

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
    """Threshold and bands, for which each source of a class counts alike, whatever its size.

    Parameters
    ----------
    table : DataFrame
    p_fake : sequence of (k, n) float arrays
        By condition, of rows that no model saw; of all folds, since a band must hold for any
        model. A share of photographs is kept in each of the conditions.

    Returns
    -------
    OperatingPoint
        With temperature 1, and the band for :data:`FALSE_POSITIVES` as its uncertain band. Rates
        that so few sources of photographs cannot promise of another one are left out.
    """
    sources = table["source"][table["label"] == REAL].nunique()
    rates = [one for one in verdict.RATES if _for_new(one, sources) or one == FALSE_POSITIVES]
    by_rate = {str(rate): band for rate, band in _bands(table, p_fake, rates).items()}
    together, grid = np.concatenate(p_fake), np.linspace(0, 1, 1001)
    gain = _shares(table, together, FAKE, grid) - _shares(table, together, REAL, grid)
    threshold = float(grid[int(np.argmax(gain))])
    return verdict.OperatingPoint(1.0, threshold, by_rate[str(FALSE_POSITIVES)], by_rate)


def _bands(table, p_fake, rates):
    """For each rate the band that holds in all conditions."""
    lows = [_quantiles(table, each, FAKE) for each in p_fake]
    highs = [_quantiles(table, each, REAL) for each in p_fake]
    sources = table["source"][table["label"] == REAL].nunique()
    found = {}
    for rate in rates:
        # Just beyond the score that the share ends at.
        low = np.nextafter(min(quantile(rate) for quantile in lows), 0)
        share = 1 - _for_new(rate, sources)
        high = np.nextafter(max(quantile(share) for quantile in highs), 1)
        found[rate] = float(min(low, high)), float(high)
    return found


def _for_new(rate, sources):
    """Share of the sources known to which a rate is held, so that it holds for one yet unknown.

    The unknown one is counted as wholly wrong: conformal risk control (Angelopoulos et al.,
    ICLR 2024) with sources as its units. 0 where so few sources promise nothing.
    """
    return max(0.0, ((sources + 1) * rate - 1) / sources)


def bands(table, fold, p_fake):
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
        Of all scores, or of each score its own, as of :func:`bands`.
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
        ``intervals``: 95 %, of a bootstrap over the groups (:func:`groups`) of each class; of the
        worst source, Wilson's over its images, as if it had not been chosen as the worst;
        ``counts``: of how many images each is a share.
    """
    low, high = band
    judged = True if unfit is None else ~np.asarray(unfit)
    verdicts = (p_fake >= high) & judged, (p_fake <= low) & judged
    told, draws = {}, []
    for label in (FAKE, REAL):
        each = zip(*(_by_source(table, one, label) for one in verdicts), strict=True)
        told[label] = np.array([(fake.mean(), real.mean()) for fake, real in each])
        group = _group_of_source(table, label)
        draws.append(resampling.mean_draws(told[label], group, n_bootstrap, [seed, label]))
    drawn = _of_verdicts(*draws)
    found = _of_verdicts(*(each.mean(axis=0) for each in told.values()))
    intervals = {
        name: np.quantile(values, (0.025, 0.975)).tolist() for name, values in drawn.items()
    }
    worst, at = told[REAL][:, 0].max(), told[REAL][:, 0].argmax()
    images = _by_source(table, p_fake[:1], REAL)[at].size
    intervals["worst_false_positive_rate"] = list(metrics.wilson(round(worst * images), images))
    found["worst_false_positive_rate"] = worst
    of_class = table["label"].value_counts()
    counts = dict.fromkeys(found, len(table))
    counts |= dict.fromkeys(("recall", "missed"), int(of_class[FAKE]))
    counts |= dict.fromkeys(("false_positive_rate", "specificity"), int(of_class[REAL]))
    counts["worst_false_positive_rate"] = images
    told = {name: float(value) for name, value in found.items()}
    return told | {"intervals": intervals, "counts": counts}


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


def figures(table, fold, p_fake):
    """What is told of a detector, from what :func:`read` reads.

    Returns
    -------
    dict of str to dict
        By part and condition (``"panel.web"``; ``"all.equalised"`` of panel and pool): ``auroc``
        with its interval ``ci``, ``n``, the numbers of sources, and :func:`selective` with bands
        chosen by scores of other sources than they are measured on.
    """
    ends = bands(table, fold, [p_fake[name] for name in CONDITIONS])
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
            of_part = tuple(end[:, :count] for end in ends)
            told[f"{part}.{name}"] = {
                "auroc": auroc,
                "ci": list(ci),
                "n": count,
                "sources_of_fakes": int(counts[FAKE]),
                "sources_of_photographs": int(counts[REAL]),
                **selective(some, scores, of_part, some[f"unfit_{name}"]),
                "stylegan": of_stylegan(some, scores, of_part, some[f"unfit_{name}"]),
            }
    return told


def of_stylegan(table, p_fake, band, unfit):
    """Recall and share missed, as by :func:`selective`, of StyleGAN's fakes and of all others.

    StyleGAN is the family that ``real_size`` misses most; most of its fakes are faces.
    """
    told, gan = {}, (table["family"] == "stylegan").to_numpy()
    real = (table["label"] == REAL).to_numpy()
    for name, rows in {"stylegan": real | gan, "others": real | ~gan}.items():
        ends = [np.broadcast_to(end, p_fake.shape)[:, rows] for end in band]
        found = selective(table[rows], p_fake[:, rows], ends, unfit[rows])
        told[name] = {key: found[key] for key in ("recall", "missed")}
    return told
