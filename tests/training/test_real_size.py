"""A detector for images of ordinary size is scored on sources that no part of it saw."""

import dataclasses

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import numpy_helper
from PIL import Image

from realfake_lib import image_state
from realfake_lib.data import panel
from realfake_lib.evaluation import metrics
from realfake_lib.models import export, texture
from realfake_lib.settings import FAKE, REAL
from realfake_lib.training import real_size

WIDTH = 896


def table_of(*sources):
    """A table from (label, family, source, repository, n)."""
    rows = [
        (f"{source}/{i}", label, family, source, repository, "panel")
        for label, family, source, repository, n in sources
        for i in range(n)
    ]
    columns = ["file", "label", "family", "source", "repository", "collection"]
    return pd.DataFrame(rows, columns=columns).astype({"label": np.int8})


@pytest.fixture(scope="module", autouse=True)
def few_landmarks():
    """Fits of a moment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(real_size, "LANDMARKS", 150)
        yield


@pytest.fixture(scope="module")
def statistics():
    """Ten families, ten sources of photographs; 40 statistics tell of the class, all of the source."""
    fakes = [(FAKE, f"family{i}", f"fake{i}", f"someone/f{i}", 12 + i) for i in range(10)]
    reals = [(REAL, "real", f"photos{i}", f"someone/r{i}", 12 + i) for i in range(10)]
    table = table_of(*fakes, *reals)
    rng = np.random.default_rng(0)
    own = {name: rng.normal(0, 1, WIDTH) for name in table["source"].unique()}
    base = np.stack([own[name] for name in table["source"]])
    base[:, :40] += np.where(table["label"] == REAL, 1, -1)[:, None]

    def seen():
        return (base + rng.normal(0, 1, base.shape)).astype(np.float16)

    scored = {name: seen() for name in real_size.CONDITIONS}
    return real_size.Statistics(table, np.stack([seen(), seen()], axis=1), scored)


def test_families_and_repositories_are_held_out_whole():
    table = table_of(
        (FAKE, "sd1", "a", "x/a", 9),
        (FAKE, "sd1", "b", "x/b", 5),
        (FAKE, "unknown", "c", "x/quiz", 4),
        (FAKE, "unknown", "d", "x/quiz2", 4),
        (FAKE, "flux", "e", "x/e", 3),
        *[(REAL, "real", f"r{i}", f"y/{i // 2}", 4 + i % 2) for i in range(12)],
    )
    for seed in range(5):
        fold = pd.Series(real_size.folds(table, seed))
        assert set(fold[table["label"] == REAL]) == set(range(real_size.FOLDS))
        for group in (
            table["family"].eq("sd1"),
            *(table["repository"].eq(f"y/{i}") for i in range(6)),
        ):
            assert fold[group].nunique() == 1
    drawn = [tuple(real_size.folds(table, seed)) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_repository_with_both_classes_is_held_out_with_the_families_of_its_fakes():
    table = table_of(
        (FAKE, "stylegan", "faces", "x/pair", 6),
        (REAL, "real", "people", "x/pair", 6),
        (FAKE, "stylegan", "cats", "x/cats", 4),
        (FAKE, "unknown", "quiz", "x/quiz", 4),
        (REAL, "real", "answers", "x/quiz", 4),
        *[(FAKE, f"f{i}", f"fakes{i}", f"z/{i}", 5) for i in range(9)],
        *[(REAL, "real", f"r{i}", f"y/{i}", 5) for i in range(9)],
    )
    for seed in range(5):
        fold = pd.Series(real_size.folds(table, seed)).groupby(table["source"]).unique().str[0]
        assert fold["faces"] == fold["people"] == fold["cats"]
        assert fold["quiz"] == fold["answers"]


def test_what_shares_a_repository_with_the_rows_scored_is_not_trained_on():
    table = table_of(
        (FAKE, "flux", "one", "x/many", 2),
        (FAKE, "sd1", "two", "x/many", 2),
        (FAKE, "sd1", "three", "x/other", 2),
        (REAL, "real", "r", "y/r", 2),
    )
    fold = np.array([0, 0, 1, 1, 1, 1, 2, 2])
    apart = pd.Series(real_size.apart(table, fold, [0])).groupby(table["source"]).all()
    assert apart.to_dict() == {"one": False, "two": False, "three": True, "r": True}
    assert not real_size.apart(table, fold, [0, 2])[[0, 1, 2, 3, 6, 7]].any()


def test_contents_are_told_by_the_statistics_of_the_deepest_stage():
    deepest = texture.statistics(weights=None).output.shape[-1]
    deepest -= texture.statistics(texture.STAGES[:-1], weights=None).output.shape[-1]
    assert deepest == real_size.DEEPEST


def test_each_source_counts_by_the_root_of_its_size_and_each_class_alike():
    table = table_of(
        (FAKE, "a", "small", "x/a", 4), (FAKE, "b", "large", "x/b", 16), (REAL, "real", "r", "y", 5)
    )  # fmt: skip
    weight = pd.Series(real_size.weights(table))
    total = weight.groupby(table["source"]).sum()
    assert total["large"] == pytest.approx(2 * total["small"])
    assert total["large"] + total["small"] == pytest.approx(total["r"])
    assert weight.mean() == pytest.approx(1)


def test_no_model_scores_a_row_of_a_group_that_it_saw(statistics):
    """A source's own statistics tell its class to a model that saw it, and to no other."""
    fold = real_size.folds(statistics.table)
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
        aurocs[name] = real_size.auroc_by_source(each.table, fold, scores)["auroc"]
    assert len(aurocs["blind"]) == 10 and aurocs["blind"].mean() < 0.75
    assert aurocs["sighted"].mean() > 0.95


