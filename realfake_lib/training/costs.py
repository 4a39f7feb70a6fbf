"""What trainings cost, in time and arithmetic, next to what a network holds."""

import time

import numpy as np
import pandas as pd

from realfake_lib import models
from realfake_lib.models import cost
from realfake_lib.training.predict import predict_logits

UNITS = {
    "parameters": None,
    "flops": "FLOP",
    "epochs": None,
    "seconds": "s",
    "images_per_second": "images/s",
    "training_pflop": "PFLOP",
}
"""Columns of :func:`of_fits` and the unit of each."""

BACKWARD = 2
"""The backward pass computes gradients for weights and for inputs, each about one forward pass."""


def of_networks(networks):
    """Layers (with weights), parameters (trainable) and mflop (one image, forward) by network."""
    rows = []
    for name, network in networks.items():
        layers = sum(bool(layer.trainable_weights) for layer in network.layers)
        rows.append((name, layers, cost.parameters(network), cost.flops(network) / 1e6))
    columns = ["network", "layers", "parameters", "mflop"]
    return pd.DataFrame(rows, columns=columns).set_index("network")


def inference_speed(network, image_size=32, images=1024, rounds=3):
    """Images a second through a named network in float32, on all cores of this process.

    The weights do not matter; the images (uint8) are in memory; the fastest of ``rounds`` counts:
    what else the machine does can only slow a round down.
    """
    model = models.build(network, image_size)
    pixels = np.random.default_rng(0).integers(0, 256, (images, image_size, image_size, 3), "uint8")
    predict_logits(model, pixels[:512])  # the first batch of a size is slower
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        predict_logits(model, pixels)
        seconds.append(time.perf_counter() - started)
    return images / min(seconds)


def of_fits(fits):
    """Time and arithmetic of finished trainings.

    Parameters
    ----------
    fits : dict of str to FitResult

    Returns
    -------
    DataFrame
        Index ``model``, columns as in :data:`UNITS`: trainable ``parameters``, ``flops`` of one
        image forward, ``epochs``, ``seconds`` of training, ``images_per_second`` in training, and
        ``training_pflop``, the operations of the whole training, forward and backward.
    """
    rows = []
    for name, fit in fits.items():
        flops = cost.flops(fit.model)
        # A crop of an image costs what its pixels cost.
        pixels = (fit.history["side"] / fit.model.input_shape[1]) ** 2
        whole_images = float((fit.history["images"] * pixels).sum())
        epochs = len(fit.history)  # epochs_run is 0 for a training that was loaded
        time = fit.seconds, fit.images_per_second
        pflop = (1 + BACKWARD) * flops * whole_images / 1e15
        rows.append((name, cost.parameters(fit.model), flops, epochs, *time, pflop))
    return pd.DataFrame(rows, columns=["model", *UNITS]).set_index("model")


def curve(history):
    """The course of a training, a ``FitResult.history``, in a few numbers.

    Returns
    -------
    dict
        ``epochs``; ``worst``, ``best`` and ``last`` validation accuracy over them;
        ``largest_jump``, the largest change of it between neighbouring epochs (0 for one epoch);
        ``train_last``, the last epoch's training accuracy. All but the first in [0, 1].
    """
    val = history["val_accuracy"]
    return {
        "epochs": len(val),
        "worst": float(val.min()),
        "best": float(val.max()),
        "last": float(val.iloc[-1]),
        "largest_jump": float(val.diff().abs().max()) if len(val) > 1 else 0.0,
        "train_last": float(history["accuracy"].iloc[-1]),
    }


def lowest_val_loss(fits):
    """Key of the training, of a dict of FitResult, that ended with the lowest validation loss."""
    return min(fits, key=lambda each: fits[each].history["val_loss"].iloc[-1])
