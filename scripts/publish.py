"""Publish a finished build: publish.py BUILD, e.g. build/standard.

Puts the report, its chapters as Markdown, its metrics and its figures by stage into ``reports/``,
the detectors that ``realfake predict`` uses into ``realfake_lib/detectors/``, and refuses what was
not made from clean commits on CIFAKE. Each detector gets its ONNX form and its model card. Then
sets the README's figures anew.

publish.py --models makes ONNX forms and cards of the published detectors anew.
"""

import argparse
import json
import runpy
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "reports"
FOLDER = ROOT / "realfake_lib" / "detectors"
DETECTORS = {
    "detector": "training",
    "fast": "training",
    "robust": "training",
    "defended": "adversarial_robustness",
}
"""Detectors that are published, as far as a build has them, and the stage that trains each."""


def refusal(metrics):
    """Why a build with these metrics cannot be the reference report, or None."""
    provenance = metrics["provenance"]
    dirty = [name for name, stage in provenance["stages"].items() if not stage["clean"]]
    if metrics["data"]["name"] != "CIFAKE":
        return f"it was made on {metrics['data']['name']}, not on CIFAKE"
    if dirty or not provenance["git"]["clean"]:
        return f"it was made with uncommitted changes ({', '.join(dirty) or 'when rendered'})"
    return None


def publish(build, reports, detectors):
    """Copy the parts of ``build`` that a visitor opens into ``reports``, and what judges images
    into ``detectors``, in place of the report there and of detectors of these names.

    Raises
    ------
    SystemExit
        If the build is not fit to be the reference.
    """
    metrics = json.loads((build / "metrics.json").read_text(encoding="utf-8"))
    folders = {name: build / "stages" / stage / "models" for name, stage in DETECTORS.items()}
    names = [name for name, folder in folders.items() if (folder / f"{name}.keras").is_file()]
    reason = refusal(metrics) if names else f"it holds none of {', '.join(DETECTORS)}"
    if any((build / "failed").glob("*.json")):
        reason = "a stage of it failed"
    if reason:
        raise SystemExit(f"{build} cannot become the reference report: {reason}.")
    shutil.rmtree(reports, ignore_errors=True)
    for name in DETECTORS:  # others, such as real_size, come from no stage
        for file in detectors.glob(f"{name}.*"):
            file.unlink()
    for stage in metrics["provenance"]["stages"]:
        figures = build / "stages" / stage / "figures"
        for figure in sorted(figures.glob("*.png")):
            copy(figure, reports / "figures" / stage / figure.name)
    for file in ("report.html", "metrics.json"):
        copy(build / file, reports / file)
    for chapter in sorted((build / "chapters").glob("*.md")):
        copy(chapter, reports / "chapters" / chapter.name)
    for name in names:
        for suffix in (".keras", ".json"):
            copy(folders[name] / f"{name}{suffix}", detectors / f"{name}{suffix}")
    complete(detectors, metrics)


def complete(detectors, metrics):
    """Give each detector in a folder its ONNX form, its place in the report, and its card.

    Raises
    ------
    UserError
        If a detector and its ONNX form give different logits.
    """
    from realfake_lib import console

    console.import_tensorflow()
    from realfake_lib import models
    from realfake_lib.models.export import to_onnx
    from realfake_lib.report import model_card

    for name in DETECTORS:
        file = detectors / f"{name}.keras"
        if not file.is_file():
            continue
        model, meta = models.load(file)
        meta = model_card.with_report(meta, name, metrics) | {"bytes": file.stat().st_size}
        meta = to_onnx(model, file.with_suffix(".onnx"), meta)
        file.with_suffix(".md").write_text(model_card.render(meta, name), encoding="utf-8")


def copy(source, target):
    """Copy a file, making the folders that it needs."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="publish.py", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("build", nargs="?", type=Path)
    what.add_argument("--models", action="store_true")
    options = parser.parse_args()
    if options.models:
        published = json.loads((REPORTS / "metrics.json").read_text(encoding="utf-8"))
        complete(FOLDER, published)
    else:
        publish(options.build, REPORTS, FOLDER)
        runpy.run_path(str(ROOT / "scripts" / "update_readme.py"), run_name="__main__")
