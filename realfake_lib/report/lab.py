"""JupyterLab as ``make notebooks`` opens it: with this project's Python, and without calls home.

JupyterLab itself asks its maker for news and PyPI for newer versions and for extensions.
"""

import os
import sys
from pathlib import Path

from realfake_lib import environment

SILENT = (
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
)


def main(arguments):
    """Become JupyterLab; ``arguments`` are its own, e.g. the folder to open."""
    if getattr(os, "geteuid", lambda: 1)() == 0 and "--allow-root" not in arguments:
        print(
            "JupyterLab does not run as root unless it is allowed to:\n"
            "  make notebooks JUPYTER=--allow-root\n"
            "In a container it must listen to the outside, too:\n"
            '  make notebooks JUPYTER="--allow-root --ip=0.0.0.0"',
            file=sys.stderr,
        )
        return 2
    root = Path(__file__).resolve().parent.parent.parent
    command = [sys.executable, "-m", "jupyterlab", *SILENT, *arguments]
    os.execve(sys.executable, command, environment.for_child(root))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
