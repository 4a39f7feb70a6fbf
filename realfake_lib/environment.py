"""What of a user's environment reaches the programs of this project, and what does not.

Shells, cluster modules and IDEs set variables for other programs: a path to another NumPy, another
Keras backend, a start-up file. :func:`for_child` leaves them out of the processes started here. The
``realfake`` command, which is started by the user's shell, calls :func:`own_packages_first`.

**Calls home.** Of the packages in ``requirements.lock``, two ask or tell their makers something
unless they are told not to: onnxruntime from 1.32 on, which reports its use some seconds after it
was imported, and JupyterLab, which asks for news, newer versions and extensions (see
:mod:`realfake_lib.report.kernels`). All others connect only where they are given an address; the
report's own downloads are named in the README.
"""

import os
import sys
from pathlib import Path

OUTPUT = {
    "PYTHONIOENCODING", "PYTHONUTF8", "PYTHONCOERCECLOCALE", "PYTHONUNBUFFERED",
    "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX",
}  # fmt: skip
"""Python's own variables that concern its output alone."""

_FOREIGN = ("PYTHON", "KERAS_", "TF_USE_LEGACY_KERAS", "MATPLOTLIBRC", "MPLBACKEND")
"""Beginnings of the names of variables that are about other programs than ours."""

_PATHS = ("REALFAKE_", "KERAS_HOME", "MPLCONFIGDIR")
"""Beginnings of the names of variables that hold a path."""

_NO_PATHS = ("REALFAKE_CLUSTER", "REALFAKE_RUN")


def for_child(root, **more):
    """Environment of a process of this project, which takes this library from ``root``."""
    kept = {
        name: _whole(name, value)
        for name, value in os.environ.items()
        if name in OUTPUT or name == "KERAS_HOME" or not name.startswith(_FOREIGN)
    }
    own = {
        "PYTHONPATH": str(root),
        "PYTHONNOUSERSITE": "1",
        "KERAS_BACKEND": "tensorflow",
        "MATPLOTLIBRC": os.devnull,
        "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime 1.32 and later report their use
    }
    return kept | own | more


def _whole(name, value):
    """Relative paths are meant from where the command was given."""
    if not value.strip() or not name.startswith(_PATHS) or name in _NO_PATHS:
        return value
    return _absolute(os.path.expanduser(value))


def own_packages_first():
    """Let packages installed beside this library go before those on ``PYTHONPATH``."""
    named = {_absolute(p) for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p}
    named.discard(str(Path(__file__).parent.parent))
    sys.path.sort(key=lambda entry: _absolute(entry) in named)


def _absolute(path):
    try:
        return os.path.abspath(path)
    except FileNotFoundError:  # the current folder was deleted
        return path
