"""A network learns from the teachers' probabilities, and only its training labels change."""

import keras
import numpy as np
import pytest

from realfake_lib import training
from realfake_lib.training import distillation, pretrained


@pytest.fixture(scope="module")
def teacher(task, recipe):
    return training.fit("tiny_cnn", *task, recipe, seed=1).model


def test_training_labels_are_mixed_and_all_others_stay(task, teacher):
    dataset, splits = task
    soft = distillation.Lesson(dataset, splits, (teacher,), share=0.5).softened
    elsewhere = np.setdiff1d(np.arange(len(dataset.images)), splits.train)
    assert np.array_equal(soft.labels[elsewhere], dataset.labels[elsewhere])
    images = np.asarray(dataset.images)[splits.train]
    logits = sum(training.predict_logits(teacher, images[:, :, ::step]) for step in (1, -1)) / 2
    expected = 0.5 / (1 + np.exp(-logits)) + 0.5 * dataset.labels[splits.train]
    np.testing.assert_allclose(soft.labels[splits.train], expected, atol=1e-6)
    assert dataset.labels.dtype == np.int8  # the original is as it was


def test_a_high_temperature_makes_teachers_less_sure(task, teacher):
    splits = task[1]
    sure, unsure = (
        distillation.Lesson(*task, (teacher,), 1.0, temperature).softened.labels[splits.train]
        for temperature in (1, 10)
    )
    assert np.all(np.abs(unsure - 0.5) <= np.abs(sure - 0.5) + 1e-6)


def test_a_student_follows_its_teacher_against_the_labels(task, recipe):
    dataset, splits = task
    inputs = keras.Input((16, 16, 3))
    mean = keras.layers.GlobalAveragePooling2D()(inputs)
    contrary = keras.Model(inputs, keras.layers.Dense(1, name="logit")(mean))
    contrary.set_weights([np.full((3, 1), -0.2, "float32"), np.array([72.0], "float32")])
    longer = recipe.replace(epochs=8, learning_rate=2e-2, augment="none")
    images, truth = dataset.images[splits.train], dataset.labels[splits.train] > 0
    for share, right in ((1.0, False), (0.0, True)):
        lesson = distillation.Lesson(dataset, splits, (contrary,), share)
        student = distillation.fit("tiny_cnn", lesson, longer, 4, "fast").model
        agrees = np.mean((training.predict_logits(student, images) > 0) == truth)
        assert (agrees > 0.8) if right else (agrees < 0.2)


def test_a_kept_student_is_found_without_asking_the_teacher(
    task, recipe, teacher, tmp_path, monkeypatch
):
    lesson = distillation.Lesson(*task, (teacher,))
    options = {"checkpoint_dir": tmp_path / "checkpoints"}
    first = distillation.fit("tiny_cnn", lesson, recipe, 4, "fast", **options)
    key = distillation.identity("tiny_cnn", lesson, recipe, 4)
    pretrained.save(first, tmp_path, "fast", 4, key)
    monkeypatch.setattr(distillation, "predict_logits", None)
    lesson = distillation.Lesson(*task, (teacher,))
    again = distillation.fit("tiny_cnn", lesson, recipe, 4, "fast", tmp_path)
    assert again.epochs_run == 0 and "not trained here" in again.reason
    several = distillation.fit_seeds(
        "tiny_cnn", lesson, recipe, [3, 4], "fast", tmp_path, (recipe, [5])
    )
    assert list(several) == [4] and several[4].epochs_run == 0
    other = training.fit("tiny_cnn", *task, recipe, seed=9).model
    of_another = distillation.Lesson(*task, (other,))
    assert distillation.identity("tiny_cnn", of_another, recipe, 4) != key


def test_teachers_are_asked_once_for_all_seeds(task, recipe, teacher, monkeypatch):
    asked = []

    def ask(*arguments):
        asked.append(arguments)
        return training.predict_logits(*arguments)

    monkeypatch.setattr(distillation, "predict_logits", ask)
    lesson = distillation.Lesson(*task, (teacher,))
    short = recipe.replace(epochs=1)
    fits = distillation.fit_seeds("tiny_cnn", lesson, short, [1, 2], "taught")
    assert [fits[seed].epochs_run for seed in (1, 2)] == [1, 1]
    assert len(asked) == 2  # each image and its mirror image


def test_answers_are_noted_for_the_next_process(task, teacher, tmp_path, monkeypatch):
    first = distillation.Lesson(*task, (teacher,), notes=tmp_path).softened.labels
    monkeypatch.setattr(distillation, "predict_logits", None)
    again = distillation.Lesson(*task, (teacher,), notes=tmp_path).softened.labels
    assert np.array_equal(first, again)
    with pytest.raises(TypeError):  # another question has other answers: the teacher is asked
        _ = distillation.Lesson(*task, (teacher, teacher), notes=tmp_path).softened


def test_a_teacher_that_was_read_back_is_the_same_teacher(task, teacher):
    read_back = keras.models.clone_model(teacher)
    read_back.set_weights([w.astype(np.float16).astype(w.dtype) for w in teacher.get_weights()])
    other = keras.models.clone_model(teacher)
    names = [distillation.Lesson(*task, (one,)).named for one in (teacher, read_back, other)]
    assert names[0].fingerprint == names[1].fingerprint != names[2].fingerprint
