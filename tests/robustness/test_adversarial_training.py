"""Adversarial training makes a detector harder to break, and comes out the same twice."""

import numpy as np
import pytest
from training.tiny_task import Split, Task

from realfake_lib import training
from realfake_lib.robustness import attacks
from realfake_lib.robustness.adversarial import Adversarial

RECIPE = training.Recipe(
    epochs=8, batch_size=32, learning_rate=5e-3, augment="flip", precision="float32"
)


@pytest.fixture(scope="module")
def task(training_images_and_labels):
    images, labels = training_images_and_labels
    return Task(images, labels.astype("int8")), Split(np.arange(560), np.arange(560, 600))


def test_it_leaves_more_accuracy_under_attack_and_keeps_the_clean_one(
    model, task, images_and_labels
):
    hardened = training.fit(model, *task, RECIPE, objective=Adversarial(3.0)).model
    before = attacks.curve(model, *images_and_labels, [0, 4]).accuracy
    after = attacks.curve(hardened, *images_and_labels, [0, 4]).accuracy
    assert after[1] > before[1] + 0.1
    assert after[0] > before[0] - 0.05


def test_a_resumed_training_ends_as_an_uninterrupted_one(model, task, tmp_path, monkeypatch):
    def weights(folder=None):
        recipe = RECIPE.replace(epochs=2)
        fit = training.fit(model, *task, recipe, checkpoint_dir=folder, objective=Adversarial())
        return np.concatenate([w.ravel() for w in fit.model.get_weights()])

    save = training.loop.Checkpoint.save

    def save_and_stop(self, *state):
        save(self, *state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training.loop.Checkpoint, "save", save_and_stop)
        weights(tmp_path)
    np.testing.assert_array_equal(weights(tmp_path), weights())


def test_part_of_the_batch_is_attacked_within_epsilon(model, images_and_labels):
    images, labels = images_and_labels[0].astype("float32"), images_and_labels[1]
    moved = Adversarial(2.0, share=0.25).inputs(model, images, labels.astype("float32"), 0).numpy()
    size = np.abs(moved - images).max(axis=(1, 2, 3))
    attacked = len(images) // 4
    assert (size[:attacked] > 1).all() and (size[:attacked] <= 2 + 1e-4).all()
    assert (size[attacked:] == 0).all()
    sign = 2 * labels[:attacked] - 1
    before, after = (training.predict_logits(model, x[:attacked]) for x in (images, moved))
    assert (sign * after < sign * before).mean() > 0.9


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="share"):
        Adversarial(share=1.5)
