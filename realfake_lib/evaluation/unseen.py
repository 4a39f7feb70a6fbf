"""What the settings of a grid make of generators that none of them was trained on."""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from realfake_lib.evaluation import comparison
from realfake_lib.evaluation.verdict import choose_operating_point
from realfake_lib.settings import FAKE, REAL

MEASURES = ("unseen_auroc", "unseen_recall", "false_alarms")
"""Columns of :func:`scores`."""


def scores(result):
    """Every cell on the fakes of all unseen generators together.

    Parameters
    ----------
    result : realfake_lib.training.grid.GridResult

    Returns
    -------
    DataFrame
        The result's ``frame`` and, where there are unseen fakes, ``unseen_auroc`` (against the REAL
        test images; 0.5 is chance), ``unseen_recall`` (share of the fakes called FAKE at the
        threshold that has the best balanced accuracy on validation images) and ``false_alarms``
        (share of the REAL test images called FAKE there).
    """
    if not result.unseen_logits:
        return result.frame.copy()
    fakes, reals = _logits(result)
    is_fake = np.repeat([True, False], [fakes.shape[1], reals.shape[1]])
    rows = []
    for cell, of_fakes in enumerate(fakes):
        point = choose_operating_point(result.val_labels, result.val_logits[cell])
        together = np.concatenate([of_fakes, reals[cell]])
        called = point.p_fake(together) >= point.threshold
        found, alarms = called[is_fake].mean(), called[~is_fake].mean()
        rows.append((roc_auc_score(is_fake, -together), found, alarms))
    measured = pd.DataFrame(rows, columns=list(MEASURES), index=result.frame.index)
    return result.frame.join(measured)


def by_setting(scored):
    """Means and standard deviations over the seeds.

    Parameters
    ----------
    scored : DataFrame
        From :func:`scores`.

    Returns
    -------
    DataFrame
        A row a setting, in the order of the grid: setting, and for each of :data:`MEASURES` that is
        there its mean, under its own name, and ``…_sd``, ``…_lowest`` and ``…_highest``.
    """
    groups = scored.groupby("setting", sort=False)
    columns = {}
    for name in MEASURES:
        if name in scored:
            columns[name] = groups[name].mean()
            columns[f"{name}_sd"] = groups[name].std()
            columns[f"{name}_lowest"] = groups[name].min()
            columns[f"{name}_highest"] = groups[name].max()
    return pd.DataFrame(columns, index=scored["setting"].drop_duplicates()).reset_index()


def by_generator(result):
    """AUROC of every setting on each generator alone.

    Parameters
    ----------
    result : realfake_lib.training.grid.GridResult

    Returns
    -------
    DataFrame
        Index ``setting``; ``known``, the data set's own fakes, and a column a generator: means over
        the seeds.
    """
    _, reals = _logits(result)
    groups = {"known": result.logits[:, result.labels == FAKE]} | result.unseen_logits
    columns = {
        name: [_auroc(of_fakes, of_reals) for of_fakes, of_reals in zip(fakes, reals, strict=True)]
        for name, fakes in groups.items()
    }
    table = pd.DataFrame(columns).assign(setting=result.frame["setting"].to_numpy())
    return table.groupby("setting", sort=False).mean()


def rank_correlation(settings):
    """Spearman's rank correlation of accuracy and AUROC on unseen generators, over the settings.

    Parameters
    ----------
    settings : DataFrame
        A row a setting: accuracy, unseen_auroc.

    Returns
    -------
    float in [-1, 1]
        0 where one of them does not vary.
    """
    both = settings[["accuracy", "unseen_auroc"]]
    if both.nunique().min() < 2:
        return 0.0
    return float(both.corr(method="spearman").iloc[0, 1])


def compare(result, pairs, seed=0):
    """Which settings move the AUROC on unseen generators: see ``comparison.compare_auroc``.

    Parameters
    ----------
    result : realfake_lib.training.grid.GridResult
        With unseen fakes.
    pairs : sequence of (str, str)
        Settings.
    seed : int

    Returns
    -------
    DataFrame
        As that function's.
    """
    fakes, reals = (result.by_setting(-logits) for logits in _logits(result))
    return comparison.compare_auroc(fakes, reals, pairs, seed=seed)


def _logits(result):
    """Logits of all unseen fakes together and of the REAL test images, (cells, …) each."""
    fakes = list(result.unseen_logits.values())
    none = np.empty((len(result.frame), 0), np.float32)
    together = np.concatenate([none, *fakes], axis=1)
    return together, result.logits[:, result.labels == REAL]


def _auroc(of_fakes, of_reals):
    is_fake = np.repeat([True, False], [len(of_fakes), len(of_reals)])
    return roc_auc_score(is_fake, -np.concatenate([of_fakes, of_reals]))
