"""Pins the original report's two mistakes, and that counting right makes neither."""

import numpy as np
import pytest

from realfake_lib import evaluation
from realfake_lib.evaluation import audit
from realfake_lib.settings import FAKE, REAL

Y = np.repeat([FAKE, REAL], 10_000)
ORIGINAL = [[10_000, 0], [10_000, 0]]


@pytest.fixture(scope="module")
def predictions():
    """p_real (20000, 1) of a detector that is right about nine times in ten."""
    logits = np.random.default_rng(0).normal(np.where(Y == REAL, 1.3, -1.3), 1.0)
    return (1 / (1 + np.exp(-logits)))[:, None]


def test_argmax_of_one_column_is_class_0_for_any_predictions(predictions):
    assert not audit.argmax_over_single_column(predictions).any()
    assert not audit.argmax_over_single_column(1 - predictions).any()


def test_counting_right_agrees_with_the_rest_of_the_library(predictions):
    p_fake = 1 - predictions[:, 0]
    expected = evaluation.evaluate(Y, p_fake, n_bootstrap=100).confusion
    for seed in (0, 1):
        right = audit.mistakes(Y, predictions, seed).loc["neither"]
        assert right["confusion"] == expected.tolist()
    assert np.trace(expected) / len(Y) > 0.85


def test_each_mistake_alone_ruins_the_result(predictions):
    table = audit.mistakes(Y, predictions)
    assert table.loc["both mistakes", "confusion"] == ORIGINAL
    assert table.loc["argmax alone", "confusion"] == ORIGINAL
    assert table.loc["both mistakes", "accuracy"] == 0.5
    assert table.loc["order alone", "accuracy"] == pytest.approx(0.5, abs=0.02)
    assert table.loc["neither", "accuracy"] > 0.85
    assert table["n_called_fake"].tolist()[:2] == [20_000, 20_000]


def test_labels_in_the_order_of_the_predictions_belong_to_them():
    y_true = np.array([FAKE, REAL, REAL, FAKE])
    order = np.array([2, 0, 3, 1])
    assert audit.labels_in_prediction_order(y_true, order).tolist() == [REAL, FAKE, FAKE, REAL]
    assert audit.labels_in_directory_order(y_true, order).tolist() == y_true.tolist()


def test_one_half_is_fake_here_as_everywhere():
    assert audit.threshold_single_column([[0.5], [0.51]]).tolist() == [FAKE, REAL]


@pytest.mark.parametrize("shape", [(4,), (4, 2)])
def test_anything_but_one_column_is_refused(shape):
    with pytest.raises(ValueError, match="one column"):
        audit.argmax_over_single_column(np.zeros(shape))


def test_predictions_and_labels_must_be_as_many():
    with pytest.raises(ValueError, match="3 values but an order of 4"):
        audit.mistakes([FAKE, REAL, REAL, FAKE], np.zeros((3, 1)))
