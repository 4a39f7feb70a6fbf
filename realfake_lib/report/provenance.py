"""Where results come from: commit, versions, machine, data, seeds, parameters and times."""

import functools
import hashlib
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import psutil

from realfake_lib import parallel

PACKAGES = (
    "realfake-lib tensorflow keras numpy pandas scipy scikit-learn statsmodels matplotlib pillow "
    "papermill nbconvert"
).split()


def git_state(root):
    """``commit`` of a checkout and whether it is ``clean``; both None outside of git."""
    # --no-optional-locks: a status must not disturb a git command that runs beside it.
    status = _git(root, "--no-optional-locks", "status", "--porcelain")
    commit = _git(root, "rev-parse", "HEAD")
    return {"commit": commit, "clean": None if None in (commit, status) else not status}


def environment(root):
    """Python, versions of the packages that matter, lock and machine, as dict."""
    lock = root / "requirements.lock"
    found = reversed(list(metadata.distributions()))  # of two, the first is the one in use
    installed = {package.name.lower(): package.version for package in found}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "lock": hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else None,
        "versions": {name: installed.get(name) for name in PACKAGES},
        "hardware": hardware(),
    }


@functools.cache
def hardware():
    """Processor, cores that this process may use, and memory in GiB, as dict."""
    told = Path("/proc/cpuinfo")  # Linux's; other systems tell through platform
    lines = told.read_text("utf-8").splitlines() if told.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": (names or [platform.processor() or platform.machine()])[0],
        "cores": parallel.cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
    }


def collect(plan, records):
    """Provenance of a whole report, from ``stage.json`` of the finished stages by name."""
    newest = max(records.values(), key=lambda record: record["made"]["finished"], default=None)
    return {
        "git": git_state(plan.root),
        "finished": newest and newest["made"]["finished"],
        "seed": plan.seed,
        **(newest["environment"] if newest else environment(plan.root)),
        "stages": {name: record["made"] for name, record in records.items()},
        "parameters": {name: record["parts"]["parameters"] for name, record in records.items()},
    }


def _git(root, *arguments):
    command, options = ["git", *arguments], {"cwd": root, "capture_output": True, "timeout": 20}
    try:
        done = subprocess.run(command, encoding="utf-8", **options)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