def test_folds_that_are_held_out_reach_no_model(statistics):
    fold, held = real_size.folds(statistics.table), [2, 4]
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
    assert len(outcome.chosen[0]) == real_size.FOLDS and set(outcome.chosen[0]) <= {0.3, 3}
    for held in (0, 3):
        own = outcome.fold[0] == held
        spoilt = {name: np.where(own[:, None], 9, x) for name, x in statistics.scored.items()}
        train = np.where(own[:, None, None], np.float16(9), statistics.train)
        other = real_size.nested(
            real_size.Statistics(statistics.table, train, spoilt), 1, gammas=(0.3, 3)
        )
        assert other.chosen[0][held] == outcome.chosen[0][held]
    value, (low, high), by_source = real_size.mean_auroc(
        statistics.table, outcome.fold, outcome.scores["equalised"]
    )
    assert low <= value <= high and len(by_source) == 10
    assert value == pytest.approx(by_source["auroc"].mean())


def test_calibrated_scores_mean_what_they_say(statistics):
    rng = np.random.default_rng(1)
    real = (statistics.table["label"] == REAL).to_numpy()
    scores = rng.normal(np.where(real, 0.3, -0.3), 0.5, (3, len(real)))
    slope, intercept = real_size.calibrate(statistics.table, scores)
    assert slope == pytest.approx(0.6 / 0.25, rel=0.3) and abs(intercept) < 0.4


def many_sources(photographs=60, fakes=30, n=40, seed=0):
    """A table of many sources and scores of theirs, which differ from source to source."""
    rows = [(FAKE, f"family{at}", f"f{at}", f"x/{at}", n + at) for at in range(fakes)]
    rows += [(REAL, "real", f"r{at}", f"y/{at}", n + at) for at in range(photographs)]
    table, rng = table_of(*rows), np.random.default_rng(seed)
    centre = {row[2]: rng.normal(0.65 if row[0] == FAKE else 0.35, 0.1) for row in rows}
    scores = rng.normal(table["source"].map(centre), 0.1, (1, len(table)))
    return table, [np.clip(scores + shift, 0, 1) for shift in (0, 0.03)]


def test_bands_promise_a_rate_in_which_each_source_counts_alike():
    table, conditions = many_sources()
    point = real_size.operating_point(table, conditions)
    assert list(point.bands) == ["0.02", "0.05", "0.1", "0.2"]  # 60 sources tell no less
    for rate, (low, high) in point.bands.items():
        told = [real_size.selective(table, each, (low, high)) for each in conditions]
        assert low <= high
        # The photographs of a source yet unknown may all be predicted FAKE.
        worst = max(one["false_positive_rate"] for one in told)
        assert float(rate) - 0.002 <= (60 * worst + 1) / 61 <= float(rate)
        assert max(one["missed"] for one in told) <= float(rate)
    assert point.uncertain_band == point.bands[str(real_size.FALSE_POSITIVES)]


