"""The whole report on the demo data, as a user makes it: run, run again, edit, kill, carry on.

All of it works in a copy of the project, so that a developer's own ``build`` is left alone.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import filelock
import nbformat
import pytest
from project import environment, processor_seconds, realfake

from realfake_lib.report import plan

ROOT = Path(__file__).resolve().parent.parent
STAGES = list(plan.load(ROOT, "smoke").stages)

pytestmark = pytest.mark.slow


def run_report(project, *more):
    return realfake(project, "report", "run", "--profile", "smoke", *more)


def results(project, stage=None):
    """Metrics that must come out again: everything but times."""
    content = json.loads((project / "build/smoke/metrics.json").read_text())
    return {
        name: entry
        for name, entry in content["metrics"].items()
        if (stage is None or name.startswith(stage + "."))
        and entry.get("unit") not in {"s", "images/s"}
    }


def edited_copy(smoke, tmp_path):
    """The project that made the smoke report, with its finished build, to be changed by a test."""
    return Path(shutil.copytree(smoke.project, tmp_path / "project", symlinks=True))


def test_every_stage_runs_and_the_report_is_there(smoke):
    for stage in STAGES:
        assert re.search(rf"{stage}: done in", smoke.printed), stage
        assert (smoke.build / "stages" / stage / "notebook.ipynb").is_file()
    assert 100_000 < (smoke.build / "report.html").stat().st_size < 8_000_000


NEEDS_WEIGHTS = {"audit_of_the_original.untrained.resnet50.accuracy"}
"""Not in the reference report either, whose run had no weights of ResNet50."""


def test_what_chapters_ask_for_in_vain_is_what_this_run_lacks_and_no_typing_error(smoke):
    files = sorted((smoke.build / "stages").glob("*/missing.json"))
    asked = {name for file in files for name in json.loads(file.read_text())}
    reference = json.loads((ROOT / "reports" / "metrics.json").read_text(encoding="utf-8"))
    assert asked <= set(reference["metrics"]) | NEEDS_WEIGHTS


def test_metrics_have_the_promised_schema(smoke):
    content = json.loads((smoke.build / "metrics.json").read_text())
    assert content["schema"] == 2 and content["profile"] == "smoke"
    assert {name.split(".")[0] for name in content["metrics"]} >= {*STAGES} - {"summary"}
    assert {"value"} <= set.intersection(*(set(e) for e in content["metrics"].values()))
    for name in (
        "preprocessing.images_total",
        "preprocessing.duplicate_pairs",
        "preprocessing.test_images_with_train_duplicate",
        "training.baseline_original_recipe.test.accuracy",
        "training.baseline.test.accuracy",
        "training.detector.test.accuracy",
        "training.detector.test_dedup.accuracy",
        "training.detector.test.auroc",
        "adversarial_robustness.detector.fgsm_1.accuracy",
        "adversarial_robustness.detector.pgd_1.accuracy",
        "corruptions.robust.rescale_half.accuracy",
        "corruptions.robust.gaussian_noise_0.1.accuracy",
    ):
        assert name in content["metrics"], name


def test_report_says_on_its_first_page_that_the_data_are_a_demo(smoke):
    first_page = smoke.html[: smoke.html.index('class="chapter"')]
    assert "demo" in first_page.lower() and "CIFAKE" in first_page


def outputs(smoke, stage):
    """Outputs of a chapter's cells."""
    notebook = nbformat.read(smoke.build / "stages" / stage / "notebook.ipynb", as_version=4)
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def test_missing_weights_and_generators_are_named_not_passed_over(smoke):
    notes = [
        output.metadata.realfake.text
        for stage in ("training", "transfer_learning")
        for output in outputs(smoke, stage)
        if output.get("metadata", {}).get("realfake", {}).get("kind") == "note"
    ]
    text = " ".join(notes).lower()
    for name in ("vgg16", "resnet50", "mobilenet", "ddpm", "sngan"):
        assert name in text, name
    assert not any(
        "vgg16" in name for name in results(smoke.project) if name.endswith("test.accuracy")
    )


