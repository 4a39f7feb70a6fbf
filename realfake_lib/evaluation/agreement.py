"""Where detectors err together: mistakes that no other training would have avoided."""

from itertools import combinations

import numpy as np
import pandas as pd

from realfake_lib.evaluation.inputs import labels_and_scores
from realfake_lib.evaluation.metrics import predict_labels


def errors(y_true, p_fakes, threshold=0.5):
    """Which images each detector gets wrong.

    Parameters
    ----------
    y_true : (n,) int array
        FAKE = 0, REAL = 1.
    p_fakes : dict of str to (n,) float array in [0, 1]
        Detectors on the same images.
    threshold : float in [0, 1]
        FAKE from this ``p_fake`` on.

    Returns
    -------
    dict of str to (n,) bool array

    Raises
    ------
    ValueError
        If lengths differ or a value is NaN or out of range.
    """
    wrong = {}
    for name, p_fake in p_fakes.items():
        labels, p_fake = labels_and_scores(y_true, p_fake, name)
        wrong[name] = predict_labels(p_fake, threshold) != labels
    return wrong


def shared(wrong):
    """How many errors each pair of detectors has in common, and how many chance alone would give.

    Parameters
    ----------
    wrong : dict of str to (n,) bool array
        From :func:`errors`.

    Returns
    -------
    DataFrame
        A row a pair: ``a``, ``b``, ``errors_of_a``, ``errors_of_b``, ``shared``, ``by_chance``
        (shared errors if the two erred independently of each other) and ``overlap`` (shared over
        all images that either gets wrong, Jaccard's index; NaN where neither errs).
    """
    rows = []
    for a, b in combinations(wrong, 2):
        both, either = np.sum(wrong[a] & wrong[b]), np.sum(wrong[a] | wrong[b])
        rows.append(
            {
                "a": a,
                "b": b,
                "errors_of_a": int(wrong[a].sum()),
                "errors_of_b": int(wrong[b].sum()),
                "shared": int(both),
                "by_chance": float(wrong[a].mean() * wrong[b].sum()),
                "overlap": both / either if either else np.nan,
            }
        )
    return pd.DataFrame(rows)


def always_wrong(wrong):
    """Images that every one of the detectors gets wrong, (n,) bool array."""
    return np.logical_and.reduce(list(wrong.values()))
