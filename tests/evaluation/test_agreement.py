"""Errors that detectors share are counted against what chance would give."""

import numpy as np
import pytest

from realfake_lib.evaluation import agreement
from realfake_lib.settings import FAKE, REAL

TRUE = np.array([FAKE, FAKE, FAKE, FAKE, REAL, REAL, REAL, REAL])
# p_fake of an error-free detector, then with errors at the places named.
PERFECT = np.where(TRUE == FAKE, 0.9, 0.1)


def with_errors(*places):
    p_fake = PERFECT.copy()
    p_fake[list(places)] = 1 - p_fake[list(places)]
    return p_fake


@pytest.fixture
def wrong():
    detectors = {"a": with_errors(0, 1, 5), "b": with_errors(1, 5, 6, 7), "c": PERFECT}
    return agreement.errors(TRUE, detectors)


def test_errors_are_where_the_verdict_is_not_the_truth(wrong):
    assert np.flatnonzero(wrong["a"]).tolist() == [0, 1, 5]
    assert not wrong["c"].any()


def test_the_threshold_counts():
    assert agreement.errors(TRUE, {"a": PERFECT}, threshold=0.95)["a"].sum() == 4


def test_shared_errors_stand_beside_what_chance_gives(wrong):
    row = agreement.shared(wrong).iloc[0]
    assert (row["a"], row["b"], row["shared"]) == ("a", "b", 2)
    assert row["by_chance"] == pytest.approx(3 / 8 * 4)
    assert row["overlap"] == pytest.approx(2 / 5)


def test_every_pair_is_there_and_an_empty_overlap_is_no_number(wrong):
    table = agreement.shared({**wrong, "d": wrong["c"]})
    assert len(table) == 6
    assert np.isnan(table.query("a == 'c' and b == 'd'")["overlap"].item())


def test_always_wrong_takes_every_detector(wrong):
    assert not agreement.always_wrong(wrong).any()
    some = {name: wrong[name] for name in "ab"}
    assert np.flatnonzero(agreement.always_wrong(some)).tolist() == [1, 5]


def test_detectors_on_other_images_are_refused():
    with pytest.raises(ValueError):
        agreement.errors(TRUE, {"a": PERFECT[:-1]})
