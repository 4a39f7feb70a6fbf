"""Execute one notebook through papermill; runs as a process of its own, started by the runner.

``python -m realfake_lib.report.execute JOB`` reads a job (see :func:`execute`) from a JSON file,
so that papermill's working directory, the kernel and its memory end with the stage.
"""

import json
import sys
from pathlib import Path

import nbformat
import papermill
from papermill.execute import ERROR_MARKER_TAG

from realfake_lib.report.processes import end_with
from realfake_lib.report.stage import write_json

INJECTED = "injected-parameters"  # papermill's tag of the cell that it adds, here also its id

KERNEL_STARTS = 3
_NEVER_STARTED = "Kernel died before replying to kernel_info"


def execute(job):
    """Execute a notebook so that two runs leave the same bytes.

    Parameters
    ----------
    job : dict
        ``notebook``: the source; ``output``: where the executed notebook goes; ``parameters``:
        values for its parameters cell.

    Returns
    -------
    dict or None
        For a failure its ``error``, a short text, and the ``cell`` in which it happened, counted
        from 1 as in JupyterLab, or None.
    """
    source, output = Path(job["notebook"]), Path(job["output"])
    notebook = nbformat.read(source, as_version=4)
    for number, cell in enumerate(notebook.cells):
        cell.setdefault("id", f"cell-{number}")  # nbformat would draw random ones
    for attempt in range(1, KERNEL_STARTS + 1):
        failure = _run(notebook, source, output, job["parameters"])
        # A kernel is told its ports before it opens them; another kernel that starts at the same
        # moment may take one. Then nothing was executed yet, and the next start gets other ports.
        if failure is None or _NEVER_STARTED not in failure or attempt == KERNEL_STARTS:
            break
    cell = _settle(output) if output.is_file() else None
    return failure and {"error": failure, "cell": cell}


def _run(notebook, source, output, parameters):
    """Execute once; what went wrong in a short text, or None."""
    try:
        papermill.execute_notebook(
            notebook,
            str(output),
            parameters=parameters,
            kernel_name="python3",
            language="python",
            cwd=str(source.parent),
            progress_bar=False,
            record_timing=False,
            coalesce_streams=True,
        )
    except papermill.PapermillExecutionError as error:
        return f"{error.ename}: {error.evalue}"
    except Exception as error:  # a kernel that died, a full disk: told like an error in a cell
        return f"{type(error).__name__}: {error}"
    return None


def _settle(path):
    """Take out of an executed notebook what differs from run to run; find the failed cell."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("papermill", None)
    number, failed = 0, None
    for cell in notebook.cells:
        for name in ("papermill", "execution"):
            cell.metadata.pop(name, None)
        tags = cell.metadata.get("tags", ())
        number += not {INJECTED, ERROR_MARKER_TAG} & set(tags)
        if INJECTED in tags:
            cell["id"] = INJECTED
        if failed is None and any(out.output_type == "error" for out in cell.get("outputs", ())):
            failed = number
    nbformat.write(notebook, path)
    return failed


if __name__ == "__main__":
    job = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    end_with(job["parent"])
    write_json(job["result"], execute(job))
