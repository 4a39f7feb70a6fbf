"""The Jupyter kernel of the project: this very Python, and quiet.

"python3" of another installation must not run these notebooks.
"""

import contextlib
import sys

import psutil

from realfake_lib.report.stage import write_json


def prepare(folder):
    """Write a kernel specification into ``folder``; variables by which Jupyter finds it."""
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    # TensorFlow's C++ log lines differ from run to run: to the log, not into cells.
    command.append("--IPKernelApp.capture_fd_output=False")
    # A numpy.py beside the notebook must not stand in for NumPy.
    command.append("--InteractiveShellApp.ignore_cwd=True")
    kernel = {"argv": command, "display_name": "Python 3", "language": "python"}
    write_json(folder / "kernels" / "python3" / "kernel.json", kernel)
    return {
        "JUPYTER_PATH": str(folder),
        "IPYTHONDIR": str(folder / "ipython"),  # without the user's start-up files
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def end_family(process_id):
    """Kill everything that a process has started, kernels and their workers included."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process_id).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
