"""The operating point keeps the promises that a user of `realfake predict` is given."""

import json

import numpy as np
import pytest

from realfake_lib.evaluation import verdict
from realfake_lib.settings import FAKE, REAL


@pytest.fixture
def overlapping():
    """2,000 labels, and probabilities of FAKE that separate the classes only in part."""
    rng = np.random.default_rng(0)
    y_true = np.repeat([FAKE, REAL], 1000)
    logits = np.where(y_true == REAL, 1.5, -1.5) + rng.normal(size=2000)
    return y_true, logits


def test_the_threshold_has_the_best_balanced_accuracy_of_all():
    y_true = np.array([FAKE, FAKE, REAL, FAKE, REAL, REAL, REAL])
    p_fake = np.array([0.9, 0.8, 0.7, 0.6, 0.3, 0.2, 0.1])
    assert verdict.best_threshold(y_true, p_fake) == pytest.approx(0.45)


def test_of_equal_thresholds_the_one_nearest_one_half_is_taken():
    y_true = np.array([FAKE, REAL, FAKE, REAL])
    p_fake = np.array([0.9, 0.8, 0.4, 0.1])
    # Cuts at 0.85 and at 0.25 both gain one half; 0.25 is nearer to 0.5.
    assert verdict.best_threshold(y_true, p_fake) == pytest.approx(0.25)


def test_equal_scores_are_never_split_by_the_threshold():
    y_true = np.array([FAKE, REAL, FAKE, REAL])
    assert verdict.best_threshold(y_true, np.full(4, 0.5)) in (0.0, 1.0)


def test_at_most_one_per_cent_of_either_class_is_wrong_outside_the_band(overlapping):
    y_true, logits = overlapping
    point = verdict.choose_operating_point(y_true, logits)
    p_fake = point.p_fake(logits)
    low, high = point.uncertain_band
    assert np.mean(p_fake[y_true == FAKE] <= low) == pytest.approx(0.01)
    assert np.mean(p_fake[y_true == REAL] >= high) == pytest.approx(0.01)
    assert low < point.threshold < high


def test_the_band_shrinks_to_the_threshold_where_nothing_is_wrong():
    y_true = np.repeat([FAKE, REAL], 50)
    p_fake = np.where(y_true == FAKE, 0.9, 0.1)
    assert verdict.uncertain_band(y_true, p_fake, threshold=0.5) == (0.5, 0.5)


def test_the_metadata_get_plain_values(overlapping):
    meta = verdict.choose_operating_point(*overlapping).meta()
    assert set(meta) == {"temperature", "threshold", "uncertain_band", "bands"}
    assert [type(value) for value in meta["uncertain_band"]] == [float, float]


def test_one_class_alone_is_refused():
    with pytest.raises(ValueError, match="no REAL image"):
        verdict.best_threshold(np.zeros(3, int), np.array([0.1, 0.2, 0.3]))


def test_a_rate_that_a_user_chooses_is_kept_and_used_up():
    rng = np.random.default_rng(0)
    y_true = np.repeat([0, 1], 1000)
    p_fake = 1 / (1 + np.exp(rng.normal(np.where(y_true == 1, 1.5, -1.5), 1)))
    for rate in verdict.RATES:
        low, high = verdict.band_at(y_true, p_fake, rate)
        assert low <= high
        assert rate - 0.0011 <= np.mean(p_fake[y_true == 1] >= high) <= rate
        assert np.mean(p_fake[y_true == 0] <= low) <= rate


def test_the_bands_go_into_the_metadata():
    logits = np.linspace(-3, 3, 50)
    meta = verdict.choose_operating_point((logits > 0.3).astype(int), logits).meta()
    assert list(meta["bands"]) == [str(rate) for rate in verdict.RATES]
    json.dumps(meta)
