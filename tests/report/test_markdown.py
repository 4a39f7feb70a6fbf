"""Chapters as Markdown, for GitHub."""

import re

import pytest

from . import notebooks
from .test_html import METRICS, rendered, stage

GITHUB_KEEPS = {"details", "summary"}


@pytest.fixture
def chapters(tmp_path):
    notebooks.training(tmp_path).write()
    notebooks.summary(tmp_path).write()
    stages = [stage(tmp_path, 1, "training", "T"), stage(tmp_path, 2, "summary", "F")]
    rendered(tmp_path, stages, METRICS)
    return {path.name: path.read_text("utf-8") for path in (tmp_path / "chapters").iterdir()}


def test_each_notebook_has_a_chapter_with_title_and_finding_first(chapters):
    assert sorted(chapters) == ["01_training.md", "02_summary.md"]
    assert chapters["01_training.md"].startswith(
        "# 1. Training\n\nWhat it is about.\n\n> **Finding.** It reaches **96.9\u00a0%**."
    )


def test_figures_are_those_published_beside_the_chapters(chapters):
    assert "![Two curves.](../figures/training/curves.png)" in chapters["01_training.md"]
    assert "**Figure\u00a02.** It *rises*." in chapters["01_training.md"]


def test_tables_are_markdown_and_long_ones_are_folded(chapters):
    text = chapters["01_training.md"]
    table = "| network | accuracy (%) |"
    assert text.count(table) == 2
    assert re.search(r"\n\n\| network .*\n\| --- \| ---: \|.*\n\| network 0 \| 80.0 \|", text)
    folded = text[text.index("<details>") :]
    assert table in folded and "| network 12 | 90.0 |" in folded


def test_no_html_that_github_strips_is_there(chapters):
    for text in chapters.values():
        assert set(re.findall(r"</?(\w+)[^>]*>", text)) <= GITHUB_KEEPS
        assert "base64" not in text


def test_only_the_method_shows_its_code(chapters):
    text = chapters["01_training.md"]
    assert text.count("```python") == 1 and "def loss(x):" in text


def test_links_lead_from_chapter_to_chapter_and_to_the_notebook(chapters):
    text = chapters["01_training.md"]
    assert "See Chapter 3 and [the end](02_summary.md)." in text
    assert "(../../notebooks/01_training.ipynb)" in text


def test_what_is_on_the_first_page_stands_in_its_chapter(chapters):
    text = chapters["02_summary.md"]
    assert "Half of it is true." in text and "- **Tile 7**: 7\u00a0% (a detail)" in text
