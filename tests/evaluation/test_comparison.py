"""Differences planted in made-up predictions must be found, and luck must not."""

import numpy as np
import pytest
from scipy import stats

from realfake_lib.evaluation.comparison import (
    against,
    all_pairs,
    compare,
    compare_auroc,
    directions,
    metrics,
    not_different,
    pareto,
)
from realfake_lib.evaluation.metrics import delong_covariance


def _predictions(accuracies, n=2000, seed=0):
    """(k, n) bool: one row a seed, each correct with its own probability."""
    rng = np.random.default_rng(seed)
    return rng.random((len(accuracies), n)) < np.asarray(accuracies)[:, None]


def test_a_difference_in_every_seed_is_significant():
    correct = {"base": _predictions([0.80] * 3), "better": _predictions([0.90] * 3, seed=1)}
    (row,) = compare(correct, against("base", correct)).itertuples()
    assert row.setting == "better" and row.significant
    assert row.difference_low < row.difference < row.difference_high
    assert row.difference == pytest.approx(0.10, abs=0.02)


def test_one_lucky_seed_is_not_a_discovery():
    correct = {"base": _predictions([0.80] * 3), "lucky": _predictions([0.80, 0.80, 0.95], seed=1)}
    (row,) = compare(correct, against("base", correct)).itertuples()
    assert row.difference > 0.03
    assert not row.significant
    assert row.difference_low < 0.01


def test_a_difference_that_changes_direction_has_p_one():
    correct = {"base": _predictions([0.8, 0.9]), "other": _predictions([0.9, 0.8], seed=1)}
    (row,) = compare(correct, against("base", correct)).itertuples()
    assert row.p == 1 and not row.significant


def test_many_comparisons_raise_the_bar():
    correct = {f"s{i}": _predictions([0.8] * 2, seed=i) for i in range(6)}
    correct["a little better"] = _predictions([0.83] * 2, seed=9)
    alone = compare(correct, [("a little better", "s0")])
    among = compare(correct, against("s0", correct)).set_index("setting")
    assert among.loc["a little better", "p_holm"] > alone["p_holm"][0]


def test_all_pairs_names_each_pair_once():
    assert all_pairs(["a", "b", "c"]) == [("a", "b"), ("a", "c"), ("b", "c")]


def test_settings_are_named_by_whether_and_in_which_direction_they_differ():
    accuracies = {"base": 0.8, "up": 0.9, "down": 0.7, "same": 0.8}
    correct = {n: _predictions([a] * 2, seed=i) for i, (n, a) in enumerate(accuracies.items())}
    table = compare(correct, against("base", correct))
    assert directions(table) == ("up", "down", "same")
    assert directions(table[table["setting"] == "up"]) == ("up", "none", "none")
    pairs = compare(correct, all_pairs(correct))
    assert not_different(pairs, "same") == ["base"] and not_different(pairs, "up") == []
    (up, *_) = metrics(table.assign(key="network.up"), "difference", ("low", "high"))
    assert up[0] == "network.up.difference" and up[2][0] < up[1] < up[2][1]


def test_identical_predictions_do_not_differ():
    correct = {"a": _predictions([0.8]), "b": _predictions([0.8])}
    (row,) = compare(correct, [("a", "b")]).itertuples()
    assert row.difference == 0 and row.p == 1


def test_settings_tested_on_other_images_are_refused():
    with pytest.raises(ValueError, match="one .* array"):
        compare({"a": _predictions([0.8]), "b": _predictions([0.8], n=10)}, [("a", "b")])


def _scores(shifts, n=600, seed=0):
    """(k, n): scores of the same n images by k trainings, each shifted by its own amount."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=n) + 0.3 * rng.normal(size=(len(shifts), n)) + np.c_[shifts]


def test_a_better_ranking_in_every_seed_is_significant():
    fakes = {"base": _scores([0.5] * 3), "better": _scores([0.9] * 3)}
    reals = {"base": _scores([0] * 3, seed=1), "better": _scores([0] * 3, seed=1)}
    (row,) = compare_auroc(fakes, reals, against("base", fakes)).itertuples()
    assert row.setting == "better" and row.significant
    assert row.difference_low < row.difference < row.difference_high
    assert row.difference == pytest.approx(0.1, abs=0.03)


def test_a_ranking_that_one_seed_turns_round_is_not_a_discovery():
    fakes = {"base": _scores([0.5] * 3), "other": _scores([0.9, 0.9, 0.4])}
    reals = dict.fromkeys(fakes, _scores([0] * 3, seed=1))
    (row,) = compare_auroc(fakes, reals, against("base", fakes)).itertuples()
    assert row.p == 1 and not row.significant and row.difference_low < 0


def test_one_seed_is_compared_as_delong_does():
    fakes, reals = ({n: _scores([s], 80, i) for i, n in enumerate("ab")} for s in (0.4, 0))
    (row,) = compare_auroc(fakes, reals, [("a", "b")]).itertuples()
    y_true = np.repeat([0, 1], 80)
    p_a, p_b = (1 / (1 + np.exp(-np.r_[fakes[name][0], reals[name][0]])) for name in "ab")
    areas, covariance = delong_covariance(y_true, np.stack([p_a, p_b]))
    difference, spread = areas[0] - areas[1], np.sqrt([1, -1] @ covariance @ [1, -1])
    interval = difference - 1.96 * spread, difference + 1.96 * spread
    assert row.difference == pytest.approx(difference)
    assert row.p == pytest.approx(2 * stats.norm.sf(abs(difference) / spread))
    assert (row.difference_low, row.difference_high) == pytest.approx(interval, abs=0.02)


def test_equal_rankings_do_not_differ():
    fakes, reals = dict.fromkeys("ab", _scores([0.4])), dict.fromkeys("ab", _scores([0]))
    (row,) = compare_auroc(fakes, reals, [("a", "b")]).itertuples()
    assert row.difference == 0 and row.p == 1


def test_the_front_holds_what_nothing_beats():
    costs, values = [3, 1, 2, 2, 1], [0.9, 0.5, 0.7, 0.8, 0.4]
    assert pareto(costs, values).tolist() == [True, True, False, True, False]


def test_a_dearer_equal_is_not_on_the_front():
    assert pareto([1, 2], [0.5, 0.5]).tolist() == [True, False]
