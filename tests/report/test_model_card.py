"""Model cards say what a detector's file records, and of the rest that it is not recorded."""

import json
import re

import pytest

from realfake_lib.report import model_card

SCORES = {
    "accuracy": 0.912,
    "auroc": 0.97,
    "ece": 0.02,
    "n": 200,
    "intervals": {"accuracy": [0.86, 0.95], "auroc": [0.95, 0.99], "ece": [0.01, 0.03]},
}
UNSEEN = {"auroc": 0.5, "fake_recall": 0.04, "n": 50, "intervals": {"fake_recall": [0.01, 0.13]}}
META = {
    "name": "tiny_cnn",
    "image_size": 32,
    "data": "CIFAKE",
    "seed": 0,
    "temperature": 1.25,
    "threshold": 0.61,
    "uncertain_band": [0.2, 0.9],
    "test": SCORES,
    "test_dedup": SCORES | {"n": 190},
    "false_positive_rate": 0.03,
    "unseen": {"ddpm": UNSEEN},
}
METRICS = {
    "profile": "standard",
    "metrics": {
        "training.images.train": {"value": 900},
        "training.fast.seconds": {"value": 75.0},
        "training.fast.test.accuracy": {"value": 0.5},
        "training.fast.unseen.all.fake_recall": {"value": 0.04, "ci": [0.01, 0.13], "n": 50},
        "training.fast.unseen.ddpm.fake_recall": {"value": 0.04, "ci": [0.01, 0.13], "n": 50},
        "training.faster.seconds": {"value": 1.0},
        "adversarial_robustness.fast.pgd_0.5.accuracy": {"value": 0.4, "ci": [0.3, 0.5], "n": 90},
        "adversarial_robustness.fast.jpeg_40.accuracy": {"value": 0.8, "ci": [0.7, 0.9], "n": 90},
        "adversarial_robustness.fast.clean.accuracy": {"value": 0.9, "ci": [0.8, 0.95], "n": 90},
        "adversarial_robustness.fast.half_lost_at": {"value": 2.0},
    },
    "provenance": {
        "lock": "abc",
        "python": "3.11.7",
        "versions": {"keras": "3.15.1", "pandas": "3"},
        "hardware": {"processor": "Some CPU", "cores": 2},
        "stages": {"training": {"commit": "0123456789", "finished": "2026-01-02"}},
        "parameters": {"training": {"n_train": 900}},
    },
}


def row(card, label):
    """The cells of the table row that begins with ``label``."""
    (line,) = (line for line in card.splitlines() if line.startswith(f"| {label}"))
    return line.replace("\u00a0", " ")


def test_figures_come_with_their_interval_and_n():
    card = model_card.render(META, "fast")
    assert "91.2 % (86.0 to 95.0 %), n = 200" in row(card, "accuracy on the test set")
    assert "n = 190" in card and "0.970" in row(card, "AUROC | ").replace("0.9700", "0.970")


def test_the_unseen_generators_stand_right_below_the_accuracy():
    card = model_card.render(model_card.with_report(META, "fast", METRICS), "fast")
    lines = card.splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("| accuracy on the test set"))
    assert "recall of FAKE on 1 unseen generators" in lines[place + 1]
    assert "4.0 % (1.0 to 13.0 %)" in lines[place + 1].replace("\u00a0", " ")
    assert "4.0 % (1.0 to 13.0 %)" in row(card, "DDPM")


def test_what_is_not_recorded_is_said_to_be_missing():
    card = model_card.render({}, "bare")
    for label in ("data", "recipe", "time of the training", "temperature", "AUROC", "lock"):
        assert "not recorded" in row(card, label), label
    assert not re.search(r"None|Undefined|\bnan\b|\{\{|\}\}", card)
    # Numbers that are no results: the range of a pixel, and the name of the hash.
    results = re.findall(r"\d+\.\d+|\d{3,}", card)
    assert set(results) <= {"255", "256", "0.5"}


@pytest.mark.parametrize("key", META)
def test_a_card_can_be_written_whatever_is_missing(key):
    card = model_card.render({k: v for k, v in META.items() if k != key}, "some")
    assert "not recorded" in card


def test_a_figure_without_an_interval_says_so():
    scores = {key: value for key, value in SCORES.items() if key != "intervals"}
    card = model_card.render(META | {"test": scores}, "some")
    assert "91.2 % (interval not recorded)" in row(card, "accuracy on the test set")


def test_a_report_adds_cost_robustness_and_provenance():
    full = model_card.with_report(META, "fast", METRICS)
    json.dumps(full)
    assert set(full["report"]["training"]) == {"seconds", "unseen.all.fake_recall"}
    assert full["report"]["versions"] == {"keras": "3.15.1"}
    card = model_card.render(full, "fast")
    assert "1 min 15 s" in row(card, "time of the training")
    assert "0123456789" in row(card, "commit")
    assert "900" in row(card, "training images")
    assert "n train" not in card
    assert "40.0 % (30.0 to 50.0 %)" in row(
        card, "attack (PGD), each pixel moved by at most 0.5/255"
    )
    changes = re.findall(r"^\| (none|attack|compressed)", card, re.M)
    assert changes == ["none", "attack", "compressed"]


def test_recipe_origin_and_object_classes_are_shown_where_there_are_any():
    classes = {
        name: {"accuracy": value, "n": 20, "intervals": {"accuracy": [value - 0.1, value]}}
        for name, value in (("cat", 0.9), ("dog", 0.8), ("ship", 0.95))
    }
    more = {
        "recipe": {"epochs": 8, "optimizer": "muon", "augment": "none", "data_pruning": 0.0},
        "origin": {"machine": "a GPU"},
        "per_object_class": classes,
    }
    card = model_card.render(META | more, "some").replace("\u00a0", " ")
    assert "| epochs 8, optimizer muon |" in row(card, "recipe")
    assert "machine a GPU" in row(card, "the training ran on")
    assert re.search(r"from 80\.0 % .* \(dog\) to\s+95\.0 % .* \(ship\) over 3 object", card)


def test_a_model_that_realfake_train_made_has_a_card():
    card = model_card.render({"trained_on": {"data": "mine", "n": 500, "epochs": 3}}, "own")
    assert "mine" in row(card, "data") and "500" in row(card, "training images")
    assert "3" in row(card, "epochs")


def test_misuse_and_the_demo_data_are_named():
    card = model_card.render(META | {"demo": True}, "demo")
    assert "Never the only ground for a decision" in card
    assert "TRAINED ON THE EMBEDDED DEMO DATA" in card
    assert "EMBEDDED DEMO" not in model_card.render(META | {"demo": False}, "some")


def test_the_examples_load_this_very_file():
    full = META | {"onnx": {"sha256": "f" * 64, "max_abs_difference": 1e-6, "compared_on": 130}}
    card = model_card.render(full, "fast")
    assert 'realfake_lib/detectors/fast.keras"' in card and 'detectors/fast.onnx"' in card
    assert "1.0e-06" in card and "f" * 64 in card
    for block in re.findall(r"```python\n(.*?)```", card, re.S):
        compile(block, "card", "exec")


def test_what_a_detector_was_distilled_from_is_said():
    assert "seeds 3, 1:" in row(
        model_card.render(META | {"ensemble_seeds": [3, 1]}, "fast"), "distilled from"
    )
    assert "distilled from" not in model_card.render(META | {"ensemble_seeds": None}, "fast")
    assert "the training ran on" not in model_card.render(META | {"origin": None}, "fast")