def test_cells_print_nothing_that_differs_between_machines(smoke):
    for stage in STAGES:
        for output in outputs(smoke, stage):
            text = output.get("text", "")
            assert "Warning" not in text and "WARNING" not in text, f"{stage}: {text}"
            assert "0x7" not in text and str(smoke.project) not in text, f"{stage}: {text}"


def test_original_confusion_matrix_is_regenerated_by_its_own_mistakes(smoke):
    found = results(smoke.project, "audit_of_the_original")
    matrix = {
        name.rsplit(".", 1)[1]: entry["value"]
        for name, entry in found.items()
        if ".both_mistakes." in name
    }
    assert matrix["fake_predicted_real"] == matrix["real_predicted_real"] == 0
    assert matrix["real_predicted_fake"] > 0
    assert matrix["accuracy"] == pytest.approx(0.5, abs=0.02)
    assert found["audit_of_the_original.neither.accuracy"]["value"] > 0.55


def test_same_again_executes_nothing_and_says_why(smoke, tmp_path):
    project = edited_copy(smoke, tmp_path)
    before = processor_seconds()
    outcome = run_report(project, "--data", "demo")
    spent = processor_seconds() - before
    assert outcome.returncode == 0, outcome.stderr
    for stage in STAGES:
        assert re.search(rf"{stage}: unchanged since .*: skipped", outcome.stdout), stage
    # Of what the first run took on this machine: some are five times as fast as others.
    assert spent < 0.025 * smoke.processor_seconds, smoke.processor_seconds


def test_a_run_without_weights_and_generators_leaves_no_red_on_its_page(smoke):
    assert 'role="alert"' not in smoke.html.replace('role="alert" id="demo-warning"', "")


def test_a_failed_stage_is_red_on_a_page_that_has_all_other_chapters(smoke, tmp_path):
    project = edited_copy(smoke, tmp_path)
    path = project / "notebooks" / "08_grad_cam.ipynb"
    before = path.read_text(encoding="utf-8")
    notebook = nbformat.read(path, as_version=4)
    number, cell = next(
        (n, c)
        for n, c in enumerate(notebook.cells, start=1)
        if c.cell_type == "code" and "parameters" not in c.metadata.get("tags", ())
    )
    cell.source = "1 / 0\n" + cell.source
    nbformat.write(notebook, path)
    outcome = run_report(project, "--data", "demo")
    assert outcome.returncode == 1, outcome.stdout + outcome.stderr
    assert "summary: not run, it reads grad_cam" in outcome.stdout
    assert "build/smoke/report.html" in outcome.stdout and "Traceback" not in outcome.stderr
    html = (project / "build/smoke/report.html").read_text(encoding="utf-8")
    first_page = html[: html.index('class="chapter"')]
    assert 'class="alarm" role="alert" id="failures"' in first_page
    assert f"failed in cell {number}: ZeroDivisionError: division by zero" in first_page
    assert "did not run: it needs the results of grad_cam" in first_page
    for chapter in set(STAGES) - {"summary"}:
        assert f'<article class="chapter" id="{chapter.replace("_", "-")}">' in html
    path.write_text(before, encoding="utf-8")
    outcome = run_report(project, "--data", "demo")
    assert outcome.returncode == 0 and outcome.stdout.count(": skipped") == len(STAGES)


def test_editing_prose_renders_only(smoke, tmp_path):
    project = edited_copy(smoke, tmp_path)
    path = project / "notebooks" / "10_summary.ipynb"
    notebook = nbformat.read(path, as_version=4)
    cell = next(c for c in notebook.cells[2:] if c.cell_type == "markdown")
    cell.source += "\n\nA sentence that was not there before."
    nbformat.write(notebook, path)
    outcome = run_report(project, "--data", "demo")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert outcome.stdout.count(": skipped") == len(STAGES)
    html = (project / "build/smoke/report.html").read_text(encoding="utf-8")
    assert "A sentence that was not there before." in html


def status(project):
    outcome = realfake(project, "report", "status", "--profile", "smoke", "--data", "demo")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return outcome.stdout


