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
    """A logistic regression on raw features: ``logit = features @ weights + bias``.

    ``strength`` is the inverse regularisation that validation chose; losses are mean
    cross-entropies.
    """

    weights: np.ndarray
    bias: float
    strength: float
    train_accuracy: float
    val_accuracy: float
    train_loss: float
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
    outputs = {model.name: model.get_layer("gap").output}
    return _extract(model, outputs, dataset, indices, cache)[model.name]


def logits(model, dataset, indices, cache=None):
    """Logits for REAL (m,) of rows, computed once for each image with these weights, then kept in
    the folder ``cache``, where there is one.
    """
    if cache is None:
        return predict_logits(model, dataset.images, indices)
    key = digest(model_digest(model), dataset.fingerprint)
    store = _Store(Path(cache) / f"logits-{key[:20]}.npz")
    missing = store.missing(indices)
    if len(missing):
        store.add(missing, predict_logits(model, dataset.images, missing)[:, None])
    return store.get(indices)[:, 0]


def extract_cuts(model, cuts, dataset, indices, cache=None):
    """As :func:`extract`, by layer, over the maps of all layers ``cuts`` from one pass."""
    outputs = {}
    for cut in cuts:
        layer = model.get_layer(cut)
        # Frozen like the rest, so that the key is that of the backbone that is cut here.
        average = keras.layers.GlobalAveragePooling2D(name=f"gap_{cut}", trainable=layer.trainable)
        outputs[cut] = average(layer.output)
    return _extract(model, outputs, dataset, indices, cache)


def _extract(model, outputs, dataset, indices, cache):
    """Features by the name of the output, from the cache as far as they are in it."""
    indices = np.asarray(indices)
    folder = settings.cache_dir() / "features" if cache is None else Path(cache)
    stores = {}
    for name, output in outputs.items():
        key = digest(model_digest(keras.Model(model.input, output)), dataset.fingerprint)
        stores[name] = _Store(folder / f"features-{key[:20]}.npz")
    missing = np.unique(np.concatenate([store.missing(indices) for store in stores.values()]))
    wanted = [name for name in outputs if len(stores[name].missing(indices))]
    if wanted:
        run = forward(keras.Model(model.input, [outputs[name] for name in wanted]))
    for begin in range(0, len(missing), _KEEP_EVERY):
        rows = missing[begin : begin + _KEEP_EVERY]
        parts = []
        starts = range(0, len(rows), _BATCH)
        for i in progress.track(starts, f"{model.name} features", unit="batches"):
            found = run(tf.cast(dataset.images[rows[i : i + _BATCH]], tf.float32))
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
        known = ~np.isin(self.rows, rows)
        rows = np.concatenate([self.rows[known], rows])
        if self.features is not None:
            features = np.concatenate([self.features[known], features])
        order = np.argsort(rows)
        self.rows, self.features = rows[order], features[order]
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
        loss, accuracy = _score(fitted.decision_function(val), val_labels)
        if best is None or loss < best[0]:
            best = loss, accuracy, strength, fitted
    val_loss, val_accuracy, strength, fitted = best
    train_loss, train_accuracy = _score(fitted.decision_function(train), train_labels)
    weights = fitted.coef_[0] / scaler.scale_
    return Head(
        weights=weights.astype("float32"),
        bias=float(fitted.intercept_[0] - weights @ scaler.mean_),
        strength=strength,
        train_accuracy=train_accuracy,
        val_accuracy=val_accuracy,
        train_loss=train_loss,
        val_loss=val_loss,
    )


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
    seconds = time.perf_counter() - started
    row = {
        "epoch": 1,
        "loss": head.train_loss,
        "accuracy": head.train_accuracy,
        "val_loss": head.val_loss,
        "val_accuracy": head.val_accuracy,
        "learning_rate": 0.0,
        "images": len(splits.train),
        "side": dataset.image_size,
        "seconds": seconds,
    }
    return FitResult(
        model=model,
        history=pd.DataFrame([row]),
        seconds=seconds,
        images_per_second=len(splits.train) / seconds,
        epochs_run=1,
        resumed_from=0,
        precision="float32",
        reason=f"logistic head on frozen features, C = {head.strength:g} chosen on validation",
    )


def _score(logits, labels):
    loss = np.mean(np.logaddexp(0, logits) - labels * logits)
    return float(loss), float(np.mean((logits > 0) == (labels > 0)))
