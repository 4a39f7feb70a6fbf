"""Fixtures shared by all tests: the demo set, CIFAKE where it can be had, and a smoke report."""

import os
import time

import pytest
from project import copy_project, realfake

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")


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
    def __init__(self, project, outcome, seconds):
        self.project, self.outcome, self.seconds = project, outcome, seconds
        self.build = project / "build" / "smoke"

    @property
    def html(self):
        return (self.build / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def smoke(tmp_path_factory):
    """The report on the demo data, made once in a copy of the project."""
    project = copy_project(tmp_path_factory.mktemp("smoke") / "project")
    begun = time.monotonic()
    outcome = realfake(project, "report", "run", "--profile", "smoke", "--data", "demo")
    assert outcome.returncode == 0, outcome.stdout[-4000:] + outcome.stderr[-4000:]
    return Smoke(project, outcome, time.monotonic() - begun)
