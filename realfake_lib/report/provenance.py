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
    lock = Path(root) / "requirements.lock"
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "lock": hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else None,
        "versions": {name: _version(name) for name in PACKAGES},
        "hardware": hardware(),
    }


@functools.cache
def hardware():
    """Processor, cores that this process may use, and memory in GiB, as dict."""
    return {
        "processor": _processor(),
        "cores": parallel.cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
    }


def collect(plan, records):
    """Provenance of a whole report, from ``stage.json`` of the finished stages by name.

    It stays as it is while nothing runs and nothing is committed.
    """
    newest = max(records.values(), key=lambda record: record["finished"], default=None)
    return {
        "git": git_state(plan.root),
        "finished": newest and newest["finished"],
        "seed": plan.seed,
        **(newest["environment"] if newest else environment(plan.root)),
        "stages": {
            name: {
                "seconds": record["seconds"],
                "finished": record["finished"],
                "commit": (record["git"]["commit"] or "none")[:10],
                "clean": record["git"]["clean"],
                "key": record["key"][:16],
            }
            for name, record in records.items()
        },
        "parameters": {name: record["parts"]["parameters"] for name, record in records.items()},
    }


def _git(root, *arguments):
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, encoding="utf-8", timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor():
    """The processor's name; Linux tells it in a file, other systems through platform."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
