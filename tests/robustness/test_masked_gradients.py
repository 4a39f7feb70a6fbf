"""The checks against masked gradients pass an honest detector and catch two that hide."""

import keras
import numpy as np
import pytest

from realfake_lib.robustness import attacks, sanity


@keras.saving.register_keras_serializable("tests")
class Rounded(keras.layers.Layer):
    """Rounds its input, which has a gradient of zero: the classic mask."""

    def call(self, inputs):
        return keras.ops.round(inputs)


@keras.saving.register_keras_serializable("tests")
class Misleading(keras.layers.Layer):
    """A tiny, fast ripple on the pixels: nothing to the verdict, everything to the gradient."""

    def call(self, inputs):
        return inputs + 0.02 * keras.ops.sin(1e4 * inputs)


def behind(layer, model):
    inputs = keras.Input(model.input_shape[1:])
    x = layer(inputs)
    for following in model.layers[1:]:
        x = following(x)
    return keras.Model(inputs, x)


def test_an_honest_detector_passes_every_check(model, images_and_labels):
    checks = sanity.masked_gradient_checks(model, *images_and_labels, epsilon=4.0)
    assert list(checks.columns) == ["check", "passed", "detail"]
    assert len(checks) == 7
    assert checks.passed.all(), checks.to_string()


def test_a_detector_that_rounds_its_input_fails_for_want_of_a_gradient(model, images_and_labels):
    masked = behind(Rounded(), model)
    checks = sanity.masked_gradient_checks(masked, *images_and_labels, epsilon=16.0, steps=3)
    passed = checks.set_index("check").passed
    assert not passed["gradients are not zero"]
    assert not passed["an unbounded attack breaks every image"]
    assert not passed["an attack without gradients is weaker"]
    assert sanity.zero_gradient_share(masked, images_and_labels[0]) == 1


def test_a_masked_detector_is_broken_when_it_is_attacked_correctly(model, images_and_labels):
    """By a random search, and by the gradients of the network behind the mask (BPDA)."""
    images, labels = images_and_labels
    masked = behind(Rounded(), model)

    def left(attack, **options):
        return attacks.survivors(masked, images, labels, [16.0], attack, **options)[16].mean()

    def of_the_network_behind(_, *arguments):
        return np.rint(attacks.pgd(model, *arguments))

    followed = left("pgd", random_start=False)
    assert left("square", queries=200) < followed - 0.2
    assert left(of_the_network_behind) < followed - 0.4


def test_a_detector_whose_gradient_misleads_fails_a_check(model, images_and_labels):
    masked = behind(Misleading(), model)
    checks = sanity.masked_gradient_checks(masked, *images_and_labels, epsilon=4.0, steps=5)
    assert not checks.passed.all()
    assert checks.set_index("check").passed["gradients are not zero"]


def test_the_share_of_vanished_gradients_counts_images(build_detector):
    inputs = keras.Input((4, 4, 3))
    x = keras.layers.ReLU()(keras.layers.Rescaling(1.0, offset=-100.0)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(x)))
    images = np.stack([np.full((4, 4, 3), value) for value in (50.0, 150.0, 60.0, 70.0)])
    assert sanity.zero_gradient_share(model, images, batch_size=3) == pytest.approx(0.75)
