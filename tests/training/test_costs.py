"""What a training cost is counted from the network and from what was seen, not from the call."""

from types import SimpleNamespace

import pandas as pd
import pytest

from realfake_lib import models
from realfake_lib.training import costs


@pytest.fixture(scope="module")
def tiny():
    return models.build("tiny_cnn", 16)


@pytest.fixture
def loaded_fit(tiny):
    """A training that was loaded from a finished checkpoint: this call ran no epoch."""
    history = pd.DataFrame(
        {"accuracy": [0.6, 0.8], "val_accuracy": [0.7, 0.5], "images": [120, 80], "side": [16, 16]}
    )
    return SimpleNamespace(
        model=tiny, history=history, seconds=2.0, images_per_second=100.0, epochs_run=0
    )


def test_a_loaded_training_still_cost_its_epochs(loaded_fit):
    row = costs.of_fits({"tiny": loaded_fit}).loc["tiny"]
    assert row["epochs"] == 2
    assert row["training_pflop"] == pytest.approx(3 * row["flops"] * 200 / 1e15)
    assert set(row.index) == set(costs.UNITS)


def test_a_window_costs_what_its_pixels_cost(loaded_fit):
    whole = costs.of_fits({"tiny": loaded_fit}).at["tiny", "training_pflop"]
    loaded_fit.history["side"] = [8, 16]
    windows = costs.of_fits({"tiny": loaded_fit}).at["tiny", "training_pflop"]
    assert windows / whole == pytest.approx((120 / 4 + 80) / 200)


def test_the_network_table_counts_layers_that_learn(tiny):
    row = costs.of_networks({"tiny": tiny}).loc["tiny"]
    assert row["parameters"] == models.parameters(tiny)
    assert 0 < row["layers"] < len(tiny.layers)


def test_the_course_of_a_training_shows_its_worst_best_and_last_epoch(loaded_fit):
    found = costs.curve(loaded_fit.history)
    assert found == {
        "epochs": 2,
        "worst": 0.5,
        "best": 0.7,
        "last": 0.5,
        "largest_jump": pytest.approx(0.2),
        "train_last": 0.8,
    }


def test_one_epoch_makes_no_jump(loaded_fit):
    assert costs.curve(loaded_fit.history.iloc[:1])["largest_jump"] == 0


def test_the_speed_of_inference_is_that_of_the_fastest_round(monkeypatch):
    clock = iter([0.0, 5.0, 10.0, 12.0, 20.0, 24.0])
    monkeypatch.setattr(costs.time, "perf_counter", lambda: next(clock))
    assert costs.inference_speed("tiny_cnn", 16, images=8) == 8 / 2


@pytest.fixture
def several():
    """Three trainings of two epochs; the second has the lowest loss at last, the third before."""
    losses = {0: [0.5, 0.3], 1: [0.6, 0.1], 2: [0.05, 0.2]}
    return {
        seed: SimpleNamespace(
            history=pd.DataFrame({"val_loss": loss, "val_accuracy": [0.5, 1 - loss[-1]]})
        )
        for seed, loss in losses.items()
    }


def test_the_training_that_ends_best_is_chosen(several):
    assert costs.lowest_val_loss(several) == 1
