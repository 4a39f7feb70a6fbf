"""A report that has everything, made from the notebooks and the reference report in no time.

The metrics are those of ``reports/metrics.json``, with a made-up one for each that notebooks have
come to quote since then. The notebooks were not run: a cell shows an empty figure or
table for each that its code names.
"""

import ast
import functools
import json
import re
from pathlib import Path

from realfake_lib.report import plan as planning
from realfake_lib.report import prose

ROOT = Path(__file__).resolve().parents[2]
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJg"
    "gg=="
)


@functools.cache
def stages():
    return tuple(planning.load(ROOT).stages.values())


@functools.cache
def _metrics():
    content = json.loads((ROOT / "reports" / "metrics.json").read_text(encoding="utf-8"))
    while missing := [name for name in _missing(content) if "." in name]:
        made_up = {"value": 0.5, "ci": [0.4, 0.6], "n": 100, "seed": 0}
        content["metrics"] |= {name: made_up for name in missing}
    return json.dumps(content)


def _missing(content):
    """Names that the notebooks quote and the metrics do not have."""
    filler = prose.Prose(content, strict=False)
    for stage in stages():
        for cell in planning.read_notebook(stage.notebook)["cells"]:
            if cell["cell_type"] == "markdown":
                filler.markdown(cell["source"], stage.name, stage.name)
    return list(filler.missing)


def metrics(without=None, data=None):
    """The reference metrics, without those whose name matches the pattern ``without``."""
    content = json.loads(_metrics())
    if without:
        kept = {k: v for k, v in content["metrics"].items() if not re.search(without, k)}
        content["metrics"] = kept
    content["data"] |= data or {}
    return content


def write(build, without=()):
    """Write the notebooks of all stages, without the figures and tables named ``without``."""
    for stage in stages():
        notebook = json.loads(stage.notebook.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                shown = _shown("".join(cell["source"]))
                cell["outputs"] = [one for name, one in shown if name not in without]
        path = build / "stages" / stage.name / "notebook.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(notebook), encoding="utf-8")


def _shown(code):
    """Figures and tables that a cell makes: pairs of name and output."""
    for node in ast.walk(ast.parse(code)):
        function = node.func if isinstance(node, ast.Call) else None
        if not isinstance(function, ast.Attribute) or ast.unparse(function.value) != "run":
            continue
        if function.attr in ("figure", "table"):
            given = {word.arg: ast.unparse(word.value) for word in node.keywords}
            texts = {
                word: ast.literal_eval(given[word])
                for word in ("caption", "alt")
                if given.get(word)
            }
            name = ast.literal_eval(node.args[1])
            facts = {"kind": function.attr, "name": name, **texts}
            data = {"image/png": PIXEL} if function.attr == "figure" else {"text/html": "<table/>"}
            output = {"output_type": "display_data", "data": data, "metadata": {"realfake": facts}}
            yield name, output
