"""The training loop: resumable to the bit, its randomness a function of seed, epoch and step."""

import functools
import sys
import time
import warnings
from dataclasses import asdict, dataclass, field

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from realfake_lib import data, models, progress
from realfake_lib.code_hash import code_hash
from realfake_lib.errors import UserError
from realfake_lib.training import (
    adversarial,
    augment,
    copies,
    corruptions,
    curriculum,
    muon,
    objectives,
)
from realfake_lib.training.checkpoints import Checkpoint, digest, model_digest
from realfake_lib.training.copies import training_copy
from realfake_lib.training.curriculum import Curriculum
from realfake_lib.training.objectives import REAL_OR_FAKE
from realfake_lib.training.precision import best_precision
from realfake_lib.training.predict import predict_outputs
from realfake_lib.training.recipes import Recipe, get_recipe

NORM_MOMENTUM = 0.9
"""Of BatchNorm's averages where a backbone's are trained further."""

GATHER = 1024
"""Images that are read and augmented together, then trained on batch by batch."""

ATTACKED, ATTACK_STEPS = 512, 10
"""Validation images that are attacked after each epoch of adversarial training, and PGD's steps."""

_REPORT_EVERY = 2.0  # seconds


@dataclass(frozen=True)
class FitResult:
    """A trained network and how it came about.

    Attributes
    ----------
    model : keras.Model
        float32, with the selected epoch's weights.
    history : pandas.DataFrame
        One row an epoch: epoch, loss, accuracy, val_loss, val_accuracy, learning_rate (at its
        end), images (trained on), side (of these, in pixels), seconds. ``loss`` and ``accuracy``
        are weighted means over the augmented training batches.
        Adversarial training adds val_attacked_accuracy: under PGD at the largest radius.
    resumed_from : int
        Epochs found in a checkpoint.
    precision : str
        Arithmetic that was used.
    reason : str
        Why it trained, resumed or loaded, for the reader of a log.
    origin : dict
        Where it was trained, for a checkpoint of :mod:`realfake_lib.training.pretrained`; else
        empty.
    recipe : dict
        The recipe's fields, as they came to be for these images; empty where only a head was
        fitted.
    """

    model: keras.Model
    history: pd.DataFrame
    resumed_from: int
    precision: str
    reason: str
    origin: dict = field(default_factory=dict)
    recipe: dict = field(default_factory=dict)

    @property
    def epochs_run(self):
        """Epochs trained by this call; 0 where a finished checkpoint was loaded."""
        return len(self.history) - self.resumed_from

    @property
    def seconds(self):
        """Training and validation, all epochs, those before a resumption too."""
        return float(self.history["seconds"].sum())

    @property
    def images_per_second(self):
        """Training images over :attr:`seconds`."""
        return float(self.history["images"].sum()) / self.seconds


@functools.cache
def environment_digest():
    """What a training depends on besides its arguments: versions, and the code that trains."""
    code = code_hash(
        *(sys.modules[__name__], adversarial, augment, corruptions, curriculum, muon, objectives),
        *(copies, data.input, Recipe),
    )
    return [GATHER, keras.__version__, tf.__version__, code]


def set_seed(seed):
    """Seed Python, NumPy, TensorFlow and Keras, from which fresh weights come."""
    keras.utils.set_random_seed(int(seed) % 2**32)


