"""A copy of the project for tests to run, edit and break; this interpreter is its ``.venv``."""

import importlib.util
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

_FILES = (
    "report.yml",
    "requirements.lock",
    "environment.yml",
    "pyproject.toml",
    "Makefile",
    ".pre-commit-config.yaml",
)
_FILES += ("README.md",)
_FOLDERS = ("notebooks", "realfake_lib", "scripts", "benchmarks", "tests", "reports", "examples")
_FOLDERS += ("experiments",)


def load_script(name):
    """A fresh module of ``scripts``, whose names a test may change."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def copy_project(target):
    """Copy what a run reads, as it stands in the working tree, without anything built."""
    ignore = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for folder in _FOLDERS:
        if (ROOT / folder).is_dir():
            shutil.copytree(ROOT / folder, target / folder, ignore=ignore)
    for file in _FILES:
        shutil.copy(ROOT / file, target / file)
    # make finds an environment that is ready: the one that runs the tests.
    (target / ".venv").mkdir()
    for entry in Path(sys.prefix).iterdir():
        if entry.name != ".realfake-ready":  # the copy's own stamp keeps make from installing
            (target / ".venv" / entry.name).symlink_to(entry)
    (target / ".venv" / ".realfake-ready").touch()
    return target


def environment(project, **more):
    """The project's own code, and no network, data or weights of this machine's owner."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("REALFAKE_", "COV_", "MAKE"))}
    for name in ("CONDA_PREFIX", "CONDA_DEFAULT_ENV", "PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST"):
        kept.pop(name, None)
    if "REALFAKE_CACHE" in os.environ:
        kept["REALFAKE_CACHE"] = os.environ["REALFAKE_CACHE"]
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY"), "http://127.0.0.1:9")
    return {**kept, **nowhere, "PYTHONPATH": str(project), "COLUMNS": "300", **more}


def realfake(project, *arguments, **kwargs):
    """Run ``realfake …`` of the copy in the copy; the finished process."""
    command = [sys.executable, "-m", "realfake_lib.cli", *map(str, arguments)]
    kwargs = {"capture_output": True, "text": True, "timeout": 2400} | kwargs
    return subprocess.run(command, cwd=project, env=environment(project), **kwargs)


def processor_seconds():
    """Processor time of all processes that this one has waited for, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
