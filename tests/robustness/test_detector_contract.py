"""What attacks and explanations demand of a model and its images."""

import gc
import weakref

import keras
import numpy as np
import pytest

from realfake_lib.errors import UserError
from realfake_lib.robustness import detector


def test_a_model_that_ends_in_a_sigmoid_is_refused(build_detector):
    with pytest.raises(UserError, match="sigmoid"):
        detector.check_model(build_detector(activation="sigmoid"))


def test_a_model_with_two_outputs_is_refused():
    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))
    with pytest.raises(UserError, match=r"output shape \(None, 2\)"):
        detector.check_model(model)


def test_a_model_that_computes_in_bfloat16_is_refused():
    inputs = keras.Input((4, 4, 3))
    x = keras.layers.Conv2D(2, 3, dtype="mixed_bfloat16", name="rounded")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(x)))
    with pytest.raises(UserError, match="bfloat16.*rounded"):
        detector.check_model(model)


@pytest.mark.parametrize(
    ("images", "problem"),
    [
        (np.zeros((4, 4, 3), np.uint8), "shape"),
        (np.zeros((0, 4, 4, 3), np.uint8), "shape"),
        (np.full((1, 4, 4, 3), 256.0), "0..255"),
        (np.full((1, 4, 4, 3), np.nan), "0..255"),
        (np.full((1, 4, 4, 3), 0.5), "scale inside"),
    ],
)
def test_images_that_are_not_pixels_are_refused(images, problem):
    with pytest.raises(ValueError, match=problem):
        detector.as_pixels(images)


def test_an_all_black_image_is_an_image():
    assert detector.as_pixels(np.zeros((1, 4, 4, 3))).max() == 0


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 1], [[0, 1, 1]]])
def test_labels_that_do_not_fit_are_refused(labels):
    with pytest.raises(ValueError, match="labels"):
        detector.signs(labels, 3)


def test_real_has_the_positive_sign():
    assert detector.signs([0, 1], 2).tolist() == [-1, 1]


def test_a_probability_of_one_half_is_called_fake():
    logits = np.array([-1.0, 0.0, 1.0])  # p_fake .73, .5, .27
    assert detector.is_correct(logits, np.zeros(3, int)).tolist() == [True, True, False]
    assert detector.is_correct(logits, np.ones(3, int)).tolist() == [False, False, True]


def test_batches_do_not_change_the_logits(model, images_and_labels):
    images, _ = images_and_labels
    whole = detector.predict_logits(model, images)
    np.testing.assert_allclose(detector.predict_logits(model, images, batch_size=7), whole, 1e-5)
    np.testing.assert_allclose(model.predict(images, verbose=0)[:, 0], whole, 1e-4, 1e-4)
    assert detector.predict_logits(model, images[:0]).shape == (0,)


def test_a_predictor_gives_calibrated_probabilities_of_fake(model, images_and_labels):
    images, _ = images_and_labels
    logits = detector.predict_logits(model, images)
    np.testing.assert_allclose(
        detector.predictor(model, 2.0)(images), 1 / (1 + np.exp(logits / 2)), rtol=1e-5
    )


def test_compiled_graphs_do_not_keep_a_model_alive(build_detector):
    model = build_detector()
    detector.forward(model), detector.backward(model)
    detector.predict_logits(model, np.zeros((2, 12, 12, 3)))
    gone = weakref.ref(model)
    del model
    keras.backend.clear_session()
    gc.collect()
    assert gone() is None
