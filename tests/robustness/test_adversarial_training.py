"""Adversarial training makes a detector harder to break, and comes out the same twice."""

import warnings

import numpy as np
import pytest
from training.tiny_task import Split, Task

from realfake_lib import training
from realfake_lib.errors import UserError
from realfake_lib.robustness import study
from realfake_lib.training import loop
from realfake_lib.training.adversarial import Attack
from realfake_lib.training.objectives import RealOrFake

RECIPE = training.Recipe(
    epochs=8,
    batch_size=32,
    learning_rate=5e-3,
    augment="flip",
    precision="float32",
    adversarial_epsilon=5.0,
    adversarial_steps=2,
)


@pytest.fixture(scope="module")
def task(training_images_and_labels):
    images, labels = training_images_and_labels
    return Task(images, labels.astype("int8")), Split(np.arange(560), np.arange(560, 600))


@pytest.mark.parametrize("method", [{}, {"trades": 6.0}], ids=["PGD", "TRADES"])
def test_it_leaves_more_accuracy_under_attack_and_keeps_the_clean_one(
    model, task, images_and_labels, method
):
    hardened = training.fit(model, *task, RECIPE.replace(**method)).model
    networks = {"before": model, "after": hardened}
    found = study.accuracy_curves(networks, *images_and_labels, [4], ["pgd"])
    accuracy = found.set_index(["epsilon", "detector"])["accuracy"]
    assert accuracy[4, "after"] > accuracy[4, "before"] + 0.1
    assert accuracy[0, "after"] > accuracy[0, "before"] - 0.05


def test_trades_adds_the_divergence_from_the_own_probability(model, images_and_labels):
    images, labels = images_and_labels[0][:8].astype("float32"), images_and_labels[1][:8]
    objective = RealOrFake(attack=Attack(3.0, 2), trades=6.0)
    both = objective.inputs(model, images, labels, 0).numpy()
    np.testing.assert_array_equal(both[:8], images)
    outputs = model(both, training=False)
    as_is, attacked = np.split(1 / (1 + np.exp(-outputs[:, 0].numpy().astype(float))), 2)
    wanted = as_is * np.log(as_is / attacked) + (1 - as_is) * np.log((1 - as_is) / (1 - attacked))
    np.testing.assert_allclose(objective.beside(labels, outputs), 6 * wanted, rtol=1e-3, atol=1e-5)
    assert wanted.mean() > 1e-3


def test_validation_images_of_both_classes_are_attacked(model, task, monkeypatch):
    dataset, splits = task
    rows = np.argsort(dataset.labels[splits.val], kind="stable")
    seen = []
    monkeypatch.setattr(loop.objectives, "judge", lambda *given: seen.append(given[1]) or (0, 0))
    loop.attacked_accuracy(model, dataset, splits.val[rows], 1.0, at_most=16)
    (labels,) = seen
    assert len(labels) <= 16 and 0 < np.mean(labels) < 1


def test_a_resumed_training_ends_as_an_uninterrupted_one(model, task, tmp_path, monkeypatch):
    def weights(folder=None):
        recipe = RECIPE.replace(epochs=2)
        fit = training.fit(model, *task, recipe, checkpoint_dir=folder)
        return np.concatenate([w.ravel() for w in fit.model.get_weights()])

    save = training.loop.Checkpoint.save

    def save_and_stop(self, *state):
        save(self, *state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training.loop.Checkpoint, "save", save_and_stop)
        weights(tmp_path)
    np.testing.assert_array_equal(weights(tmp_path), weights())


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_each_image_is_attacked_within_a_radius_of_its_own(model, images_and_labels, steps):
    images, labels = images_and_labels[0].astype("float32"), images_and_labels[1]
    moved = Attack(3.0, steps)(model, images, labels.astype("float32"), 0).numpy()
    size = np.abs(moved - images).max(axis=(1, 2, 3))
    assert size.max() <= 3 + 1e-4 and len(np.unique(size.round(3))) > len(size) / 2
    assert moved.min() >= 0 and moved.max() <= 255
    sign = 2 * labels - 1
    before, after = (training.predict_logits(model, x) for x in (images, moved))
    assert (sign * after < sign * before).mean() > 0.9


def test_a_smallest_radius_is_kept(model, images_and_labels):
    images, labels = images_and_labels[0].astype("float32"), images_and_labels[1]
    moved = Attack(3.0, 10)(model, images, labels.astype("float32"), 0, low=1.0).numpy()
    assert (np.abs(moved - images).max(axis=(1, 2, 3)) > 2.9).all()


def test_the_history_has_the_accuracy_under_a_stronger_attack(model, task):
    history = training.fit(model, *task, RECIPE.replace(epochs=2)).history
    assert history["val_attacked_accuracy"].between(0, 1).all()


def test_catastrophic_overfitting_is_named():
    rows = [{"val_attacked_accuracy": share} for share in (0.8, 0.7, 0.1)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loop._warn_of_overfitting("net", rows[:2])
    with pytest.warns(UserWarning, match="catastrophic overfitting in epoch 3"):
        loop._warn_of_overfitting("net", rows)


@pytest.mark.parametrize(
    "wrong",
    [
        {"adversarial_epsilon": -1},
        {"adversarial_epsilon": 300},
        {"adversarial_steps": 0},
        {"trades": -1},
        {"trades": 1, "adversarial_epsilon": 0},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UserError, match="adversarial"):
        RECIPE.replace(**wrong)
