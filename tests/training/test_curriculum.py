"""The curriculum leaves out easy images without bias, and hands out windows in early epochs."""

import numpy as np
import pytest
from training.test_loop import same
from training.tiny_task import make_task

from realfake_lib import training
from realfake_lib.errors import UserError
from realfake_lib.training import augment
from realfake_lib.training.curriculum import Curriculum

RECIPE = training.Recipe(
    epochs=10, data_pruning=0.5, data_pruning_share=0.8, crop_size=0.75, crop_share=0.7
)


@pytest.fixture
def course():
    course = Curriculum(RECIPE, np.arange(1000, 2000), 32, seed=3)
    course.note(np.arange(1000), np.where(np.arange(1000) < 900, 0.01, 2.0))
    return course


def test_hard_images_stay_and_half_of_the_easy_ones_go(course):
    positions, weights = course.epoch(1)
    hard = positions >= 900
    assert hard.sum() == 100 and (weights[hard] == 1).all()
    assert 400 < (~hard).sum() < 500 and (weights[~hard] == 2).all()
    assert len(set(positions)) == len(positions)


def test_the_expected_weight_of_every_image_is_one(course):
    total = np.zeros(1000)
    for seed in range(400):
        course.seed = seed
        positions, weights = course.epoch(1)
        total[positions] += weights / 400
    assert total.mean() == pytest.approx(1, abs=0.01)
    assert abs(total - 1).max() < 0.25


@pytest.mark.parametrize(("images", "batch_size"), [(28, 28), (160, 128), (40, 128)])
def test_nothing_is_left_out_where_less_than_a_batch_would_stay(images, batch_size):
    course = Curriculum(RECIPE.replace(batch_size=batch_size), np.arange(images), 32, seed=0)
    course.note(np.arange(images), np.where(np.arange(images) < images - 1, 0.01, 2.0))
    for epoch in range(10):
        positions, weights = course.epoch(epoch)
        assert sorted(positions) == list(range(images)) and (weights == 1).all()


def test_a_few_images_are_trained_on_by_a_recipe_for_many():
    dataset, splits = make_task(60)
    splits = type(splits)(np.arange(28), np.arange(28, 32))
    recipe = training.RECIPES["short"].replace(epochs=4, least_steps=0)
    fitted = training.fit("tiny_cnn", dataset, splits, recipe)
    assert fitted.history["images"].tolist() == [28] * 4
    assert np.isfinite(fitted.history[["loss", "val_loss"]]).all(axis=None)


@pytest.mark.parametrize("epoch", [0, 8, 9])
def test_first_and_last_epochs_see_everything(course, epoch):
    positions, weights = course.epoch(epoch)
    assert sorted(positions) == list(range(1000)) and (weights == 1).all()


def test_an_image_that_was_never_seen_is_hard(course):
    course.losses[0] = np.inf
    assert all(0 in Curriculum.epoch(course, epoch)[0] for epoch in range(1, 8))


def test_windows_come_first_and_whole_images_last(course):
    assert [course.side(epoch) for epoch in (0, 6, 7, 9)] == [24, 24, 32, 32]
    small = Curriculum(RECIPE, np.arange(10), 16, seed=0)
    assert small.side(0) == 12 and small.side(9) == 16


def test_a_window_is_a_part_of_the_image_to_the_pixel():
    images = np.random.default_rng(0).integers(0, 256, (50, 32, 32, 3), np.uint8)
    windows = augment.policy("none", 24)(images, (0, 1)).numpy()
    places = set()
    for image, window in zip(images, windows, strict=True):
        found = [
            (r, c)
            for r in range(9)
            for c in range(9)
            if (image[r : r + 24, c : c + 24] == window).all()
        ]
        assert len(found) == 1
        places |= set(found)
    assert {r for r, _ in places} == {c for _, c in places} == set(range(9))


def test_a_training_with_windows_and_pruning_learns_resumes_and_repeats(task, tmp_path):
    recipe = training.Recipe(
        epochs=8,
        batch_size=16,
        optimizer="muon",
        data_pruning=0.5,
        crop_size=0.75,
        precision="float32",
    )
    whole = training.fit("tiny_cnn", *task, recipe, seed=1)
    assert whole.history.side.tolist() == [12] * 6 + [16] * 2
    assert whole.history.images[1] < whole.history.images[0]
    assert whole.history.val_accuracy.iloc[-1] > 0.8

    class Stop(Exception):
        pass

    def interrupted(self, *arguments, save=training.loop.Checkpoint.save):
        save(self, *arguments)
        if len(arguments[2]) == 2:
            raise Stop

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.loop.Checkpoint, "save", interrupted)
        with pytest.raises(Stop):
            training.fit("tiny_cnn", *task, recipe, seed=1, checkpoint_dir=tmp_path)
    resumed = training.fit("tiny_cnn", *task, recipe, seed=1, checkpoint_dir=tmp_path)
    assert resumed.resumed_from == 2 and same(resumed.model, whole.model)


def test_a_network_that_flattens_cannot_train_on_windows(task):
    with pytest.raises(UserError, match="one size only"):
        training.fit("baseline_cnn", *task, RECIPE)
