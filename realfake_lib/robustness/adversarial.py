"""Adversarial training as an objective of :func:`realfake_lib.training.fit`."""

from dataclasses import dataclass

import tensorflow as tf

from realfake_lib.training.objectives import RealOrFake


@dataclass(frozen=True)
class Adversarial(RealOrFake):
    """REAL or FAKE, with part of each batch attacked as it is trained on.

    FGSM from a random start is enough for small radii and costs one gradient more an attacked
    image. The rest of the batch stays clean, which keeps the accuracy on clean images.

    Attributes
    ----------
    epsilon : float >= 0
        Radius in grey levels (/255).
    share : float in [0, 1]
        Share of each batch that is attacked.
    seed : int
        Of the random starts; they depend on it and on the step's number.

    References
    ----------
    Wong, Rice, Kolter: Fast is better than free (2020). Kurakin, Goodfellow, Bengio: Adversarial
    machine learning at scale (2017).
    """

    epsilon: float = 1.0
    share: float = 0.5
    seed: int = 0

    def __post_init__(self):
        if not (self.epsilon >= 0 and 0 <= self.share <= 1):
            raise ValueError(
                f"epsilon must be >= 0 and share lie in [0, 1]: {self.epsilon}, {self.share}"
            )

    def inputs(self, network, pixels, labels, step):
        """The batch with its first images attacked (n, h, w, c)."""
        count = round(self.share * pixels.shape[0])
        if not count:
            return pixels
        clean, signs = pixels[:count], tf.reshape(2 * labels[:count] - 1, (-1, 1, 1, 1))
        seed = tf.stack([tf.cast(self.seed, tf.int32), tf.cast(step, tf.int32)])
        drawn = tf.random.stateless_uniform(tf.shape(clean), seed, -self.epsilon, self.epsilon)
        start = tf.clip_by_value(clean + drawn, 0.0, 255.0)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(start)
            logits = network(start, training=False)
        # A step of 1.25 epsilon from a random start, brought back into the ball: Wong et al.
        moved = start - 1.25 * self.epsilon * signs * tf.sign(tape.gradient(logits, start))
        moved = tf.clip_by_value(moved, clean - self.epsilon, clean + self.epsilon)
        return tf.concat([tf.clip_by_value(moved, 0.0, 255.0), pixels[count:]], axis=0)