def fit(
    network,
    dataset,
    splits,
    recipe,
    seed=0,
    checkpoint_dir=None,
    label=None,
    objective=REAL_OR_FAKE,
):
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
    objective : object of :mod:`realfake_lib.training.objectives`
        What is learnt; REAL against FAKE by default.

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
    model = fresh_model(network, dataset.image_size)
    label = label or model.name
    train, val = np.asarray(splits.train), np.asarray(splits.val)
    if not len(train) or not len(val):
        raise UserError(
            f"Cannot train {label}: {len(train)} training and {len(val)} validation images.",
            "Give more images, or another val_fraction.",
        )
    objective = objectives.for_recipe(objective, recipe, dataset, train, seed)
    precision = best_precision() if recipe.precision == "auto" else recipe.precision
    recipe = recipe.for_images(len(train))
    batch_size = recipe.batch_size
    key = digest(
        repr(recipe.replace(precision=precision)),
        model_digest(model),
        [bool(layer.trainable) for layer in model.layers],
        dataset.fingerprint,
        train,
        val,
        [seed, repr(objective), *environment_digest()],
    )
    copy = training_copy(model, precision, any_size=recipe.crop_size < 1)
    trained = objective.attach(copy)
    optimizer = recipe.make_optimizer()
    course = Curriculum(recipe, train, dataset.image_size, seed)
    make = functools.cache(lambda side: make_step(trained, optimizer, recipe, side, objective))
    checkpoint = Checkpoint(checkpoint_dir, label, key)
    optimizer.build(trained.trainable_variables)
    history, best = checkpoint.restore(trained, optimizer, course.losses)
    resumed_from = len(history)

    for epoch in range(resumed_from, recipe.epochs):
        started = time.perf_counter()
        _reset_dropout(copy, seed, epoch)
        positions, weights = course.epoch(epoch)
        side = course.side(epoch)
        batches = data.batches(
            dataset.images,
            objective.labels(dataset),
            indices=train[positions],
            batch_size=batch_size * max(1, GATHER // batch_size),
            seed=seed,
            epoch=epoch,
            augment=augment.policy(recipe.augment, side if side < dataset.image_size else None),
        )
        task = (label, epoch, positions, weights)
        loss, accuracy = _run_epoch(make(side), batches, recipe, course, *task)
        val_loss, val_accuracy = _validate(trained, dataset, val, objective)
        history.append(
            {
                "epoch": epoch + 1,
                "loss": loss,
                "accuracy": accuracy,
                "val_loss": val_loss,
                "val_accuracy": val_accuracy,
                "learning_rate": float(recipe.rates((epoch + 1) / recipe.epochs, 1.0, 1)[0]),
                "images": len(positions) // batch_size * batch_size,
                "side": side,
                "seconds": time.perf_counter() - started,
            }
        )
        if objective.attack is not None:
            history[-1]["val_attacked_accuracy"] = attacked_accuracy(
                trained, dataset, val, objective.attack.epsilon
            )
            _warn_of_overfitting(label, history)
        if _ranks_first(history, recipe.select):
            best = copy.get_weights()
        checkpoint.save(trained, optimizer, history, best, course.losses)

    model.set_weights(best if best is not None else copy.get_weights())
    return FitResult(
        model=model,
        history=pd.DataFrame(history),
        resumed_from=resumed_from,
        precision=precision,
        reason=_reason(resumed_from, recipe.epochs, checkpoint.path),
        recipe=asdict(recipe),
    )


def fine_tune(model, dataset, splits, recipe="fine_tune", **options):
    """Train a whole backbone further, but for BatchNorm.

    Parameters
    ----------
    model : keras.Model
        From :mod:`realfake_lib.models.transfer`, its head fitted; left as it is.
    dataset, splits, recipe, **options
        As for :func:`fit`.

    Returns
    -------
    FitResult
    """
    return fit(prepared(model), dataset, splits, recipe, **options)


def prepared(model, norm="frozen"):
    """A copy of a backbone whose layers are all trained, BatchNorm where ``norm`` is "trained".

    Frozen, it keeps ImageNet's averages, scales and offsets, which is safe with few images and
    small steps; trained, it follows these images with averages over the last ten steps or so.
    """
    tuned = copies.clone(model)
    for layer in tuned.layers:
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        if is_norm and norm == "trained":
            # Keras's .99 keeps ImageNet's averages for hundreds of steps.
            layer.momentum = NORM_MOMENTUM
        layer.trainable = not is_norm or norm == "trained"
    return tuned


def make_step(copy, optimizer, recipe, side=None, objective=REAL_OR_FAKE):
    """One compiled call that trains a ``training_copy`` on a gathered batch, piece by piece.

    It takes float32 pixels, labels, weights and (n // batch size,) rates, to each image's loss and
    whether the answer was right. An incomplete batch at the end is left out.
    """
    optimizer.build(copy.trainable_variables)
    batch_size, smoothing = recipe.batch_size, recipe.label_smoothing
    side = side or copy.input_shape[1]
    shape = (side, side, copy.input_shape[3])

    def train_on(pixels, labels, weights):
        pixels = objective.inputs(copy, pixels, labels, optimizer.iterations)
        with tf.GradientTape() as tape:
            outputs = copy(pixels, training=True)
            of_images = outputs[:batch_size]
            losses = objective.losses(labels, of_images, smoothing)
            loss = tf.reduce_mean(weights * (losses + objective.beside(labels, outputs)))
        optimizer.apply(tape.gradient(loss, copy.trainable_variables))
        return losses, objective.right(labels, of_images)

    def step(pixels, labels, weights, rates):
        count = tf.shape(rates)[0]
        losses = tf.TensorArray(tf.float32, count, element_shape=(batch_size,))
        right = tf.TensorArray(tf.float32, count, element_shape=(batch_size,))
        for i in tf.range(count):
            begin, end = i * batch_size, (i + 1) * batch_size
            optimizer.learning_rate.assign(rates[i])
            # The loop hides the static batch size, without which kernels take slower paths.
            loss, hits = train_on(
                tf.ensure_shape(pixels[begin:end], (batch_size, *shape)),
                tf.ensure_shape(labels[begin:end], (batch_size, *objective.label_shape)),
                tf.ensure_shape(weights[begin:end], (batch_size,)),
            )
            losses = losses.write(i, loss)
            right = right.write(i, hits)
        return losses.concat(), right.concat()

    numbers = tf.TensorSpec((None,), tf.float32)
    labelled = tf.TensorSpec((None, *objective.label_shape), tf.float32)
    signature = [tf.TensorSpec((None, *shape), tf.float32), labelled, numbers, numbers]
    # Traced here once: a tf.function of its own for each training makes TensorFlow warn.
    return tf.function(step, input_signature=signature).get_concrete_function()


def fresh_model(network, image_size):
    """The network that :func:`fit` starts from; a UserError if it takes another image size."""
    if isinstance(network, keras.Model):
        model = copies.clone(network)
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


def _reset_dropout(copy, seed, epoch):
    """Make dropout a function of seed and epoch, so that a resumed epoch repeats itself."""
    for number, layer in enumerate(copy.layers):
        if generator := getattr(layer, "seed_generator", None):
            generator.state.assign(np.array([seed * 1000 + epoch, number], generator.state.dtype))


def _run_epoch(step, batches, recipe, course, label, epoch, positions, weights):
    """Train on every batch; weighted mean loss and accuracy over the epoch."""
    size, epochs = recipe.batch_size, recipe.epochs
    steps = len(positions) // size
    rates = recipe.rates(epoch / epochs, (epoch + 1) / epochs, steps)
    loss = right = total = done = 0
    reported = time.monotonic()
    for pixels, labels in batches:
        count = pixels.shape[0] // size
        if not count:
            break
        window = slice(done * size, (done + count) * size)
        chunk_rates = tf.constant(rates[done : done + count])
        losses, hits = step(pixels, labels, tf.constant(weights[window]), chunk_rates)
        losses = losses.numpy()
        course.note(positions[window], losses)
        loss += float(np.dot(losses, weights[window]))
        right += float(np.dot(hits.numpy(), weights[window]))
        total += float(weights[window].sum())
        done += count
        if time.monotonic() - reported > _REPORT_EVERY or done == steps:
            reported = time.monotonic()
            message = f"{label} epoch {epoch + 1}/{epochs}, loss {loss / total:.3f}"
            progress.report(message, round(epoch + done / steps, 2), epochs, "epochs")
    return loss / total, right / total


def _validate(copy, dataset, indices, objective):
    outputs = predict_outputs(copy, dataset.images, indices)
    return objectives.judge(objective, objective.labels(dataset)[indices], outputs)


def attacked_accuracy(network, dataset, indices, epsilon, at_most=ATTACKED):
    """Accuracy on ``at_most`` of the images ``indices`` under PGD-10 at ``epsilon`` grey levels."""
    # Spread over all of them: splits are sorted, the first images are all FAKE.
    indices = indices[:: -(-len(indices) // at_most)]
    pixels = tf.constant(dataset.images[indices], tf.float32)
    labels = tf.constant(dataset.labels[indices], tf.float32)
    moved = adversarial.Attack(epsilon, ATTACK_STEPS)(network, pixels, labels, 0, low=1.0)
    return objectives.judge(REAL_OR_FAKE, labels, network(moved, training=False))[1]


def _warn_of_overfitting(label, history):
    """Name catastrophic overfitting: the accuracy under a strong attack falls by half at once."""
    if len(history) < 2:
        return
    before, now = (row["val_attacked_accuracy"] for row in history[-2:])
    if now < before / 2:
        warnings.warn(
            f"{label}: catastrophic overfitting in epoch {len(history)}: accuracy under "
            f"PGD-{ATTACK_STEPS} fell from {before:.1%} to {now:.1%}. Take more steps.",
            stacklevel=2,
        )


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
