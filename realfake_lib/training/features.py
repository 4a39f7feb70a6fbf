"""Frozen backbones: features computed once and cached, and a logistic head fitted on them."""

import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from realfake_lib import progress, settings
from realfake_lib.training.checkpoints import digest, model_digest
from realfake_lib.training.loop import FitResult
from realfake_lib.training.predict import forward, predict_logits

STRENGTHS = (0.001, 0.01, 0.1, 1.0)
"""Inverse regularisation strengths that the validation split chooses from."""

_BATCH = 256
_KEEP_EVERY = 16_384  # images: what a killed run loses at most


@dataclass(frozen=True)
class Head:
    """A logistic regression on raw features: ``logit = features @ weights + bias``."""

    weights: np.ndarray
    bias: float
    strength: float
    accuracy: float
    val_accuracy: float
    loss: float
    val_loss: float


def extract(model, dataset, indices, cache=None):
    """Averages over a network's last maps, its layer ``gap``, computed once for each image.

    Parameters
    ----------
    model : keras.Model
        Flat, as from :func:`realfake_lib.models.transfer.build`.
    dataset : ImageDataset
    indices : (m,) int array
        Rows, in the order of the result. Those that an earlier call asked for are not computed
        again, whatever else it asked for.
    cache : path-like, optional
        Folder; by default ``features`` in the library's cache folder.

    Returns
    -------
    (m, d) float32 array
    """
    outputs = {"gap": keras.Model(model.input, model.get_layer("gap").output)}
    return _computed(outputs, dataset, indices, cache)["gap"]


def logits(model, dataset, indices, cache=None):
    """Logits for REAL (m,) of rows; with a folder ``cache`` computed once for each image."""
    if cache is None:
        return predict_logits(model, dataset.images, indices)
    return _computed({"logits": model}, dataset, indices, cache, batch=512)["logits"][:, 0]


def extract_cuts(model, cuts, dataset, indices, cache=None):
    """As :func:`extract`, by layer, over the maps of all layers ``cuts`` from one pass."""
    outputs = {}
    for cut in cuts:
        layer = model.get_layer(cut)
        # Frozen like the rest, so that the key is that of the backbone that is cut here.
        average = keras.layers.GlobalAveragePooling2D(name=f"gap_{cut}", trainable=layer.trainable)
        outputs[cut] = keras.Model(model.input, average(layer.output))
    return _computed(outputs, dataset, indices, cache)


def _computed(networks, dataset, indices, cache, batch=_BATCH):
    """Outputs of networks of one input, by name, from the cache as far as they are in it."""
    folder = settings.cache_dir() / "features" if cache is None else Path(cache)
    stores = {}
    for name, network in networks.items():
        key = digest(model_digest(network), dataset.fingerprint)
        stores[name] = _Store(folder / f"features-{key[:20]}.npz")
    wanted = [name for name, store in stores.items() if len(store.missing(indices))]
    if wanted:
        missing = np.unique(np.concatenate([stores[name].missing(indices) for name in wanted]))
        several = [networks[name] for name in wanted]
        both = keras.Model(several[0].input, [each.output for each in several])
        run = forward(several[0] if len(several) == 1 else both)
        for begin in range(0, len(missing), _KEEP_EVERY):
            rows = missing[begin : begin + _KEEP_EVERY]
            parts = []
            starts = range(0, len(rows), batch)
            for i in progress.track(starts, "features", unit="batches"):
                found = run(tf.cast(dataset.images[rows[i : i + batch]], tf.float32))
                parts.append([part.numpy() for part in (found if len(wanted) > 1 else [found])])
            for name, part in zip(wanted, zip(*parts, strict=True), strict=True):
                stores[name].add(rows, np.concatenate(part))
    return {name: store.get(indices) for name, store in stores.items()}


class _Store:
    """Features of some images in a file, by their rows."""

    def __init__(self, path):
        self.path = path
        self.rows, self.features = np.empty(0, np.int64), None
        if path.is_file():
            with np.load(path, allow_pickle=False) as saved:
                self.rows, self.features = saved["rows"], saved["features"]

    def missing(self, indices):
        return np.setdiff1d(indices, self.rows)

    def add(self, rows, features):
        """Keep the features of rows, which replace those that are there."""
        if self.features is not None:
            features = np.concatenate([features, self.features])
        self.rows, first = np.unique(np.concatenate([rows, self.rows]), return_index=True)
        self.features = features[first]
        with settings.atomic_file(self.path) as temporary:
            np.savez(temporary, rows=self.rows, features=self.features)

    def get(self, indices):
        return self.features[np.searchsorted(self.rows, indices)]


def fit_head(train_features, train_labels, val_features, val_labels, strengths=STRENGTHS):
    """Logistic regression on standardised features, its regularisation chosen on validation.

    Parameters
    ----------
    train_features, val_features : (n, d) float32 array
    train_labels, val_labels : (n,) int array
        FAKE = 0, REAL = 1.
    strengths : sequence of float
        Inverse regularisation strengths to choose from.

    Returns
    -------
    Head
        Standardisation is folded into its weights.
    """
    scaler = StandardScaler().fit(train_features)
    # In double precision: a Hessian of features that hang together is near to singular.
    train = scaler.transform(np.asarray(train_features, np.float64))
    val = scaler.transform(np.asarray(val_features, np.float64))
    best = None
    for strength in strengths:
        # Newton's method takes about 5 steps where L-BFGS takes hundreds, and is faster in all.
        fitted = LogisticRegression(C=strength, solver="newton-cholesky").fit(train, train_labels)
        val_loss, val_accuracy = _score(fitted.decision_function(val), val_labels)
        if best is None or val_loss < best.val_loss:
            loss, accuracy = _score(fitted.decision_function(train), train_labels)
            weights = fitted.coef_[0] / scaler.scale_
            bias = float(fitted.intercept_[0] - weights @ scaler.mean_)
            scores = {"accuracy": accuracy, "val_accuracy": val_accuracy, "loss": loss}
            best = Head(weights.astype("float32"), bias, strength, val_loss=val_loss, **scores)
    return best


def fit_frozen(model, dataset, splits, cache=None):
    """Fit the head of a frozen backbone and put it into the model.

    Parameters
    ----------
    model : keras.Model
        From :func:`realfake_lib.models.transfer.build`; its ``logit`` layer is overwritten.
    dataset, splits : ImageDataset, Splits
        ``train`` fits the head, ``val`` chooses its regularisation.
    cache : path-like, optional
        As for :func:`extract`.

    Returns
    -------
    FitResult
        Its history has one row; ``model`` is the model given.
    """
    started = time.perf_counter()
    train = extract(model, dataset, splits.train, cache=cache)
    val = extract(model, dataset, splits.val, cache=cache)
    head = fit_head(train, dataset.labels[splits.train], val, dataset.labels[splits.val])
    model.get_layer("logit").set_weights([head.weights[:, None], np.array([head.bias])])
    row = {"epoch": 1, "loss": head.loss, "accuracy": head.accuracy, "val_loss": head.val_loss}
    row |= {"val_accuracy": head.val_accuracy, "learning_rate": 0.0, "images": len(splits.train)}
    row |= {"side": dataset.image_size, "seconds": time.perf_counter() - started}
    return FitResult(
        model=model,
        history=pd.DataFrame([row]),
        resumed_from=0,
        precision="float32",
        reason=f"logistic head on frozen features, C = {head.strength:g} chosen on validation",
    )


def _score(logits, labels):
    loss = np.mean(np.logaddexp(0, logits) - labels * logits)
    return float(loss), float(np.mean((logits > 0) == (labels > 0)))
