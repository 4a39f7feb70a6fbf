"""Rendering of executed notebooks as one HTML file, on notebooks built here with their outputs."""

import base64
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from realfake_lib.errors import UserError
from realfake_lib.report import html, pdf

METRICS = {
    "schema": 1,
    "profile": "smoke",
    "data": {
        "name": "demo",
        "n": 1200,
        "is_demo": True,
        "fingerprint": "9f2c" * 8,
        "notices": ["CIFAKE was not found, so the demo set is used."],
    },
    "metrics": {
        "preprocessing.images_total": {"value": 120000},
        "training.compact_cnn.test.accuracy": {"value": 0.969, "ci": [0.966, 0.971], "n": 20000},
        "training.compact_cnn.test_dedup.accuracy": {"value": 0.968, "n": 19622},
        "training.compact_cnn.test.auroc": {"value": 0.9955, "ci": [0.9947, 0.9962]},
        "adversarial_robustness.compact_cnn.pgd_1.accuracy": {"value": 0.823, "n": 1000},
        "training.seed_cnn_original_recipe.test.accuracy": {"value": 0.842},
    },
    "provenance": {
        "date": "2026-11-23T21:04:05",
        "git": {"commit": "3f2a9b7c1d2e", "clean": False},
        "versions": {"python": "3.11.7", "tensorflow": "2.21.0", "keras": "3.15.1"},
        "stages": {
            "preprocessing": {"seconds": 11.2, "key": "ab12"},
            "training": {"seconds": 1320.0, "key": "cd34"},
        },
        "parameters": {"training": {"epochs": 8, "recipes": ["compact_standard"]}},
        "lock": "sha256 5d41402abc4b",
    },
}


def png(draw=None, width=770, height=440):
    """A picture as the stage handle would show it."""
    if draw is None:
        pixels = np.full((height, width, 3), 255, np.uint8)
        pixels[height // 3 : height // 2, width // 4 : -width // 4] = (0, 114, 178)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
    else:
        buffer = io.BytesIO()
        draw().savefig(buffer, dpi=110)
    return base64.b64encode(buffer.getvalue()).decode()


def figure(name, caption, alt, picture=None):
    facts = {"kind": "figure", "name": name, "caption": caption, "alt": alt}
    data = {"image/png": picture or png(), "text/plain": f"Figure {name}: {alt}"}
    return new_output("display_data", data, metadata={"realfake": facts})


def table(name, caption, frame):
    facts = {"kind": "table", "name": name, "caption": caption}
    data = {"text/html": frame.to_html(index=False, border=0), "text/plain": str(frame)}
    return new_output("display_data", data, metadata={"realfake": facts})


def note(text):
    facts = {"kind": "note", "text": text}
    return new_output("display_data", {"text/plain": text}, metadata={"realfake": facts})


def printed(text):
    return new_output("stream", name="stdout", text=text)


def parameters(**values):
    source = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    return new_code_cell(source, metadata={"tags": ["parameters"]})


SCORES = pd.DataFrame(
    {
        "class": ["airplane", "automobile", "bird", "cat"],
        "n": ["1,000", "1,000", "1,000", "1,000"],
        "accuracy": ["97.1 %", "98.0 %", "95.2 %", "94.9 %"],
        "interval": ["95.9 to 98.0 %", "96.9 to 98.7 %", "93.7 to 96.4 %", "93.3 to 96.1 %"],
        "precision FAKE": [0.968, 0.981, 0.949, 0.947],
        "recall FAKE": [0.974, 0.979, 0.955, 0.951],
    }
)


def preprocessing(picture=None):
    return [
        new_markdown_cell("# What the pictures are\nWhere the data come from, and what hides in them."),
        parameters(profile="interactive", data="auto"),
        new_code_cell(
            'run = stage("preprocessing", output_dir)',
            outputs=[printed("preprocessing: results go to build/smoke\n"), note("Demo data.")],
        ),
        new_markdown_cell(
            "## The data set\n\n{{ data.name }} holds **{{ preprocessing.images_total | int }}** "
            "pictures, see {{ fig('examples') }} and {{ table('per_class') }}. They were drawn at "
            "512 pixels and shrunk, in two classes that *share* their JPEG settings, as the "
            "fingerprint `{{ data.fingerprint }}` proves.\n\n| class | pictures |\n|---|---:|\n"
            "| REAL | {{ preprocessing.images_total | int }} |\n| FAKE | 60,000 |\n"
        ),
        new_code_cell(
            'run.figure(plots.class_examples(dataset.images), "examples", caption="…", alt="…")',
            outputs=[
                figure(
                    "examples",
                    "All {{ preprocessing.images_total | int }} pictures are `32×32`.",
                    "A blue bar, of {{ preprocessing.images_total | int }} pictures.",
                    picture,
                )
            ],
        ),
        new_markdown_cell("## Per class\n\nThe classes hold the same number of pictures."),
        new_code_cell(
            'run.table(frame, "per_class", caption="…")',
            outputs=[table("per_class", "Each class, with **intervals**.", SCORES)],
        ),
    ]


def training(picture=None):
    return [
        new_markdown_cell("# Training\nThe original network, and a better one."),
        new_markdown_cell(
            "The compact network reaches {{ training.compact_cnn.test.accuracy | pct_ci }}, "
            "{{ training.compact_cnn.test.accuracy | points(published.cifake_paper.accuracy) }} "
            "more than the CIFAKE paper ({{ table('preprocessing.per_class') }}, "
            "{{ chapter('preprocessing') }}).\n\n## Curves\n\n- one\n- two\n\n"
            "```python\nmodel.fit(x)  # a comment\n```\n"
        ),
        parameters(epochs=2),
        new_code_cell(
            'run.figure(plots.curves(result.history), "curves", caption="…", alt="…")\n'
            "for epoch in range(3):\n    print(epoch)",
            outputs=[
                printed("0\n1\n2\n"),
                figure("curves", "Loss and accuracy.", "Two rising curves.", picture),
            ],
        ),
        new_code_cell("1 + 1", outputs=[new_output("execute_result", {"text/plain": "2"})]),
    ]


def write(folder, name, cells, injected=None):
    cells = list(cells)
    if injected:
        tags = {"tags": ["injected-parameters"]}
        cells.insert(2, new_code_cell(f"# Parameters\n{injected}", metadata=tags))
    path = folder / "stages" / name / "notebook.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells), path)
    return path


def stage(folder, name, title):
    return SimpleNamespace(name=name, title=title, notebook=folder / "notebooks" / f"{name}.ipynb")


@pytest.fixture
def build(tmp_path):
    write(tmp_path, "preprocessing", preprocessing(), injected='data = "demo"')
    write(tmp_path, "training", training())
    return tmp_path


@pytest.fixture
def stages(build):
    return [stage(build, "preprocessing", "Data"), stage(build, "training", "Training")]


def rendered(build, stages, metrics=METRICS):
    path = html.render(build, plan=stages, metrics=metrics, out=build / "report.html")
    return path.read_text(encoding="utf-8")
