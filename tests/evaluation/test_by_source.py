"""Each source is scored on its own, and totals have intervals over sources."""

import numpy as np
import pytest

from realfake_lib.evaluation import by_source, metrics, resampling

LABELS = np.repeat([0, 0, 1, 1], 50)
SOURCES = np.repeat(["flux", "gan", "phone", "film"], 50)


@pytest.fixture
def p_fake():
    levels = np.repeat([0.8, 0.4, 0.2, 0.6], 50)  # the second and the last go wrong
    return levels + np.random.default_rng(0).uniform(-0.1, 0.1, 200)


def test_a_source_that_goes_wrong_is_seen(p_fake):
    table = by_source.by_source(LABELS, p_fake, SOURCES).set_index("source")
    assert table["class"].to_dict() == {
        "flux": "FAKE", "gan": "FAKE", "film": "REAL", "phone": "REAL",
    }  # fmt: skip
    assert (table["n"] == 50).all()
    assert table["predicted_fake"].round(2).to_dict() == {
        "flux": 1, "gan": 0.0, "film": 1, "phone": 0,
    }  # fmt: skip
    assert table["auroc"].to_dict() == {"flux": 1, "gan": 0.5, "film": 0.5, "phone": 1}
    assert (table["ci_low"] <= table["predicted_fake"]).all()
    assert (table["predicted_fake"] <= table["ci_high"]).all()
    assert table["auroc_low"]["gan"] < 0.5 < table["auroc_high"]["gan"]


def test_without_the_other_class_there_is_no_auroc(p_fake):
    table = by_source.by_source(LABELS[:100], p_fake[:100], SOURCES[:100])
    assert len(table) == 2 and table["auroc"].isna().all()


def test_totals_have_intervals_over_sources(p_fake):
    of_images = metrics.evaluate(LABELS, p_fake)
    of_sources = metrics.evaluate(LABELS, p_fake, groups=SOURCES)
    assert of_sources.accuracy == of_images.accuracy and of_sources.auroc == of_images.auroc
    assert of_sources.intervals["accuracy"] == pytest.approx((0.0, 1.0))
    low, high = of_images.intervals["accuracy"]
    assert high - low < 0.2
    assert list(of_sources.intervals) == list(of_images.intervals)


def test_sources_are_the_folders_below_the_class():
    keys = ["FAKE/a/1.png", "train/REAL/b c/d/1.png", "test/FAKE/1.png", "1.jpg"]
    assert by_source.sources_of(keys).tolist() == ["a", "b c", "", ""]


def test_two_sources_in_each_class_are_enough():
    assert by_source.enough(LABELS, SOURCES)
    assert not by_source.enough(LABELS, np.where(LABELS == 0, "all", SOURCES))
    assert not by_source.enough(LABELS[:100], SOURCES[:100])


def test_fakes_of_each_source_are_ranked_against_the_same_photographs():
    photographs = np.array([-3.0, 0.0, 5.0, 9.0])
    found = by_source.against_photographs({"a": [7.0, 9.0], "b": [100.0]}, photographs)
    assert found["source"].tolist() == ["a", "b"] and found["n"].tolist() == [2, 1]
    np.testing.assert_allclose(found["auroc"], [(3 + 3.5) / 8, 1])
    assert (found["auroc_low"] <= found["auroc"]).all()


def test_the_interval_of_a_mean_over_sources_is_as_wide_as_they_differ():
    assert resampling.mean_interval([0.7] * 9) == pytest.approx((0.7, 0.7))
    values = np.random.default_rng(0).normal(0.7, 0.1, 400)
    low, high = resampling.mean_interval(values)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.15)


def test_sources_of_one_group_are_drawn_together():
    rng = np.random.default_rng(0)
    of_group = rng.normal(0.7, 0.1, 100)
    groups = np.repeat([f"group{at}" for at in range(100)], 4)
    low, high = resampling.mean_interval(of_group.repeat(4), groups)
    assert high - low == pytest.approx(2 * 1.96 * of_group.std() / 10, rel=0.15)
    # A large group counts by its number of sources.
    draws = resampling.mean_draws([1.0, 0.0, 0.0, 0.0], ["a", "b", "b", "b"])
    assert set(np.round(draws, 6)) == {0.0, 0.25, 1.0}
