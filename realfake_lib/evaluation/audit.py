"""The original report's two mistakes in evaluation, made again on any predictions.

``argmax`` of predictions that have one column, and labels in another order than the predictions.
"""

import numpy as np
import pandas as pd

from realfake_lib.evaluation.inputs import labels_and_scores
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
    y_true, p_real = labels_and_scores(y_true, p_real, "p_real")
    order = np.random.default_rng(seed).permutation(len(y_true))
    by_threshold = predict_labels(1 - p_real[order])
    by_argmax = np.argmax(p_real[order][:, None], axis=1)  # the largest of one number is number 0
    evaluations = {
        "both mistakes": (y_true, by_argmax),
        "argmax alone": (y_true[order], by_argmax),
        "order alone": (y_true, by_threshold),
        "neither": (y_true[order], by_threshold),
    }
    found = {name: confusion_matrix(*pair) for name, pair in evaluations.items()}
    frame = pd.Series(found, name="confusion").rename_axis("evaluation").to_frame()
    frame.insert(0, "accuracy", [np.trace(each) / len(y_true) for each in found.values()])
    return frame
