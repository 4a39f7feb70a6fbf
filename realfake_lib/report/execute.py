"""Execute one notebook through papermill; runs as a process of its own, started by the runner.

It takes what to do from the environment variable ``REALFAKE_RUN``. So papermill's working
directory, the kernel and its memory end with the stage.
"""

import json
import os
import threading
import time
from pathlib import Path

import nbformat
import papermill

from realfake_lib.report.kernels import end_family
from realfake_lib.report.stage import VARIABLE, write_json


def execute(source, output, parameters):
    """Execute a notebook so that two runs leave the same bytes; None, or its error and its cell."""
    notebook = nbformat.read(source, as_version=4)
    options = {"kernel_name": "python3", "language": "python", "cwd": str(source.parent)}
    options |= {"progress_bar": False, "record_timing": False, "coalesce_streams": True}
    for _ in range(3):
        failure = None
        try:
            papermill.execute_notebook(notebook, str(output), parameters=parameters, **options)
        except papermill.PapermillExecutionError as raised:
            # The cell's place counts from 0, and the injected cell before it.
            failure = {"error": f"{raised.ename}: {raised.evalue}", "cell": raised.cell_index}
        except Exception as raised:  # a kernel that died, a full disk: told like an error in a cell
            failure = {"error": f"{type(raised).__name__}: {raised}", "cell": None}
        # A kernel is told its ports before it opens them; another kernel that starts at the same
        # moment may take one. Then nothing was executed yet, and the next start gets other ports.
        if "Kernel died before replying to kernel_info" not in str(failure):
            break
    if output.is_file():  # what differs from run to run goes
        notebook = nbformat.read(output, as_version=4)
        notebook.metadata.pop("papermill", None)
        for cell in notebook.cells:
            for name in ("papermill", "execution"):
                cell.metadata.pop(name, None)
            if "injected-parameters" in cell.metadata.get("tags", ()):
                cell["id"] = "injected-parameters"
        nbformat.write(notebook, output)
    return failure


def end_with(parent, every=0.5):
    """End this process and what it started once ``parent``, a runner that was killed, is gone."""
    while os.getppid() == parent:
        time.sleep(every)
    end_family(os.getpid())
    os._exit(1)


if __name__ == "__main__":
    told = json.loads(os.environ[VARIABLE])
    threading.Thread(target=end_with, args=[told["parent"]], daemon=True).start()
    output = Path(told["folder"], "notebook.ipynb")
    write_json(told["result"], execute(Path(told["notebook"]), output, told["parameters"]))
