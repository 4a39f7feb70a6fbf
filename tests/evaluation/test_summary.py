"""The summary's tables say what the chapters' metrics say, and leave out what is missing."""

import pandas as pd
import pytest

from realfake_lib.evaluation import summary


def record(value, low=None, high=None, n=None):
    found = {"value": value}
    if low is not None:
        found["ci"] = [low, high]
    if n is not None:
        found["n"] = n
    return found


@pytest.fixture
def metrics():
    return {
        "detector.test.accuracy": record(0.97, 0.96, 0.98, 20_000),
        "detector.test_dedup.accuracy": record(0.965),
        "detector.parameters": record(288_000),
        "detector.seconds": record(901.6),
        "detector.unseen.all.auroc": record(0.5, 0.45, 0.55, 448),
        "detector.unseen.all.fake_recall": record(0.03, 0.02, 0.05, 448),
        "baseline_original_recipe.test.accuracy": record(0.85, 0.84, 0.86, 20_000),
    }


def test_overview_sets_unknown_generators_in_the_same_row(metrics):
    row = summary.overview(metrics, ["detector"]).loc["detector"]
    assert row["accuracy"] == 0.97
    assert row["unseen: fakes found"] == 0.03
    assert row["training, s"] == 902


def test_overview_leaves_out_what_no_model_has(metrics):
    frame = summary.overview(metrics, ["baseline_original_recipe"])
    assert list(frame.columns) == ["accuracy"]


def test_unseen_has_a_row_per_model_and_generator(metrics):
    frame = summary.unseen(metrics, ["detector", "baseline_original_recipe"])
    assert len(frame) == 1
    row = frame.iloc[0]
    assert (row["generator"], row["auroc_low"], row["fake_recall_high"], row["n"]) == (
        "all",
        0.45,
        0.05,
        448,
    )


def test_unseen_is_empty_without_generators():
    assert summary.unseen({}, ["detector"]).empty


def test_own_and_published_accuracies_are_ranked_together(metrics):
    published = {
        "better": {"title": "Better", "accuracy": 0.98, "source": "s"},
        "worse": {"title": "Worse", "accuracy": 0.9, "source": "s", "params": 5},
        "no_accuracy": {"title": "None", "source": "s"},
    }
    frame = summary.against_published(metrics, ["detector"], published)
    assert list(frame["name"]) == ["Better", "detector", "Worse"]
    assert list(frame["ours"]) == [False, True, False]
    assert frame.loc[1, "low"] == 0.96 and pd.isna(frame.loc[0, "low"])


def test_original_and_own_results_stand_in_one_row(metrics):
    original = {
        "figures": {
            "val_accuracy_worst": 0.753,
            "val_accuracy_best": 0.878,
            "confusion_matrix": [[10000, 0], [10000, 0]],
            "reported_accuracy": 0.5,
            "fgsm_images": 1,
            "comparison_accuracy": [0.59, 0.64],
        }
    }
    robustness = {"detector.pgd_1.accuracy": record(0.82, 0.8, 0.84, 1000)}
    frame = summary.against_original(original, metrics, {}, robustness, {}).set_index("part")
    assert "75.3% to 87.8%" in frame.loc["its network, its recipe", "original report"]
    assert "85.0%" in frame.loc["its network, its recipe", "this report"]
    assert "not available" in frame.loc["transfer learning", "this report"]
    assert "82.0%" in frame.loc["attacks", "this report"]
    transfer = {"efficientnet_lite0_finetuned.test.accuracy": record(0.96)}
    grid = {"trainings": record(45)}
    frame = summary.against_original(original, metrics, transfer, robustness, grid)
    frame = frame.set_index("part")
    assert "45 trainings" in frame.loc["comparison", "this report"]
    assert "96.0%" in frame.loc["transfer learning", "this report"]