def test_a_promise_holds_for_sources_that_no_band_saw():
    rates = []
    for seed in range(20):
        table, conditions = many_sources(seed=seed)
        fold = real_size.folds(table)[None]
        bands = real_size.held_out_bands(table, fold, conditions)
        told = real_size.selective(table, conditions[0], bands)
        rates.append(told["false_positive_rate"])
        low, high = bands
        for held in set(fold[0]):  # one band a fold, as it is chosen without it
            seen = fold[0] != held
            others = real_size.operating_point(table[seen], [one[:, seen] for one in conditions])
            of_fold = low[fold == held], high[fold == held]
            assert all(len(set(ends)) == 1 for ends in of_fold)
            assert (of_fold[0][0], of_fold[1][0]) == others.uncertain_band
    assert np.mean(rates) <= real_size.FALSE_POSITIVES


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


def test_measures_of_verdicts_by_hand():
    table = table_of(
        (FAKE, "a", "f", "x/a", 4), (REAL, "real", "r", "y/a", 2), (REAL, "real", "s", "y/b", 2)
    )  # fmt: skip
    p_fake = np.array([[0.9, 0.9, 0.5, 0.1, 0.1, 0.5, 0.9, 0.1]])
    told = real_size.selective(table, p_fake, (0.2, 0.8))
    intervals = told.pop("intervals")
    assert intervals["recall"] == [0.5, 0.5]  # of one source alone
    assert intervals["false_positive_rate"] == [0, 0.5]
    assert intervals["worst_false_positive_rate"] == list(metrics.wilson(1, 2))
    assert told == pytest.approx(
        {
            "coverage": 0.75, "balanced_accuracy": (2 / 3 + 2 / 3) / 2, "recall": 0.5,
            "missed": 0.25, "false_positive_rate": 0.25, "worst_false_positive_rate": 0.5,
            "specificity": 0.5,
        }
    )  # fmt: skip


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


def test_sources_are_resampled_in_the_order_of_their_names_whatever_the_process():
    names = [f"source{at}" for at in range(10)]
    table = table_of(*[(REAL, "real", name, "x/y", at + 1) for at, name in enumerate(names)][::-1])
    found = real_size._by_source(table, np.zeros((1, len(table))), REAL)
    assert [len(each) for each in found] == list(range(1, 11))


def test_images_in_a_state_that_says_nothing_get_no_verdict():
    table = table_of((FAKE, "a", "f", "x/a", 4), (REAL, "real", "r", "y/a", 4))
    p_fake = np.array([[0.9, 0.9, 0.1, 0.5, 0.9, 0.1, 0.1, 0.5]])
    unfit = np.array([True, False, False, True, True, False, False, False])
    told = real_size.selective(table, p_fake, (0.2, 0.8), unfit)
    assert told["coverage"] == 0.5 and told["false_positive_rate"] == 0
    assert (told["recall"], told["missed"]) == (0.25, 0.25)


def test_the_state_of_a_crop_is_that_of_the_crop_as_delivered(tmp_path):
    rng = np.random.default_rng(0)
    scene = np.array(
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).resize((256, 256))
    )
    for name, pixels in {"scene": scene // 2 + 60, "blank": np.full_like(scene, 200)}.items():
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    table = pd.DataFrame(
        {"file": ["blank.png", "scene.png"], "original_width": 256, "original_height": 256}
    )
    found = real_size.unfit(panel.Panel(table, tmp_path), ["as_found", "webp"])
    assert {name: each[0] for name, each in found.items()} == {"as_found": True, "webp": True}
    reasons = image_state.reasons(scene // 2 + 60)
    assert found["as_found"][1] == (len(reasons) > 0)


def test_scores_of_held_out_sources_are_read_as_they_were_written(statistics, tmp_path):
    table = statistics.table.assign(original_width=640, original_height=480, unfit_web=True)
    fold, rng = np.stack([real_size.folds(table)]), np.random.default_rng(0)
    p_fake = {"equalised": rng.random((1, len(table))), "web": rng.random((1, 7))}
    path = tmp_path / "held_out.npz"
    real_size.write_held_out(path, table, fold, p_fake)
    read, folds, found = real_size.read_held_out(path)
    pd.testing.assert_frame_equal(read, table, check_dtype=False)
    np.testing.assert_array_equal(folds, fold)
    for name, each in p_fake.items():
        np.testing.assert_allclose(found[name], each, atol=1e-3)
