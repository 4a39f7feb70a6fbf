"""Make ``reports/`` from a finished build: publish.py BUILD, e.g. build/standard.

Takes the report, its metrics, its figures by stage and the detector that ``realfake predict`` uses,
and refuses what was not made from clean commits on CIFAKE. Then sets the README's figures anew.
"""

import json
import runpy
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DETECTORS = ("compact_cnn",)


def refusal(metrics):
    """Why a build with these metrics cannot be the reference report, or None."""
    provenance = metrics["provenance"]
    dirty = [name for name, stage in provenance["stages"].items() if not stage["clean"]]
    if metrics["data"]["name"] != "CIFAKE":
        return f"it was made on {metrics['data']['name']}, not on CIFAKE"
    if dirty or not provenance["git"]["clean"]:
        return f"it was made with uncommitted changes ({', '.join(dirty) or 'when rendered'})"
    return None


def publish(build, target):
    """Copy the parts of ``build`` that a visitor opens into ``target``, in place of what is there.

    Raises
    ------
    SystemExit
        If the build is not fit to be the reference.
    """
    metrics = json.loads((build / "metrics.json").read_text(encoding="utf-8"))
    reason = refusal(metrics)
    if reason:
        raise SystemExit(f"{build} cannot become the reference report: {reason}.")
    shutil.rmtree(target, ignore_errors=True)
    for stage in metrics["provenance"]["stages"]:
        figures = build / "stages" / stage / "figures"
        for picture in sorted(figures.glob("*.png")):
            copy(picture, target / "figures" / stage / picture.name)
    for file in ("report.html", "metrics.json"):
        copy(build / file, target / file)
    for name in DETECTORS:
        for suffix in (".keras", ".json"):
            file = f"{name}{suffix}"
            copy(build / "stages" / "training" / "models" / file, target / "models" / file)


def copy(source, target):
    """Copy a file, making the folders that it needs."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


if __name__ == "__main__":
    publish(Path(sys.argv[1]), ROOT / "reports")
    runpy.run_path(str(ROOT / "scripts" / "update_readme.py"), run_name="__main__")
