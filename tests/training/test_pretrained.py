"""A checkpoint stands for exactly the training asked for, and says where it comes from."""

from dataclasses import replace

import numpy as np
import pytest

from realfake_lib import models, training
from realfake_lib.errors import UserError
from realfake_lib.training import pretrained


@pytest.fixture(scope="module")
def folder(task, recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trainings")
    fit = training.fit("tiny_cnn", *task, recipe, seed=2)
    key = pretrained.identity("tiny_cnn", *task, recipe, 2)
    pretrained.save(fit, folder, "detector", 2, key, commit="abc")
    return fit, folder


def find(task, recipe, folder, network="tiny_cnn", seed=2):
    return pretrained.find(network, *task, recipe, seed, folder, "detector")


def nearly_the_same(read, trained):
    """Whether the weights differ by the rounding of float16 alone."""
    pairs = zip(read.get_weights(), trained.get_weights(), strict=True)
    return all(
        half.dtype == full.dtype and np.allclose(half, full, rtol=2**-11, atol=2**-25)
        for half, full in pairs
    )


def test_it_comes_back_up_to_half_precision(folder, task, recipe):
    fit, place = folder
    found = find(task, recipe, place)
    assert nearly_the_same(found.model, fit.model)
    assert found.history.equals(fit.history)
    assert found.seconds == fit.seconds and found.origin == {"commit": "abc"}
    assert found.epochs_run == 0 and "not trained here" in found.reason


def test_the_arithmetic_of_the_machine_does_not_matter(folder, task, recipe):
    assert find(task, recipe.replace(precision="auto"), folder[1])


def test_anything_else_does(folder, task, recipe):
    dataset, splits = task
    place = folder[1]
    assert find(task, recipe.replace(epochs=4), place) is None
    assert find((replace(dataset, fingerprint="other"), splits), recipe, place) is None
    assert find((dataset, replace(splits, train=splits.train[1:])), recipe, place) is None
    assert find(task, recipe, place, seed=3) is None
    assert find(task, recipe, place, lambda side: models.build("wide_cnn", side)) is None


def test_a_damaged_file_is_named(folder, task, recipe, tmp_path):
    pretrained.path_of(tmp_path, "detector", 2).write_bytes(b"PK nonsense")
    with pytest.raises(UserError, match="detector-seed2"):
        find(task, recipe, tmp_path)


def test_seeds_with_a_checkpoint_are_not_trained_again(folder, task, recipe):
    fits = pretrained.fit_seeds("tiny_cnn", *task, recipe, [2, 3], "detector", folder[1])
    assert [fits[seed].epochs_run for seed in (2, 3)] == [0, recipe.epochs]
    assert nearly_the_same(fits[2].model, folder[0].model)


def test_with_a_fallback_only_seeds_with_a_checkpoint_are_taken(folder, task, recipe):
    short = recipe.replace(epochs=1)
    arguments = ("tiny_cnn", *task, recipe, [2, 3], "detector", folder[1], (short, [0]))
    fits = pretrained.fit_seeds(*arguments)
    assert list(fits) == [2] and fits[2].epochs_run == 0
    asked = {"recipe": recipe, "fallback": ("short", [0])}
    (notice,) = pretrained.notices({"detector": (fits, asked)}, 160)
    assert "pretrained checkpoints" in notice


@pytest.mark.parametrize("somewhere", [True, False])
def test_the_fallback_is_trained_and_said_where_there_is_no_checkpoint(
    task, recipe, tmp_path, somewhere
):
    short = recipe.replace(epochs=1)
    weights_dir = tmp_path if somewhere else None
    arguments = ("tiny_cnn", *task, recipe, [2, 3], "detector", weights_dir, (short, [5]))
    fits = pretrained.fit_seeds(*arguments)
    assert list(fits) == [5] and fits[5].epochs_run == 1
    (notice,) = pretrained.notices({"d": (fits, {"recipe": recipe, "fallback": ("s", [5])})}, 160)
    assert "shorter recipe s, seeds [5]" in notice


def test_a_training_on_fewer_images_than_a_batch_is_by_its_recipe(task, recipe):
    dataset, splits = task
    few = replace(splits, train=splits.train[:8])
    fits = {0: training.fit("tiny_cnn", dataset, few, recipe)}
    asked = {"recipe": recipe, "fallback": None}
    assert list(pretrained.notices({"detector": (fits, asked)}, 8)) == []
