"""The rules for committed notebooks, one broken rule a test."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from realfake_lib.errors import UserError
from realfake_lib.report import checks

KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def notebook(path, *cells, metadata=KERNEL, title="# Training\nTwo networks, side by side.\n"):
    """A notebook that keeps every rule, with ``cells`` at its end."""
    tagged = new_code_cell("seed = 0", metadata={"tags": ["parameters"]})
    whole = new_notebook(cells=[new_markdown_cell(title), tagged, *cells], metadata=metadata)
    nbformat.write(whole, path)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "02_training.ipynb"


def broken(path, *cells, **rest):
    return [(rule, cell) for rule, cell, _ in checks.check(notebook(path, *cells, **rest))]


def test_a_good_notebook_has_no_problem(path):
    text = new_markdown_cell("The accuracy is measured on images that no network has seen.")
    assert broken(path, text, new_code_cell("run.text(f'It is {accuracy:pct_ci}.')")) == []


def test_outputs_and_counts_are_found(path):
    shown = new_code_cell("1", outputs=[new_output("stream", text="1")])
    counted = new_code_cell("1", execution_count=3)
    assert broken(path, shown, counted) == [("clean", 3), ("clean", 4)]


def test_passing_metadata_is_found(path):
    cell = new_code_cell("1", metadata={"papermill": {"duration": 1}})
    assert broken(path, cell, metadata=KERNEL | {"papermill": {}}) == [("clean", 1), ("clean", 3)]


def test_a_foreign_kernel_is_found(path):
    kernel = {"kernelspec": {"name": "my-env", "display_name": "x"}}
    assert broken(path, metadata=kernel) == [("clean", 1)]


@pytest.mark.parametrize(
    "title",
    [
        "No title\nSubtitle.",
        "# Title",
        "# Title\n" + 100 * "x",
        "# Title\none\ntwo",
        "## Second\nx",
    ],
)
def test_the_first_cell_must_be_a_title_and_one_line(path, title):
    assert broken(path, title=title) == [("title", 1)]


@pytest.mark.parametrize(
    "source", ["def f():\n    pass", "class A:\n    pass", "if x:\n    async def f(): pass"]
)
def test_definitions_are_found(path, source):
    assert broken(path, new_code_cell(source)) == [("definitions", 3)]


def test_code_that_is_not_python_is_found_but_magics_are_allowed(path):
    assert broken(path, new_code_cell("x = = 1")) == [("syntax", 3)]
    assert broken(path, new_code_cell("%matplotlib inline\n!ls\nx = 1")) == []


def test_code_cells_have_at_most_fifteen_lines(path):
    assert broken(path, *[new_code_cell("x = 1\n" * n) for n in (15, 16)]) == [("length", 4)]


def test_a_cell_that_shows_the_method_may_define_functions(path):
    cell = new_code_cell("def f():\n    pass", metadata={"tags": ["method"]})
    assert broken(path, cell) == []


def test_a_tag_that_the_report_does_not_know_is_found(path):
    assert broken(path, new_code_cell("1", metadata={"tags": ["findings"]})) == [("tag", 3)]


def test_code_without_text_before_it_is_found(path):
    assert broken(path, *[new_code_cell("1") for _ in range(4)]) == [("rhythm", 6)]


@pytest.mark.parametrize(
    "text",
    [
        "It reaches 96.9 % on the test set.",
        "It reaches 97% of them.",
        "An AUROC of 0.996.",
        "From .79 to .88.",
        "All 120,000 pictures.",
        "There are 378 duplicates.",
        "Among 2020 images.",
        "A code span, `96.9 %`, does not help.",
        "| baseline_cnn | 0.92 |",
    ],
)
def test_a_result_typed_by_hand_is_found(text):
    assert checks.typed_results(text)


@pytest.mark.parametrize(
    "text",
    [
        "Pictures of 32×32 or 224 x 224, 3 × 3 filters, 64 px, 8-bit, 15°.",
        "In 2023 (Bird & Lotfi, 2024), in the 1990s.",
        "ε = 1/255, ½/255 and 8/255; pixels from 0 to 255.",
        "TPR at 1 % FPR, 95 % intervals, 5 % false-positive rate.",
        "## 2.1 Data\nSee Section 2.1, Figure 12, Chapter 3.",
        "ResNet50, VGG-16, CIFAR-100, PGD-20, block5_conv3, L2, 2D.",
        "Twelve or 12 networks, 3 seeds, 20 epochs.",
        "`Dropout(0.5)` and `batch 32`\n\n```\nx = 0.001\n```\n",
        "arXiv 2303.14126, Keras 3.15.1, Python 3.11.",
        "[a paper](https://example.org/1.234/5678) <img width='640'>",
    ],
)
def test_settings_sizes_years_and_names_may_be_typed(text):
    assert checks.typed_results(text) == []


def test_a_typed_result_is_named_with_its_rule_and_cell(path, capsys):
    notebook(path, new_markdown_cell("It reaches 96.9 % of them."))
    assert checks.main(str(path)) == 2
    message = capsys.readouterr().err
    assert "02_training.ipynb, cell 3: [typed result] '96.9 %'" in message
    assert "{value:pct}" in message and "backticks" in message


def test_captions_and_alt_texts_are_prose_too(path):
    code = 'run.figure(f, "x", caption="It has 97.1 %.", alt="{{ a }}")'
    assert broken(path, new_code_cell(code)) == [("typed result", 3), ("template", 3)]


@pytest.mark.parametrize(
    "code",
    [
        "run.text(f'{a:pct} of 97.1 %')",
        "run.text('x', 'It has 97.1 %.' if a else 'y')",
        "run.claim('x', True, yes='It has 0.971.')",
        "run.claim('x', True, 'It has 0.971.')",
        "run.tile('Accuracy', '97.1 %')",
        "run.figure(f, 'x', caption=f'{a:pct} of 97.1 %', alt='x')",
    ],
)
def test_a_result_typed_into_what_a_cell_says_is_found(path, code):
    assert broken(path, new_code_cell(code)) == [("typed result", 3)]


def test_values_names_and_plots_are_not_results_typed_by_hand(path):
    code = """