def would_run(project):
    """Stages that a run would execute, with the reason, read from ``report status``."""
    found = {}
    for line in status(project).splitlines():
        stage, _, words = line.partition(": ")
        if stage in STAGES and words.startswith("would run"):
            found[stage] = words
    return found


def edit(source, function):
    """Add a statement to a function of a module."""
    text = source.read_text()
    at = text.index(f"def {function}")
    at = text.index('"""', text.index('"""', at) + 3) + 3
    source.write_text(text[:at] + "\n    _edited = True" + text[at:])


def test_editing_plots_reruns_only_the_stages_that_draw_them(smoke, tmp_path):
    project = edited_copy(smoke, tmp_path)
    assert would_run(project) == {}
    edit(project / "realfake_lib/plots/robustness.py", "robustness_curves")
    runs = would_run(project)
    assert "realfake_lib/plots/robustness.py changed" in runs["adversarial_robustness"]
    assert set(runs) == {"adversarial_robustness", "corruptions", "summary"}


def test_editing_a_model_reruns_what_trains_it(smoke, tmp_path):
    project = edited_copy(smoke, tmp_path)
    (source,) = [
        path
        for path in (project / "realfake_lib" / "models").glob("*.py")
        if "def deep_cnn" in path.read_text()
    ]
    edit(source, "deep_cnn")
    runs = would_run(project)
    assert f"models/{source.name} changed" in runs["training"]
    assert "input training ran again" in runs["adversarial_robustness"]
    assert "preprocessing" not in runs


def test_changing_a_parameter_reruns_its_stage_and_names_it(smoke, tmp_path):
    project = edited_copy(smoke, tmp_path)
    outcome = realfake(
        project, "report", "status", "--profile", "smoke", "--data", "demo", "--seed", "1"
    )
    assert re.search(r"preprocessing: would run .*seed", outcome.stdout)


@pytest.mark.skipif(os.name != "posix", reason="kill -9 needs POSIX")
def test_killed_run_carries_on_and_ends_with_the_same_metrics(smoke, tmp_path):
    project = edited_copy(smoke, tmp_path)
    stage = "comparative_analysis"  # the cheapest of those that train
    for folder in ("stages", "checkpoints"):
        shutil.rmtree(project / "build/smoke" / folder / stage)
    process = subprocess.Popen(
        [sys.executable, "-m", "realfake_lib.cli", "report", "run"]
        + ["--profile", "smoke", "--data", "demo", "--stage", stage],
        cwd=project,
        env=environment(project),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    checkpoints = project / f"build/smoke/checkpoints/{stage}"
    deadline = time.monotonic() + 240
    while not any(path.is_file() for path in checkpoints.rglob("*")):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (project / f"build/smoke/stages/{stage}").exists()

    outcome = run_report(project, "--data", "demo", "--stage", stage)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert f"{stage}: done in" in outcome.stdout
    path = f"build/smoke/stages/{stage}/metrics.json"
    before, after = (
        {
            name: entry["value"]
            for name, entry in json.loads((root / path).read_text()).items()
            if entry.get("unit") not in {"s", "images/s"}
        }
        for root in (smoke.project, project)
    )
    assert after == before


def test_unknown_names_are_refused_before_anything_runs(smoke, tmp_path):
    project = edited_copy(smoke, tmp_path)
    for arguments, name in (
        (["--profile", "standrad"], "standrad"),
        (["--profile", "smoke", "--stage", "trainig"], "trainig"),
        (["--profile", "smoke", "--data", "no/such/folder"], "no/such/folder"),
    ):
        outcome = realfake(project, "report", "run", *arguments)
        assert outcome.returncode == 2, outcome.stdout
        assert name in outcome.stderr and "Traceback" not in outcome.stderr


def test_two_runs_in_one_folder_do_not_mix(smoke, tmp_path):
    project = edited_copy(smoke, tmp_path)
    build = project / "build" / "smoke"
    (lock,) = [path for path in build.glob("*lock*") if path.is_file()] or [build / ".lock"]
    with filelock.FileLock(lock, timeout=0):
        outcome = run_report(project, "--data", "demo")
    assert outcome.returncode == 2
    assert "build/smoke" in outcome.stderr and "Traceback" not in outcome.stderr
