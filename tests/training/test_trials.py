"""Trials run once, are judged on validation images, and say what they cost."""

import json
from dataclasses import replace

import numpy as np
import pytest

from realfake_lib.errors import UserError
from realfake_lib.settings import project_root
from realfake_lib.training import trials

LIST = """
trials:
  - name: one
    question: does it learn?
    plan: 4P 8
    recipe: {epochs: 1, batch_size: 32, precision: float32}
  - name: two
    question: is a window enough?
    plan: 4P 8
    recipe: {epochs: 2, batch_size: 32, precision: float32, crop_size: 0.5, crop_share: 0.5}
    against: one
"""


@pytest.fixture
def listed(tmp_path):
    path = tmp_path / "trials.yml"
    path.write_text(LIST)
    return trials.read(path)


def test_each_runs_once_and_is_told_with_its_gain_and_cost(listed, task, tmp_path):
    results = tmp_path / "results.json"
    assert trials.run(listed[:1], *task, results, commit="abc") == ["one"]
    assert trials.run(listed, *task, results, commit="def") == ["two"]
    assert trials.run(listed, *task, results) == []
    table = trials.table(listed, results)
    known = json.loads(results.read_text())
    assert (known["one"]["commit"], known["two"]["commit"]) == ("abc", "def")
    assert table.index.tolist() == ["one", "two"] and np.isnan(table.gain["one"])
    assert table.gain["two"] == table.val_accuracy["two"] - table.val_accuracy["one"]
    assert table.cost["two"] == pytest.approx(1.25)  # one epoch, and one of a quarter's pixels


def test_a_cheap_trial_takes_a_fixed_part_of_the_training_images(listed, task, tmp_path):
    results = tmp_path / "results.json"
    cheap = replace(listed[0], n_train=64)
    assert trials.run([cheap], *task, results) == ["one"]
    assert trials.run([cheap], *task, results) == []
    assert trials.table([cheap], results).images["one"] == 64
    assert trials.run(listed[:1], *task, results) == ["one"]  # all images are another trial


def test_a_changed_trial_runs_again(listed, task, tmp_path):
    results = tmp_path / "results.json"
    trials.run(listed[:1], *task, results)
    changed = replace(listed[0], recipe=listed[0].recipe.replace(learning_rate=1e-3))
    assert trials.run([changed], *task, results) == ["one"]


def test_the_test_images_are_not_looked_at(listed, task, tmp_path):
    dataset, splits = task
    spoilt = dataset.images.copy()
    outside = np.setdiff1d(np.arange(len(spoilt)), [*splits.train[:128], *splits.val])
    spoilt[outside] = 255
    splits = replace(splits, train=splits.train[:128])
    outcomes = []
    for number, images in enumerate((dataset.images, spoilt)):
        file = tmp_path / f"{number}.json"
        trials.run(listed[:1], replace(dataset, images=images), splits, file)
        outcomes.append(json.loads(file.read_text())["one"]["val_curve"])
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    ("old", "new"),
    [("against: one", "against: three"), ("name: two", "name: one"), ("plan:", "layers:")],
)
def test_a_list_with_a_mistake_is_refused(old, new, tmp_path):
    path = tmp_path / "trials.yml"
    path.write_text(LIST.replace(old, new, 1))
    with pytest.raises(UserError, match="trial"):
        trials.read(path)


def test_accuracy_under_attack_stands_by_method_each_with_the_control(task, tmp_path):
    path, results = tmp_path / "trials.yml", tmp_path / "results.json"
    entry = "  - {{name: {0}, question: '?', plan: 4P 8, attacked: true, recipe: {{{1}}}}}\n"
    attack = "adversarial_epsilon: 2.0, adversarial_steps: "
    recipes = {
        "control": "",
        "one step": attack + "1",
        "three": attack + "3",
        "beside": attack + "3, trades: 6.0",
        "unknown": attack + "2",
    }
    path.write_text("trials:\n" + "".join(entry.format(*each) for each in recipes.items()))
    listed = trials.read(path)
    measured = {"0": 0.9, "4": 0.5}
    outcome = {"n": 1000, "attacked": measured}
    results.write_text(json.dumps(dict.fromkeys(list(recipes)[:4], outcome)))
    table = trials.accuracy_under_attack(listed, results)
    assert table["method"].unique().tolist() == ["FGSM", "PGD-3", "TRADES"]
    rows = table[table["method"] == "TRADES"]
    assert rows[["trained", "epsilon", "accuracy"]].values.tolist() == [
        [0, 0, 0.9],
        [0, 4, 0.5],
        [2, 0, 0.9],
        [2, 4, 0.5],
    ]
    assert (table["ci_low"] < table["accuracy"]).all() and (table["n"] == 1000).all()
    results.write_text("{}")
    assert trials.accuracy_under_attack(listed, results).empty


def test_the_projects_own_list_can_be_read():
    for trial in trials.read(project_root() / "experiments" / "trials.yml"):
        assert trial.network(32).input_shape == (None, 32, 32, 3)
