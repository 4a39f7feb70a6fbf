"""Detectors for images of ordinary size are scored on sources that no part of them saw."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_panel import table_of

from realfake_lib import image_state
from realfake_lib.data import panel
from realfake_lib.evaluation import held_out, metrics
from realfake_lib.settings import FAKE, REAL


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
        fold = pd.Series(held_out.folds(table, seed))
        assert set(fold[table["label"] == REAL]) == set(range(held_out.FOLDS))
        for group in (
            table["family"].eq("sd1"),
            *(table["repository"].eq(f"y/{i}") for i in range(6)),
        ):
            assert fold[group].nunique() == 1
    drawn = [tuple(held_out.folds(table, seed)) for seed in (0, 0, 1)]
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
        fold = pd.Series(held_out.folds(table, seed)).groupby(table["source"]).unique().str[0]
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
    apart = pd.Series(held_out.apart(table, fold, [0])).groupby(table["source"]).all()
    assert apart.to_dict() == {"one": False, "two": False, "three": True, "r": True}
    assert not held_out.apart(table, fold, [0, 2])[[0, 1, 2, 3, 6, 7]].any()


def test_each_source_counts_by_the_root_of_its_size_and_each_class_alike():
    table = table_of(
        (FAKE, "a", "small", "x/a", 4), (FAKE, "b", "large", "x/b", 16), (REAL, "real", "r", "y", 5)
    )  # fmt: skip
    weight = pd.Series(held_out.weights(table))
    total = weight.groupby(table["source"]).sum()
    assert total["large"] == pytest.approx(2 * total["small"])
    assert total["large"] + total["small"] == pytest.approx(total["r"])
    assert weight.mean() == pytest.approx(1)


def test_calibrated_scores_mean_what_they_say():
    table, _ = many_sources()
    rng = np.random.default_rng(1)
    real = (table["label"] == REAL).to_numpy()
    scores = rng.normal(np.where(real, 0.3, -0.3), 0.5, (3, len(real)))
    slope, intercept = held_out.calibrate(table, scores)
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
    point = held_out.operating_point(table, conditions)
    assert list(point.bands) == ["0.02", "0.05", "0.1", "0.2"]  # 60 sources tell no less
    for rate, (low, high) in point.bands.items():
        told = [held_out.selective(table, each, (low, high)) for each in conditions]
        assert low <= high
        # The photographs of a source yet unknown may all be predicted FAKE.
        worst = max(one["false_positive_rate"] for one in told)
        assert float(rate) - 0.002 <= (60 * worst + 1) / 61 <= float(rate)
        assert max(one["missed"] for one in told) <= float(rate)
    assert point.uncertain_band == point.bands[str(held_out.FALSE_POSITIVES)]


def test_a_promise_holds_for_sources_that_no_band_saw():
    rates = []
    for seed in range(20):
        table, conditions = many_sources(seed=seed)
        fold = held_out.folds(table)[None]
        bands = held_out.bands(table, fold, conditions)
        told = held_out.selective(table, conditions[0], bands)
        rates.append(told["false_positive_rate"])
        low, high = bands
        for held in set(fold[0]):  # one band a fold, as it is chosen without it
            seen = fold[0] != held
            others = held_out.operating_point(table[seen], [one[:, seen] for one in conditions])
            of_fold = low[fold == held], high[fold == held]
            assert all(len(set(ends)) == 1 for ends in of_fold)
            assert (of_fold[0][0], of_fold[1][0]) == others.uncertain_band
    assert np.mean(rates) <= held_out.FALSE_POSITIVES


def test_measures_of_verdicts_by_hand():
    table = table_of(
        (FAKE, "a", "f", "x/a", 4), (REAL, "real", "r", "y/a", 2), (REAL, "real", "s", "y/b", 2)
    )  # fmt: skip
    p_fake = np.array([[0.9, 0.9, 0.5, 0.1, 0.1, 0.5, 0.9, 0.1]])
    told = held_out.selective(table, p_fake, (0.2, 0.8))
    intervals, counts = told.pop("intervals"), told.pop("counts")
    assert counts == {
        "coverage": 8, "balanced_accuracy": 8, "recall": 4, "missed": 4, "false_positive_rate": 4,
        "specificity": 4, "worst_false_positive_rate": 2,
    }  # fmt: skip
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


def test_a_family_of_many_sources_is_drawn_as_one():
    """With 20 sources of one family at 0 and one source of another at 1, the mean is uncertain."""
    fakes = [(FAKE, "many", f"m{at}", f"x/{at}", 4) for at in range(20)] + [
        (FAKE, "one", "o", "x/o", 4)
    ]
    table = table_of(*fakes, *[(REAL, "real", f"r{at}", f"y/{at}", 4) for at in range(5)])
    p_fake = np.where(table["source"] == "o", 0.9, 0.1)[None]
    told = held_out.selective(table, p_fake, (0.2, 0.8))
    assert told["recall"] == pytest.approx(1 / 21)
    assert told["intervals"]["recall"] == [0, 1]
    assert told["intervals"]["false_positive_rate"] == [0, 0]
    fold = np.zeros((1, len(table)), int)
    value, interval, _ = held_out.mean_auroc(table, fold, -p_fake)
    assert value == pytest.approx((20 * 0.5 + 1) / 21) and interval == pytest.approx((0.5, 1))


def test_stylegan_is_told_apart():
    table = table_of(
        (FAKE, "stylegan", "s", "x/s", 4), (FAKE, "b", "f", "x/f", 4), (REAL, "real", "r", "y", 4)
    )
    p_fake = np.array([[0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1]])
    told = held_out.of_stylegan(table, p_fake, (0.2, 0.8), np.zeros(12, bool))
    assert told["stylegan"] == {"recall": 0.25, "missed": 0.75}
    assert told["others"] == {"recall": 0.5, "missed": 0.25}


def test_sources_are_resampled_in_the_order_of_their_names_whatever_the_process():
    names = [f"source{at}" for at in range(10)]
    table = table_of(*[(REAL, "real", name, "x/y", at + 1) for at, name in enumerate(names)][::-1])
    found = held_out._by_source(table, np.zeros((1, len(table))), REAL)
    assert [len(each) for each in found] == list(range(1, 11))


def test_images_in_a_state_that_says_nothing_get_no_verdict():
    table = table_of((FAKE, "a", "f", "x/a", 4), (REAL, "real", "r", "y/a", 4))
    p_fake = np.array([[0.9, 0.9, 0.1, 0.5, 0.9, 0.1, 0.1, 0.5]])
    unfit = np.array([True, False, False, True, True, False, False, False])
    told = held_out.selective(table, p_fake, (0.2, 0.8), unfit)
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
    found = held_out.unfit(panel.Panel(table, tmp_path), ["as_found", "webp"])
    assert {name: each[0] for name, each in found.items()} == {"as_found": True, "webp": True}
    reasons = image_state.reasons(scene // 2 + 60)
    assert found["as_found"][1] == (len(reasons) > 0)


def test_scores_of_held_out_sources_are_read_as_they_were_written(tmp_path):
    table = many_sources()[0].assign(original_width=640, original_height=480, unfit_web=True)
    fold, rng = np.stack([held_out.folds(table)]), np.random.default_rng(0)
    p_fake = {"equalised": rng.random((1, len(table))), "web": rng.random((1, 7))}
    path = tmp_path / "held_out.npz"
    held_out.write(path, table, fold, p_fake)
    read, folds, found = held_out.read(path)
    pd.testing.assert_frame_equal(read, table, check_dtype=False)
    np.testing.assert_array_equal(folds, fold)
    for name, each in p_fake.items():
        np.testing.assert_allclose(found[name], each, atol=1e-3)
