"""What is kept of stages that failed, or did not run because one that they read failed.

It lies in ``failed/`` of the profile's folder until the stage succeeds: ``<stage>.json`` says why,
``<stage>.ipynb`` is the notebook as far as it ran, ``<stage>.metrics.json`` what it had measured.
"""

import json
import shutil
from pathlib import Path

from realfake_lib.report.stage import write_json


def keep(build, stage, error, cell=None, folder=None):
    """Note that a stage failed, beside the notebook and the metrics that it left.

    Parameters
    ----------
    build : path
        Folder of one profile.
    stage, error : str
    cell : int, optional
        The cell that failed, counted from 1.
    folder : path, optional
        Where its results lie so far.
    """
    clear(build, stage)
    write_json(_record(build, stage), {"error": error, "cell": cell})
    left = {"notebook.ipynb": notebook(build, stage), "metrics.json": _metrics(build, stage)}
    for name, path in left.items():
        if folder and (Path(folder) / name).is_file():
            shutil.copyfile(Path(folder) / name, path)


def keep_waiting(build, stage, inputs):
    """Note that a stage did not run, because the stages ``inputs`` have no results."""
    clear(build, stage)
    write_json(_record(build, stage), {"waits_for": list(inputs)})


def of(build, stage):
    """``error`` and ``cell`` of a stage that failed, else None."""
    record = _read(build, stage)
    return record if "error" in record else None


def waits_for(build, stage):
    """Stages for whose sake a stage did not run; empty where it did, or was not asked to."""
    return _read(build, stage).get("waits_for", [])


def stands(build, stage):
    """Whether a stage failed or did not run, so that older results of it don't count."""
    return bool(_read(build, stage))


def notebook(build, stage):
    """Path of a failed stage's notebook."""
    return Path(build) / "failed" / f"{stage}.ipynb"


def metrics(build, stage):
    """What a failed stage had measured: name to record."""
    try:
        return json.loads(_metrics(build, stage).read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def _metrics(build, stage):
    return Path(build) / "failed" / f"{stage}.metrics.json"


def clear(build, stage):
    """Forget that a stage failed."""
    for left in (Path(build) / "failed").glob(f"{stage}.*"):
        left.unlink()


def _record(build, stage):
    return Path(build) / "failed" / f"{stage}.json"


def _read(build, stage):
    try:
        return json.loads(_record(build, stage).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
