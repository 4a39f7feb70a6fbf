"""What a training is asked for: real or fake by one logit, which object by several, or both."""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from realfake_lib.training.adversarial import Attack


@dataclass(frozen=True, kw_only=True)
class RealOrFake:
    """Sigmoid cross-entropy of one logit, that for REAL; the base of every objective.

    With an ``attack``, of attacked images. With ``trades`` above 0, of images as they are, and
    beside it so many times the divergence of an attacked image's probability from its own.

    References
    ----------
    Zhang et al., Theoretically principled trade-off between robustness and accuracy (TRADES), 2019.
    Gowal et al., Uncovering the limits of adversarial training, 2020: attacks on the cross-entropy
    serve it better than on the divergence, whose gradient may point to more certainty.
    """

    attack: Attack | None = None
    trades: float = 0.0
    label_shape = ()

    def attach(self, copy):
        """The network that is trained: ``copy``, with whatever outputs the objective adds."""
        return copy

    def inputs(self, network, pixels, labels, step):
        """What is trained on in place of a batch ``pixels``; ``step`` counts the steps before."""
        if self.attack is None:
            return pixels
        attacked = self.attack(network, pixels, self.real(labels), step)
        return tf.concat([pixels, attacked], axis=0) if self.trades else attacked

    def real(self, labels):
        """Of a batch's labels, those that say REAL or FAKE."""
        return labels[:, 0] if self.label_shape else labels

    def beside(self, labels, outputs):
        """What is added to each image's loss in training, and counted nowhere else.

        ``outputs`` are those of all :meth:`inputs`.
        """
        if not self.trades:
            return 0.0
        as_is, attacked = tf.split(outputs[:, 0], 2)
        entropy = tf.nn.sigmoid_cross_entropy_with_logits(tf.sigmoid(as_is), as_is)
        crossed = tf.nn.sigmoid_cross_entropy_with_logits(tf.sigmoid(as_is), attacked)
        return self.trades * (crossed - entropy)

    @staticmethod
    def labels(dataset):
        """(n,) array of the labels of all images, FAKE = 0 and REAL = 1."""
        return dataset.labels

    def losses(self, labels, outputs, smoothing=0.0):
        """Each image's cross-entropy; ``smoothing`` spreads a share of the target evenly."""
        targets = self.real(labels) * (1 - smoothing) + smoothing / 2
        return tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=outputs[:, 0])

    def right(self, labels, outputs):
        """Whether each answer is right: (n,) float32 tensor of 0 and 1."""
        return tf.cast((outputs[:, 0] > 0) == (self.real(labels) > 0.5), tf.float32)


@dataclass(frozen=True, kw_only=True)
class RealOrFakeOfWhat(RealOrFake):
    """REAL or FAKE, and as an auxiliary task, of this ``weight``, which of ``classes`` objects.

    References
    ----------
    Caruana, Multitask learning, Machine Learning 28, 1997.
    """

    classes: int
    weight: float
    label_shape = (2,)

    def attach(self, copy):
        """``copy`` with (n, 1 + k) outputs: the logit for REAL, then a logit for each object."""
        features = copy.get_layer("logit").input
        objects = keras.layers.Dense(self.classes, dtype="float32", name="objects")(features)
        return keras.Model(copy.input, keras.layers.Concatenate()([copy.output, objects]))

    @staticmethod
    def labels(dataset):
        """(n, 2) float32 array: FAKE = 0 or REAL = 1, and the object class, -1 where unknown."""
        objects = dataset.index["object_class"].to_numpy()
        return np.stack([dataset.labels, objects], axis=1).astype(np.float32)

    def beside(self, labels, outputs):
        """Also the weighted cross-entropy of the known object classes, (n,) float32 tensor."""
        known = tf.cast(labels[:, 1] >= 0, tf.float32)
        objects = tf.cast(tf.maximum(labels[:, 1], 0), tf.int32)
        of_images = outputs[: objects.shape[0], 1:]
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(objects, of_images)
        return super().beside(labels, outputs) + self.weight * known * losses


@dataclass(frozen=True, kw_only=True)
class ObjectClasses(RealOrFake):
    """Which of several kinds of object an image shows: logits, softmax cross-entropy."""

    classes: int

    @staticmethod
    def labels(dataset):
        """(n,) array of the object class of all images; -1, unknown, must not be trained on."""
        return dataset.index["object_class"].to_numpy()

    def losses(self, labels, outputs, smoothing=0.0):
        """As :meth:`RealOrFake.losses`, of (n, k) outputs."""
        targets = tf.one_hot(tf.cast(labels, tf.int32), self.classes, dtype=outputs.dtype)
        targets = targets * (1 - smoothing) + smoothing / self.classes
        return tf.nn.softmax_cross_entropy_with_logits(labels=targets, logits=outputs)

    def right(self, labels, outputs):
        """As :meth:`RealOrFake.right`: whether the largest logit is that of the label."""
        answer = tf.argmax(outputs, axis=-1, output_type=tf.int32)
        return tf.cast(answer == tf.cast(labels, tf.int32), tf.float32)


REAL_OR_FAKE = RealOrFake()


def for_recipe(objective, recipe, dataset, rows, seed):
    """REAL or FAKE with what the recipe adds to it: an attack, a head for known object classes.

    ``rows`` are the training images, ``seed`` is the attack's; another objective is handed through.
    """
    if objective != REAL_OR_FAKE:
        return objective
    attack = None
    if recipe.adversarial_epsilon:
        attack = Attack(recipe.adversarial_epsilon, recipe.adversarial_steps, seed)
    robust = {"attack": attack, "trades": recipe.trades}
    if not (recipe.auxiliary_class_loss and names_objects(dataset, rows)):
        return RealOrFake(**robust)
    classes = int(dataset.index["object_class"].to_numpy()[rows].max()) + 1
    return RealOrFakeOfWhat(classes=classes, weight=recipe.auxiliary_class_loss, **robust)


def names_objects(dataset, rows):
    """Whether the images of these rows, (n,) int, are known to show different kinds of object."""
    objects = dataset.index["object_class"].to_numpy()[rows]
    return len(np.unique(objects[objects >= 0])) > 1


def judge(objective, labels, outputs):
    """Mean loss and accuracy of outputs (n, k) that are there already."""
    # In double precision, so that the mean over many images does not depend on their order.
    labels = tf.constant(np.asarray(labels), tf.float64)
    outputs = tf.constant(np.asarray(outputs), tf.float64)
    losses, right = objective.losses(labels, outputs), objective.right(labels, outputs)
    return float(np.mean(losses.numpy())), float(np.mean(right.numpy(), dtype="float64"))
