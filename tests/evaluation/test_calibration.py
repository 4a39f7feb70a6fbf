"""Pins temperatures, reliability tables and thresholds that keep a promised false-alarm rate."""

import numpy as np
import pytest
from scipy.special import expit

from realfake_lib.evaluation import calibration, metrics
from realfake_lib.settings import FAKE, REAL


def drawn_from(logits, seed=0):
    """Labels (n,) that come out REAL as often as the logits say."""
    return (np.random.default_rng(seed).random(len(logits)) < expit(logits)).astype(int)


@pytest.fixture
def logits():
    return np.random.default_rng(1).normal(0, 2.5, 20_000)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_spoilt_the_logits_is_found_again(logits, temperature):
    y_true = drawn_from(logits)
    found = calibration.fit_temperature(logits * temperature, y_true)
    assert found == pytest.approx(temperature, rel=0.05)


def test_the_temperature_agrees_with_sklearns(logits):
    # 1 / temperature is the coefficient of an unregularised logistic regression without intercept.
    from sklearn.linear_model import LogisticRegression

    y_true = drawn_from(logits)
    model = LogisticRegression(C=1e12, fit_intercept=False, tol=1e-8)
    model.fit((2 * logits)[:, None], y_true)
    found = calibration.fit_temperature(2 * logits, y_true)
    assert found == pytest.approx(1 / model.coef_[0, 0], rel=1e-4)


def test_the_temperature_makes_probabilities_honest(logits):
    y_true, shouted = drawn_from(logits), 4 * logits
    temperature = calibration.fit_temperature(shouted, y_true)
    before = metrics.expected_calibration_error(y_true, calibration.apply_temperature(shouted))
    after = metrics.expected_calibration_error(
        y_true, calibration.apply_temperature(shouted, temperature)
    )
    assert before > 0.08
    assert after < 0.015


def test_complete_separation_asks_for_the_lowest_temperature():
    found = calibration.fit_temperature([-1.0, -2.0, 1.0, 2.0], [FAKE, FAKE, REAL, REAL])
    assert found == pytest.approx(calibration.LOWEST_TEMPERATURE, rel=1e-2)


def test_a_high_logit_means_real_and_extremes_do_not_overflow():
    p_fake = calibration.apply_temperature([1e4, 0.0, -1e4])
    assert p_fake.tolist() == [0.0, 0.5, 1.0]
    assert calibration.apply_temperature([2.0], 2.0)[0] == pytest.approx(expit(-1.0))


@pytest.mark.parametrize("temperature", [0, -1, np.nan])
def test_a_temperature_must_be_positive(temperature):
    with pytest.raises(ValueError, match="must be positive"):
        calibration.apply_temperature([0.0], temperature)


def test_the_temperature_needs_both_classes_and_finite_logits():
    with pytest.raises(ValueError, match="no FAKE image"):
        calibration.fit_temperature([1.0, 2.0], [REAL, REAL])
    with pytest.raises(ValueError, match="logits holds NaN"):
        calibration.fit_temperature([1.0, np.inf], [FAKE, REAL])


def test_reliability_of_a_hand_worked_case():
    table = calibration.reliability([FAKE, REAL, FAKE, REAL], [0.94, 0.95, 0.96, 0.0])
    assert table["bin_low"].tolist() == pytest.approx([0.0, 14 / 15])
    assert table["n"].tolist() == [1, 3]
    assert table["mean_p_fake"].tolist() == pytest.approx([0.0, 0.95])
    assert table["fake_share"].tolist() == pytest.approx([0.0, 2 / 3])
    assert tuple(table[["ci_low", "ci_high"]].iloc[1]) == metrics.wilson(2, 3)


def test_reliability_and_calibration_error_speak_of_the_same_bins(logits):
    y_true, p_fake = drawn_from(logits), expit(-2 * logits)
    table = calibration.reliability(y_true, p_fake)
    gap = (table["fake_share"] - table["mean_p_fake"]).abs()
    assert (table["n"] * gap).sum() / len(y_true) == pytest.approx(
        metrics.expected_calibration_error(y_true, p_fake)
    )
