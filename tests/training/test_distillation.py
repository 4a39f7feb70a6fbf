"""A network is trained on the ensemble's probabilities, and only its training labels change."""

import keras
import numpy as np
import pytest

from realfake_lib import training
from realfake_lib.training import distillation, features, pretrained


@pytest.fixture(scope="module")
def teacher(task, recipe):
    return training.fit("tiny_cnn", *task, recipe, seed=1).model


def test_training_labels_become_soft_and_all_others_stay(task, teacher):
    dataset, splits = task
    soft = distillation.SoftLabels(dataset, splits, (teacher,), share=0.5).relabelled
    elsewhere = np.setdiff1d(np.arange(len(dataset.images)), splits.train)
    assert np.array_equal(soft.labels[elsewhere], dataset.labels[elsewhere])
    images = np.asarray(dataset.images)[splits.train]
    logits = sum(training.predict_logits(teacher, images[:, :, ::step]) for step in (1, -1)) / 2
    expected = 0.5 / (1 + np.exp(-logits)) + 0.5 * dataset.labels[splits.train]
    np.testing.assert_allclose(soft.labels[splits.train], expected, atol=1e-6)
    assert dataset.labels.dtype == np.int8  # the original is as it was


def test_a_high_temperature_makes_soft_labels_less_certain():
    logits, labels = np.array([-3.0, 0.5, 4.0]), np.array([0, 1, 1])
    cold, hot = (distillation.soft_labels(logits, labels, 1.0, t) for t in (1, 10))
    assert np.all(np.abs(hot - 0.5) < np.abs(cold - 0.5))


def test_a_student_follows_the_ensemble_against_the_labels(task, recipe):
    dataset, splits = task
    inputs = keras.Input((16, 16, 3))
    mean = keras.layers.GlobalAveragePooling2D()(inputs)
    contrary = keras.Model(inputs, keras.layers.Dense(1, name="logit")(mean))
    contrary.set_weights([np.full((3, 1), -0.2, "float32"), np.array([72.0], "float32")])
    longer = recipe.replace(epochs=8, learning_rate=2e-2, augment="none")
    images, truth = dataset.images[splits.train], dataset.labels[splits.train] > 0
    for share, correct in ((1.0, False), (0.0, True)):
        soft = distillation.SoftLabels(dataset, splits, (contrary,), share)
        student = distillation.fit_seeds("tiny_cnn", soft, longer, [4], "fast")[4].model
        agrees = np.mean((training.predict_logits(student, images) > 0) == truth)
        assert (agrees > 0.8) if correct else (agrees < 0.2)


def test_a_checkpoint_is_found_before_the_ensemble_sees_an_image(
    task, recipe, teacher, tmp_path, monkeypatch
):
    soft = distillation.SoftLabels(*task, (teacher,))
    options = {"checkpoint_dir": tmp_path / "checkpoints"}
    first = distillation.fit_seeds("tiny_cnn", soft, recipe, [4], "fast", **options)[4]
    key = pretrained.identity("tiny_cnn", soft.named, soft.splits, recipe, 4)
    pretrained.save(first, tmp_path, "fast", 4, key)
    monkeypatch.setattr(features, "predict_logits", None)
    soft = distillation.SoftLabels(*task, (teacher,))
    several = distillation.fit_seeds(
        "tiny_cnn", soft, recipe, [3, 4], "fast", tmp_path, (recipe, [5])
    )
    assert list(several) == [4] and several[4].epochs_run == 0
    assert "not trained here" in several[4].reason
    other = training.fit("tiny_cnn", *task, recipe, seed=9).model
    of_another = distillation.SoftLabels(*task, (other,))
    assert pretrained.identity("tiny_cnn", of_another.named, task[1], recipe, 4) != key


def test_soft_labels_are_computed_once_for_all_seeds(task, recipe, teacher, monkeypatch):
    predicted = []

    def predict(*arguments):
        predicted.append(arguments)
        return training.predict_logits(*arguments)

    monkeypatch.setattr(features, "predict_logits", predict)
    soft = distillation.SoftLabels(*task, (teacher,))
    short = recipe.replace(epochs=1)
    fits = distillation.fit_seeds("tiny_cnn", soft, short, [1, 2], "distilled")
    assert [fits[seed].epochs_run for seed in (1, 2)] == [1, 1]
    assert len(predicted) == 2  # each image as it is and flipped


def test_logits_are_read_back_by_the_next_process(task, teacher, tmp_path, monkeypatch):
    first = distillation.SoftLabels(*task, (teacher,), cache=tmp_path).relabelled.labels
    direct = distillation.SoftLabels(*task, (teacher,)).relabelled.labels
    np.testing.assert_allclose(first, direct, atol=1e-6)
    monkeypatch.setattr(features, "predict_logits", None)
    again = distillation.SoftLabels(*task, (teacher,), cache=tmp_path).relabelled.labels
    assert np.array_equal(first, again)


def test_an_ensemble_that_was_read_back_is_the_same_ensemble(task, teacher):
    read_back = keras.models.clone_model(teacher)
    read_back.set_weights([w.astype(np.float16).astype(w.dtype) for w in teacher.get_weights()])
    one, same = (distillation.SoftLabels(*task, (each,)).named for each in (teacher, read_back))
    assert one.fingerprint == same.fingerprint
