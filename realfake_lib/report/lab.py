"""JupyterLab as ``make notebooks`` opens it: with this project's Python, and without calls home.

JupyterLab itself asks its maker for news and PyPI for newer versions and for extensions; one of its
parts runs npm, which asks for a newer npm.
"""

import os
import sys
from pathlib import Path

from realfake_lib import environment
from realfake_lib.report import kernels

SILENT = (
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
)


def main(arguments):
    """Become JupyterLab; ``arguments`` are its own, e.g. the folder to open."""
    root = Path(__file__).resolve().parent.parent.parent
    own = kernels.prepare(root / "build" / "interactive" / "jupyter")
    own["npm_config_update_notifier"] = "false"
    command = [sys.executable, "-m", "jupyterlab", *SILENT, *arguments]
    os.execve(sys.executable, command, environment.for_child(root, **own))


if __name__ == "__main__":
    main(sys.argv[1:])
