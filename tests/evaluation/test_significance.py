"""Pins the tests of differences between detectors that saw the same images."""

import numpy as np
import pytest
from scipy import stats

from realfake_lib import evaluation
from realfake_lib.settings import FAKE, REAL

Y = np.repeat([FAKE, REAL], 400)


def detector(skill, seed, noise=None):
    """Probabilities (800,) of a detector; the same ``noise`` makes two of them alike."""
    rng = np.random.default_rng(seed)
    own = rng.normal(0, 2.0, len(Y))
    logits = np.where(Y == REAL, skill, -skill) + (own if noise is None else noise + 0.5 * own)
    return 1 / (1 + np.exp(logits))


def test_mcnemar_counts_the_images_on_which_one_alone_is_right():
    y_true = [FAKE, FAKE, FAKE, REAL, REAL, REAL]
    a = [0.9, 0.9, 0.9, 0.1, 0.9, 0.9]
    b = [0.9, 0.1, 0.1, 0.1, 0.1, 0.9]
    test = evaluation.mcnemar(y_true, a, b)
    counts = (test.both_correct, test.only_a_correct, test.only_b_correct, test.both_wrong)
    assert counts == (2, 2, 1, 1)
    assert test.difference == pytest.approx(1 / 6)
    assert test.p_value == pytest.approx(stats.binomtest(2, 3).pvalue)
    assert test.interval[0] < 1 / 6 < test.interval[1]


def test_mcnemar_finds_nothing_between_a_detector_and_itself():
    test = evaluation.mcnemar(Y, detector(2, 0), detector(2, 0))
    assert (test.difference, test.p_value) == (0, 1)
    assert test.interval[0] < 0 < test.interval[1]


def test_each_detector_can_have_its_own_threshold():
    test = evaluation.mcnemar([FAKE, REAL], [0.4, 0.2], [0.4, 0.2], threshold=(0.3, 0.5))
    assert (test.only_a_correct, test.only_b_correct) == (1, 0)


def test_holms_correction_of_a_hand_worked_case():
    assert evaluation.holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert evaluation.holm([0.9, 0.8]).tolist() == [1, 1]
    assert evaluation.holm([]).size == 0


@pytest.mark.parametrize("values", [[0.1, np.nan], [1.2], [[0.1]]])
def test_holm_refuses_what_is_no_p_value(values):
    with pytest.raises(ValueError, match="p-values"):
        evaluation.holm(values)


def test_delong_and_the_paired_bootstrap_agree():
    shared = np.random.default_rng(5).normal(0, 2.0, len(Y))
    a, b = detector(1.4, 1, shared), detector(1.1, 2, shared)
    by_formula, by_resampling = evaluation.delong(Y, a, b), evaluation.paired_bootstrap(Y, a, b)
    assert by_formula.value == pytest.approx(by_resampling.value)
    assert by_formula.interval == pytest.approx(by_resampling.interval, abs=0.005)
    assert by_formula.p_value < 0.05
    assert by_resampling.p_value < 0.05


def test_pairing_makes_the_interval_of_alike_detectors_narrower():
    shared = np.random.default_rng(5).normal(0, 2.0, len(Y))
    few = {"n_bootstrap": 300}
    alike = evaluation.paired_bootstrap(Y, detector(1, 1, shared), detector(1, 2, shared), **few)
    apart = evaluation.paired_bootstrap(Y, detector(1, 1), detector(1, 2), **few)
    assert np.ptp(alike.interval) < 0.6 * np.ptp(apart.interval)


def test_delong_is_sure_of_two_equal_rankings():
    a = detector(1, 1)
    same = evaluation.delong(Y, a, a / 2)
    assert (same.value, same.p_value) == (0, 1)
    perfect = evaluation.delong(
        [FAKE, FAKE, REAL, REAL], [0.9, 0.8, 0.1, 0.2], [0.1, 0.2, 0.9, 0.8]
    )
    assert (perfect.value, perfect.p_value) == (1, 0)


def test_chance_alone_is_called_significant_about_one_time_in_twenty():
    p_values = []
    for seed in range(200):
        shared = np.random.default_rng([7, seed]).normal(0, 2.0, len(Y))
        a, b = detector(1, [1, seed], shared), detector(1, [2, seed], shared)
        p_values.append((evaluation.delong(Y, a, b).p_value, evaluation.mcnemar(Y, a, b).p_value))
    delong, mcnemar = (np.mean(np.array(p_values) < 0.05, axis=0)).tolist()
    assert 0.01 <= delong <= 0.10
    assert mcnemar <= 0.08  # the exact test is on the safe side


@pytest.mark.parametrize("measure", ["accuracy", "average_precision", "tpr_at_fpr_05", "ece"])
def test_the_paired_bootstrap_compares_any_measure(measure):
    a, b = detector(2, 1), detector(0.5, 2)
    difference = evaluation.paired_bootstrap(Y, a, b, measure, n_bootstrap=200)
    scores = [getattr(evaluation.evaluate(Y, p, n_bootstrap=100), measure) for p in (a, b)]
    assert difference.value == pytest.approx(scores[0] - scores[1])
    assert difference == evaluation.paired_bootstrap(Y, a, b, measure, n_bootstrap=200)


def test_an_unknown_measure_is_refused_with_those_known():
    with pytest.raises(ValueError, match="unknown measure 'auc'; known are accuracy"):
        evaluation.paired_bootstrap(Y, detector(1, 1), detector(1, 2), "auc", n_bootstrap=100)


def test_every_pair_is_compared_and_corrected_for_all():
    detectors = {"good": detector(3, 1), "same": detector(3, 2), "bad": detector(0.3, 3)}
    table = evaluation.compare_all(Y, detectors)
    assert list(zip(table["a"], table["b"], strict=True)) == [
        ("good", "same"), ("good", "bad"), ("same", "bad"),
    ]  # fmt: skip
    assert table["p_holm"].tolist() == evaluation.holm(table["p_value"]).tolist()
    assert (table["p_holm"] < 0.05).tolist() == [False, True, True]
    assert (
        (table["difference_low"] < table["difference"])
        & (table["difference"] < table["difference_high"])
    ).all()
    raised = evaluation.compare_all(Y, detectors, {"good": 1.0, "same": 0.5, "bad": 0.5})
    assert raised["difference"][0] < -0.2


def test_a_comparison_needs_two():
    with pytest.raises(ValueError, match="at least two"):
        evaluation.compare_all(Y, {"alone": detector(1, 1)})


def test_detectors_on_different_images_are_not_compared():
    for compare in (evaluation.mcnemar, evaluation.delong, evaluation.paired_bootstrap):
        with pytest.raises(ValueError, match="800 labels but 799 values"):
            compare(Y, detector(1, 1), detector(1, 2)[:-1])
