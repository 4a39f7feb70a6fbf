"""What a training is asked for: real or fake by one logit, or which object by several."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class RealOrFake:
    """One logit for REAL, sigmoid cross-entropy; the objective of every detector."""

    @staticmethod
    def labels(dataset):
        """(n,) array of the labels of all images, FAKE = 0 and REAL = 1."""
        return dataset.labels

    @staticmethod
    def losses(labels, outputs, smoothing=0.0):
        """Each image's cross-entropy, a (n,) float32 tensor.

        Parameters
        ----------
        labels : (n,) float32 tensor
        outputs : (n, 1) float32 tensor
            Logits.
        smoothing : float in [0, 1)
            Share of the target that is spread evenly over the classes.
        """
        targets = labels * (1 - smoothing) + smoothing / 2
        return tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=outputs[:, 0])

    @staticmethod
    def right(labels, outputs):
        """Whether each answer is right: (n,) float32 tensor of 0 and 1."""
        return tf.cast((outputs[:, 0] > 0) == (labels > 0.5), tf.float32)


@dataclass(frozen=True)
class ObjectClasses:
    """Which of several kinds of object an image shows: k logits, softmax cross-entropy.

    Attributes
    ----------
    classes : int
        Their number, k.
    """

    classes: int

    @staticmethod
    def labels(dataset):
        """(n,) array of the object class of all images; -1, unknown, must not be trained on."""
        return dataset.index["object_class"].to_numpy()

    def losses(self, labels, outputs, smoothing=0.0):
        """As :meth:`RealOrFake.losses`, of (n, k) outputs."""
        targets = tf.one_hot(tf.cast(labels, tf.int32), self.classes)
        targets = targets * (1 - smoothing) + smoothing / self.classes
        return tf.nn.softmax_cross_entropy_with_logits(labels=targets, logits=outputs)

    @staticmethod
    def right(labels, outputs):
        """As :meth:`RealOrFake.right`: whether the largest logit is that of the label."""
        answer = tf.argmax(outputs, axis=-1, output_type=tf.int32)
        return tf.cast(answer == tf.cast(labels, tf.int32), tf.float32)


REAL_OR_FAKE = RealOrFake()


def judge(objective, labels, outputs):
    """Mean loss and accuracy of outputs that are there already.

    Parameters
    ----------
    objective : RealOrFake or ObjectClasses
    labels : (n,) array
    outputs : (n, k) array

    Returns
    -------
    loss, accuracy : float
    """
    # In double precision, so that the mean over many images does not depend on their order.
    labels = tf.constant(np.asarray(labels), tf.float64)
    outputs = tf.constant(np.asarray(outputs), tf.float64)
    if isinstance(objective, ObjectClasses):
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(labels, tf.int32), outputs)
    else:
        losses = objective.losses(labels, outputs)
    right = objective.right(labels, outputs)
    return float(np.mean(losses.numpy())), float(np.mean(right.numpy(), dtype="float64"))
