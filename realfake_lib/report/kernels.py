"""The Jupyter kernel of the project: this very Python, and quiet. JupyterLab with it.

"python3" of another installation must not run these notebooks. ``make notebooks`` runs this module.
"""

import contextlib
import os
import sys
from pathlib import Path

import psutil

from realfake_lib import environment
from realfake_lib.report.stage import write_json

# JupyterLab asks its maker for news and PyPI for newer versions and for extensions; one of its
# parts runs npm, which asks for a newer npm.
SILENT = (
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
)


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
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "IPYTHONDIR": str(folder / "ipython"),  # without the user's start-up files
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def end_family(process_id):
    """Kill everything that a process has started, kernels and their workers included."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process_id).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()


def main(arguments):
    """Become JupyterLab; ``arguments`` are its own, e.g. the folder to open."""
    root = Path(__file__).resolve().parent.parent.parent
    own = prepare(root / "build" / "interactive" / "jupyter")
    own["npm_config_update_notifier"] = "false"
    command = [sys.executable, "-m", "jupyterlab", *SILENT, *arguments]
    os.execve(sys.executable, command, environment.for_child(root, **own))


if __name__ == "__main__":
    main(sys.argv[1:])
