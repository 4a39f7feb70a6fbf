"""Every measure of a detector is defined on the few images that there may be."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from realfake_lib.data import Splits
from realfake_lib.evaluation import (
    audit,
    calibration,
    comparison,
    final,
    metrics,
    significance,
    verdict,
)
from realfake_lib.settings import FAKE, REAL

SIZES = [(1, 1), (2, 2), (4, 4), (4, 40), (40, 2)]
SAYS = {
    "always right": lambda labels, dice: np.where(labels == REAL, 9.0, -9.0),
    "always wrong": lambda labels, dice: np.where(labels == REAL, -9.0, 9.0),
    "always FAKE": lambda labels, dice: np.full(len(labels), -3.0),
    "exactly undecided": lambda labels, dice: np.zeros(len(labels)),
    "at random": lambda labels, dice: dice.normal(size=len(labels)),
}


@pytest.fixture(autouse=True)
def no_warnings():
    """A division by zero on the way would be seen."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


@pytest.fixture(params=SIZES, ids=str)
def labels(request):
    fakes, reals = request.param
    return np.repeat([FAKE, REAL], [fakes, reals]).astype("int8")


@pytest.fixture(params=SAYS)
def logits(request, labels):
    return SAYS[request.param](labels, np.random.default_rng(0)).astype("float32")


def test_every_score_lies_in_its_interval_and_the_interval_in_0_to_1(labels, logits):
    scores = metrics.evaluate(labels, calibration.apply_temperature(logits), n_bootstrap=100)
    for name, value, (low, high) in scores.items():
        assert 0 <= low <= value <= high <= 1, name


def test_an_operating_point_is_chosen(labels, logits):
    point = verdict.choose_operating_point(labels, logits)
    low, high = point.uncertain_band
    assert 0.01 <= point.temperature <= 100 and 0 <= low <= point.threshold <= high <= 1
    assert calibration.reliability(labels, point.p_fake(logits))["n"].sum() == len(labels)


def test_a_final_model_is_scored_and_described(labels, logits):
    rows = np.arange(len(labels))
    splits = Splits(rows, rows, rows, rows, rows)
    dataset = SimpleNamespace(labels=labels)
    said = final.Logits(logits, logits, {"other": logits[:1]})
    result = final.score_logits(said, dataset, splits)
    for _, items, n in result.parts():
        pairs = items.items() if isinstance(items, dict) else items
        assert n >= 1 and all(np.isfinite(value) for _, value, *_ in pairs)
    assert np.isfinite(final.headline_table({"it": result}).to_numpy()).all()
    assert final.metadata(result)["test"]["n"] == len(labels)


def test_detectors_that_say_the_same_do_not_differ(labels, logits):
    p_fake = calibration.apply_temperature(logits)
    pairs = significance.compare_all(labels, {"a": p_fake, "b": p_fake})
    assert pairs["p_holm"].tolist() == [1.0] and pairs["difference"].tolist() == [0.0]
    right = np.tile((logits > 0) == (labels == REAL), (3, 1))
    compared = comparison.compare({"a": right, "b": right}, [("a", "b")], n_bootstrap=100)
    assert not compared["significant"].any() and (compared["difference_low"] == 0).all()


def test_the_originals_mistakes_can_be_made(labels, logits):
    found = audit.mistakes(labels, 1 - calibration.apply_temperature(logits))
    assert found["accuracy"].between(0, 1).all()
