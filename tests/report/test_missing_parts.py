"""The summary comes out, and says nothing false, whatever a run does not have."""

import itertools
import json
import re
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from realfake_lib.report import leave_out, plan
from realfake_lib.report.stage import VARIABLE, StageInput

ROOT = Path(__file__).resolve().parents[2]
STAGE = plan.load(ROOT).stages["summary"]
CODE = [
    (
        cell["metadata"].get("tags", ()),
        compile("".join(cell["source"]), STAGE.notebook.name, "exec"),
    )
    for cell in json.loads(STAGE.notebook.read_text("utf-8"))["cells"]
    if cell["cell_type"] == "code"
]
REFERENCE = json.loads((ROOT / "reports" / "metrics.json").read_text("utf-8"))["metrics"]

PIXEL = Image.new("RGB", (1, 1))
MADE_UP = {"value": 0.5, "ci": [0.4, 0.6], "n": 100, "seed": 0}
SPECIAL = {
    "preprocessing.data_name": "CIFAKE",
    "training.detector.seeds.n": 3,
    "training.detail.fake_to_real": 2.0,
    "grad_cam.detector.deletion_gain": -0.5,
}

COMPARED = (
    ("training", ("detector", "fast", "baseline"), ("test.accuracy", "unseen.all.fake_recall")),
    ("transfer_learning", ("efficientnet_lite0_finetuned",), ("test.accuracy", "unseen.all.auroc")),
    ("adversarial_robustness", ("detector", "fast"), ("pgd_1.accuracy",)),
    ("corruptions", ("detector", "robust"), ("gaussian_blur_1.accuracy",)),
)
"""Some of what the tables and figures take where a stage has it."""

PARTS = {
    # Metrics that go, and what may not be said then.
    "unseen generators": (r"\.unseen\.", r"DDPM|unseen generators\*\*|AUROC there|fakes by"),
    "ImageNet weights": (r"^transfer_learning\.", r"EfficientNet-Lite0"),
    "several seeds": (r"\.seeds\.", r"mean of its|The mean over|Accuracy, mean"),
    "the fast detector": (r"\.fast\.", r"\bfast\b"),
    "attacks": (r"^adversarial_robustness\.", r"three attacks"),
    "corruptions": (r"^corruptions\.", r"A blur|Over all corruptions|accuracy falls to"),
    "maps": (r"^grad_cam\.", r"Grad-CAM's maps"),
    "the comparison": (r"^comparative_analysis\.", r"trainings"),
    "facts on the data": (
        r"^preprocessing\.",
        r"CIFAKE test images|whose photographs|one generator",
    ),
    "the detector": (r"\.detector\.", r"The detector (is|finds)|[Tt]he detector's AUROC"),
    "all trainings": (r"^training\.", r"The detector (is|finds)|evaluated correctly, that"),
}
COMBINATIONS = [
    parts
    for size in (1, 2, len(PARTS) - 1, len(PARTS))
    for parts in itertools.combinations(PARTS, size)
]


@pytest.fixture(autouse=True)
def shown(monkeypatch):
    """What the notebook displays: list of (text, facts). Figures are made, but not drawn."""
    given = []

    def display(data, metadata, raw):
        said = data.get("text/markdown", "") + " " + data.get("text/plain", "")
        given.append((said, metadata["realfake"]))

    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("IPython.get_ipython", lambda: object())
    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr(Figure, "draw_without_rendering", lambda figure: None)
    monkeypatch.setattr(Figure, "savefig", lambda _, file, **options: PIXEL.save(file, "PNG"))
    return given


def execute(folder, results):
    """Run the notebook's code on results: dict of "<stage>.<name>" to record."""
    for stage in STAGE.inputs:
        own = {k.partition(".")[2]: v for k, v in results.items() if k.startswith(f"{stage}.")}
        path = folder / stage / "metrics.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(own), encoding="utf-8")
    space = {}
    for tags, code in CODE:
        exec(code, space)
        if "parameters" in tags:
            space["output_dir"] = folder / "summary"


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """A made-up record for each metric that the notebook asks for."""
    asked, value = {"training.detector.unseen.ddpm.auroc"}, StageInput.value
    for stage, detectors, metrics in COMPARED:
        pairs = itertools.product(detectors, metrics)
        asked |= {f"{stage}.{detector}.{metric}" for detector, metric in pairs}

    def noted(stage, name):
        asked.add(f"{stage.name}.{name}")
        return value(stage, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(VARIABLE, raising=False)
        patch.setattr(StageInput, "value", noted)
        execute(tmp_path_factory.mktemp("nothing"), {})
    return {name: MADE_UP | {"value": SPECIAL.get(name, MADE_UP["value"])} for name in asked}


def text_of(shown):
    text = "\n".join(text for text, _ in shown)
    assert leave_out.VALUE not in text
    assert not re.search(r"\b(nan|NaN|None|inf)\b|not defined", text)
    return text


def test_a_run_that_has_everything_leaves_nothing_out(everything, shown, tmp_path):
    execute(tmp_path, everything)
    text = text_of(shown)
    assert not [said for said, facts in shown if facts.get("left_out")]
    for _, forbidden in PARTS.values():
        assert re.search(forbidden, text), forbidden


@pytest.mark.parametrize("parts", COMBINATIONS, ids=" and ".join)
def test_the_summary_says_nothing_of_what_a_run_lacks(everything, shown, tmp_path, parts):
    gone = "|".join(PARTS[part][0] for part in parts)
    execute(tmp_path, {k: v for k, v in everything.items() if not re.search(gone, k)})
    text = text_of(shown)
    for part in parts:
        assert not (found := re.search(PARTS[part][1], text)), (part, found)


def test_the_abstract_says_that_other_generators_were_not_tested(everything, shown, tmp_path):
    without = {name: one for name, one in everything.items() if ".unseen." not in name}
    execute(tmp_path / "without", without)
    said = "did not test it on other generators"
    assert said in text_of(shown)
    shown.clear()
    execute(tmp_path / "with", everything)
    assert said not in text_of(shown)


@pytest.mark.parametrize("kind", ["ci", "n", "seed"])
def test_the_summary_comes_out_without_what_metrics_say_of_themselves(
    everything, shown, tmp_path, kind
):
    bare = {name: {k: v for k, v in one.items() if k != kind} for name, one in everything.items()}
    execute(tmp_path, bare)
    text_of(shown)


@pytest.mark.parametrize("name", ["my photos", "demo"])
def test_other_data_are_not_taken_for_cifake(everything, shown, tmp_path, name):
    execute(tmp_path, everything | {"preprocessing.data_name": {"value": name}})
    text = text_of(shown)
    assert not re.search(PARTS["facts on the data"][1], text)
    assert ("demo set" in text) == (name == "demo")


def test_the_reference_report_has_every_number_that_the_summary_quotes(everything):
    assert not set(everything) - set(REFERENCE)
