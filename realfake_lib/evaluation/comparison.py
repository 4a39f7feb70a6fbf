"""Which differences between settings are significant, when each was trained with the same seeds."""

from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from realfake_lib.evaluation.metrics import placements
from realfake_lib.evaluation.significance import exact_mcnemar, holm

LEVEL = 0.05
"""Family-wise error rate of the comparisons of one table."""


def against(baseline, settings):
    """Pairs that set every setting against ``baseline``, for :func:`compare`."""
    return [(setting, baseline) for setting in settings if setting != baseline]


def all_pairs(settings):
    """Every pair of settings, for :func:`compare`."""
    return list(combinations(settings, 2))


def pareto(costs, values):
    """Which of several things nothing else beats on both counts, (n,) bool.

    False where another has at least the value for at most the cost, and more for it or less.
    """
    costs, values = np.asarray(costs, float), np.asarray(values, float)
    order = np.lexsort((-values, costs))
    best_before = np.maximum.accumulate(np.append(-np.inf, values[order][:-1]))
    front = np.empty(len(costs), bool)
    front[order] = values[order] > best_before
    return front


def compare(correct, pairs, n_bootstrap=2000, seed=0):
    """Differences in accuracy between settings, seed by seed on the same images.

    A difference is significant when McNemar's test finds it for **each** seed, all in the same
    direction: the p-value is the largest over the seeds (an intersection-union test), 1 where
    the direction changes, and is corrected for the number of pairs by Holm's method. The interval
    resamples both images and seeds (the pigeonhole bootstrap of two crossed factors).

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
        seeds), ``difference_low`` and ``difference_high`` (95 % interval), ``p`` and ``p_holm``,
        ``significant`` (bool).

    References
    ----------
    Owen (2007), The pigeonhole bootstrap; Berger (1982), Multiparameter hypothesis testing and
    acceptance sampling.
    """
    k, n = _shape_of_all(correct)
    rng = np.random.default_rng(seed)
    # How often each seed and each image is drawn: the same draws serve every pair.
    seed_draws, image_draws = _draws(rng, k, n_bootstrap), _draws(rng, n, n_bootstrap)
    rows = []
    for setting, other in pairs:
        difference = np.subtract(correct[setting], correct[other], dtype=np.float32)
        by_seed = difference.mean(axis=1, dtype=np.float64)
        p_values = [exact_mcnemar(np.sum(row > 0), np.sum(row < 0)) for row in difference]
        redrawn = image_draws @ difference.T
        rows.append(_row(setting, other, by_seed, seed_draws, redrawn, p_values))
    return _corrected(rows)


def compare_auroc(fakes, reals, pairs, n_bootstrap=2000, seed=0):
    """Differences in AUROC between settings, seed by seed on the same images.

    As :func:`compare`, but with DeLong's test in McNemar's place. The interval redraws seeds, FAKE
    and REAL images; of the images' part it takes what is linear in them, as DeLong's variance does.

    ``fakes`` and ``reals``, dict of str to (k, m) and (k, n) float array, hold ``p_fake``, or
    anything that rises with it, of FAKE and of REAL images, for each of k seeds.
    """
    (k, m), (_, n) = _shape_of_all(fakes), _shape_of_all(reals)
    if min(m, n) < 2:
        raise ValueError(f"an AUROC's spread needs two images a class, not {m} FAKE, {n} REAL")
    rng = np.random.default_rng(seed)
    seed_draws = _draws(rng, k, n_bootstrap)
    fake_draws, real_draws = _draws(rng, m, n_bootstrap), _draws(rng, n, n_bootstrap)
    used = {setting for pair in pairs for setting in pair}
    placed = {setting: placements(fakes[setting], reals[setting]) for setting in used}
    rows = []
    for setting, other in pairs:
        of_fake, of_real = (a - b for a, b in zip(placed[setting], placed[other], strict=True))
        by_seed = of_fake.mean(axis=1)
        variance = of_fake.var(axis=1, ddof=1) / m + of_real.var(axis=1, ddof=1) / n
        # Equal scores give 0 / 0: no difference, and no doubt about it.
        z = np.divide(by_seed, np.sqrt(variance), out=np.zeros(k), where=variance > 0)
        redrawn = fake_draws @ of_fake.T + real_draws @ of_real.T - by_seed
        p_values = 2 * stats.norm.sf(np.abs(z))
        rows.append(_row(setting, other, by_seed, seed_draws, redrawn, p_values))
    return _corrected(rows)


def not_different(pairs, setting):
    """Settings, list of str, that :func:`compare` over :func:`all_pairs` finds like ``setting``."""
    alike = pairs[~pairs["significant"]]
    first, second = alike["setting"], alike["against"]
    return [*second[first == setting], *first[second == setting]]


def directions(table):
    """Names of the settings that :func:`compare` finds better, worse and neither, three str."""
    significant = table["significant"].astype(bool)
    better, worse = significant & (table["difference"] > 0), significant & (table["difference"] < 0)
    parts = (better, worse, ~significant)
    return tuple(", ".join(table.loc[part, "setting"]) or "none" for part in parts)


def metrics(table, measure, ends=("lowest", "highest")):
    """One measure of every setting, ready for ``run.metrics``.

    Parameters
    ----------
    table : DataFrame
        From :meth:`GridResult.summary <realfake_lib.training.grid.GridResult.summary>`, as it may
        be with the columns of :func:`compare`.
    measure : str
    ends : (str, str)
        Ends of the names of the columns with its bounds.

    Yields
    ------
    (name, value, bounds)
        The name is for example ``"network.compact_cnn.accuracy"``.
    """
    columns = ["key", measure, *(f"{measure}_{end}" for end in ends)]
    for key, value, *bounds in table[columns].itertuples(index=False):
        yield f"{key}.{measure}", value, bounds


def _shape_of_all(arrays):
    shapes = {np.shape(array) for array in arrays.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise ValueError(f"every setting needs one (seeds, images) array, not {sorted(shapes)}")
    return next(iter(shapes))


def _draws(rng, n, n_bootstrap):
    """Weights of n items in each resample, (n_bootstrap, n), each row of sum 1."""
    return rng.multinomial(n, np.full(n, 1 / n), size=n_bootstrap).astype(np.float32) / n


def _row(setting, other, by_seed, seed_draws, redrawn, p_values):
    """One difference; ``redrawn`` is that of each resample of images, (n_bootstrap, k)."""
    low, high = np.quantile(np.einsum("bk,bk->b", seed_draws, redrawn), [0.025, 0.975])
    one_direction = np.all(by_seed > 0) or np.all(by_seed < 0)
    return {
        "setting": setting,
        "against": other,
        "difference": by_seed.mean(),
        "difference_low": low,
        "difference_high": high,
        "p": float(max(p_values)) if one_direction else 1.0,
    }


def _corrected(rows):
    """The rows as a table with p-values corrected for their number."""
    table = pd.DataFrame(rows)
    table["p_holm"] = holm(table["p"].to_numpy())
    table["significant"] = table["p_holm"] < LEVEL
    return table
