"""The training loop: resumable to the bit, its randomness a function of seed, epoch and step."""

import time
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from realfake_lib import data, models, progress
from realfake_lib.errors import UserError
from realfake_lib.training import augment
from realfake_lib.training.checkpoints import Checkpoint, digest, model_digest
from realfake_lib.training.precision import best_precision
from realfake_lib.training.predict import predict_logits
from realfake_lib.training.recipes import get_recipe
from realfake_lib.training.twins import training_twin

GATHER = 1024
"""Images that are read and augmented together, then trained on batch by batch."""

_REPORT_EVERY = 2.0  # seconds


@dataclass(frozen=True)
class FitResult:
    """A trained network and how it came about.

    Attributes
    ----------
    model : keras.Model
        float32, with the selected epoch's weights.
    history : pandas.DataFrame
        One row an epoch: epoch, loss, accuracy, val_loss, val_accuracy, learning_rate, seconds.
        ``loss`` and ``accuracy`` are means over the augmented training batches.
    seconds : float
        Training and validation, all epochs, those before a resumption too.
    images_per_second : float
        Training images over ``seconds``.
    epochs_run : int
        Epochs trained by this call; 0 where a finished checkpoint was loaded.
    resumed_from : int
        Epochs found in the checkpoint.
    precision : str
        Arithmetic that was used.
    reason : str
        Why it trained, resumed or loaded, for the reader of a log.
    """

    model: keras.Model
    history: pd.DataFrame
    seconds: float
    images_per_second: float
    epochs_run: int
    resumed_from: int
    precision: str
    reason: str


def set_seed(seed):
    """Seed Python, NumPy, TensorFlow and Keras, from which fresh weights come."""
    keras.utils.set_random_seed(int(seed) % 2**32)


def fit(network, dataset, splits, recipe, seed=0, checkpoint_dir=None, label=None):
    """Train a network, or carry on where an interrupted call of the same arguments stopped.

    Parameters
    ----------
    network : str, callable or keras.Model
        A name of :func:`realfake_lib.models.available`; or ``network(image_size)`` that returns a
        model; or a model, whose weights and ``trainable`` flags are the starting point (it is
        left as it is).
    dataset : ImageDataset
    splits : Splits
        ``train`` is trained on, ``val`` watched; nothing else is read.
    recipe : str or Recipe
    seed : int
        Decides the fresh weights, the order of the images, their augmentation and dropout.
    checkpoint_dir : path-like, optional
        Where the state is kept after each epoch, under a name that holds a hash of all that the
        result depends on. None keeps nothing.
    label : str, optional
        Names the checkpoint and the progress; by default the model's name.

    Returns
    -------
    FitResult

    Raises
    ------
    UserError
        If the name or recipe is unknown, a split is empty, or image sizes differ.
    """
    recipe = get_recipe(recipe)
    set_seed(seed)
    model = _fresh_model(network, dataset.image_size)
    label = label or model.name
    train, val = np.asarray(splits.train), np.asarray(splits.val)
    if not len(train) or not len(val):
        raise UserError(
            f"Cannot train {label}: {len(train)} training and {len(val)} validation images.",
            "Give more images, or another val_fraction.",
        )
    precision = best_precision() if recipe.precision == "auto" else recipe.precision
    batch_size = min(recipe.batch_size, len(train))
    steps = len(train) // batch_size
    key = digest(
        repr(recipe.replace(precision=precision)),
        model_digest(model),
        [bool(layer.trainable) for layer in model.layers],
        dataset.fingerprint,
        train,
        val,
        [seed, GATHER, keras.__version__, tf.__version__],
    )
    recipe = recipe.replace(batch_size=batch_size)
    twin = training_twin(model, precision)
    optimizer = recipe.make_optimizer(recipe.epochs * steps)
    step = make_step(twin, optimizer, recipe)
    checkpoint = Checkpoint(checkpoint_dir, label, key)
    history, best = checkpoint.restore(twin, optimizer)
    resumed_from = len(history)

    for epoch in range(resumed_from, recipe.epochs):
        started = time.perf_counter()
        _reset_dropout(twin, seed, epoch)
        batches = data.batches(
            dataset.images,
            dataset.labels,
            indices=train,
            batch_size=batch_size * max(1, GATHER // batch_size),
            shuffle=True,
            seed=seed,
            epoch=epoch,
            augment=augment.policy(recipe.augment),
        )
        loss, accuracy = _run_epoch(step, batches, batch_size, label, epoch, recipe.epochs, steps)
        val_loss, val_accuracy = _validate(twin, dataset, val)
        history.append(
            {
                "epoch": epoch + 1,
                "loss": loss,
                "accuracy": accuracy,
                "val_loss": val_loss,
                "val_accuracy": val_accuracy,
                "learning_rate": float(optimizer.learning_rate),
                "seconds": time.perf_counter() - started,
            }
        )
        if _ranks_first(history, recipe.select):
            best = twin.get_weights()
        checkpoint.save(twin, optimizer, history, best)

    model.set_weights(best if best is not None else twin.get_weights())
    frame = pd.DataFrame(history)
    seconds = float(frame["seconds"].sum())
    return FitResult(
        model=model,
        history=frame,
        seconds=seconds,
        images_per_second=recipe.epochs * steps * batch_size / seconds,
        epochs_run=recipe.epochs - resumed_from,
        resumed_from=resumed_from,
        precision=precision,
        reason=_reason(resumed_from, recipe.epochs, checkpoint.path),
    )


def fine_tune(model, dataset, splits, recipe="fine_tune", unfreeze_from=None, **options):
    """Train a backbone further, all of it or from one layer on, BatchNorm frozen.

    Parameters
    ----------
    model : keras.Model
        From :mod:`realfake_lib.models.transfer`, its head fitted; left as it is.
    unfreeze_from : str, optional
        Name of the first layer that is trained; by default all are.
    dataset, splits, recipe, **options
        As for :func:`fit`.

    Returns
    -------
    FitResult

    Raises
    ------
    UserError
        If there is no such layer.
    """
    tuned = keras.models.clone_model(model)
    tuned.set_weights(model.get_weights())
    names = [layer.name for layer in tuned.layers]
    if unfreeze_from is not None and unfreeze_from not in names:
        raise UserError(f"Model {model.name!r} has no layer {unfreeze_from!r}.")
    first = names.index(unfreeze_from) if unfreeze_from else 0
    for position, layer in enumerate(tuned.layers):
        # With other images than ImageNet's the averages of BatchNorm would drift away.
        frozen = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = position >= first and not frozen
    return fit(tuned, dataset, splits, recipe, **options)


def make_step(twin, optimizer, recipe):
    """One compiled call that trains on a gathered batch, piece by piece.

    Parameters
    ----------
    twin : keras.Model
        From :func:`realfake_lib.training.twins.training_twin`.
    optimizer : keras.optimizers.Optimizer
    recipe : Recipe
        Its batch size and its label smoothing count.

    Returns
    -------
    callable
        ``step(pixels, labels)``: (n, h, w, 3) float32 in [0, 255] and (n,) float32 to the sum of
        the batch losses, the number of right answers and the number of batches, as tensors. An
        incomplete batch at the end is left out.
    """
    optimizer.build(twin.trainable_variables)
    batch_size, smoothing = recipe.batch_size, recipe.label_smoothing
    shape = twin.input_shape[1:]

    def train_on(pixels, labels):
        with tf.GradientTape() as tape:
            logits = twin(pixels, training=True)[:, 0]
            targets = labels * (1 - smoothing) + smoothing / 2
            loss = tf.reduce_mean(
                tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)
            )
        optimizer.apply(tape.gradient(loss, twin.trainable_variables))
        right = tf.reduce_sum(tf.cast((logits > 0) == (labels > 0.5), tf.float32))
        return loss, right

    def step(pixels, labels):
        losses, right = tf.constant(0.0), tf.constant(0.0)
        count = tf.shape(pixels)[0] // batch_size
        for i in tf.range(count):
            begin, end = i * batch_size, (i + 1) * batch_size
            # The loop hides the static batch size, without which kernels take slower paths.
            loss, hits = train_on(
                tf.ensure_shape(pixels[begin:end], (batch_size, *shape)),
                tf.ensure_shape(labels[begin:end], (batch_size,)),
            )
            losses += loss
            right += hits
        return losses, right, count

    signature = [tf.TensorSpec((None, *shape), tf.float32), tf.TensorSpec((None,), tf.float32)]
    # Traced here once: a tf.function of its own for each training makes TensorFlow warn.
    return tf.function(step, input_signature=signature).get_concrete_function()


