"""The summary sets results side by side, and leaves out what is missing."""

import pandas as pd
import pytest

from realfake_lib.evaluation import summary
from realfake_lib.report.values import Number


class Stage(dict):
    """A finished stage's metrics."""

    metrics = property(dict)
    has = dict.__contains__
    value = dict.get


@pytest.fixture
def training():
    return Stage(
        {
            "detector.test.accuracy": Number(0.97, (0.96, 0.98)),
            "detector.test_dedup.accuracy": Number(0.965),
            "detector.parameters": Number(288_000),
            "detector.unseen.all.fake_recall": Number(0.03, (0.02, 0.05)),
            "baseline.test.accuracy": Number(0.85, (0.84, 0.86)),
        }
    )


def test_unseen_generators_and_attacks_stand_beside_the_accuracy(training):
    robustness = Stage({"detector.pgd_1.accuracy": Number(0.8, (0.7, 0.9))})
    frame = summary.by_condition(training, robustness)
    of_detector = frame[frame["detector"] == "detector"].set_index("condition")
    assert of_detector["value"].tolist() == [0.97, 0.03, 0.8]
    assert of_detector.iloc[1][["low", "high"]].tolist() == [0.02, 0.05]
    assert len(frame) == 4


def test_without_results_there_are_no_conditions():
    assert summary.by_condition(Stage()).empty


def test_unseen_generators_are_those_that_were_scored():
    names = ("wgan.auroc", "ddpm.auroc", "ddpm.fake_recall", "all.auroc")
    training = Stage(dict.fromkeys([f"detector.unseen.{name}" for name in names], Number(0.5)))
    assert summary.unseen_generators(training) == ["ddpm", "wgan"]


def test_overview_has_a_row_a_detector_and_no_empty_column(training):
    transfer = Stage({"efficientnet_lite0_finetuned.parameters": Number(5)})
    frame = summary.overview(training, transfer)
    assert list(frame.index) == ["detector", "EfficientNet-Lite0", "baseline, flips only"]
    assert list(frame) == ["accuracy", "accuracy_dedup", "unseen_recall", "parameters"]
    assert frame.loc["detector", "unseen_recall"] == 0.03


def test_own_and_published_accuracies_are_ranked_together(training):
    published = {
        "better": {"title": "Better", "accuracy": 0.98, "source": "s"},
        "worse": {"title": "Worse", "accuracy": 0.9, "source": "s", "params": 5},
        "no_accuracy": {"title": "None", "source": "s"},
    }
    transfer = Stage({"efficientnet_lite0_finetuned.test.accuracy": Number(0.99)})
    frame = summary.against_published(published, training, transfer)
    ranked = ["EfficientNet-Lite0", "Better", "detector", "Worse", "baseline, flips only"]
    assert list(frame["name"]) == ranked
    assert list(frame["ours"]) == [True, False, True, False, True]
    assert frame.loc[2, "low"] == 0.96 and pd.isna(frame.loc[1, "low"])
