"""Numbers write themselves, and a missing one says so."""

import pickle

import pytest

from realfake_lib.report import leave_out
from realfake_lib.report.values import MISSING, Number, better, of


@pytest.mark.parametrize(
    ("written", "number", "spec"),
    [
        ("98.6\u00a0%", 0.98584, "pct"),
        ("98.58\u00a0%", 0.98584, "pct(2)"),
        ("98.4 to 98.7\u00a0%", 0.98584, "ci"),
        ("98.6\u00a0% (98.4 to 98.7\u00a0%)", 0.98584, "pct_ci"),
        ("0.986 (0.984 to 0.987)", 0.98584, "num_ci"),
        ("+0.4\u00a0pp", 0.004, "pp"),
        ("+98.6\u00a0pp (+98.4 to +98.7\u00a0pp)", 0.98584, "pp_ci"),
        ("\u22120.4\u00a0pp", -0.004, "pp"),
        ("0.0\u00a0pp", -0.0004, "pp"),
        ("120,000", 119999.6, "int"),
        ("288\u00a0k", 288001, "short"),
        ("21.7\u00a0M", 21665664, "short"),
        ("3.2\u00a0s", 3.2, "duration"),
        ("4\u00a0min 10\u00a0s", 250, "duration"),
        ("1\u00a0h 05\u00a0min", 3900, "duration"),
        ("0.986", 0.98584, "num"),
        ("0.98584", 0.98584, ".5f"),
        ("0.9858", 0.98584, ""),
        ("20,000", 20000, ""),
        ("∞", float("inf"), "num"),
    ],
)
def test_a_number_is_written_by_its_code(written, number, spec):
    assert format(Number(number, (0.984, 0.987)), spec) == written


def test_an_unknown_code_is_an_error():
    with pytest.raises(ValueError, match="Invalid format"):
        format(Number(1.0), "percent")


@pytest.mark.parametrize("spec", ["pct", "ci", "int", "", ".3f"])
def test_a_missing_number_leaves_a_mark(spec):
    assert format(MISSING, spec) == leave_out.VALUE
    assert format(1 - 2 * MISSING, spec) == leave_out.VALUE


def test_a_number_without_an_interval_is_written_alone_and_an_interval_alone_leaves_a_mark():
    assert format(Number(0.5), "pct_ci") == format(Number(0.5), "pct")
    assert format(Number(0.5), "ci") == leave_out.VALUE


def test_arithmetic_drops_the_interval():
    difference = Number(0.5, (0.4, 0.6)) - 0.25
    assert difference == 0.25 and difference.ci is None and f"{difference:pp}" == "+25.0\u00a0pp"
    assert 1 - Number(0.25) == 0.75 and isinstance(1 / Number(4), Number)


def test_better_looks_at_intervals():
    high, low = Number(0.9, (0.85, 0.95)), Number(0.8, (0.75, 0.84))
    assert better(high, low) is True
    assert better(low, high) is False
    assert better(high, Number(0.8, (0.75, 0.86))) is False
    assert better(high, MISSING) is None


def test_a_number_survives_pickling():
    copy = pickle.loads(pickle.dumps(Number(0.5, (0.4, 0.6), 10)))
    assert (copy, copy.ci, copy.n) == (0.5, (0.4, 0.6), 10)


def test_the_numbers_of_a_tree_write_themselves():
    tree = of({"a": {"b": [0.5, "x", True]}})
    assert f"{tree['a']['b'][0]:pct}" == "50.0\u00a0%"
    assert tree["a"]["b"][1:] == ["x", True]
