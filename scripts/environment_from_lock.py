"""Write environment.yml from pyproject.toml and requirements.lock: one set of pins for both."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

HEADER = """\
# Made by `make lock` from requirements.lock; edit pyproject.toml instead.
# conda env create -f environment.yml && conda activate realfake && make report
name: realfake
channels:
  - conda-forge
dependencies:
  - python=3.12
  - pip
  - make
  - pip:
      # What this project uses directly, at the versions of the lock:
"""

NOT_LOCKED = ("provenance",)
"""Extras that neither the report nor its environment needs."""

FOOTER = """\
      # Everything else that these need, and the project itself:
      - -r requirements.lock
      - -e .
"""


def canonical(name):
    """Package name in the form that PyPI compares by (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(text):
    """Map of package name to version, from the lines of a lock file."""
    lines = (line.split(";")[0].strip() for line in text.splitlines())
    pairs = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {canonical(name): version for name, version in pairs}


def direct(project):
    """Names that pyproject.toml asks for itself, with the extras that the lock holds."""
    extras = project["optional-dependencies"].items()
    groups = [project["dependencies"], *(items for name, items in extras if name not in NOT_LOCKED)]
    return [canonical(re.match(r"[\w.-]+", item)[0]) for group in groups for item in group]


def environment(root=ROOT):
    """Text of environment.yml that belongs to the lock in ``root``."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = locked((root / "requirements.lock").read_text(encoding="utf-8"))
    lines = [f"      - {name}=={pins[name]}\n" for name in direct(project)]
    return HEADER + "".join(lines) + FOOTER


if __name__ == "__main__":
    (ROOT / "environment.yml").write_text(environment(), encoding="utf-8")
