"""What an augmentation does to the traces that a detector is to find."""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from realfake_lib import training
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


def predicted_fake_under(network, images, policies, seed=0):
    """Share of the images that a network predicts FAKE, by the augmentation that they came through.

    Parameters
    ----------
    network : keras.Model
    images, policies, seed
        As for :func:`detail_left`.

    Returns
    -------
    dict of str to float
    """
    seen = {policy: augmented(images, policy, seed) for policy in policies}
    return {
        policy: float(np.mean(training.predict_logits(network, pixels) <= 0))
        for policy, pixels in seen.items()
    }
