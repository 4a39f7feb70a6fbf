"""Small executed notebooks, their outputs made by the stage handle itself."""

import nbformat
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from realfake_lib.report.stage import StageRun


class Notebook:
    """An executed notebook on its way: cells are added one by one.

    Parameters
    ----------
    build : path
        Folder of a profile.
    stage, title : str
    """

    def __init__(self, build, stage, title):
        self.path = build / "stages" / stage / "notebook.ipynb"
        self.cells = [
            new_markdown_cell(f"# {title}\nWhat it is about."),
            new_code_cell("seed = 0", metadata={"tags": ["parameters"]}),
        ]
        self.run = StageRun(stage, self.path.parent, build / "checkpoints")
        self.run._show = self._collect
        self._outputs = []

    def _collect(self, data, facts):
        shown = new_output("display_data", data, metadata={"realfake": facts})
        self._outputs.append(nbformat.from_dict(shown))

    def text(self, source, *tags):
        self.cells.append(new_markdown_cell(source, metadata={"tags": list(tags)}))

    def code(self, source, *tags, say=lambda run: None, outputs=()):
        """A code cell; ``say`` calls the stage handle as its code would."""
        say(self.run)
        shown = [*outputs, *self._outputs]
        self._outputs = []
        self.cells.append(new_code_cell(source, outputs=shown, metadata={"tags": list(tags)}))

    def write(self, path=None):
        path = path or self.path
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(new_notebook(cells=self.cells), path)
        return path


def figure(width=4.0):
    drawn = Figure((width, 2.0), dpi=110)
    drawn.subplots().imshow(np.arange(12).reshape(3, 4))
    return drawn


def table(rows=3, columns=2):
    frame = pd.DataFrame(
        {"accuracy": np.linspace(0.8, 0.9, rows), "ci_low": 0.7, "ci_high": 0.95},
        index=pd.Index([f"network {k}" for k in range(rows)], name="network"),
    )
    return frame.assign(**{f"images_{k}": 1000 * k for k in range(columns)})


def printed(text):
    return new_output("stream", name="stdout", text=text)


def failed(message):
    return new_output("error", ename="ValueError", evalue=message, traceback=["deep \x1b[0minside"])


def training(build):
    """A chapter with all that a chapter may show."""
    made = Notebook(build, "training", "Training")
    made.code("run = stage('training')", outputs=[printed("results go to build/smoke\n")])
    made.text("## The network\n\nSee [Chapter 3](03_attack.ipynb) and [the end](02_summary.ipynb).")
    made.code("def loss(x):\n    return x", "method")
    made.code(
        "run.figure(…)",
        say=lambda run: run.figure(figure(), "curves", caption="It *rises*.", alt="Two curves."),
    )
    made.text("## Tables")
    made.code(
        "run.table(…)",
        say=lambda run: (
            run.table(table(), "scores", caption="Scores."),
            run.table(table(rows=13), "long", caption="All scores."),
        ),
    )
    made.code(
        "run.text(…)",
        "finding",
        say=lambda run: run.text(f"It reaches **{run.metric('accuracy', 0.969):pct}**."),
    )
    return made


def summary(build):
    """A chapter with what goes to the first page."""
    made = Notebook(build, "summary", "What was found")

    def say(run):
        run.text("Half of it is true.")
        for number in range(8):
            run.tile(f"Tile {number}", f"{number} %", "a detail", loud=not number)
        run.figure(figure(8.5), "first", caption="First figure.", alt="A wide one.")

    made.code("run.text(…)", "abstract", say=say)
    return made
