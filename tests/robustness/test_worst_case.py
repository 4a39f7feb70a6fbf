"""Several attacks in a row on each image, and results that are kept for one measurement alone."""

import dataclasses
import json

import numpy as np
import pytest

from realfake_lib.errors import UserError
from realfake_lib.robustness import attacks, detector, worst_case

EPSILONS = [1.0, 4.0, 16.0]
EFFORT = worst_case.Effort(n=40, steps=4, restarts=1, queries=20)


@pytest.fixture(scope="module")
def found(model, images_and_labels):
    images, labels = images_and_labels
    return worst_case.standing(model, images[:40], labels[:40], EPSILONS, EFFORT)


def test_no_attack_and_no_larger_radius_brings_an_image_back(model, images_and_labels, found):
    images, labels = images_and_labels
    assert found.shape == (3, len(EPSILONS), 40) and found.dtype == bool
    untouched = detector.is_correct(detector.predict_logits(model, images[:40]), labels[:40])
    assert (found <= untouched).all()
    assert (np.diff(found.astype(int), axis=0) <= 0).all()
    assert (np.diff(found.astype(int), axis=1) <= 0).all()
    assert 0 < found[-1].mean() < untouched.mean()


def test_what_pgd_breaks_is_broken(model, images_and_labels, found):
    images, labels = (array[:40] for array in images_and_labels)
    alone = attacks.survivors(model, images, labels, EPSILONS, "pgd", steps=4)
    for row, epsilon in enumerate(EPSILONS):
        np.testing.assert_array_equal(found[0, row], alone[epsilon])


def test_each_attack_tries_what_those_before_it_left(model, images_and_labels, monkeypatch):
    images, labels = images_and_labels
    seen = {}

    def breaks_first(name):
        def attack(model, images, labels, *rest, **options):
            seen.setdefault(name, []).append(len(labels))
            turned = images.astype("float32").copy()
            turned[0] = np.nan
            return (turned, np.where(np.arange(len(labels)) == 0, 0.5, np.inf))[::1]

        return attack

    monkeypatch.setattr(worst_case, "minimum_norm", breaks_first("FMN"))
    monkeypatch.setattr(attacks, "pgd", lambda model, images, *rest, **options: images)
    monkeypatch.setattr(attacks, "square", lambda model, images, *rest, **options: images)
    found = worst_case.standing(model, images, labels, EPSILONS, EFFORT)
    counts = found.sum(axis=-1)
    assert (counts[1] == counts[0] - 1).all()  # half a grey level lies within every radius
    assert (counts[2] == counts[1]).all()
    assert seen["FMN"] == [counts[0, 0]]


def test_images_are_measured_alike_in_parts(model, images_and_labels, found):
    images, labels = images_and_labels
    rows = np.arange(20, 40)
    part = worst_case.standing(model, images[rows], labels[rows], EPSILONS, EFFORT, indices=rows)
    assert (part == found[..., 20:40]).mean() > 0.98  # sums are rounded by the size of a batch


def test_a_result_is_used_for_the_very_measurement_alone(
    model, images_and_labels, found, tmp_path, build_detector
):
    images, labels = images_and_labels
    key = worst_case.identity(model, images[:40], labels[:40], EPSILONS, EFFORT, 0)
    marked = ~found  # so that it is told from a measurement made now
    worst_case.save(marked, tmp_path, "net", key, commit="abc")

    def measured(model=model, images=images, effort=EFFORT, **options):
        return worst_case.measure(
            model, images, labels, EPSILONS, effort, "net", folder=tmp_path, **options
        )

    result = measured()
    np.testing.assert_array_equal(result.standing[:, 1:], marked)
    assert result.kept and len(result.labels) == 40 and result.effort == EFFORT
    assert list(worst_case.notices({"net": result}, EFFORT, "stage")) == [
        "The attacks of the worst case were not run here: their results are in "
        "experiments/attacks. To run them (hours): SET=stage.use_pretrained=false"
    ]

    result = measured(effort=dataclasses.replace(EFFORT, n=60))
    np.testing.assert_array_equal(result.standing[:, 1:], marked)
    assert result.kept and len(result.labels) == 40
    *_, notice = worst_case.notices({"net": result}, dataclasses.replace(EFFORT, n=60), "stage")
    assert "the worst case of 40 of 60 images" in notice

    light = worst_case.Effort(n=8, steps=1, restarts=1, queries=1)
    others = [
        {"model": build_detector()},
        {"images": 255 - images},
        {"seed": 1},
        {"effort": worst_case.Effort(n=40, steps=5, restarts=1, queries=20)},
    ]
    for other in others:
        result = measured(fallback=light, **other)
        assert result.standing.shape == (3, 1 + len(EPSILONS), 8) and len(result.labels) == 8
        assert not result.kept and result.effort == light
        (notice,) = worst_case.notices({"net": result}, EFFORT, "stage")
        assert "less effort: 8 images" in notice
    with np.load(tmp_path / "net.npz") as saved:
        assert json.loads(str(saved["meta"]))["origin"] == {"commit": "abc"}


def test_a_damaged_file_is_named(model, images_and_labels, tmp_path):
    (tmp_path / "net.npz").write_bytes(b"PK\3\4 no more")
    with pytest.raises(UserError, match="net.npz cannot be read"):
        worst_case.measure(model, *images_and_labels, EPSILONS, EFFORT, "net", folder=tmp_path)


def test_accuracies_are_those_of_the_attacks_and_start_without_one(model, images_and_labels, found):
    images, labels = images_and_labels
    result = worst_case.measure(model, images, labels, EPSILONS, EFFORT, "net")
    table = result.accuracies()
    assert table["attack"].unique().tolist() == list(worst_case.STAGES)
    last = table[table["attack"] == worst_case.STAGES[-1]]
    untouched = detector.is_correct(detector.predict_logits(model, images[:40]), labels[:40])
    assert last["accuracy"].tolist() == [untouched.mean(), *found[-1].mean(axis=-1)]
    assert last["n"].eq(40).all()
    names = {name: value for name, value, *_ in result.metrics()}
    assert list(names)[:2] == ["linf_1.worst_case_accuracy", "linf_1.worst_case_fake_recall"]
    assert names["linf_16.worst_case_accuracy"] == found[-1, -1].mean()
    assert names["linf_16.worst_case_fake_recall"] == found[-1, -1][labels[:40] == 0].mean()
