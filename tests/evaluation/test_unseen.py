"""A grid on unseen generators: planted scores come out, and their absence is no error."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

from realfake_lib.evaluation import unseen
from realfake_lib.settings import FAKE, REAL


@dataclass(frozen=True)
class Result:
    """A grid's result of two settings with two seeds each, made up."""

    frame: pd.DataFrame
    labels: np.ndarray
    val_labels: np.ndarray
    logits: np.ndarray
    val_logits: np.ndarray
    unseen_logits: dict = field(default_factory=dict)

    def by_setting(self, values):
        return {name: values[rows.index] for name, rows in self.frame.groupby("setting")}


@pytest.fixture
def result():
    """Both know their own fakes; only "sees" ranks the unseen ones above photographs."""
    rng = np.random.default_rng(0)
    labels = np.tile([FAKE, REAL], 100)
    logits = np.where(labels == REAL, 3.0, -3.0) + rng.normal(size=(4, 200))
    shift = np.array([3.0, 3.0, 0.0, 0.0])[:, None]  # where REAL is, or halfway to FAKE
    fakes = shift + rng.normal(size=(4, 60))
    frame = pd.DataFrame({"setting": ["blind", "blind", "sees", "sees"], "seed": [0, 1, 0, 1]})
    return Result(frame, labels, labels, logits, logits, {"a": fakes[:, :40], "b": fakes[:, 40:]})


def test_a_detector_that_predicts_real_for_unseen_generators_is_at_chance_level(result):
    table = unseen.scores(result).groupby("setting").mean()
    assert table.loc["blind", "unseen_auroc"] == pytest.approx(0.5, abs=0.1)
    assert table.loc["sees", "unseen_auroc"] > 0.95
    assert table.loc["blind", "unseen_recall"] < 0.05 < table.loc["sees", "unseen_recall"]
    assert (table["false_positive_rate"] < 0.05).all()


def test_every_generator_has_its_column_beside_that_of_training(result):
    table = unseen.by_generator(result).set_index("setting")
    assert list(table) == ["training generator", "a", "b"]
    assert list(table.index) == ["blind", "sees"]
    assert (table["training generator"] > 0.99).all()
    assert table.loc["sees", ["a", "b"]].min() > 0.95 > table.loc["blind", ["a", "b"]].max()


def test_a_setting_that_changes_the_auroc_on_unseen_generators_is_significant(result):
    (row,) = unseen.compare(result, [("sees", "blind")]).itertuples()
    assert row.significant and row.difference > 0.35


def test_without_unseen_fakes_their_columns_are_absent(result):
    alone = Result(**{**vars(result), "unseen_logits": {}})
    scored = unseen.scores(alone)
    assert list(scored) == ["setting", "seed"]
    assert list(unseen.by_generator(alone)) == ["setting", "training generator"]


def test_what_does_not_vary_has_no_correlation():
    settings = pd.DataFrame({"accuracy": [0.7, 0.8, 0.9], "unseen_auroc": [0.6, 0.5, 0.4]})
    assert unseen.rank_correlation(settings) == pytest.approx(-1)
    assert unseen.rank_correlation(settings.assign(accuracy=0.5)) == 0
