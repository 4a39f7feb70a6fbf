"""Adversarial fine-tuning makes a detector harder to break, and comes out the same twice."""

import keras
import numpy as np
import pytest

from realfake_lib.robustness import adversarial, attacks


@pytest.fixture(scope="module")
def hardened(model, training_images_and_labels):
    return adversarial.fit(
        model, *training_images_and_labels, 3.0, epochs=8, batch_size=32, learning_rate=5e-3
    )


def test_it_leaves_more_accuracy_under_attack_and_keeps_the_clean_one(
    model, hardened, images_and_labels
):
    before = attacks.curve(model, *images_and_labels, [0, 4]).accuracy
    after = attacks.curve(hardened.model, *images_and_labels, [0, 4]).accuracy
    assert after[1] > before[1] + 0.1
    assert after[0] > before[0] - 0.05


def test_the_given_detector_stays_as_it_was(model, training_images_and_labels):
    before = [weights.copy() for weights in model.get_weights()]
    images, labels = training_images_and_labels
    adversarial.fit(model, images[:64], labels[:64], batch_size=32)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_history_has_a_row_an_epoch(hardened):
    history = hardened.history
    assert history.epoch.tolist() == list(range(1, 9))
    assert history.learning_rate.is_monotonic_decreasing
    assert history.learning_rate.iloc[-1] == pytest.approx(0, abs=1e-9)
    assert history.loss.iloc[-1] < history.loss.iloc[0]
    assert hardened.seconds >= history.seconds.sum() * 0.9
    assert hardened.images_per_second > 0


@pytest.mark.parametrize("attack", ["fgsm", "pgd"])
def test_the_same_seed_gives_the_same_weights(training_images_and_labels, attack):
    inputs = keras.Input((12, 12, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(inputs))
    x = keras.layers.Dropout(0.5)(keras.layers.Flatten()(x))
    model = keras.Model(inputs, keras.layers.Dense(1)(x))
    images, labels = training_images_and_labels

    def weights(seed):
        fitted = adversarial.fit(
            model, images[:64], labels[:64], attack=attack, steps=2, batch_size=32, seed=seed
        )
        return np.concatenate([w.ravel() for w in fitted.model.get_weights()])

    np.testing.assert_array_equal(weights(1), weights(1))
    assert not np.array_equal(weights(1), weights(2))


def test_without_attacked_images_it_is_plain_fine_tuning(
    model, training_images_and_labels, monkeypatch
):
    monkeypatch.setattr(attacks, "fgsm", None)  # would fail if it were called
    images, labels = training_images_and_labels
    adversarial.fit(model, images[:64], labels[:64], attacked_share=0, flip=False, batch_size=32)


def test_fewer_images_than_a_batch_are_one_batch(model, training_images_and_labels):
    images, labels = training_images_and_labels
    assert adversarial.fit(model, images[:28], labels[:28], epochs=2).images_per_second > 0


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"attack": "square"}, "square"),
        ({"attacked_share": 1.5}, "attacked_share"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    model, training_images_and_labels, options, problem
):
    with pytest.raises(ValueError, match=problem):
        adversarial.fit(model, *training_images_and_labels, **options)
