"""Training copies: the same network with faster BatchNorm and, if wanted, in bfloat16."""

import keras
import tensorflow as tf

from realfake_lib.errors import UserError


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """BatchNorm that trains through TensorFlow's fused kernel.

    Keras 3 composes it of elementary operations in float32: 40 % of a step in bfloat16 on a CPU.
    """

    def call(self, inputs, training=None, mask=None):
        if not (training and self.trainable):
            return super().call(inputs, training=False, mask=mask)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(self.gamma),
            offset=tf.convert_to_tensor(self.beta),
            mean=tf.zeros([0]),
            variance=tf.zeros([0]),
            epsilon=self.epsilon,
            exponential_avg_factor=1.0,
            is_training=True,
        )
        self.moving_mean.assign(self.momentum * self.moving_mean + (1 - self.momentum) * mean)
        self.moving_variance.assign(
            self.momentum * self.moving_variance + (1 - self.momentum) * variance
        )
        return outputs


def training_copy(model, precision="float32", any_size=False):
    """Clone a flat ``model`` in the form that is trained; the original gets its weights back.

    Input scaling, logit and weights stay in float32. With ``any_size`` the copy takes images of any
    size; a UserError where the network flattens its features.
    """
    if any_size and any(isinstance(layer, keras.layers.Flatten) for layer in model.layers):
        raise UserError(
            f"{model.name} takes images of one size only, so it cannot train on windows.",
            "Choose a recipe without crops, e.g. baseline, or set its crop_size to 1.",
        )

    def converted(layer):
        config = layer.get_config()
        kind = type(layer)
        scaling = keras.layers.Rescaling | keras.layers.Resizing | keras.layers.Normalization
        if layer.name != "logit" and not isinstance(layer, keras.layers.InputLayer | scaling):
            config["dtype"] = precision
        fusable = kind is keras.layers.BatchNormalization and layer.scale and layer.center
        if fusable and layer.axis in (-1, 3) and layer.trainable:
            kind = FusedBatchNormalization
        return kind.from_config(config)

    options = {"input_tensors": keras.Input((None, None, 3), name="pixels")} if any_size else {}
    return clone(model, clone_function=converted, **options)


def clone(model, **options):
    """A flat model of the same weights and ``trainable`` flags; options of Keras's clone_model."""
    copy = keras.models.clone_model(model, **options)
    copy.set_weights(model.get_weights())
    for layer, original in zip(copy.layers, model.layers, strict=True):
        layer.trainable = original.trainable
    return copy
