"""Only a clean run on CIFAKE becomes the reference report, its detectors complete and described."""

import json
import re
import runpy
import shutil
from pathlib import Path

import pytest

from realfake_lib import models, onnx_files
from realfake_lib.detector import load_detector
from realfake_lib.models import export
from realfake_lib.report import model_card

ROOT = Path(__file__).resolve().parent.parent
TOOL = runpy.run_path(str(ROOT / "scripts" / "publish.py"))
FORMS = ("keras", "onnx", "json", "md")
DETECTORS = ROOT / "realfake_lib" / "detectors"
COMMITTED = sorted(file.stem for file in DETECTORS.glob("*.keras"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Three trained models, two of which are detectors to publish."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("fast", "detector", "baseline"):
        models.save(models.build("tiny_cnn", 16), folder / f"{name}.keras", {"data": name})
    return folder


@pytest.fixture
def build(trained, tmp_path):
    """A finished build, as far as publishing looks at it."""
    folder = tmp_path / "build"
    stage = folder / "stages" / "training"
    (stage / "figures").mkdir(parents=True)
    (stage / "figures" / "a.png").write_text("a")
    shutil.copytree(trained, stage / "models")
    (folder / "report.html").write_text("report")
    (folder / "chapters").mkdir()
    (folder / "chapters" / "02_training.md").write_text("# Training")
    return folder


def write(build, name="CIFAKE", clean=True, stage_clean=True):
    provenance = {"git": {"clean": clean}, "stages": {"training": {"clean": stage_clean}}}
    seconds = {"training.fast.seconds": {"value": 75.0}}
    metrics = {"data": {"name": name}, "provenance": provenance, "metrics": seconds}
    (build / "metrics.json").write_text(json.dumps(metrics))


def test_report_metrics_figures_and_detector_are_published(build, tmp_path):
    write(build)
    reports, detectors = tmp_path / "reports", tmp_path / "detectors"
    of_others = detectors / "real_size.onnx"  # no stage makes it
    for old in (reports / "figures" / "stale.png", detectors / "robust.keras", of_others):
        old.parent.mkdir(parents=True, exist_ok=True)
        old.touch()
    TOOL["publish"](build, reports, detectors)
    found = {path.relative_to(reports).as_posix() for path in reports.rglob("*") if path.is_file()}
    chapter = "chapters/02_training.md"
    assert found == {"report.html", "metrics.json", "figures/training/a.png", chapter}
    assert {path.name for path in detectors.iterdir()} == {
        f"{name}.{kind}" for name in ("fast", "detector") for kind in FORMS
    } | {of_others.name}
    assert "min 15" in (detectors / "fast.md").read_text()
    for name in ("fast", "detector"):
        (_, ours), (_, theirs) = (
            load(detectors / f"{name}.{kind}")
            for load, kind in ((models.load, "keras"), (onnx_files.load, "onnx"))
        )
        assert ours == theirs and ours["data"] == name


def test_a_build_with_a_failed_stage_is_refused(build, tmp_path):
    write(build)
    (build / "failed").mkdir()
    (build / "failed" / "grad_cam.json").write_text("{}")
    with pytest.raises(SystemExit, match="a stage of it failed"):
        TOOL["publish"](build, tmp_path / "reports", tmp_path / "detectors")


def test_a_build_without_a_detector_is_refused(build, tmp_path):
    write(build)
    shutil.rmtree(build / "stages" / "training" / "models")
    with pytest.raises(SystemExit, match="holds none of detector, fast"):
        TOOL["publish"](build, tmp_path / "reports", tmp_path / "detectors")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"name": "demo"}, "demo"),
        ({"clean": False}, "uncommitted"),
        ({"stage_clean": False}, "training"),
    ],
)
def test_a_demo_or_a_dirty_run_is_refused(build, tmp_path, facts, words):
    write(build, **facts)
    with pytest.raises(SystemExit, match=words):
        TOOL["publish"](build, tmp_path / "reports", tmp_path / "detectors")
    assert not (tmp_path / "reports").exists() and not (tmp_path / "detectors").exists()