run.text(f"{a:pct(2)} (95 % interval {a:ci}) of {b['0.05']:int}, see {run.value('pgd_4'):num}.")
run.claim("pgd_40", better(a, 0.95), yes=f"{a:pct}")
ax.text(0.5, 0.5, "97.1 %")
"""
    assert broken(path, new_code_cell(code)) == []


def test_template_code_is_found(path):
    cells = [new_markdown_cell(text) for text in ("{{ training.a }}", "{% if a %}", "{a}")]
    assert broken(path, *cells) == [("template", 3), ("template", 4)]


def test_tex_and_pictures_in_the_text_are_found(path):
    cells = [
        new_markdown_cell("$x^2$"),
        new_markdown_cell("![a](b.png)"),
        new_markdown_cell("`$x`"),
    ]
    assert broken(path, *cells) == [("tex", 3), ("image", 4)]


def test_a_file_that_is_no_notebook_is_a_users_mistake(path):
    path.write_text("{")
    with pytest.raises(UserError, match="is not a notebook"):
        checks.check(path)


def test_stripping_leaves_only_what_belongs_into_a_commit(path):
    injected = new_code_cell("seed = 1", metadata={"tags": ["injected-parameters"]})
    ran = new_code_cell(
        "1 + 1\n",
        execution_count=4,
        metadata={"papermill": {"duration": 2}, "tags": ["method"]},
        outputs=[new_output("stream", text="2")],
    )
    metadata = {"kernelspec": {"name": "my-env", "display_name": "x"}, "papermill": {}}
    notebook(path, injected, ran, new_code_cell("  \n"), metadata=metadata)
    ran_id = json.loads(path.read_text())["cells"][3]["id"]
    assert checks.strip(path)
    clean = json.loads(path.read_text(encoding="utf-8"))
    assert [cell["cell_type"] for cell in clean["cells"]] == ["markdown", "code", "code"]
    assert clean["cells"][2] == {
        "cell_type": "code",
        "id": ran_id,
        "metadata": {"tags": ["method"]},
        "source": ["1 + 1\n"],
        "execution_count": None,
        "outputs": [],
    }
    assert clean["metadata"]["kernelspec"]["name"] == "python3"
    assert checks.check(path) == []


def test_stripping_twice_changes_nothing(path):
    notebook(path)
    checks.strip(path)
    before = path.read_bytes()
    assert not checks.strip(path)
    assert path.read_bytes() == before


def test_the_command_strips_checks_and_tells_by_its_exit_code(path, tmp_path, capsys):
    notebook(path, new_code_cell("1", execution_count=1))
    assert checks.main(str(path)) == 2
    assert "[clean]" in capsys.readouterr().err
    assert checks.main("--strip", str(path)) == 0
    assert "cleaned" in capsys.readouterr().out
    assert checks.main(str(tmp_path / "none.ipynb")) == 2


def test_without_arguments_the_command_takes_the_checkouts_notebooks(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(checks.settings, "project_root", lambda: tmp_path)
    (tmp_path / "notebooks").mkdir()
    checks.strip(notebook(tmp_path / "notebooks" / "01_a.ipynb"))
    assert checks.main() == 0
    assert "1 notebooks checked, 0 problems" in capsys.readouterr().out


def test_the_committed_notebooks_keep_every_rule(capsys):
    assert checks.main() == 0, capsys.readouterr().err
