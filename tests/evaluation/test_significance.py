"""Pins the tests of differences between detectors that saw the same images."""

import numpy as np
import pytest
from scipy import stats

from realfake_lib.evaluation import significance
from realfake_lib.evaluation.comparison import compare_auroc
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
    test = significance.mcnemar(y_true, a, b)
    assert (test.only_a_correct, test.only_b_correct, test.both_wrong) == (2, 1, 1)
    assert test.difference == pytest.approx(1 / 6)
    assert test.p_value == pytest.approx(stats.binomtest(2, 3).pvalue)
    assert test.interval[0] < 1 / 6 < test.interval[1]


def test_mcnemar_finds_nothing_between_a_detector_and_itself():
    test = significance.mcnemar(Y, detector(2, 0), detector(2, 0))
    assert (test.difference, test.p_value) == (0, 1)
    assert test.interval[0] < 0 < test.interval[1]


def test_holms_correction_of_a_hand_worked_case():
    assert significance.holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert significance.holm([0.9, 0.8]).tolist() == [1, 1]
    assert significance.holm([]).size == 0


def test_chance_alone_is_called_significant_about_one_time_in_twenty():
    scores, pairs, exact = {}, [], []
    for seed in range(200):
        shared = np.random.default_rng([7, seed]).normal(0, 2.0, len(Y))
        a, b = detector(1, [1, seed], shared), detector(1, [2, seed], shared)
        scores |= {f"a {seed}": a, f"b {seed}": b}
        pairs.append((f"a {seed}", f"b {seed}"))
        exact.append(significance.mcnemar(Y, a, b).p_value)
    fakes, reals = ({k: v[None, Y == y] for k, v in scores.items()} for y in (FAKE, REAL))
    found = compare_auroc(fakes, reals, pairs, n_bootstrap=2)["p"]  # p needs none
    delong, mcnemar = (np.mean(np.array(p) < 0.05) for p in (found, exact))
    assert 0.01 <= delong <= 0.10
    assert mcnemar <= 0.08  # the exact test is on the safe side


def test_every_pair_is_compared_and_corrected_for_all():
    detectors = {"good": detector(3, 1), "same": detector(3, 2), "bad": detector(0.3, 3)}
    table = significance.compare_all(Y, detectors)
    assert list(zip(table["a"], table["b"], strict=True)) == [
        ("good", "same"), ("good", "bad"), ("same", "bad"),
    ]  # fmt: skip
    assert table["p_holm"].tolist() == significance.holm(table["p_value"]).tolist()
    assert (table["p_holm"] < 0.05).tolist() == [False, True, True]
    assert (
        (table["difference_low"] < table["difference"])
        & (table["difference"] < table["difference_high"])
    ).all()


def test_detectors_on_different_images_are_not_compared():
    with pytest.raises(ValueError, match="800 labels but 799 values"):
        significance.mcnemar(Y, detector(1, 1), detector(1, 2)[:-1])
