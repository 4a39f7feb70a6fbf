"""Which differences between settings are real, when each was trained with the same few seeds.

Two sources of chance blur a comparison: which images happened to be tested, and which seed happened
to be drawn. An interval or a test that knows only the first calls the luck of a seed a discovery.
"""

from itertools import combinations

import numpy as np
import pandas as pd

from realfake_lib.evaluation.significance import exact_mcnemar, holm

LEVEL = 0.05
"""Chance, over all comparisons of one table together, of calling any difference real wrongly."""


def against(baseline, settings):
    """Pairs that set every setting against ``baseline``, for :func:`compare`."""
    return [(setting, baseline) for setting in settings if setting != baseline]


def all_pairs(settings):
    """Every pair of settings, for :func:`compare`."""
    return list(combinations(settings, 2))


def compare(correct, pairs, n_bootstrap=2000, seed=0):
    """Differences in accuracy between settings, seed by seed on the same images.

    A difference is called real when McNemar's test finds it for **each** seed, all in the same
    direction: the p-value is the largest over the seeds (an intersection-union test), 1 where
    the direction changes, and is corrected for the number of pairs by Holm's method. The interval
    draws both images and seeds anew (the pigeonhole bootstrap of two crossed factors). With
    three seeds it still knows little about the spread over seeds, so read it beside the single
    seeds' differences, ``lowest`` and ``highest``.

    Parameters
    ----------
    correct : dict of str to (k, n) bool array
        Whether each of n images was classified correctly, for each of k seeds. Row j of every
        setting belongs to the same seed, column i to the same image.
    pairs : sequence of (str, str)
        Which settings to compare. The difference is the first minus the second.
    n_bootstrap, seed : int

    Returns
    -------
    pandas.DataFrame
        One row a pair: ``setting``, ``against``, ``difference`` (of the accuracies, mean over
        seeds), ``low`` and ``high`` (95 % interval), ``lowest`` and ``highest`` (of the single
        seeds), ``p`` and ``p_holm``, ``real`` (bool).

    Raises
    ------
    ValueError
        If the arrays' shapes differ.

    References
    ----------
    Owen (2007), The pigeonhole bootstrap; Berger (1982), Multiparameter hypothesis testing and
    acceptance sampling; Dietterich (1998), Approximate statistical tests for comparing supervised
    classification learning algorithms.
    """
    shapes = {np.shape(array) for array in correct.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise ValueError(f"every setting needs one (seeds, images) array, not {sorted(shapes)}")
    ((k, n),) = shapes
    rng = np.random.default_rng(seed)
    # How often each seed and each image is drawn: the same draws serve every pair.
    seed_draws = rng.multinomial(k, np.full(k, 1 / k), size=n_bootstrap) / k
    image_draws = rng.multinomial(n, np.full(n, 1 / n), size=n_bootstrap).astype(np.float32) / n
    rows = []
    for setting, other in pairs:
        difference = np.subtract(correct[setting], correct[other], dtype=np.float32)
        by_seed = difference.mean(axis=1, dtype=np.float64)
        draws = np.einsum("bk,bk->b", seed_draws, image_draws @ difference.T)
        low, high = np.quantile(draws, [0.025, 0.975])
        p_values = [exact_mcnemar(np.sum(row > 0), np.sum(row < 0)) for row in difference]
        one_direction = np.all(by_seed > 0) or np.all(by_seed < 0)
        rows.append(
            {
                "setting": setting,
                "against": other,
                "difference": by_seed.mean(),
                "low": low,
                "high": high,
                "lowest": by_seed.min(),
                "highest": by_seed.max(),
                "p": max(p_values) if one_direction else 1.0,
            }
        )
    table = pd.DataFrame(rows)
    table["p_holm"] = holm(table["p"].to_numpy())
    table["real"] = table["p_holm"] < LEVEL
    return table
