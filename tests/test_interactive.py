"""Every notebook runs top to bottom with its defaults, without papermill, from any folder."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from project import copy_project, environment

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory, demo):
    """A copy of the project, its environment, and a small data set that ``auto`` finds."""
    folder = tmp_path_factory.mktemp("interactive")
    project = copy_project(folder / "project")
    data = folder / "pictures"
    _write(demo, data)
    return project, environment(project, REALFAKE_DATA=str(data), MPLBACKEND="agg")


def _write(dataset, folder):
    """A quarter of the demo set as PNG files in the layout of a user's own folder."""
    from PIL import Image

    for image, key in zip(dataset.images[::4], dataset.index["key"][::4], strict=True):
        path = (folder / key).with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


def _execute(notebook, folder):
    for attempt in range(3):
        try:
            NotebookClient(notebook, timeout=1800, kernel_name="python3").execute(cwd=str(folder))
        except RuntimeError as error:  # another kernel took its port before it started
            if "before replying" not in str(error) or attempt == 2:
                raise
        else:
            return


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs_with_its_defaults(name, place, tmp_path, monkeypatch):
    project, variables = place
    for key in set(os.environ) - set(variables):
        monkeypatch.delenv(key)
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    notebook = nbformat.read(project / "notebooks" / name, as_version=4)
    _execute(notebook, tmp_path)  # results go to the checkout, wherever the kernel stands
    errors = [o for c in notebook.cells for o in c.get("outputs", []) if o.output_type == "error"]
    assert not errors
    assert any((project / "build" / "interactive" / "stages").iterdir())
    assert not list(tmp_path.iterdir())
