"""Only a clean run on CIFAKE becomes the reference report."""

import json
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOL = runpy.run_path(str(ROOT / "scripts" / "publish.py"))


@pytest.fixture
def build(tmp_path):
    """A finished build, as far as publishing looks at it."""
    folder = tmp_path / "build"
    stage = folder / "stages" / "training"
    for file in ("figures/a.png", "models/compact_cnn.keras", "models/compact_cnn.json"):
        (stage / file).parent.mkdir(parents=True, exist_ok=True)
        (stage / file).write_text(file)
    (folder / "report.html").write_text("report")
    return folder


def write(build, name="CIFAKE", clean=True, stage_clean=True):
    provenance = {"git": {"clean": clean}, "stages": {"training": {"clean": stage_clean}}}
    metrics = {"data": {"name": name}, "provenance": provenance}
    (build / "metrics.json").write_text(json.dumps(metrics))


def test_report_metrics_figures_and_detector_are_published(build, tmp_path):
    write(build)
    target = tmp_path / "reports"
    (target / "figures").mkdir(parents=True)
    (target / "figures" / "stale.png").touch()
    TOOL["publish"](build, target)
    found = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert found == {
        "report.html",
        "metrics.json",
        "figures/training/a.png",
        "models/compact_cnn.keras",
        "models/compact_cnn.json",
    }


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
        TOOL["publish"](build, tmp_path / "reports")
    assert not (tmp_path / "reports").exists()


def test_the_committed_reference_is_one_that_would_be_published():
    metrics = json.loads((ROOT / "reports" / "metrics.json").read_text(encoding="utf-8"))
    assert TOOL["refusal"](metrics) is None
    assert metrics["metrics"]["preprocessing.images_total"]["value"] == 120_000
    assert metrics["metrics"]["preprocessing.duplicate_pairs"]["value"] == 1_336
    assert metrics["metrics"]["preprocessing.test_images_with_train_twin"]["value"] == 378
    assert metrics["metrics"]["training.compact_cnn.test.accuracy"]["value"] >= 0.965
    for name in ("frozen", "finetuned"):
        assert f"transfer_learning.mobilenet_{name}.test.accuracy" in metrics["metrics"]


def test_the_reference_fits_a_browser_and_names_no_folder_of_its_maker():
    html = (ROOT / "reports" / "report.html").read_text(encoding="utf-8")
    assert len(html.encode()) < 8_500_000
    for text in (html, (ROOT / "reports" / "metrics.json").read_text(encoding="utf-8")):
        assert not re.search(r"[\"'\s>(]/(work|tmp|root|home)/\w", text)
