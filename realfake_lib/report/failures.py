"""What is kept of stages that failed, or did not run because one that they read failed.

It lies in ``failed/`` of the profile's folder until the stage succeeds: ``<stage>.json`` says why,
``<stage>.ipynb`` is the notebook as far as it ran.
"""

import shutil
from pathlib import Path

from realfake_lib.report.stage import read_json, write_json


def keep(build, stage, error=None, cell=None, waits_for=(), executed=None):
    """Note that a stage failed, in which cell (counted from 1), or for which stages it waits.

    ``build`` is the folder of a profile, ``executed`` the path of the notebook as far as it ran.
    """
    clear(build, stage)
    record = {"error": error, "cell": cell, "waits_for": list(waits_for)}
    write_json(Path(build, "failed", f"{stage}.json"), record)
    if executed and executed.is_file():
        shutil.copyfile(executed, notebook(build, stage))


def read(build, stage):
    """What was kept of a stage, or an empty dict: then its results count, if it has any."""
    return read_json(Path(build, "failed", f"{stage}.json")) or {}


def notebook(build, stage):
    """Path of a failed stage's notebook."""
    return Path(build, "failed", f"{stage}.ipynb")


def clear(build, stage):
    """Forget that a stage failed."""
    for left in Path(build, "failed").glob(f"{stage}.*"):
        left.unlink()
