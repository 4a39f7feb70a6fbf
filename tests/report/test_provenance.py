"""Provenance: what a report says about the checkout, the machine and the times it comes from."""

import subprocess
from types import SimpleNamespace

import pytest

from realfake_lib.report import provenance


def git(root, *arguments):
    settings = ["-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *settings, *arguments], cwd=root, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "requirements.lock").write_text("numpy==2.4.6\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "One")
    return tmp_path


def test_a_clean_checkout_is_told_from_one_with_changes(checkout):
    state = provenance.git_state(checkout)
    assert len(state["commit"]) == 40 and state["clean"] is True
    (checkout / "new.py").touch()
    assert provenance.git_state(checkout) == {"commit": state["commit"], "clean": False}


def test_outside_of_git_nothing_is_claimed(tmp_path, monkeypatch):
    nothing = {"commit": None, "clean": None}
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.git_state(tmp_path) == nothing
    monkeypatch.setenv("PATH", "")
    assert provenance.git_state(tmp_path) == nothing


def test_the_environment_names_versions_lock_and_machine(checkout):
    found = provenance.environment(checkout)
    assert found["versions"]["numpy"] and len(found["lock"]) == 64
    assert found["hardware"]["cores"] >= 1 and found["hardware"]["memory_gib"] > 0
    assert found["hardware"]["processor"]
    (checkout / "requirements.lock").unlink()
    assert provenance.environment(checkout)["lock"] is None


def test_a_machine_or_package_that_cannot_be_told_is_no_error(checkout, monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGES", ("no-such-package",))
    monkeypatch.setattr(provenance.Path, "is_file", lambda _: False)
    provenance.hardware.cache_clear()
    found = provenance.environment(checkout)
    assert found["versions"] == {"no-such-package": None} and found["hardware"]["processor"]
    provenance.hardware.cache_clear()


def record(finished):
    return {
        "made": {"seconds": 1.5, "finished": finished},
        "environment": {"python": f"of {finished}"},
        "parts": {"parameters": {"epochs": 2}},
    }


def test_a_report_tells_each_stage_and_the_newest_environment(checkout):
    plan = SimpleNamespace(root=checkout, seed=3)
    records = {"a": record("2026-02-01"), "b": record("2026-01-01")}
    found = provenance.collect(plan, records)
    assert found["python"] == "of 2026-02-01" and found["finished"] == "2026-02-01"
    assert found["seed"] == 3 and found["git"]["clean"] is True
    assert found["stages"]["a"] == {"seconds": 1.5, "finished": "2026-02-01"}
    assert found["parameters"] == {"a": {"epochs": 2}, "b": {"epochs": 2}}
    assert provenance.collect(plan, records) == found
