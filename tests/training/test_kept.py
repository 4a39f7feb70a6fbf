"""A kept training is used for exactly the training asked for, and says where it comes from."""

from dataclasses import replace

import pytest
from training.test_loop import same

from realfake_lib import models, training
from realfake_lib.errors import UserError
from realfake_lib.training import kept


@pytest.fixture(scope="module")
def folder(task, recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    fit = training.fit("tiny_cnn", *task, recipe, seed=2)
    key = kept.identity("tiny_cnn", *task, recipe, 2)
    kept.keep(fit, folder, "best", 2, key, commit="abc")
    return fit, folder


def find(task, recipe, folder, network="tiny_cnn", seed=2):
    return kept.find(network, *task, recipe, seed, folder, "best")


def test_it_comes_back_as_it_was(folder, task, recipe):
    fit, place = folder
    found = find(task, recipe, place)
    assert same(found.model, fit.model) and found.history.equals(fit.history)
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
    assert find(task, recipe, place, lambda side: models.build("tiny_cnn", side, width=4)) is None


def test_a_damaged_file_is_named(folder, task, recipe, tmp_path):
    kept.path_of(tmp_path, "best", 2).write_bytes(b"PK nonsense")
    with pytest.raises(UserError, match="best-seed2"):
        find(task, recipe, tmp_path)
