"""The Jupyter kernel of the project: this very Python, and quiet.

"python3" of another installation must not run these notebooks.
"""

import contextlib
import sys

import psutil

from realfake_lib.report.stage import write_json


def prepare(folder):
    """Write a kernel specification and an IPython profile into ``folder``, a Path."""
    write_json(
        folder / "kernels" / "python3" / "kernel.json",
        {
            "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": "Python 3",
            "language": "python",
        },
    )
    profile = folder / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(
        "c = get_config()\n"
        # TensorFlow's C++ log lines differ from run to run: to the log, not into cells.
        "c.IPKernelApp.capture_fd_output = False\n"
        "c.HistoryManager.enabled = False\n"
        # A numpy.py beside the notebook must not stand in for NumPy.
        "c.InteractiveShellApp.ignore_cwd = True\n",
        encoding="utf-8",
    )


def environment(folder):
    """Variables by which Jupyter finds what :func:`prepare` wrote, dict of str to str."""
    return {
        "JUPYTER_PATH": str(folder),
        "IPYTHONDIR": str(folder / "ipython"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def end_family(process_id):
    """Kill everything that a process has started, kernels and their workers included."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process_id).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