def test_the_committed_reference_is_one_that_would_be_published():
    metrics = json.loads((ROOT / "reports" / "metrics.json").read_text(encoding="utf-8"))
    assert TOOL["refusal"](metrics) is None
    assert metrics["metrics"]["preprocessing.images_total"]["value"] == 120_000
    assert metrics["metrics"]["preprocessing.duplicate_pairs"]["value"] == 1_336
    assert metrics["metrics"]["preprocessing.test_images_with_train_duplicate"]["value"] == 378
    assert metrics["metrics"]["training.detector.test.accuracy"]["value"] >= 0.985
    transferred = "transfer_learning.efficientnet_lite0_{}.test.accuracy"
    assert transferred.format("frozen") in metrics["metrics"]
    assert metrics["metrics"][transferred.format("finetuned")]["value"] >= 0.98


@pytest.mark.parametrize("name", COMMITTED)
def test_a_committed_card_is_what_would_be_written(name):
    meta = json.loads((DETECTORS / f"{name}.json").read_text(encoding="utf-8"))
    card = (DETECTORS / f"{name}.md").read_text(encoding="utf-8")
    assert card == model_card.render(meta, name)


@pytest.mark.parametrize("name", COMMITTED)
def test_what_a_committed_card_says_is_what_the_committed_report_says(name):
    """The figures of a card that nobody may overlook, found again in another file."""
    metrics = json.loads((ROOT / "reports" / "metrics.json").read_text(encoding="utf-8"))
    meta = json.loads((DETECTORS / f"{name}.json").read_text(encoding="utf-8"))
    accuracy = metrics["metrics"][f"{TOOL['DETECTORS'][name]}.{name}.test.accuracy"]
    assert meta["test"]["accuracy"] == accuracy["value"]
    assert meta == model_card.with_report(meta, name, metrics)


def test_what_real_size_says_of_itself_is_what_the_committed_report_says():
    metrics = json.loads((ROOT / "reports" / "metrics.json").read_text(encoding="utf-8"))["metrics"]
    held_out = json.loads((DETECTORS / "real_size.json").read_text(encoding="utf-8"))["held_out"]
    for condition, auroc, part in (("equalised", "lofo", ""), ("web_hard", "lofo_hard", "hard.")):
        told = held_out[f"all.{condition}"]
        reported = {
            "auroc": f"{auroc}.mean_auroc",
            "coverage": f"{part}coverage",
            "false_positive_rate": f"{part}false_positive_rate",
            "balanced_accuracy": f"{part}selective_balanced_accuracy",
        }
        for name, metric in reported.items():
            value = metrics[f"beyond_cifake.real_size.{metric}"]["value"]
            assert told[name] == pytest.approx(value, abs=1e-6), metric


@pytest.mark.parametrize("name", COMMITTED)
def test_a_committed_detector_and_its_onnx_form_give_the_same_logits(name):
    file = DETECTORS / f"{name}.keras"
    model, meta = models.load(file)
    network, same = onnx_files.load(file.with_suffix(".onnx"))
    images = export.probes(network.image_size, 32)
    assert meta == same and meta["bytes"] == file.stat().st_size
    assert export.largest_difference(model, network, images) <= export.TOLERANCE


def test_the_committed_detectors_take_a_few_megabytes():
    files = DETECTORS.iterdir()
    assert COMMITTED and sum(file.stat().st_size for file in files) < 20e6


def test_the_reference_fits_a_browser_and_names_no_folder_of_its_maker():
    html = (ROOT / "reports" / "report.html").read_text(encoding="utf-8")
    assert len(html.encode()) < 8_500_000
    for text in (html, (ROOT / "reports" / "metrics.json").read_text(encoding="utf-8")):
        assert not re.search(r"[\"'\s>(]/(work|tmp|root|home)/\w", text)


def test_what_real_size_is_said_to_do_on_faces_is_what_the_committed_report_measured():
    metrics = json.loads((ROOT / "reports" / "metrics.json").read_text(encoding="utf-8"))
    faces = metrics["metrics"]["beyond_cifake.real_size.pairs.tharun.auroc"]
    assert faces["ci"][1] < 0.5
    said = "on close-ups of faces it can be wrong more often than right"
    card = (DETECTORS / "real_size.md").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "your-own-images.md").read_text(encoding="utf-8")
    for text in (load_detector("real_size").caveat(), card, page):
        assert said in " ".join(text.split())
