"""The grid changes one thing at a time, keeps cells paired, and takes up its finished cells."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
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
    cells = grid.plan("tiny_cnn", RECIPE, ["tiny_cnn", "baseline_cnn"], STRATEGIES, seeds=[0, 1])
    assert [(c.factor, c.setting, c.seed) for c in cells[::2]] == [
        ("baseline", "tiny_cnn", 0),
        ("network", "baseline_cnn", 0),
        ("learning rate", "rate 0.0001", 0),
    ]
    assert cells[2].recipe == RECIPE
    assert cells[4].network == "tiny_cnn" and cells[4].recipe.learning_rate == 1e-4


def test_an_unknown_field_of_a_recipe_is_a_users_mistake():
    with pytest.raises(UserError, match="momentum"):
        grid.plan("tiny_cnn", RECIPE, strategies={"momentum": {"high": {"momentum": 0.99}}})


def test_two_settings_of_one_name_are_refused():
    strategies = {"a": {"x": {"epochs": 2}}, "b": {"x": {"epochs": 3}}}
    with pytest.raises(ValueError, match="different names"):
        grid.plan("tiny_cnn", RECIPE, strategies=strategies)


def test_every_optimiser_is_tried_at_its_own_rates_and_the_baseline_once():
    adam = RECIPE.replace(optimizer="adam", weight_decay=0.0, learning_rate=1e-3)
    strategies = grid.optimiser_rates({"Adam": [1e-3, 3e-3], "SGD": [0.01, 0.1]}, adam)
    assert list(strategies[grid.RATES]) == ["Adam, 0.003", "SGD, 0.01", "SGD, 0.1"]
    cells = grid.plan("tiny_cnn", adam, strategies=strategies, seeds=[0])
    assert [(c.recipe.optimizer, c.recipe.learning_rate) for c in cells] == [
        *(("adam", 1e-3), ("adam", 3e-3), ("sgd", 0.01), ("sgd", 0.1))
    ]
    assert grid.metric_name(grid.RATES, "Adam, 0.003") == "optimiser_and_rate.Adam_0_003"
    assert grid.optimiser_rates({}, adam) == {}


@pytest.mark.parametrize(
    ("rates", "words"),
    [({"Lion": [0.1]}, "unknown optimiser 'Lion'"), ({"SGD": [0]}, "positive number")],
)
def test_rates_that_cannot_be_are_a_users_mistake(rates, words):
    with pytest.raises(UserError, match=words):
        grid.optimiser_rates(rates, RECIPE)


def test_the_reports_strategies_differ_from_the_plain_recipe_and_can_be_quoted():
    plain = RECIPE.replace(batch_size=64, optimizer="adam", learning_rate=1e-3, weight_decay=0.0)
    cells = grid.plan("baseline_cnn", plain, strategies=grid.STRATEGIES, seeds=[0])
    assert all(cell.recipe != plain for cell in cells[1:])
    assert len(cells) == 1 + sum(len(options) for options in grid.STRATEGIES.values())
    assert grid.metric_name("batch size", "batch 32") == "batch_size.batch_32"


FAKES = np.random.default_rng(0).integers(0, 255, (6, 32, 32, 3), "uint8")
SMALL = {"n_val": 20, "n_test": 40, "unseen": {"ddpm": FAKES, "wgan": FAKES[:4]}}


@pytest.fixture(scope="module")
def outcome(task, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    cells = grid.plan("tiny_cnn", RECIPE, ["baseline_cnn"], STRATEGIES, seeds=[1, 0])
    return folder, cells, grid.run(cells, *task, folder, jobs=1, **SMALL)


def test_every_cell_is_a_row_with_its_cost(outcome):
    _, cells, result = outcome
    assert list(result.frame["setting"]) == [cell.setting for cell in cells]
    assert list(result.frame["seed"]) == [cell.seed for cell in cells]
    assert (result.frame["images_seen"] == 64).all()
    assert (result.frame[["parameters", "flops", "seconds"]] > 0).all(axis=None)
    assert result.correct.shape == (6, 40)
    assert result.frame["accuracy"].to_numpy() == pytest.approx(result.correct.mean(axis=1))
    assert (result.frame["optimizer"] == "adamw").all()


def test_every_cell_meets_the_unseen_fakes_and_keeps_its_logits(outcome):
    _, _, result = outcome
    assert {name: found.shape for name, found in result.unseen_logits.items()} == {
        "ddpm": (6, 6),
        "wgan": (6, 4),
    }
    np.testing.assert_allclose(
        result.unseen_logits["ddpm"][:, :4], result.unseen_logits["wgan"], rtol=1e-4, atol=1e-5
    )
    assert result.logits.shape == (6, 40) and result.labels.shape == (40,)
    assert result.val_logits.shape == (6, 20) and result.val_labels.shape == (20,)


def test_unseen_fakes_take_the_size_of_the_data(task, tmp_path):
    cells = grid.plan("tiny_cnn", RECIPE, seeds=[0])
    large = np.repeat(np.repeat(FAKES, 2, axis=1), 2, axis=2)
    result = grid.run(cells, *task, tmp_path, jobs=1, **SMALL | {"unseen": {"large": large}})
    assert result.unseen_logits["large"].shape == (1, 6)


def test_predictions_are_ordered_by_seed_within_each_setting(outcome):
    _, _, result = outcome
    by_setting = result.by_setting()
    assert list(by_setting) == ["tiny_cnn", "baseline_cnn", "rate 0.0001"]
    np.testing.assert_array_equal(by_setting["baseline_cnn"], result.correct[[3, 2]])


def test_the_summary_has_mean_and_spread_over_seeds(outcome):
    summary = outcome[2].summary().set_index("setting")
    accuracies = outcome[2].frame.query("setting == 'baseline_cnn'")["accuracy"]
    assert summary.loc["baseline_cnn", "accuracy"] == pytest.approx(accuracies.mean())
    assert summary.loc["baseline_cnn", "accuracy_sd"] == pytest.approx(accuracies.std())
    assert summary.loc["baseline_cnn", "key"] == "network.baseline_cnn"


def test_a_finished_grid_is_read_back_without_training(outcome, task, monkeypatch):
    folder, cells, first = outcome
    monkeypatch.setattr(training, "fit", None)  # calling it fails
    again = grid.run(cells, *task, folder, jobs=2, **SMALL)
    np.testing.assert_array_equal(again.correct, first.correct)
    assert again.frame.equals(first.frame)


def test_other_test_images_load_the_trained_networks(outcome, task, monkeypatch):
    folder, cells, _ = outcome
    fits = []
    fit = training.fit
    monkeypatch.setattr(training, "fit", lambda *a, **k: fits.append(fit(*a, **k)) or fits[-1])
    again = grid.run(cells[:2], *task, folder, jobs=1, n_val=20, n_test=30)
    assert [fit.epochs_run for fit in fits] == [0, 0]
    assert again.correct.shape == (2, 30) and again.unseen_logits == {}


def test_the_best_rate_is_the_one_of_the_validation_images(outcome):
    rows = [("adam", 1e-3, 0.8, 0.7), ("sgd", 0.01, 0.6, 0.9), ("sgd", 0.1, 0.7, 0.5)]
    names = ["optimizer", "learning_rate", "val_accuracy", "accuracy"]
    frame = pd.DataFrame(rows, columns=names).assign(factor=["baseline", grid.RATES, grid.RATES])
    frame["setting"] = ["tiny_cnn", "SGD, 0.01", "SGD, 0.1"]
    (best,) = replace(outcome[2], frame=frame).best_rates().itertuples()
    assert (best.optimiser, best.setting, best.accuracy) == ("SGD", "SGD, 0.1", 0.5)
    assert best.at_the_edge


def test_another_recipe_is_trained_anew(outcome, task, monkeypatch):
    folder, cells, _ = outcome
    other = [replace(cells[0], recipe=RECIPE.replace(learning_rate=5e-4))]
    monkeypatch.setattr(training, "fit", None)
    with pytest.raises(TypeError):
        grid.run(other, *task, folder, jobs=1, **SMALL)


def test_a_process_that_joblib_replaces_is_not_worth_a_warning(recwarn):
    told = "A worker stopped while some jobs were given to the executor."
    assert list(grid._in_parallel(_warn, [(told,), ("something else",)], jobs=1)) == [None, None]
    assert [str(warning.message) for warning in recwarn] == ["something else"]


def _warn(message, threads):
    warnings.warn(message, UserWarning, stacklevel=1)


@pytest.mark.slow
def test_processes_find_what_one_process_finds(outcome, task, tmp_path):
    _, cells, first = outcome
    result = grid.run(cells[:2], *task, tmp_path, jobs=2, **SMALL)
    assert result.frame["accuracy"].to_numpy() == pytest.approx(
        first.frame["accuracy"].to_numpy()[:2], abs=0.05
    )
