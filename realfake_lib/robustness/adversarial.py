"""Adversarial fine-tuning: a trained detector learns on further, partly on attacked images."""

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import tensorflow as tf

from realfake_lib import progress
from realfake_lib.keras_setup import keras
from realfake_lib.robustness import attacks, detector


@dataclass(frozen=True)
class AdversarialFit:
    """What :func:`fit` made.

    Attributes
    ----------
    model : keras.Model
        The fine-tuned copy, float32.
    history : pandas.DataFrame
        A row an epoch: epoch, loss, accuracy (both on the images as trained on, attacked ones
        among them), learning_rate (at its end), seconds.
    seconds : float
    images_per_second : float
    """

    model: keras.Model
    history: pd.DataFrame
    seconds: float
    images_per_second: float


def fit(
    model,
    images,
    labels,
    epsilon=1.0,
    *,
    epochs=1,
    attack="fgsm",
    steps=3,
    attacked_share=0.5,
    batch_size=128,
    learning_rate=5e-4,
    weight_decay=1e-4,
    flip=True,
    seed=0,
    label="adversarial",
):
    """Fine-tune a copy of a detector on images that are attacked as it learns.

    FGSM from a random start is enough for small radii and costs one gradient more an image (Wong,
    Rice, Kolter: Fast is better than free, 2020). The rest of each batch stays clean, which keeps
    the accuracy on clean images (Kurakin, Goodfellow, Bengio: Adversarial machine learning at
    scale, 2017).

    Parameters
    ----------
    model : keras.Model
        The trained detector; stays as it is.
    images : (n, h, w, c) uint8 array
        Training images only.
    labels : (n,) int array
        FAKE = 0, REAL = 1.
    epsilon : float >= 0
        Radius in grey levels (/255).
    epochs : int
    attack : {"fgsm", "pgd"}
        FGSM from a random start, or PGD with ``steps`` steps.
    steps : int
        Of PGD.
    attacked_share : float in [0, 1]
        Share of each batch that is attacked.
    batch_size : int
        Of fewer images all are one batch.
    learning_rate : float
        AdamW's at the start; falls to zero along a cosine.
    weight_decay : float
    flip : bool
        Mirror each image with probability one half.
    seed : int
        Sets the random state of Python, NumPy and TensorFlow; the same seed gives the same
        weights on the same machine.
    label : str
        Names the work in progress reports.

    Returns
    -------
    AdversarialFit
    """
    if attack not in ("fgsm", "pgd"):
        raise ValueError(f"attack must be 'fgsm' or 'pgd', got {attack!r}")
    if not 0 <= attacked_share <= 1:
        raise ValueError(f"attacked_share must lie in [0, 1], got {attacked_share}")
    n = len(images)
    detector.signs(labels, n)
    detector.check_model(model)

    keras.utils.set_random_seed(seed)
    learner = keras.models.clone_model(model)
    learner.set_weights(model.get_weights())
    batch_size = min(batch_size, n)
    batches = n // batch_size
    optimizer = keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(learning_rate, epochs * batches),
        weight_decay=weight_decay,
    )
    optimizer.build(learner.trainable_variables)
    train_step = _train_step(learner, optimizer)

    labels = np.asarray(labels)
    rows, start = [], time.perf_counter()
    for epoch in range(epochs):
        began, losses, hits = time.perf_counter(), [], []
        generator = np.random.default_rng((seed, epoch))
        # Whole batches of a shuffled epoch; the few images left over come in another epoch.
        order = generator.permutation(n)[: batches * batch_size].reshape(batches, batch_size)
        message = f"{label} epoch {epoch + 1}/{epochs}"
        for chosen in progress.track(order, message, unit="batches"):
            chosen = np.sort(chosen)  # a memory-mapped array reads faster in order
            x, y = images[chosen].astype(np.float32), labels[chosen]
            if flip:
                mirrored = generator.random(batch_size) < 0.5
                x[mirrored] = x[mirrored, :, ::-1]
            attacked = generator.permutation(batch_size)[: round(attacked_share * batch_size)]
            if len(attacked):
                x[attacked] = _attack(
                    learner, x[attacked], y[attacked], epsilon, attack, steps, generator
                )
            loss, correct = train_step(tf.constant(x), tf.constant(y, tf.float32))
            losses.append(float(loss))
            hits.append(float(correct))
        rows.append(
            {
                "epoch": epoch + 1,
                "loss": np.mean(losses),
                "accuracy": np.mean(hits),
                "learning_rate": float(optimizer.learning_rate),
                "seconds": time.perf_counter() - began,
            }
        )
    seconds = time.perf_counter() - start
    history = pd.DataFrame(rows)
    return AdversarialFit(learner, history, seconds, epochs * batches * batch_size / seconds)


def _attack(model, images, labels, epsilon, attack, steps, generator):
    if attack == "pgd":
        return attacks.pgd(
            model, images, labels, epsilon, steps=steps, seed=int(generator.integers(2**31))
        )
    start = images + generator.uniform(-epsilon, epsilon, images.shape).astype(np.float32)
    # A step of 1.25 epsilon from a random start, brought back into the ball: Wong et al.
    moved = attacks.fgsm(model, np.clip(start, 0, 255), labels, 1.25 * epsilon)
    return np.clip(moved, images - epsilon, images + epsilon)


def _train_step(model, optimizer):
    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            logits = tf.reshape(model(images, training=True), [-1])
            loss = tf.reduce_mean(
                tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
            )
            total = tf.add_n([loss, *model.losses])  # with the layers' own regularisation
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(total, variables), variables, strict=True))
        return loss, tf.reduce_mean(tf.cast((logits > 0) == (labels > 0.5), tf.float32))

    return step
