"""The original report's two mistakes in evaluation, each beside the version that is right.

Its notebook called ``argmax`` on predictions that have one column, and compared them with the
labels of an iterator that hands its images out in another order. Either alone ruins the result.
These functions make the same mistakes on any predictions, so that a reader can watch them happen.
"""

import numpy as np
import pandas as pd

from realfake_lib.evaluation.inputs import labels_of
from realfake_lib.evaluation.metrics import confusion_matrix
from realfake_lib.settings import FAKE, REAL


def argmax_over_single_column(predictions):
    """WRONG: the class with the largest output, where there is only one output.

    Parameters
    ----------
    predictions : (n, 1) float array
        ``p_real``, as a network with one sigmoid unit returns it.

    Returns
    -------
    (n,) int64 array
        All zero, that is FAKE, whatever the network says: the first of one column is the largest.

    Raises
    ------
    ValueError
        If there is not exactly one column.
    """
    return np.argmax(_column(predictions), axis=1)


def threshold_single_column(predictions, threshold=0.5):
    """RIGHT: compare the one output with a threshold.

    Parameters
    ----------
    predictions : (n, 1) float array
        ``p_real``, as a network with one sigmoid unit returns it.
    threshold : float in [0, 1]
        FAKE where ``p_fake = 1 - p_real`` is at least this.

    Returns
    -------
    (n,) int64 array
        FAKE = 0, REAL = 1.

    Raises
    ------
    ValueError
        If there is not exactly one column.
    """
    p_fake = 1 - _column(predictions)[:, 0]
    return np.where(p_fake >= threshold, FAKE, REAL)


def shuffled_order(n, seed=0):
    """Order (n,) int64 in which a shuffling iterator hands out its images."""
    return np.random.default_rng(seed).permutation(n)


def labels_in_directory_order(y_true, order):
    """WRONG: ``iterator.classes``, which lists the labels by file name whatever ``order`` is."""
    _check_order(y_true, order)
    return np.array(y_true)


def labels_in_prediction_order(y_true, order):
    """RIGHT: the labels in the order in which the images were handed out."""
    _check_order(y_true, order)
    return np.asarray(y_true)[order]


def mistakes(y_true, predictions, seed=0):
    """What each mistake alone, both, and neither make of the same predictions.

    Parameters
    ----------
    y_true : (n,) int array
        FAKE = 0, REAL = 1, by file name.
    predictions : (n, 1) float array
        ``p_real`` of the same images in the same order.
    seed : int
        Of the iterator's shuffling.

    Returns
    -------
    DataFrame
        Indexed by ``counting``: "both mistakes", "argmax alone", "order alone", "neither".
        Columns: confusion (a (2, 2) list, rows true and columns predicted FAKE, REAL), accuracy,
        n_called_fake. On CIFAKE's test set both mistakes give ``[[10000, 0], [10000, 0]]``: every
        image is predicted FAKE, which is right for half of them.

    Raises
    ------
    ValueError
        If lengths differ, a label is neither FAKE nor REAL, or there is not exactly one column.
    """
    y_true, predictions = labels_of(y_true), _column(predictions)
    order = shuffled_order(len(y_true), seed)
    _check_order(predictions, order)
    handed_out = predictions[order]
    wrong_labels = labels_in_directory_order(y_true, order)
    right_labels = labels_in_prediction_order(y_true, order)
    countings = {
        "both mistakes": (wrong_labels, argmax_over_single_column(handed_out)),
        "argmax alone": (right_labels, argmax_over_single_column(handed_out)),
        "order alone": (wrong_labels, threshold_single_column(handed_out)),
        "neither": (right_labels, threshold_single_column(handed_out)),
    }
    rows = []
    for counting, (labels, predicted) in countings.items():
        confusion = confusion_matrix(labels, predicted)
        rows.append(
            {
                "counting": counting,
                "confusion": confusion.tolist(),
                "accuracy": float(np.trace(confusion) / len(labels)),
                "n_called_fake": int(confusion[:, FAKE].sum()),
            }
        )
    return pd.DataFrame(rows).set_index("counting")


def _column(predictions):
    predictions = np.asarray(predictions)
    if predictions.ndim != 2 or predictions.shape[1] != 1:
        raise ValueError(f"predictions must be one column, (n, 1), not {predictions.shape}")
    return predictions


def _check_order(values, order):
    if len(values) != len(order):
        raise ValueError(f"{len(values)} values but an order of {len(order)}")
