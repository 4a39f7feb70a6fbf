"""``make trainings``: makes what is missing, keeps it, and finds it the next time."""

import pytest
from project import load_script

from realfake_lib import training
from realfake_lib.training import loop, pretrained


@pytest.fixture
def script(task, recipe, tmp_path, monkeypatch):
    """The script on a tiny task, with two networks in its ensemble."""
    module = load_script("pretrain")
    dataset, splits = task
    monkeypatch.setattr(module.data, "load", lambda name: dataset)
    monkeypatch.setattr(module.data, "make_splits", lambda dataset, seed: splits)
    for name in ("hard_labels", "distilled", "robust"):
        monkeypatch.setitem(training.RECIPES, name, recipe.replace(epochs=1))
    attacked = recipe.replace(epochs=1, adversarial_epsilon=1.0, adversarial_steps=1)
    monkeypatch.setitem(training.RECIPES, "adversarial", attacked)
    monkeypatch.setattr(pretrained, "folder", lambda: tmp_path / "trainings")
    (tmp_path / "trainings").mkdir()
    names = {"DETECTOR": "tiny_cnn", "FAST": "tiny_cnn", "SEEDS": (0, 1), "OF_FAST": 1}
    for name, value in (names | {"CHECKPOINTS": tmp_path / "checkpoints"}).items():
        monkeypatch.setattr(module, name, value)
    return module


def test_what_is_missing_is_trained_and_kept_once(script, tmp_path, monkeypatch, capsys):
    kinds = ("detector", "fast", "robust", "defended")
    script.main(kinds, seeds=(0,))
    made = sorted(path.name for path in (tmp_path / "trainings").iterdir())
    assert made == sorted(
        ["hard_labels-seed0.npz", "hard_labels-seed1.npz", *(f"{name}-seed0.npz" for name in kinds)]
    )
    monkeypatch.setattr(loop, "fit", None)  # the next call trains nothing
    capsys.readouterr()
    script.main(kinds, seeds=(0,))
    said = capsys.readouterr().out
    assert said.count("not trained here") == len(said.splitlines()) == 7  # the start is named twice
