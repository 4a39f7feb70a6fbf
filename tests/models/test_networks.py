"""Networks by name: their shapes, their ends, and what a wrong name or option gets."""

import keras
import numpy as np
import pytest

from realfake_lib import models
from realfake_lib.errors import UserError


@pytest.mark.parametrize("name", models.available())
def test_every_network_takes_pixels_and_ends_in_one_float32_logit(name):
    model = models.build(name, image_size=32)
    assert model.input_shape == (None, 32, 32, 3)
    assert model.output_shape == (None, 1)
    assert model.layers[-1].name == "logit" and model.layers[-1].activation.__name__ == "linear"
    logits = model(np.full((2, 32, 32, 3), 255.0, "float32"))
    assert logits.dtype == "float32" and np.isfinite(logits).all()


@pytest.mark.parametrize("name", models.available())
def test_every_network_is_flat_and_takes_another_image_size(name):
    model = models.build(name, image_size=48)
    assert model.input_shape == (None, 48, 48, 3)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)


def test_the_original_network_has_its_layers_and_no_others():
    model = models.build("baseline_cnn")
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == [
        *("InputLayer", "Rescaling", "Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D"),
        *("Flatten", "Dense", "Dropout", "Dense"),
    ]
    assert model.get_layer("dense").kernel.shape == (2304, 64)
    assert model.get_layer("dropout").rate == 0.5
    assert model.count_params() == 166_977


def test_the_compact_network_stays_compact():
    assert models.build("compact_cnn").count_params() == 288_481


def test_an_option_reaches_the_network():
    assert models.build("baseline_cnn", dropout=0.25).get_layer("dropout").rate == 0.25


def test_the_same_seed_gives_the_same_fresh_weights():
    pairs = []
    for _ in range(2):
        keras.utils.set_random_seed(7)
        pairs.append(models.build("tiny_cnn").get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*pairs, strict=True))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: models.build("vgg19"), "Unknown model 'vgg19'"),
        (lambda: models.build("baseline_cnn", drop=0.1), "no option 'drop'"),
        (lambda: models.build("baseline_cnn", image_size=8), "16 or more"),
    ],
)
def test_a_wrong_name_option_or_size_is_named(call, words):
    with pytest.raises(UserError, match=words) as caught:
        call()
    assert caught.value.message


def test_every_network_says_in_one_line_what_it_is():
    assert all(text.endswith(".") and len(text) < 100 for text in models.available().values())
