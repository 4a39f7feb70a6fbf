"""The settings of a grid on images of generators that none of them was trained on."""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from realfake_lib.evaluation import comparison
from realfake_lib.evaluation.verdict import choose_operating_point
from realfake_lib.settings import FAKE, REAL


def scores(result):
    """Every cell of a grid on the FAKE images of all unseen generators together.

    Parameters
    ----------
    result : realfake_lib.training.grid.GridResult

    Returns
    -------
    DataFrame
        The result's ``frame`` and, where there are unseen generators, ``unseen_auroc`` (against the
        REAL test images; 0.5 is chance level), ``unseen_recall`` (recall of FAKE at the threshold
        with the best balanced accuracy on validation images) and ``false_positive_rate`` (of the
        REAL test images at that threshold).
    """
    if not result.unseen_logits:
        return result.frame.copy()
    fakes, reals = _logits(result)
    is_fake = np.repeat([True, False], [fakes.shape[1], reals.shape[1]])
    rows = []
    for cell, of_fakes in enumerate(fakes):
        point = choose_operating_point(result.val_labels, result.val_logits[cell])
        together = np.concatenate([of_fakes, reals[cell]])
        predicted_fake = point.p_fake(together) >= point.threshold
        auroc = roc_auc_score(is_fake, -together)
        rows.append((auroc, predicted_fake[is_fake].mean(), predicted_fake[~is_fake].mean()))
    columns = ["unseen_auroc", "unseen_recall", "false_positive_rate"]
    return result.frame.join(pd.DataFrame(rows, columns=columns, index=result.frame.index))


def by_generator(result):
    """AUROC of every setting on each generator, the data set's own first, means over the seeds."""
    reals = result.logits[:, result.labels == REAL]
    table = {"setting": result.frame["setting"].to_numpy()}
    groups = {"training generator": result.logits[:, result.labels == FAKE]} | result.unseen_logits
    for name, fakes in groups.items():
        is_fake = np.repeat([True, False], [fakes.shape[1], reals.shape[1]])
        together = -np.concatenate([fakes, reals], axis=1)
        table[name] = [roc_auc_score(is_fake, scores) for scores in together]
    return pd.DataFrame(table).groupby("setting", sort=False).mean().reset_index()


def rank_correlation(settings):
    """Spearman's correlation of ``accuracy`` and ``unseen_auroc``; 0 where one does not vary."""
    both = settings[["accuracy", "unseen_auroc"]]
    if both.nunique().min() < 2:
        return 0.0
    return float(both.corr(method="spearman").iloc[0, 1])


def compare(result, pairs, seed=0):
    """Differences in AUROC on unseen generators: see ``comparison.compare_auroc``."""
    fakes, reals = (result.by_setting(-logits) for logits in _logits(result))
    return comparison.compare_auroc(fakes, reals, pairs, seed=seed)


def _logits(result):
    """Logits of all unseen FAKE images and of the REAL test images, (cells, …) each."""
    fakes = np.concatenate(list(result.unseen_logits.values()), axis=1)
    return fakes, result.logits[:, result.labels == REAL]
