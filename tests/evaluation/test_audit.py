"""Pins the original report's two mistakes, and that a correct evaluation makes neither."""

import numpy as np
import pytest

from realfake_lib.evaluation import audit, metrics
from realfake_lib.settings import FAKE, REAL

Y = np.repeat([FAKE, REAL], 10_000)
ORIGINAL = [[10_000, 0], [10_000, 0]]


@pytest.fixture(scope="module")
def p_real():
    """Of a detector that is right about nine times in ten."""
    logits = np.random.default_rng(0).normal(np.where(Y == REAL, 1.3, -1.3), 1.0)
    return 1 / (1 + np.exp(-logits))


def test_without_mistakes_it_agrees_with_the_rest_of_the_library(p_real):
    expected = metrics.evaluate(Y, 1 - p_real, n_bootstrap=100)
    for seed in (0, 1):
        correct = audit.mistakes(Y, p_real, seed).loc["neither"]
        assert (correct["confusion"] == expected.confusion).all()
        assert correct["accuracy"] == expected.accuracy > 0.85


def test_each_mistake_alone_ruins_the_result(p_real):
    table = audit.mistakes(Y, p_real)
    for name in ("both mistakes", "argmax alone"):
        assert table.loc[name, "confusion"].tolist() == ORIGINAL
        assert table.loc[name, "accuracy"] == 0.5
    assert table.loc["order alone", "accuracy"] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("shape", [(3,), (4, 1)])
def test_predictions_and_labels_must_be_as_many(shape):
    with pytest.raises(ValueError, match="p_real"):
        audit.mistakes([FAKE, REAL, REAL, FAKE], np.zeros(shape))
