"""A detector for images of ordinary size is scored on sources that no part of it saw."""

import dataclasses

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import numpy_helper
from small_panel import table_of

from realfake_lib.evaluation import held_out
from realfake_lib.models import export, texture
from realfake_lib.settings import FAKE, REAL
from realfake_lib.training import real_size

WIDTH = 896


@pytest.fixture(scope="module", autouse=True)
def few_landmarks():
    """Fits of a moment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(real_size, "LANDMARKS", 150)
        yield


@pytest.fixture(scope="module")
def statistics():
    """Ten sources of each class; 40 statistics tell of the class, all of the source."""
    fakes = [(FAKE, f"family{i}", f"fake{i}", f"someone/f{i}", 12 + i) for i in range(10)]
    reals = [(REAL, "real", f"photos{i}", f"someone/r{i}", 12 + i) for i in range(10)]
    table = table_of(*fakes, *reals)
    rng = np.random.default_rng(0)
    own = {name: rng.normal(0, 1, WIDTH) for name in table["source"].unique()}
    base = np.stack([own[name] for name in table["source"]])
    base[:, :40] += np.where(table["label"] == REAL, 1, -1)[:, None]

    def seen():
        return (base + rng.normal(0, 1, base.shape)).astype(np.float16)

    scored = {name: seen() for name in held_out.CONDITIONS}
    return real_size.Statistics(table, np.stack([seen(), seen()], axis=1), scored)


def test_contents_are_told_by_the_statistics_of_the_deepest_stage():
    deepest = texture.statistics(weights=None).output.shape[-1]
    deepest -= texture.statistics(texture.STAGES[:-1], weights=None).output.shape[-1]
    assert deepest == real_size.DEEPEST


def test_no_model_scores_a_row_of_a_group_that_it_saw(statistics):
    """A source's own statistics tell its class to a model that saw it, and to no other."""
    fold = held_out.folds(statistics.table)
    noise = np.arange(WIDTH) >= 40
    blind = real_size.Statistics(
        statistics.table,
        statistics.train * noise,
        {name: values * noise for name, values in statistics.scored.items()},
    )
    aurocs = {}
    for name, each in {"blind": blind, "sighted": statistics}.items():
        parts = [real_size.held_out_scores(each, fold, 0.3, [held]) for held in set(fold)]
        scores = np.nansum([part["web_hard"] for part in parts], axis=0)
        aurocs[name] = held_out.auroc_by_source(each.table, fold, scores)["auroc"]
    assert len(aurocs["blind"]) == 10 and aurocs["blind"].mean() < 0.75
    assert aurocs["sighted"].mean() > 0.95


def test_folds_that_are_held_out_reach_no_model(statistics):
    fold, held = held_out.folds(statistics.table), [2, 4]
    spoilt = real_size.Statistics(
        statistics.table,
        np.where(np.isin(fold, held)[:, None, None], np.float16(1000), statistics.train),
        statistics.scored,
    )
    one, other = (real_size.held_out_scores(each, fold, 0.3, held) for each in (statistics, spoilt))
    for name, scores in one.items():
        np.testing.assert_array_equal(np.isnan(scores), ~np.isin(fold, held))
        np.testing.assert_array_equal(scores, other[name])


def test_choices_are_made_without_the_fold_that_they_are_scored_on(statistics):
    outcome = real_size.nested(statistics, repeats=1, gammas=(0.3, 3))
    assert len(outcome.chosen[0]) == held_out.FOLDS and set(outcome.chosen[0]) <= {0.3, 3}
    for held in (0, 3):
        own = outcome.fold[0] == held
        spoilt = {name: np.where(own[:, None], 9, x) for name, x in statistics.scored.items()}
        train = np.where(own[:, None, None], np.float16(9), statistics.train)
        other = real_size.nested(
            real_size.Statistics(statistics.table, train, spoilt), 1, gammas=(0.3, 3)
        )
        assert other.chosen[0][held] == outcome.chosen[0][held]
    value, (low, high), by_source = held_out.mean_auroc(
        statistics.table, outcome.fold, outcome.scores["equalised"]
    )
    assert low <= value <= high and len(by_source) == 10
    assert value == pytest.approx(by_source["auroc"].mean())


def test_the_panel_alone_is_scored_under_more_deliveries(statistics):
    again = {"again": statistics.scored["equalised"][:60]}
    more = dataclasses.replace(statistics, scored=statistics.scored | again)
    outcome = real_size.nested(more, 1, gammas=[0.3])
    assert outcome.scores["again"].shape == (1, 60)
    first = outcome.scores["equalised"][:, :60]
    np.testing.assert_allclose(outcome.scores["again"], first, atol=1e-4)


def test_the_network_gives_the_logits_of_the_model():
    rng = np.random.default_rng(0)
    light = rng.integers(20, 235, (40, 1, 1, 3))
    pixels = light + rng.integers(-20, 21, (40, texture.SIDE, texture.SIDE, 3))
    pixels = pixels.astype(np.uint8)
    inner = texture.statistics(weights=None)
    found = texture.Extractor(inner)(pixels)
    table = table_of((FAKE, "f", "f", "x/f", 20), (REAL, "real", "r", "y/r", 20))
    model = real_size.fit(found[:, None], table, 0.3)
    made = real_size.network(model, 2.0, 0.5, weights=None)
    for mine in inner.layers:
        if mine.weights:
            made.get_layer(mine.name).set_weights(mine.get_weights())
    expected = 2 * model.predict(found) + 0.5
    assert np.ptp(expected) > 1
    logits = np.asarray(made(pixels.astype("float32")))[:, 0]
    np.testing.assert_allclose(logits, expected, atol=2e-2)
    stored = [
        numpy_helper.to_array(one)
        for one in onnx.load_from_string(export.to_bytes(made)).graph.initializer
    ]
    # Landmarks take a byte for each number.
    assert any(one.shape[:2] == model[1].components_.shape for one in stored if one.dtype == "int8")


def test_classes_count_alike_in_each_group_of_content():
    labels = np.array([FAKE] * 8 + [REAL] * 8)
    content = np.array([0] * 6 + [1] * 2 + [0] * 2 + [1] * 6)
    found = real_size.balanced(np.ones(16), labels, content)
    sums = pd.Series(found).groupby([content, labels]).sum()
    np.testing.assert_allclose(sums, sums.iloc[0])
    assert found.mean() == pytest.approx(1)
    # A group of one class is not left out, and nothing is multiplied without bound.
    alone = real_size.balanced(
        np.ones(4), np.array([FAKE, FAKE, REAL, REAL]), np.array([0, 1, 1, 1])
    )
    assert (alone > 0).all() and alone[0] / alone[1] >= 1 / real_size.MAX_FACTOR**2
