"""The widgets of notebooks/explore.ipynb: each changes what is shown, and nothing breaks them."""

import io
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "examples" / "images").glob("*.png"))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def loaded():
    from realfake_lib.explore import Explorer

    return Explorer(FILES, ["fast"])


@pytest.fixture
def explorer(loaded):
    """As it is at the start: the first image, unchanged."""
    loaded.image.value = FILES[0].name
    loaded.change.value, loaded.strength.value = "FGSM attack", 0
    return loaded


def test_an_unchanged_image_has_the_verdict_of_predict(explorer):
    import realfake_lib

    for file in FILES:
        explorer.image.value = file.name
        (expected,) = realfake_lib.predict(file, "fast")
        assert explorer.view.verdict == expected.verdict
        assert explorer.view.p_fake == pytest.approx(expected.p_fake, abs=1e-4)
        assert expected.verdict in explorer.verdict.value


def test_an_attack_reverses_the_verdict_within_epsilon(explorer):
    before, shown = explorer.view, explorer.shown.value
    explorer.change.value = "PGD attack"
    explorer.strength.value = 8
    after = explorer.view
    moved = np.abs(after.image.astype(int) - before.image)
    assert 0 < moved.max() <= 8
    assert before.verdict != after.verdict and before.p_fake > 0.5 > after.p_fake
    assert not np.array_equal(before.heat, after.heat) and explorer.shown.value != shown


def test_every_change_is_none_at_strength_0_and_one_at_the_highest(explorer):
    from realfake_lib.explore import CHANGES

    untouched = explorer.view.image
    for change, (unit, highest, _) in CHANGES.items():
        explorer.change.value = change
        assert explorer.strength.value == 0 and explorer.unit.value == unit
        assert np.array_equal(explorer.view.image, untouched)
        explorer.strength.value = highest
        assert not np.array_equal(explorer.view.image, untouched)


def upload(explorer, name, content):
    file = {"name": name, "type": "", "size": len(content), "content": memoryview(content)}
    explorer.upload.value = [file | {"last_modified": datetime.now(UTC)}]


def test_an_uploaded_image_is_judged_and_stays_among_the_choices(explorer):
    buffer = io.BytesIO()
    Image.new("RGB", (60, 40), "red").save(buffer, "JPEG")
    upload(explorer, "mine.jpg", buffer.getvalue())
    assert explorer.image.value == "mine.jpg" and explorer.view.image.shape == (32, 32, 3)
    assert explorer.view.image[..., 0].min() > 200
    assert len(explorer.image.options) == len(FILES) + 1


def test_an_upload_that_is_no_image_is_named_and_changes_nothing(explorer):
    before = explorer.view
    upload(explorer, "<b>.jpg", b"none")
    assert "&lt;b&gt;.jpg" in explorer.verdict.value and explorer.view is before


def test_the_notebook_runs_and_its_widgets_answer():
    notebook = nbformat.read(ROOT / "notebooks" / "explore.ipynb", as_version=4)
    drag = 'explorer.detector.value = "fast"\nexplorer.strength.value = 4\nexplorer.view.verdict'
    notebook.cells.append(nbformat.v4.new_code_cell(drag))
    client = NotebookClient(notebook, timeout=600, kernel_name="python3")
    client.execute(cwd=str(ROOT / "notebooks"))
    *_, widgets, verdict = (cell.outputs for cell in notebook.cells if cell.cell_type == "code")
    assert any("application/vnd.jupyter.widget-view+json" in one.get("data", {}) for one in widgets)
    assert verdict[-1]["data"]["text/plain"].strip("'").startswith(("FAKE", "REAL"))
