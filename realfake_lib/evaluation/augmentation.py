"""What an augmentation does to the traces that a detector is to find."""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from realfake_lib import training
from realfake_lib.evaluation.metrics import wilson
from realfake_lib.evaluation.spectrum import high_frequency_power
from realfake_lib.settings import FAKE, REAL


def augmented(images, policy, seed=0, batch_size=500):
    """Images (n, h, w, 3) as the augmentation named ``policy`` hands them to a network, float32."""
    augment = training.augment.policy(policy)
    images = np.asarray(images, "float32")
    if augment is None:
        return images
    starts = range(0, len(images), batch_size)
    parts = [np.asarray(augment(images[i : i + batch_size], (seed, i))) for i in starts]
    return np.concatenate(parts).astype("float32")


def detail_left(images, labels, policies, seed=0):
    """What augmentations leave of the fine detail, and of its power to tell the classes apart.

    Parameters
    ----------
    images : (n, h, w, 3) array
        Pixels, 0 to 255.
    labels : (n,) int array
        FAKE = 0, REAL = 1.
    policies : sequence of str
        Names of augmentations; ``"none"`` leaves the images as they are.
    seed : int

    Returns
    -------
    DataFrame
        A row an ``augmentation``: mean power of fine detail, ``power_fake`` and ``power_real``
        (grey levels squared), the share ``power_kept`` of the untouched images' power, and the
        ``auroc`` of that power alone as a detector (FAKE positive).
    """
    untouched = high_frequency_power(images).mean()
    rows = []
    for policy in policies:
        power = high_frequency_power(augmented(images, policy, seed))
        fake, real = (power[labels == label].mean() for label in (FAKE, REAL))
        area = roc_auc_score(labels == FAKE, power)
        rows.append((policy, fake, real, power.mean() / untouched, area))
    columns = ["augmentation", "power_fake", "power_real", "power_kept", "auroc"]
    return pd.DataFrame(rows, columns=columns)


def accuracy_under(networks, images, labels, policies, seed=0):
    """Accuracy of each network on images as they are and as augmentations hand them over.

    Parameters
    ----------
    networks : dict of str to keras.Model
    images, labels, policies, seed
        As for :func:`detail_left`.

    Returns
    -------
    DataFrame
        ``model``, ``augmentation``, ``accuracy``, ``ci_low``, ``ci_high`` (95 %, Wilson),
        ``predicted_fake`` (share of all images) and ``n``.
    """
    rows, n = [], len(labels)
    for policy in policies:
        seen = augmented(images, policy, seed)
        for name, network in networks.items():
            real = training.predict_logits(network, seen) > 0
            correct = int(np.sum(real == (labels == REAL)))
            ci = wilson(correct, n)
            rows.append((name, policy, correct / n, *ci, float(np.mean(~real)), n))
    columns = ["model", "augmentation", "accuracy", "ci_low", "ci_high", "predicted_fake", "n"]
    return pd.DataFrame(rows, columns=columns)