def _fresh_model(network, image_size):
    if isinstance(network, keras.Model):
        model = keras.models.clone_model(network)
        model.set_weights(network.get_weights())
        for layer, original in zip(model.layers, network.layers, strict=True):
            layer.trainable = original.trainable
    elif callable(network):
        model = network(image_size)
    else:
        model = models.build(network, image_size)
    if model.input_shape[1:3] != (image_size, image_size):
        raise UserError(
            f"Model {model.name!r} takes {model.input_shape[1]} pixels a side, "
            f"the images have {image_size}.",
            "Set image_size alike for both.",
        )
    return model


def _reset_dropout(twin, seed, epoch):
    """Make dropout a function of seed and epoch, so that a resumed epoch repeats itself."""
    for number, layer in enumerate(twin.layers):
        if generator := getattr(layer, "seed_generator", None):
            generator.state.assign(np.array([seed * 1000 + epoch, number], generator.state.dtype))


def _run_epoch(step, batches, batch_size, label, epoch, epochs, steps):
    """Train on every batch; mean loss and accuracy over the epoch."""
    loss = right = done = 0
    reported = time.monotonic()
    for pixels, labels in batches:
        if pixels.shape[0] < batch_size:
            break
        batch_losses, hits, count = step(pixels, labels)
        loss += float(batch_losses)
        right += float(hits)
        done += int(count)
        if time.monotonic() - reported > _REPORT_EVERY or done == steps:
            reported = time.monotonic()
            message = f"{label} epoch {epoch + 1}/{epochs}, loss {loss / done:.3f}"
            progress.report(message, epoch * steps + done, epochs * steps, "steps")
    return loss / done, right / (done * batch_size)


def _validate(twin, dataset, indices):
    logits = predict_logits(twin, dataset.images, indices).astype("float64")
    labels = dataset.labels[indices]
    loss = np.mean(np.logaddexp(0, logits) - labels * logits)
    return float(loss), float(np.mean((logits > 0) == (labels > 0)))


def _ranks_first(history, select):
    if select == "last":
        return False
    scores = [row[select.removeprefix("best_")] for row in history]
    best = min(scores) if select.endswith("loss") else max(scores)
    return scores.index(best) == len(scores) - 1


def _reason(found, epochs, path):
    if found == 0:
        return f"trained {epochs} epochs: no checkpoint of this recipe, model, data and seed"
    if found < epochs:
        return f"carried on after epoch {found} of {epochs}, from {path.name}"
    return f"loaded, not trained: finished checkpoint {path.name}"
