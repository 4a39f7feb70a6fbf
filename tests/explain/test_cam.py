"""Class activation maps: by hand on a network of known weights, and by where they point."""

import keras
import numpy as np
import pytest

from realfake_lib import explain
from realfake_lib.errors import UserError
from realfake_lib.explain import cam
from realfake_lib.robustness import detector

GRADIENT_METHODS = (explain.grad_cam, explain.grad_cam_pp, explain.layer_cam)


@pytest.fixture(scope="module")
def by_hand():
    """Two 1×1 channels, red and green, and logit = mean(red) − 3·mean(green) + sum over a mask."""
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(2, 1, use_bias=False, name="channels")(inputs)
    logit = keras.layers.Dense(1, name="logit")(keras.layers.Flatten()(x))
    model = keras.Model(inputs, logit)
    kernel = np.zeros((1, 1, 3, 2))
    kernel[0, 0, 0, 0] = kernel[0, 0, 1, 1] = 1
    model.get_layer("channels").set_weights([kernel])
    gradient = np.random.default_rng(0).normal(size=(8, 8, 2))
    gradient[..., 0] += 1
    gradient[..., 1] -= 3
    model.get_layer("logit").set_weights([gradient.reshape(-1, 1), np.zeros(1)])
    image = np.random.default_rng(1).integers(0, 256, (1, 8, 8, 3)).astype(np.uint8)
    return model, image, image[0, ..., :2].astype(float), gradient


def scaled(values):
    values = np.maximum(values, 0)
    return values / values.max()


@pytest.mark.parametrize(("target", "sign"), [("REAL", 1), ("FAKE", -1)])
def test_grad_cam_is_what_one_works_out_by_hand(by_hand, target, sign):
    model, image, activations, gradient = by_hand
    weights = sign * gradient.mean(axis=(0, 1))
    expected = scaled((activations * weights).sum(-1))
    np.testing.assert_allclose(
        explain.grad_cam(model, image, "channels", target)[0], expected, atol=1e-5
    )


@pytest.mark.parametrize(("target", "sign"), [("REAL", 1), ("FAKE", -1)])
def test_grad_cam_pp_is_what_one_works_out_by_hand(by_hand, target, sign):
    model, image, activations, gradient = by_hand
    g = sign * gradient
    alpha = g**2 / (2 * g**2 + activations.sum(axis=(0, 1)) * g**3)
    weights = (alpha * np.maximum(g, 0)).sum(axis=(0, 1))
    expected = scaled((activations * weights).sum(-1))
    np.testing.assert_allclose(
        explain.grad_cam_pp(model, image, "channels", target)[0], expected, rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize(("target", "sign"), [("REAL", 1), ("FAKE", -1)])
def test_layer_cam_is_what_one_works_out_by_hand(by_hand, target, sign):
    model, image, activations, gradient = by_hand
    expected = scaled((activations * np.maximum(sign * gradient, 0)).sum(-1))
    np.testing.assert_allclose(
        explain.layer_cam(model, image, "channels", target)[0], expected, atol=1e-5
    )


def test_score_cam_is_what_one_works_out_by_hand(by_hand):
    model, image, activations, _ = by_hand
    masks = (activations - activations.min((0, 1))) / np.ptp(activations, axis=(0, 1))
    shown = np.stack([image[0] * masks[..., k, None] for k in range(2)])
    logits = detector.predict_logits(model, shown).astype(float)
    for target, sign in (("REAL", 1), ("FAKE", -1)):
        weights = np.exp(sign * logits - (sign * logits).max())
        expected = scaled((activations * weights / weights.sum()).sum(-1))
        found = explain.score_cam(model, image, "channels", target)[0]
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("method", explain.METHODS.values())
def test_maps_have_the_images_size_and_a_largest_value_of_one(square_detector, squares, method):
    images, labels, _ = squares
    maps = method(square_detector, images[:5], target=labels[:5])
    assert maps.shape == (5, 24, 24)
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    peaks = maps.max(axis=(1, 2))
    assert set(np.round(peaks, 6)) <= {0.0, 1.0}
    np.testing.assert_array_equal(explain.empty(maps), peaks == 0)


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_the_map_of_real_points_at_what_makes_an_image_real(
    square_detector, squares, in_square, method
):
    images, labels, _ = squares
    logits = detector.predict_logits(square_detector, images)
    assert detector.is_correct(logits, labels).all()
    real = labels == 1
    maps = method(square_detector, images[real], target="REAL")
    inside = in_square[real]
    share = (maps * inside).sum(axis=(1, 2)) / maps.sum(axis=(1, 2))
    assert np.median(share) > 4 * inside.mean()  # a map that knows nothing reaches 1 ×


def test_each_image_can_have_its_own_target(square_detector, squares):
    images, labels, _ = squares
    mixed = explain.grad_cam(square_detector, images, target=labels)
    for name, label in (("FAKE", 0), ("REAL", 1)):
        alone = explain.grad_cam(square_detector, images, target=name)
        np.testing.assert_allclose(mixed[labels == label], alone[labels == label], atol=1e-5)


def test_batches_do_not_change_the_maps(square_detector, squares, monkeypatch):
    images, _, _ = squares
    methods = explain.grad_cam, explain.score_cam
    whole = [method(square_detector, images[:7], target="REAL") for method in methods]
    monkeypatch.setattr(cam, "BATCH", 3)
    parts = [method(square_detector, images[:7], target="REAL") for method in methods]
    np.testing.assert_allclose(parts, whole, atol=1e-4)


def test_a_map_with_nothing_for_the_class_is_zero_and_known_as_empty(by_hand):
    model, _, _, _ = by_hand
    weights = np.abs(model.get_layer("logit").get_weights()[0])  # all of it speaks for REAL
    one_sided = keras.models.clone_model(model)
    one_sided.set_weights([*model.get_layer("channels").get_weights(), weights, np.zeros(1)])
    images = np.full((2, 8, 8, 3), 99, np.uint8)
    for method in GRADIENT_METHODS:
        maps = method(one_sided, images, "channels", [0, 1])
        assert not np.isnan(maps).any()
        assert explain.empty(maps).tolist() == [True, False]


def test_frozen_weights_make_no_difference(square_detector, squares):
    images, _, _ = squares
    frozen = keras.models.clone_model(square_detector)
    frozen.set_weights(square_detector.get_weights())
    frozen.trainable = False
    np.testing.assert_allclose(
        explain.grad_cam(frozen, images, target="REAL"),
        explain.grad_cam(square_detector, images, target="REAL"),
        atol=1e-5,
    )


def test_the_default_layer_is_the_last_large_map_after_its_activation(square_detector):
    assert explain.default_layer(square_detector) == "late_relu"
    assert square_detector.get_layer("late_relu").output.shape[1] == 12


def stack(size, *steps):
    x = inputs = keras.Input((size, size, 3))
    for number, stride in enumerate(steps):
        x = keras.layers.Conv2D(2, 3, stride, padding="same", name=f"conv_{number}")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(1)(x))


