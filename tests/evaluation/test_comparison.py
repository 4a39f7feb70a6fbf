"""Differences planted in made-up predictions must be found, and luck must not."""

import numpy as np
import pytest

from realfake_lib.evaluation.comparison import against, all_pairs, compare


def _predictions(accuracies, n=2000, seed=0):
    """(k, n) bool: one row a seed, each correct with its own probability."""
    rng = np.random.default_rng(seed)
    return rng.random((len(accuracies), n)) < np.asarray(accuracies)[:, None]


def test_a_difference_in_every_seed_is_called_real():
    correct = {"base": _predictions([0.80] * 3), "better": _predictions([0.90] * 3, seed=1)}
    (row,) = compare(correct, against("base", correct)).itertuples()
    assert row.setting == "better" and row.real
    assert row.low < row.difference < row.high
    assert row.difference == pytest.approx(0.10, abs=0.02)
    assert row.lowest <= row.difference <= row.highest


def test_one_lucky_seed_is_not_a_discovery():
    correct = {"base": _predictions([0.80] * 3), "lucky": _predictions([0.80, 0.80, 0.95], seed=1)}
    (row,) = compare(correct, against("base", correct)).itertuples()
    assert row.difference > 0.03
    assert not row.real
    assert row.low < 0.01


def test_a_difference_that_changes_direction_has_p_one():
    correct = {"base": _predictions([0.8, 0.9]), "other": _predictions([0.9, 0.8], seed=1)}
    (row,) = compare(correct, against("base", correct)).itertuples()
    assert row.p == 1 and not row.real


def test_many_comparisons_raise_the_bar():
    correct = {f"s{i}": _predictions([0.8] * 2, seed=i) for i in range(6)}
    correct["a little better"] = _predictions([0.83] * 2, seed=9)
    alone = compare(correct, [("a little better", "s0")])
    among = compare(correct, against("s0", correct)).set_index("setting")
    assert among.loc["a little better", "p_holm"] > alone["p_holm"][0]


def test_all_pairs_names_each_pair_once():
    assert all_pairs(["a", "b", "c"]) == [("a", "b"), ("a", "c"), ("b", "c")]


def test_identical_predictions_do_not_differ():
    correct = {"a": _predictions([0.8]), "b": _predictions([0.8])}
    (row,) = compare(correct, [("a", "b")]).itertuples()
    assert row.difference == 0 and row.p == 1


def test_settings_tested_on_other_images_are_refused():
    with pytest.raises(ValueError, match="one .* array"):
        compare({"a": _predictions([0.8]), "b": _predictions([0.8], n=10)}, [("a", "b")])
