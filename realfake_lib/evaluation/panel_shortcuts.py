"""Do properties of files tell fakes from photographs in the panel? Measured across sources."""

import io

import numpy as np
import pandas as pd
from PIL import Image
from scipy import stats

from realfake_lib import parallel
from realfake_lib.data import equalise
from realfake_lib.evaluation import resampling
from realfake_lib.settings import FAKE

FOLDS = 8
REPEATS = 5  # of the folds: with about thirty sources one division says little

_LOSSY = ("JPEG", "MPO")


def shortcuts(panel, conditions=("as_found", "equalised"), rows=None, seed=0):
    """AUROC of properties of files alone, before and after equalising.

    Parameters
    ----------
    panel : realfake_lib.data.Panel
    conditions : iterable of str
        Names in :data:`realfake_lib.data.equalise.CONDITIONS`.
    rows : (m,) int array, optional
        Positions in the panel's table; all by default.
    seed : int

    Returns
    -------
    DataFrame
        One row a condition and property: ``condition``, ``property``, ``auroc`` (FAKE positive;
        0.5 = useless, below 0.5 = useful the other way round), ``ci_low`` and ``ci_high`` (95 %,
        bootstrap over sources), ``n`` (crops). The properties are those of
        :func:`file_properties`; as found also ``lossless`` (format of the original), its width,
        height and aspect. ``all_together`` is gradient boosting on all of them, every source
        scored by classifiers that have seen no crop of it.

    Raises
    ------
    ValueError
        If there are fewer than two sources of fakes or of photographs.
    """
    rows = np.arange(len(panel)) if rows is None else np.asarray(rows, np.int64)
    labels, sources = panel.labels[rows], panel.sources[rows]
    found = []
    for condition in conditions:
        as_found = equalise.CONDITIONS[condition].codec is None
        if as_found:
            contents = [panel.bytes(row) for row in rows]
        else:
            options = {"seed": seed, "function": equalise.encoded}
            contents = equalise.of_panel(panel, rows, condition, **options)
        table = file_properties(contents)
        if as_found:
            known = panel.table.iloc[rows].reset_index(drop=True)
            width, height = known["original_width"], known["original_height"]
            lossless = ~known["original_format"].isin(_LOSSY)
            table = table.assign(
                lossless=lossless, width=width, height=height, aspect=width / height
            )
        scores = {name: table[name].to_numpy(np.float64) for name in table}
        scores["all_together"] = across_sources(table, labels, sources, seed)
        for name, score in scores.items():
            ranks = stats.rankdata(score) / len(score)  # in [0, 1], as a probability is
            auroc = resampling.Ranking(labels, ranks).measure()["auroc"]
            drawn = resampling.bootstrap(labels, ranks, seed=seed, groups=sources)["auroc"]
            low, high = np.quantile(drawn, (0.025, 0.975))
            found.append((condition, name, auroc, low, high, len(rows)))
    columns = ["condition", "property", "auroc", "ci_low", "ci_high", "n"]
    return pd.DataFrame(found, columns=columns)


def file_properties(contents):
    """Properties of image files that follow from how they were stored.

    Parameters
    ----------
    contents : list of n bytes

    Returns
    -------
    DataFrame of n rows
        ``bytes_per_pixel``; ``quantisation`` (mean of a JPEG's table for luminance, 0 without
        one); ``blockiness`` (by how much steps on the lines of an 8×8 grid from the upper left
        corner exceed those beside them, in units of the mean step); ``other_grid`` (the same for
        the strongest of the 7 other lines in each direction: a grid from before a crop);
        ``width`` and ``height``.
    """
    return pd.DataFrame(list(parallel.each(_properties, contents)))


def _properties(content):
    with Image.open(io.BytesIO(content)) as image:
        tables = getattr(image, "quantization", None)
        luma = np.asarray(image.convert("L"), np.float32)
    height, width = luma.shape
    lines = np.stack([_steps(luma), _steps(luma.T)])
    return {
        "bytes_per_pixel": len(content) / (width * height),
        "quantisation": float(np.mean(tables[0])) if tables else 0.0,
        "blockiness": float(lines[:, 0].mean()),
        "other_grid": float(lines[:, 1:].max(axis=1).mean()),
        "width": width,
        "height": height,
    }


def _steps(luma):
    """By how much steps between columns on each line of a grid exceed their neighbours', (8,)."""
    steps = np.abs(np.diff(luma, axis=1))
    excess = (steps[:, 1:-1] - (steps[:, :-2] + steps[:, 2:]) / 2).mean(axis=0)
    # The first of them is the step between the columns 1 and 2, so the line 2 of the grid.
    lines = np.array([excess[(line - 2) % 8 :: 8].mean() for line in range(8)])
    return lines / max(float(steps.mean()), 1e-6)


def across_sources(table, labels, sources, seed=0):
    """Scores for FAKE of gradient boosting that has seen no image of the source that it scores.

    Parameters
    ----------
    table : (n, k) DataFrame of numbers
    labels : (n,) int array
        FAKE = 0, REAL = 1.
    sources : (n,) array of str
        Each source counts alike in the fits, however many images it has.
    seed : int

    Returns
    -------
    (n,) float array
        Mean over several divisions of the sources into folds.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedGroupKFold
    from threadpoolctl import threadpool_limits

    is_fake = np.asarray(labels) == FAKE
    sources = np.asarray(sources)
    fewest = min(len(set(sources[is_fake == fake])) for fake in (True, False))
    if fewest < 2:
        raise ValueError("fakes and photographs of at least two sources each are needed")
    values = table.to_numpy(np.float64)
    _, codes, counts = np.unique(sources, return_inverse=True, return_counts=True)
    weights = 1 / counts[codes]
    scores = np.zeros(len(values))
    for repeat in range(REPEATS):
        folds = StratifiedGroupKFold(min(FOLDS, fewest), shuffle=True, random_state=seed + repeat)
        for train, test in folds.split(values, is_fake, sources):
            boosting = HistGradientBoostingClassifier(max_iter=50, random_state=seed)
            with threadpool_limits(1):  # threads that wait for each other burn a shared processor
                boosting.fit(values[train], is_fake[train], weights[train])
                scores[test] += boosting.predict_proba(values[test])[:, 1] / REPEATS
    return scores
