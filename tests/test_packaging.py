"""The set-up files agree with each other and with what the README and CI promise."""

import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
TOOL = runpy.run_path(str(ROOT / "scripts" / "environment_from_lock.py"))


@pytest.fixture(scope="module")
def pins():
    return TOOL["locked"]((ROOT / "requirements.lock").read_text())


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_environment_yml_names_the_pins_of_the_lock(pins, project):
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [item["pip"] for item in environment["dependencies"] if isinstance(item, dict)]
    named = dict(item.split("==") for item in pip if "==" in item)
    assert named == {name: pins[name] for name in TOOL["direct"](project)}
    assert "-r requirements.lock" in pip and "-e ." in pip


def test_environment_yml_is_what_make_lock_would_write():
    assert (ROOT / "environment.yml").read_text() == TOOL["environment"](ROOT)


def test_lock_holds_versions_only_and_no_addresses(pins):
    text = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"https?://|file:|@ |--", text)
    assert len(pins) > 100


def test_every_direct_dependency_is_pinned(pins, project):
    assert set(TOOL["direct"](project)) <= set(pins)


def test_stack_that_the_project_is_given_is_there(project):
    names = set(TOOL["direct"](project))
    given = {"tensorflow", "jupyterlab", "papermill", "nbconvert", "seaborn", "pandas"}
    assert given | {"scikit-learn"} <= names


def test_library_imports_without_tensorflow():
    code = (
        "import sys, realfake_lib, realfake_lib.cli, realfake_lib.data, realfake_lib.report;"
        "print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_make_alone_prints_every_target():
    out = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.M)
    assert {"report", "test", "demo", "pdf", "notebooks", "status", "bench", "lint"} <= {*targets}
    for target in targets:
        assert re.search(rf"^  {target} ", out, re.M), target


def test_ci_calls_make_test_and_the_workflow_calls_ci():
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    steps = workflow["jobs"]["test"]["steps"]
    assert any(step.get("run") == "bash .ci/run" for step in steps)
    upload = next(step for step in steps if "upload-artifact" in step.get("uses", ""))
    assert upload["if"] == "always()"


def test_setup_refuses_a_python_that_tensorflow_has_no_wheels_for(tmp_path):
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    (tmp_path / "bin").mkdir()
    for tool in ("sh", "echo"):
        (tmp_path / "bin" / tool).symlink_to(f"/bin/{tool}")
    out = subprocess.run(
        ["/bin/sh", str(ROOT / "scripts" / "setup.sh"), ".venv/bin", ".venv/.ready"],
        cwd=tmp_path,
        env={"PATH": str(tmp_path / "bin"), "PYTHON3": str(old)},
        capture_output=True,
        text=True,
    )
    assert out.returncode == 2
    assert "Python 3.11 to 3.13" in out.stderr
    assert not (tmp_path / ".venv").exists()


def test_tracked_files_name_no_path_of_a_developers_machine():
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    here = Path(__file__).relative_to(ROOT).as_posix()
    for name in filter(None, files):
        path = ROOT / name
        if name == here or path.suffix in {".png", ".keras", ".npz", ".pdf"} or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="ignore")
        assert "/work/main" not in text and "/root/" not in text, name
        assert name == ".ci/run" or "../shared" not in text, name
