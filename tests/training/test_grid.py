"""The grid changes one thing at a time, keeps cells paired, and takes up its finished cells."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from realfake_lib import data, training
from realfake_lib.errors import UserError
from realfake_lib.training import grid

RECIPE = training.Recipe(epochs=1, batch_size=32, augment="none", precision="float32")
STRATEGIES = {"learning rate": {"rate 0.0001": {"learning_rate": 1e-4}}}


@pytest.fixture(scope="module")
def task(demo):
    return demo, data.make_splits(demo, n_train=64)


def test_a_plan_changes_one_thing_at_a_time():
    cells = grid.plan("tiny_cnn", RECIPE, ["tiny_cnn", "seed_cnn"], STRATEGIES, seeds=[0, 1])
    assert [(c.factor, c.setting, c.seed) for c in cells[::2]] == [
        ("baseline", "tiny_cnn", 0),
        ("network", "seed_cnn", 0),
        ("learning rate", "rate 0.0001", 0),
    ]
    assert cells[2].recipe == RECIPE
    assert cells[4].network == "tiny_cnn" and cells[4].recipe.learning_rate == 1e-4


def test_a_strategy_that_changes_nothing_is_refused():
    with pytest.raises(ValueError, match="baseline's own"):
        grid.plan("tiny_cnn", RECIPE, strategies={"batch": {"batch 32": {"batch_size": 32}}})


def test_an_unknown_field_of_a_recipe_is_a_users_mistake():
    with pytest.raises(UserError, match="momentum"):
        grid.plan("tiny_cnn", RECIPE, strategies={"momentum": {"high": {"momentum": 0.99}}})


def test_two_settings_of_one_name_are_refused():
    strategies = {"a": {"x": {"epochs": 2}}, "b": {"x": {"epochs": 3}}}
    with pytest.raises(ValueError, match="different names"):
        grid.plan("tiny_cnn", RECIPE, strategies=strategies)


def test_the_reports_strategies_differ_from_the_plain_recipe_and_can_be_quoted():
    plain = RECIPE.replace(batch_size=64, optimizer="adam", learning_rate=1e-3, weight_decay=0.0)
    cells = grid.plan("seed_cnn", plain, strategies=grid.STRATEGIES, seeds=[0])
    assert len(cells) == 1 + sum(len(options) for options in grid.STRATEGIES.values())
    assert grid.metric_name("learning rate", "rate 0.003") == "learning_rate.rate_0_003"


@pytest.fixture(scope="module")
def outcome(task, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    cells = grid.plan("tiny_cnn", RECIPE, ["seed_cnn"], STRATEGIES, seeds=[1, 0])
    return folder, cells, grid.run(cells, *task, folder, jobs=1, n_val=20, n_test=40)


def test_every_cell_is_a_row_with_its_cost(outcome):
    _, cells, result = outcome
    assert list(result.frame["setting"]) == [cell.setting for cell in cells]
    assert list(result.frame["seed"]) == [cell.seed for cell in cells]
    assert (result.frame["images_seen"] == 64).all()
    assert (result.frame[["parameters", "flops", "seconds"]] > 0).all(axis=None)
    assert result.correct.shape == (6, 40)
    assert result.frame["accuracy"].to_numpy() == pytest.approx(result.correct.mean(axis=1))


def test_predictions_are_ordered_by_seed_within_each_setting(outcome):
    _, _, result = outcome
    by_setting = result.by_setting()
    assert list(by_setting) == ["tiny_cnn", "seed_cnn", "rate 0.0001"]
    np.testing.assert_array_equal(by_setting["seed_cnn"], result.correct[[3, 2]])


def test_the_summary_has_mean_and_spread_over_seeds(outcome):
    summary = outcome[2].summary().set_index("setting")
    accuracies = outcome[2].frame.query("setting == 'seed_cnn'")["accuracy"]
    assert summary.loc["seed_cnn", "accuracy"] == pytest.approx(accuracies.mean())
    assert summary.loc["seed_cnn", "sd"] == pytest.approx(accuracies.std())
    assert summary.loc["seed_cnn", "seeds"] == 2


def test_a_finished_grid_is_read_back_without_training(outcome, task, monkeypatch):
    folder, cells, first = outcome
    monkeypatch.setattr(training, "fit", None)  # calling it fails
    again = grid.run(cells, *task, folder, jobs=2, n_val=20, n_test=40)
    np.testing.assert_array_equal(again.correct, first.correct)
    assert again.frame.equals(first.frame)


def test_other_test_images_load_the_trained_networks(outcome, task, monkeypatch):
    folder, cells, _ = outcome
    fits = []
    fit = training.fit
    monkeypatch.setattr(training, "fit", lambda *a, **k: fits.append(fit(*a, **k)) or fits[-1])
    again = grid.run(cells[:2], *task, folder, jobs=1, n_val=20, n_test=30)
    assert [fit.epochs_run for fit in fits] == [0, 0]
    assert again.correct.shape == (2, 30)


def test_another_recipe_is_trained_anew(outcome, task, monkeypatch):
    folder, cells, _ = outcome
    other = [replace(cells[0], recipe=RECIPE.replace(learning_rate=5e-4))]
    monkeypatch.setattr(training, "fit", None)
    with pytest.raises(TypeError):
        grid.run(other, *task, folder, jobs=1, n_val=20, n_test=40)


def test_a_process_that_joblib_replaces_is_not_worth_a_warning(recwarn):
    told = "A worker stopped while some jobs were given to the executor."
    assert list(grid._in_parallel(_warn, [(told,), ("something else",)], jobs=1)) == [None, None]
    assert [str(warning.message) for warning in recwarn] == ["something else"]


def _warn(message, threads):
    warnings.warn(message, UserWarning, stacklevel=1)


@pytest.mark.slow
def test_processes_find_what_one_process_finds(outcome, task, tmp_path):
    _, cells, first = outcome
    result = grid.run(cells[:2], *task, tmp_path, jobs=2, n_val=20, n_test=40)
    assert result.frame["accuracy"].to_numpy() == pytest.approx(
        first.frame["accuracy"].to_numpy()[:2], abs=0.05
    )
