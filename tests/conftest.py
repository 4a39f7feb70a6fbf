"""Fixtures shared by all tests: the demo set, CIFAKE where it is available, and a smoke report."""

import json
import os
from collections import Counter

import filelock
import pytest
from project import copy_project, processor_seconds, realfake

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")
# Tests import Keras on their own, and the shell may name another backend.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.pop("TF_USE_LEGACY_KERAS", None)


def pytest_collection_modifyitems(items):
    """Begin with the files that take minutes: no process waits at the end for one of them.

    Of those that need the smoke report, one comes early and makes it; the others follow when all
    that take minutes have begun, so that no process waits for the report either.
    """
    slow, tests, need_report = Counter(), Counter(), {}
    for item in items:
        tests[item.path] += 1
        slow[item.path] += item.get_closest_marker("slow") is not None
        if "smoke" in item.fixturenames:
            need_report.setdefault(item.path, len(need_report))

    def rank(item):
        share = slow[item.path] / tests[item.path]
        return share == 0, need_report.get(item.path, 0) > 0, -share

    items.sort(key=rank)


@pytest.fixture(scope="session")
def demo():
    """The embedded demo set, small; made once and kept in the cache."""
    from realfake_lib import data

    return data.load("demo")


@pytest.fixture(scope="session")
def cifake():
    """The whole of CIFAKE, or a skip that says what is missing."""
    from realfake_lib import data, settings

    if not settings.env("REALFAKE_DATA"):
        pytest.skip("needs CIFAKE: set REALFAKE_DATA to its archive or folder")
    return data.load("cifake", allow_download=False)


class Smoke:
    def __init__(self, project, printed, processor_seconds):
        self.project, self.printed = project, printed
        self.processor_seconds = processor_seconds
        self.build = project / "build" / "smoke"

    @property
    def html(self):
        return (self.build / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def smoke(tmp_path_factory):
    """The report on the demo data, made once in a copy of the project, for all test processes.

    Nobody may change it; a test that runs or edits something takes a copy.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own
    project, done = shared / "smoke" / "project", shared / "smoke" / "outcome.json"
    with filelock.FileLock(shared / "smoke.lock"):
        if not done.is_file():
            project.parent.mkdir()
            copy_project(project)
            begun = processor_seconds()
            outcome = realfake(project, "report", "run", "--profile", "smoke", "--data", "demo")
            record = {
                "code": outcome.returncode,
                "text": outcome.stdout + outcome.stderr,
                "processor_seconds": processor_seconds() - begun,
            }
            done.write_text(json.dumps(record))
    record = json.loads(done.read_text())
    assert record["code"] == 0, record["text"][-6000:]
    return Smoke(project, record["text"], record["processor_seconds"])