def test_the_default_layer_passes_over_maps_that_are_too_coarse():
    assert explain.default_layer(stack(32, 2, 2, 1, 2, 2)) == "conv_2"  # 16 8 8 4 2


def test_where_all_maps_are_coarse_the_largest_is_taken():
    assert explain.default_layer(stack(12, 2, 1, 2)) == "conv_1"  # 6 6 3


def test_a_residual_block_is_explained_after_its_addition():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(2, 3, padding="same", activation="relu")(inputs)
    y = keras.layers.Conv2D(2, 3, padding="same", name="branch")(x)
    y = keras.layers.BatchNormalization()(y)
    y = keras.layers.ReLU(name="sum")(keras.layers.Add()([x, y]))
    logit = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(y))
    assert explain.default_layer(keras.Model(inputs, logit)) == "sum"


def test_a_sum_of_rectified_features_is_explained_itself():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(2, 3, padding="same", activation="relu")(inputs)
    y = keras.layers.Conv2D(2, 3, padding="same", activation="relu")(x)
    total = keras.layers.Add(name="sum")([x, y])
    logit = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(total))
    assert explain.default_layer(keras.Model(inputs, logit)) == "sum"


def test_a_convolution_that_is_pooled_before_its_activation_is_passed_over():
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(2, 3, padding="same", activation="relu", name="rectified")(inputs)
    x = keras.layers.Conv2D(2, 3, padding="same", name="linear")(x)
    x = keras.layers.ReLU()(keras.layers.MaxPooling2D(4)(x))
    logit = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(x))
    assert explain.default_layer(keras.Model(inputs, logit)) == "rectified"


def test_an_activation_behind_a_pooling_is_explained_if_its_map_is_large_enough():
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(2, 3, padding="same")(inputs)
    x = keras.layers.ReLU(name="pooled")(keras.layers.MaxPooling2D(2)(x))
    x = keras.layers.Conv2D(2, 3, padding="same")(x)
    x = keras.layers.ReLU()(keras.layers.MaxPooling2D(2)(x))
    logit = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(x))
    assert explain.default_layer(keras.Model(inputs, logit)) == "pooled"


def test_a_network_whose_maps_are_single_pixels_cannot_be_explained():
    with pytest.raises(UserError, match="larger than 1×1"):
        explain.default_layer(stack(4, 4))


def test_an_unknown_layer_is_named_beside_those_that_would_do(square_detector, squares):
    with pytest.raises(UserError, match=r"no layer 'block5_conv3'(.|\n)*late_relu \(12×12\)"):
        explain.grad_cam(square_detector, squares[0], layer="block5_conv3")


def test_a_layer_without_a_map_is_refused(square_detector, squares):
    with pytest.raises(UserError, match="'logit' has no map"):
        explain.grad_cam(square_detector, squares[0], layer="logit")


def test_a_layer_whose_map_is_one_pixel_is_refused():
    with pytest.raises(UserError, match="1×1: it locates nothing"):
        explain.grad_cam(stack(4, 1, 4), np.zeros((1, 4, 4, 3), np.uint8), layer="conv_1")


def test_a_nested_backbone_is_refused():
    inputs = keras.Input((24, 24, 3))
    nested = keras.Model(inputs, stack(24, 1)(inputs))
    for call in (
        lambda: explain.default_layer(nested),
        lambda: explain.grad_cam(nested, np.zeros((1, 24, 24, 3), np.uint8), layer="conv_0"),
    ):
        with pytest.raises(UserError, match="holds another model"):
            call()


def test_an_unknown_class_is_named(square_detector, squares):
    with pytest.raises(UserError, match="unknown class 'fake'"):
        explain.grad_cam(square_detector, squares[0], target="fake")


def test_activations_and_gradients_come_from_one_pass(by_hand):
    model, image, activations, gradient = by_hand
    found, slopes = cam.gather(model, image.astype(np.float32), "channels", np.float32([-1]))
    np.testing.assert_allclose(found[0], activations, atol=1e-4)
    np.testing.assert_allclose(slopes[0], -gradient, atol=1e-5)
