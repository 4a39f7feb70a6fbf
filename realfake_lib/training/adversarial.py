"""Adversarial training: a batch is attacked before it is trained on."""

from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Attack:
    """PGD from a random start, its radius drawn anew for each image, up to ``epsilon`` grey levels.

    One step is FGSM from a random start, which is fast, and can end in catastrophic overfitting: a
    network that withstands this one step and no other attack. Radii and starts depend on ``seed``
    and on the training step's number.

    References
    ----------
    Madry et al., Towards deep learning models resistant to adversarial attacks, ICLR 2018. Wong,
    Rice and Kolter, Fast is better than free, ICLR 2020 (one step of 1.25 times the radius).
    """

    epsilon: float
    steps: int
    seed: int = 0

    def __call__(self, network, pixels, labels, step, low=0.0):
        """The batch attacked; ``low`` is the smallest radius, as a share of ``epsilon``."""
        seed = tf.stack([tf.cast(self.seed, tf.int32), tf.cast(step, tf.int32)])
        count = tf.shape(pixels)[0]
        radius = self.epsilon * tf.random.stateless_uniform([count, 1, 1, 1], seed, low, 1.0)
        towards_fake = tf.reshape(tf.where(labels > 0.5, 1.0, -1.0), (-1, 1, 1, 1)) * radius
        at_least, at_most = tf.maximum(pixels - radius, 0.0), tf.minimum(pixels + radius, 255.0)
        start = pixels + radius * tf.random.stateless_uniform(tf.shape(pixels), seed + 1, -1.0, 1.0)
        moved = tf.clip_by_value(start, at_least, at_most)
        for _ in range(self.steps):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(moved)
                logits = network(moved, training=False)[:, 0]
            moved -= 2.5 / (self.steps + 1) * towards_fake * tf.sign(tape.gradient(logits, moved))
            moved = tf.clip_by_value(moved, at_least, at_most)
        return moved
