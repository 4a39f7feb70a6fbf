"""Heads that never saw a family of generators, and the pseudo-fakes that they learn from."""

import numpy as np
import pytest

from realfake_lib.data import generators
from realfake_lib.evaluation import by_source
from realfake_lib.training import held_out_families as study

WIDTH = 40


def auroc(fakes, photographs):
    return by_source.against_photographs({"": fakes}, photographs)["auroc"].item()


@pytest.fixture(scope="module")
def photographs():
    low = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3)).astype(np.uint8)
    return np.stack([np.kron(one, np.ones((4, 4, 1), np.uint8)) for one in low])


def test_pseudo_fakes_are_made_of_photographs_and_compressed_as_they_are(photographs):
    found = study.pseudo_fakes(photographs, 12, seed=3)
    assert list(found) == ["averaged", "mixed", "warped"]
    for pixels in found.values():
        assert pixels.shape == (12, 32, 32, 3) and pixels.dtype == np.uint8
    again, other = (study.pseudo_fakes(photographs, 12, seed=seed) for seed in (3, 4))
    for name, pixels in found.items():
        np.testing.assert_array_equal(pixels, again[name])
        assert (pixels != other[name]).any()
    assert len(study.pseudo_fakes(photographs, 99)["mixed"]) == 20


def test_of_equal_photographs_nothing_is_mixed_and_no_contrast_is_lost():
    same = np.broadcast_to(np.float32(90), (2, 32, 32, 3))
    rng = np.random.default_rng(0)
    for kind in study.KINDS.values():
        np.testing.assert_allclose(kind(same, same, rng), 90, atol=1e-3)


def test_an_average_has_the_mean_of_both_and_a_mixture_lies_between_them():
    dark, light = (np.full((3, 32, 32, 3), value, np.float32) for value in (40, 200))
    rng = np.random.default_rng(0)
    assert study.averaged(dark, light, rng).mean() == pytest.approx(120)
    mixture = study.mixed(dark, light, rng)
    assert mixture.min() >= 40 and mixture.max() <= 200 and mixture.std() > 30


def test_a_warp_moves_places_by_at_most_some_pixels_and_smoothly():
    rows = np.broadcast_to(np.arange(32, dtype=np.float32)[None, :, None, None], (4, 32, 32, 3))
    moved = study.warped(rows, rows, np.random.default_rng(0))[:, 8:24, 8:24, 0]
    shifts = moved - rows[:, 8:24, 8:24, 0]
    assert 0.5 < shifts.std() < 3 and np.abs(np.diff(shifts, axis=2)).max() < 2


@pytest.fixture(scope="module")
def known():
    """Two families; what gives one away, statistic 0 or 1, says nothing of the other."""
    rng = np.random.default_rng(0)

    def fakes(n, at):
        values = rng.normal(size=(n, WIDTH))
        values[:, at] += 4
        return values

    tiles = {"gan_a": fakes(150, 0), "gan_b": fakes(120, 0), "ddpm": fakes(90, 1)}
    families = {"gan_a": "gan", "gan_b": "gan", "ddpm": "diffusion"}
    pseudo = {"mixed": fakes(50, 2)}
    return study.Known(rng.normal(size=(400, WIDTH)), pseudo, tiles, families)


def test_a_head_knows_what_it_saw_and_nothing_of_the_family_that_it_did_not(known):
    photographs = np.random.default_rng(1).normal(size=(300, WIDTH))

    def area(head, name):
        return auroc(head(known.tiles[name]), head(photographs))

    without = known.without_family("gan")
    assert area(without, "ddpm") > 0.95 and area(without, "gan_a") < 0.65 > area(without, "gan_b")
    nothing = known.without_family(None)
    assert max(area(nothing, name) for name in known.tiles) < 0.65
    all_of_it = known.head()
    assert min(area(all_of_it, name) for name in known.tiles) > 0.9


def test_examples_of_a_generator_teach_it_and_are_not_scored(known):
    photographs = np.random.default_rng(1).normal(size=(300, WIDTH))
    left = []

    def score(head, rest):
        left.append(set(rest))
        return auroc(head(known.tiles["ddpm"][rest]), head(photographs))

    assert known.after_examples("ddpm", 40, score) > 0.9
    assert [len(one) for one in left] == [50] * 3 and len(set(map(frozenset, left))) == 3


def test_examples_count_as_much_as_all_other_fakes(known, monkeypatch):
    seen = []

    class Ridge(study.Ridge):
        def fit(self, x, y, sample_weight):
            seen.append((y, sample_weight))
            return super().fit(x, y, sample_weight)

    monkeypatch.setattr(study, "Ridge", Ridge)
    known.head(["ddpm"], known.tiles["ddpm"][:10])
    ((signs, weight),) = seen
    others = sum(len(x) for x in known.pseudo.values())
    others += sum(len(x) for name, x in known.tiles.items() if name != "ddpm")
    assert (signs[-10:] == -1).all()  # the examples come last
    fakes = weight[signs == -1]
    assert fakes[others:].sum() == pytest.approx(fakes[:others].sum())
    assert fakes.sum() == pytest.approx(weight[signs == 1].sum())


def test_what_the_detector_takes_for_fake_ranks_above_the_rest():
    scores = study.with_detector([0.3, -2.0, 0.9], [False, True, False])
    assert scores.argmax() == 1 and scores[2] > scores[0]


def test_small_images_are_enlarged_before_their_statistics_are_taken(photographs):
    extract = study.Extractor(weights=None)
    found = extract(generators.compress(photographs[:3]))
    assert found.shape == (3, 896)
    assert np.isfinite(found).all() and found.std() > 0
