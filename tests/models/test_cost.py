"""Parameters and operations of small networks whose counts can be worked out by hand."""

import keras
import pytest

from realfake_lib.models import cost


def _model(*layers):
    x = inputs = keras.Input((8, 8, 3))
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


def test_a_convolution_costs_its_kernel_once_per_output_pixel():
    model = _model(keras.layers.Conv2D(4, 3, padding="same"))
    assert cost.flops(model) == 2 * 8 * 8 * 3 * 3 * 3 * 4


def test_strides_and_groups_save_operations():
    full = _model(keras.layers.Conv2D(6, 3, padding="same"))
    assert cost.flops(_model(keras.layers.Conv2D(6, 3, 2, "same"))) * 4 == cost.flops(full)
    assert cost.flops(_model(keras.layers.Conv2D(6, 3, 1, "same", groups=3))) * 3 == cost.flops(
        full
    )


def test_a_separable_convolution_costs_its_two_steps():
    depthwise, pointwise = 8 * 8 * 9 * 3, 8 * 8 * 3 * 5
    assert cost.flops(_model(keras.layers.SeparableConv2D(5, 3, padding="same"))) == 2 * (
        depthwise + pointwise
    )
    assert cost.flops(_model(keras.layers.DepthwiseConv2D(3, padding="same"))) == 2 * depthwise


def test_dense_layers_count_and_normalisation_dropout_and_pooling_do_not():
    layers = keras.layers
    model = _model(
        layers.Rescaling(1 / 255),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(10),
    )
    assert cost.flops(model) == 2 * 4 * 4 * 3 * 10


def test_parameters_leave_out_moving_averages():
    model = _model(keras.layers.BatchNormalization())
    assert cost.parameters(model) == 2 * 3


def test_a_layer_it_cannot_count_is_named():
    model = _model(keras.layers.Conv2DTranspose(3, 2, name="upwards"))
    with pytest.raises(ValueError, match="upwards"):
        cost.flops(model)
