"""A project of tiny notebooks in a temporary folder, for tests of the pipeline."""

import json
from types import SimpleNamespace

import nbformat
import yaml

PARAMETERS = 'profile = "smoke"\ndata = "auto"\nseed = 0\noutput_dir = None\n'


def identity(**changes):
    """What the data module says about a data set."""
    facts = {
        "name": "tiny",
        "fingerprint": "f1",
        "source": "made in a test",
        "is_demo": False,
        "notices": (),
        "n": 1234,
        "resolved": "tiny",
    }
    return SimpleNamespace(**(facts | changes))


class TinyProject:
    """Builds ``report.yml`` and notebooks; stages are given as code cells."""

    def __init__(self, root):
        self.root = root
        self.content = {"data": "demo", "stages": {}}
        (root / "notebooks").mkdir(parents=True)

    def add(self, name, *cells, defines="", prose="Some words.", begin=True, **entry):
        """Add or replace a stage whose notebook has the code ``cells``."""
        start = f"from realfake_lib.report import stage\nrun = stage({name!r}, output_dir)"
        sources = [PARAMETERS + defines, *([start] if begin else []), *cells]
        notebook = nbformat.v4.new_notebook(
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
            cells=[nbformat.v4.new_markdown_cell(f"# {name}\n\n{prose}", id="title")]
            + [nbformat.v4.new_code_cell(s, id=f"code-{k}") for k, s in enumerate(sources)],
        )
        notebook.cells[1].metadata["tags"] = ["parameters"]
        path = self.root / "notebooks" / f"{name}.ipynb"
        nbformat.write(notebook, path)
        self.content["stages"][name] = {
            "title": name.capitalize(),
            "notebook": f"notebooks/{name}.ipynb",
            "minutes": 0.1,
            **entry,
        }
        return self.save()

    def save(self):
        """Write ``report.yml`` after a change to ``content``."""
        text = yaml.safe_dump(self.content, sort_keys=False)
        (self.root / "report.yml").write_text(text, encoding="utf-8")
        return self

    def json(self, path):
        """Content of a JSON file below the smoke profile's folder."""
        return json.loads((self.root / "build" / "smoke" / path).read_text("utf-8"))
