"""``make attacks``: measures what is missing, in parts, and keeps it for the report."""

from types import SimpleNamespace

import numpy as np
import pytest
from project import load_script

from realfake_lib.robustness import worst_case


@pytest.fixture
def script(model, images_and_labels, tmp_path, monkeypatch):
    module = load_script("attack")
    images, labels = images_and_labels
    splits = SimpleNamespace(test=np.arange(len(labels)))
    monkeypatch.setattr(
        module.data, "load", lambda _: SimpleNamespace(images=images, labels=labels)
    )
    monkeypatch.setattr(module.data, "make_splits", lambda dataset, seed: splits)
    monkeypatch.setattr(module.files, "load", lambda path: (model, {}))
    monkeypatch.setattr(module.worst_case, "folder", lambda: tmp_path / "attacks")
    (tmp_path / "attacks").mkdir()
    changed = {
        "ROOT": tmp_path,
        "EPSILONS": {"net": [1.0, 8.0]},
        "EFFORT": worst_case.Effort(n=40, steps=2, restarts=1, queries=5),
        "AT_ONCE": 20,
    }
    for name, value in changed.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(module.provenance, "git_state", lambda root: {"commit": "abc"})
    return module


def test_a_result_is_measured_in_parts_and_found_by_the_report(
    script, model, images_and_labels, tmp_path, monkeypatch, capsys
):
    script.main(["net"])
    assert len(list(tmp_path.glob("build/attacks/*/*.npy"))) == 2
    images, labels = images_and_labels
    chosen = np.random.default_rng(0).permutation(len(labels))[:40]
    arguments = (model, images[chosen], labels[chosen], [1.0, 8.0], script.EFFORT, "net")
    kept = worst_case.measure(*arguments, folder=tmp_path / "attacks")
    assert kept.kept
    here = worst_case.measure(*arguments)
    assert (kept.standing == here.standing).mean() > 0.98

    monkeypatch.setattr(worst_case, "standing", None)  # what a kill left is not measured again
    (tmp_path / "attacks" / "net.npz").unlink()
    capsys.readouterr()
    script.main(["net"])
    assert "net: [" in capsys.readouterr().out


def test_a_result_for_the_first_images_is_extended(script, tmp_path, monkeypatch):
    measured = []

    def standing(*_, indices, **options):
        measured.extend(indices)
        return np.ones((3, 2, len(indices)), bool)

    monkeypatch.setattr(worst_case, "standing", standing)
    script.main(["net"])
    monkeypatch.setattr(script, "EFFORT", worst_case.Effort(n=60, steps=2, restarts=1, queries=5))
    script.main(["net"])
    assert measured == list(range(60))
    with np.load(tmp_path / "attacks" / "net.npz") as kept:
        assert kept["standing"].shape == (3, 2, 60)


def test_the_effort_is_that_of_the_standard_report():
    module = load_script("attack")
    assert module.EFFORT == worst_case.Effort(n=2000, steps=40, restarts=5, queries=200)
    assert module.EPSILONS["detector"] == [0.25, 0.5, 1, 2, 4, 8]
