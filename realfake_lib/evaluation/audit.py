"""The original report's two mistakes in evaluation, made again on any predictions.

Its notebook called ``argmax`` on predictions that have one column, and compared them with the
labels of an iterator that hands its images out in another order. Either alone ruins the result.
"""

import numpy as np
import pandas as pd

from realfake_lib.evaluation.inputs import labels_of
from realfake_lib.evaluation.metrics import confusion_matrix, predict_labels


def mistakes(y_true, p_real, seed=0):
    """What each mistake alone, both, and neither make of the same predictions.

    Parameters
    ----------
    y_true : (n,) int array
        FAKE = 0, REAL = 1, by file name.
    p_real : (n,) float array in [0, 1]
        What the network's one sigmoid unit gives for the same images in the same order.
    seed : int
        Of the order in which the iterator hands the images out.

    Returns
    -------
    DataFrame
        Index ``evaluation``: "both mistakes", "argmax alone", "order alone", "neither". Columns:
        accuracy, and confusion (a (2, 2) array, rows true and columns predicted FAKE, REAL). Both
        mistakes give accuracy 0.5 on any balanced data set: every image is predicted FAKE.
    """
    y_true, p_real = labels_of(y_true), np.asarray(p_real)
    if p_real.shape != y_true.shape:
        raise ValueError(f"p_real has shape {p_real.shape}, the labels {y_true.shape}")
    order = np.random.default_rng(seed).permutation(len(y_true))
    by_threshold = predict_labels(1 - p_real[order])
    by_argmax = np.argmax(p_real[order][:, None], axis=1)  # the largest of one number is number 0
    evaluations = {
        "both mistakes": (y_true, by_argmax),
        "argmax alone": (y_true[order], by_argmax),
        "order alone": (y_true, by_threshold),
        "neither": (y_true[order], by_threshold),
    }
    rows = {}
    for name, (labels, predicted) in evaluations.items():
        confusion = confusion_matrix(labels, predicted)
        rows[name] = (np.trace(confusion) / len(labels), confusion)
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["accuracy", "confusion"])
    return frame.rename_axis("evaluation")
