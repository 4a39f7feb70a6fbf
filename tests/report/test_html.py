"""Rendering of executed notebooks as one HTML file, on notebooks built here with their outputs."""

import base64
import io
import json
import re
from html import escape
from html.parser import HTMLParser
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from realfake_lib.errors import UserError
from realfake_lib.report import failures, html, pdf

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
        "training.detector.test.accuracy": {"value": 0.969, "ci": [0.966, 0.971], "n": 20000},
        "training.detector.test_dedup.accuracy": {"value": 0.968, "n": 19622},
        "training.detector.test.auroc": {"value": 0.9955, "ci": [0.9947, 0.9962]},
        "adversarial_robustness.detector.pgd_1.accuracy": {"value": 0.823, "n": 1000},
        "training.baseline_original_recipe.test.accuracy": {"value": 0.842},
        "training.detector.parameters": {"value": 288001},
        "training.detector.unseen.all.auroc": {"value": 0.49, "ci": [0.47, 0.51]},
        "training.detector.unseen.all.fake_recall": {"value": 0.031},
    },
    "provenance": {
        "date": "2026-11-23T21:04:05",
        "git": {"commit": "3f2a9b7c1d2e", "clean": False},
        "versions": {"python": "3.11.7", "tensorflow": "2.21.0", "keras": "3.15.1"},
        "stages": {
            "preprocessing": {"seconds": 11.2, "key": "ab12"},
            "training": {"seconds": 1320.0, "key": "cd34"},
        },
        "parameters": {"training": {"epochs": 8, "recipes": ["short"]}},
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
        new_markdown_cell(
            "# What the pictures are\nWhere the data come from, and what hides in them."
        ),
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
            "The compact network reaches {{ training.detector.test.accuracy | pct_ci }}, "
            "{{ training.detector.test.accuracy | points(published.cifake_paper.accuracy) }} "
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


def rendered(build, stages, metrics=METRICS, problems=()):
    out = build / "report.html"
    assert html.render(build, plan=stages, metrics=metrics, out=out) == list(problems)
    return out.read_text(encoding="utf-8")


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words = [], []
        self._quiet = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._quiet = tag in ("script", "style")
        self.words.append(" " if tag in ("dd", "td", "th", "p", "li", "h2", "pre") else "")

    def handle_data(self, data):
        self.words.append("" if self._quiet else data)

    def all(self, tag, **wanted):
        wanted = {name.rstrip("_"): value for name, value in wanted.items()}
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and wanted.items() <= attributes.items()
        ]

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.words)).replace("\u00a0", " ")


@pytest.fixture
def page(build, stages):
    return Page(rendered(build, stages))


def test_the_page_fetches_nothing(page):
    for tag, attributes in page.elements:
        for name in ("src", "srcset", "poster", "data"):
            assert attributes.get(name, "data:").startswith("data:"), (tag, attributes)
        if tag in ("link", "use"):
            assert attributes.get("href", "data:").startswith("data:")
    style = (html.TEMPLATES / "report.css").read_text()
    assert "url(" not in style and "@import" not in style
    policy = page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    assert policy.startswith("default-src 'none'")


def test_every_link_within_the_page_leads_somewhere(page):
    anchors = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(anchors) == len(set(anchors))
    links = [link["href"] for link in page.all("a") if link["href"].startswith("#")]
    assert len(links) > 15
    assert {link[1:] for link in links} <= set(anchors)


def test_the_contents_list_every_chapter_and_section(build, stages):
    text = rendered(build, stages)
    contents = text[text.index("<nav") : text.index("</nav>")]
    for words in ("What the pictures are", "The data set", "Training", "Curves", "provenance"):
        assert words in contents


def test_a_chapter_has_the_title_and_subtitle_of_its_first_cell(page):
    assert "Chapter 1 What the pictures are # Where the data come from, and what" in page.text


def test_every_picture_has_an_alternative_text(page):
    pictures = page.all("img")
    assert len(pictures) == 2
    assert pictures[0]["alt"] == "A blue bar, of 120,000 pictures."
    assert (pictures[0]["width"], pictures[0]["height"]) == ("770", "440")


def test_a_picture_that_is_no_figure_of_the_report_still_has_an_alternative_text(build, stages):
    bare = new_output("display_data", {"image/png": png(width=20, height=20)})
    cells = [new_markdown_cell("# A\nb"), new_code_cell("show()", outputs=[bare])]
    write(build, "training", cells)
    pictures = Page(rendered(build, stages)).all("img")
    assert pictures[1]["alt"] == "Picture from cell 2, without description"


def test_figures_and_tables_are_numbered_through_the_report(build, stages):
    captions = re.findall("<figcaption>(.*?)</figcaption>", rendered(build, stages), re.S)
    assert [Page(caption.partition("<a")[0]).text.strip() for caption in captions] == [
        "Figure 1. All 120,000 pictures are 32×32.",
        "Table 1. Each class, with intervals.",
        "Figure 2. Loss and accuracy.",
    ]


def test_a_figure_links_to_the_cell_that_made_it(page):
    links = page.all("a", class_="made-by")
    assert links[0]["href"] == "#preprocessing-cell-5"
    assert page.all("details", id="preprocessing-cell-5")


def test_text_refers_to_figures_tables_and_chapters_by_number(page):
    assert "see Figure 1 and Table 1." in page.text
    assert "(Table 1, Chapter 1)" in page.text
    assert page.all("a", class_="xref", href="#fig-preprocessing-examples")


def test_metrics_are_filled_in_where_they_are_quoted(page):
    assert "96.9 % (96.6 to 97.1 %), +3.9 points more" in page.text
    assert "the fingerprint 9f2c9f2c" in page.text  # within a code span
    assert "REAL 120,000" in page.text  # within a table


def test_columns_of_numbers_are_set_right(build, stages):
    text = rendered(build, stages)
    assert '<td class="num">95.9 to 98.0 %</td>' in text
    assert '<th class="num">120,000' not in text
    assert "<td>airplane</td>" in text


def test_pandas_rows_of_index_names_join_the_header(build, stages):
    frame = pd.DataFrame({"images_per_second": [1.5, 2.5], "share": ["67.6%", "–"]}, ["a", "b"])
    frame.index.name = "network"
    facts = {"kind": "table", "name": "t", "caption": "c"}
    shown = new_output("display_data", {"text/html": frame.to_html()}, metadata={"realfake": facts})
    wide = frame.assign(more=1).melt(id_vars="more", ignore_index=False)
    wide = wide.groupby(["network", "variable"]).agg(["min", "max"])
    spans = new_output("display_data", {"text/html": wide.to_html()})
    cells = [new_markdown_cell("# A\nb"), new_code_cell("x", outputs=[shown, spans])]
    write(build, "training", cells)
    text = rendered(build, stages)
    part = text[text.index('id="table-training-t"') :]
    header = part[part.index("<thead>") : part.index("</thead>")]
    assert re.findall("<th[^>]*>(.*?)</th>", header) == [
        "network",
        "images_\u200bper_\u200bsecond",
        "share",
    ]
    assert '<td class="num">67.6\u00a0%</td>' in part
    assert 'rowspan="2"' in part and 'colspan="2"' in part


def test_the_front_page_warns_of_demo_data(build, stages, page):
    assert page.all("section", id="demo-warning", role="alert")
    real = METRICS | {"data": METRICS["data"] | {"is_demo": False, "name": "CIFAKE"}}
    assert not Page(rendered(build, stages, real)).all("section", id="demo-warning")


def test_notes_are_on_the_front_page_and_in_their_chapter(build, stages):
    (build / "stages" / "training" / "notes.json").write_text(json.dumps(["No VGG16 weights."]))
    page = Page(rendered(build, stages))
    front = page.text[: page.text.index("Abstract")]
    assert "CIFAKE was not found, so the demo set is used." in front
    assert "Demo data. (Chapter 1)" in front
    assert "No VGG16 weights. (Chapter 2)" in front
    assert "Note. Demo data." in page.text


def test_a_chapter_that_was_not_run_is_named(build, stages):
    page = Page(rendered(build, [*stages, stage(build, "grad_cam", "Grad-CAM")]))
    assert "The chapter “Grad-CAM” is missing" in page.text


def test_nothing_to_render_is_a_users_mistake(tmp_path):
    with pytest.raises(UserError, match="no stage has finished"):
        html.render(tmp_path, plan=[stage(tmp_path, "a", "A")], metrics={}, out=tmp_path / "r.html")


def test_headline_figures_come_from_the_metrics(page):
    assert "Accuracy of the compact network 96.9 %" in page.text
    assert "Accuracy under attack 82.3 %" in page.text


def test_the_unseen_generators_stand_beside_the_accuracy_on_the_first_page(build, stages):
    real = METRICS | {"data": METRICS["data"] | {"is_demo": False, "name": "CIFAKE"}}
    text = Page(rendered(build, stages, real)).text
    assert "Fakes found of unseen generators 3.1 % by the compact network; AUROC 0.49" in text
    assert "of 288 k parameters gets 96.9 % of the test pictures right. Of fakes by" in text
    demo = Page(rendered(build, stages)).text
    assert "of the test pictures right" not in demo
    assert "say nothing about real detectors" in demo


def test_headline_figures_that_were_not_made_are_left_out(build, stages):
    few = {"preprocessing.images_total", "training.detector.test.accuracy"}
    fewer = {name: METRICS["metrics"][name] for name in few}
    text = Page(rendered(build, stages, METRICS | {"metrics": fewer})).text
    assert "Accuracy of the compact network 96.9 %" in text
    assert "under attack" not in text


def test_cells_tagged_abstract_move_to_the_front_and_removed_ones_vanish(build, stages):
    tile = '<div class="tiles">\n{{ tile("A label", 0.5 | pct) }}\n</div>'
    cells = [
        new_markdown_cell("# Last\nwords"),
        new_markdown_cell(f"In short.\n\n{tile}", metadata={"tags": ["abstract"]}),
        new_markdown_cell("Nobody sees this.", metadata={"tags": ["remove"]}),
    ]
    write(build, "training", cells)
    text = Page(rendered(build, stages)).text
    assert text.index("In short.") < text.index("Chapter 1 What")
    assert "A label 50.0 %" in text
    assert "Nobody sees this." not in text


def test_the_byline_tells_date_profile_data_and_commit(page):
    assert "Run 2026-11-23 21:04" in page.text
    assert "Data demo, 1,200 images" in page.text
    assert "Commit 3f2a9b7c1d, with local changes" in page.text


def test_the_appendix_tells_where_everything_came_from(page):
    appendix = page.text[page.text.rindex("Appendix") :]
    for words in ("sha256 5d41402abc4b", "tensorflow 2.21.0", "training 22 min cd34", "epochs 8"):
        assert words in appendix


def test_code_is_folded_away_with_what_it_printed(build, stages, page):
    cells = page.all("details", class_="code")
    assert len(cells) == 7
    assert not any("open" in cell for cell in cells)
    text = rendered(build, stages)
    printed = text.index("preprocessing: results go to build/smoke")
    assert text.rindex("<details", 0, printed) > text.rindex("</details>", 0, printed)


def test_the_parameters_of_this_run_stand_below_the_defaults(page):
    assert "data = 'auto' # In this run: data = \"demo\"" in page.text


def test_prose_comes_from_the_source_notebook_while_its_code_is_the_code_that_ran(build, stages):
    source = preprocessing()
    source[3].source = "## New words\n\nSee {{ fig('examples') }}."
    stages[0].notebook.parent.mkdir()
    nbformat.write(new_notebook(cells=source), stages[0].notebook)
    text = Page(rendered(build, stages)).text
    assert "New words # See Figure 1." in text
    assert 'data = "demo"' in text
    source[2].source = "something_else()"
    nbformat.write(new_notebook(cells=source), stages[0].notebook)
    assert "New words" not in Page(rendered(build, stages)).text


def test_a_sentence_that_quotes_what_is_missing_is_left_out_and_the_chapter_says_so(build, stages):
    words = (
        "{{ training.oops.a }} is gone. It is, too. One stays: {{ stays }}. {{ training.oops.b }}."
    )
    words = words.replace("stays }}", "training.detector.test.auroc }}")
    cells = [new_markdown_cell("# A\nb"), new_markdown_cell(words)]
    write(build, "training", cells)
    text = Page(rendered(build, stages)).text
    assert "One stays: 0.9955." in text and "is gone" not in text and "It is, too" not in text
    assert text.count("left out of this chapter: training.oops.") == 1
    assert "left out of" not in text[: text.index("Chapter 2 A")]


def test_a_caption_loses_what_it_cannot_quote_and_keeps_its_number(build, stages):
    cell = new_code_cell("x", outputs=[figure("bad", "Kept. Has {{ training.oops }}.", "alt")])
    write(build, "training", [new_markdown_cell("# A\nb"), cell])
    text = Page(rendered(build, stages)).text
    assert "Figure 2. Kept. code" in text and "training.oops" in text


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        (new_markdown_cell("{{ training.detector.test.auroc | percnt }}"), "percnt"),
        (new_markdown_cell("{{ 1 / 0 }}"), "division by zero"),
        (new_markdown_cell("{% if %}"), "line 1"),
        (new_markdown_cell("![x](pictures/a.png)"), "shows the picture"),
        (new_markdown_cell("<img src='https://example.org/a'>"), "would fetch"),
        (new_code_cell("x", outputs=[figure("f", "c", "a", "AAAA")]), "Error"),
    ],
)
def test_a_cell_that_cannot_be_shown_is_an_error_in_its_place(build, stages, cell, why):
    cells = [new_markdown_cell("# A\nb"), cell, new_markdown_cell("The rest.")]
    write(build, "training", cells)
    out = build / "report.html"
    ((stage, number, text),) = html.render(build, plan=stages, metrics=METRICS, out=out)
    assert (stage, number) == ("training", 2) and why in text
    page = Page(out.read_text(encoding="utf-8"))
    assert "training.ipynb, cell 2 cannot be shown" in page.text and "The rest." in page.text
    assert page.all("div", class_="error", role="alert")
    assert page.all("section", class_="alarm", id="failures")
    assert "example.org" not in str(page.elements)


def test_a_stage_that_failed_is_a_chapter_with_its_error_and_what_it_had_shown(build, stages):
    error = new_output("error", ename="ValueError", evalue="no good", traceback=["deep inside"])
    (build / "metrics.json").write_text('{"half": {"value": 0.5}}')
    text = "Half: {{ training.half }}. {% if stage_has('half') %}So.{% else %}Never.{% endif %}"
    cells = [
        new_markdown_cell(f"# A\nb\n\n{text}"),
        new_code_cell("1", outputs=[figure("f", "c", "a"), printed("so far\n")]),
        new_code_cell("2", outputs=[error]),
        new_markdown_cell("Never reached."),
    ]
    failed = failures.notebook(build, "training")
    failures.keep(build, "training", "ValueError: no good", 3, folder=build)
    nbformat.write(new_notebook(cells=cells), failed)
    page = Page(rendered(build, stages))
    first = page.text[: page.text.index("Chapter 1 ")]
    assert "Chapter 2, A, failed in cell 3: ValueError: no good" in first
    chapter = page.text[page.text.index("Chapter 2 A") :]
    assert "failed in cell 3" in chapter and "so far" in chapter and "Figure 2. c" in chapter
    assert "Half: 0.5. So." in chapter
    assert "deep inside" in chapter and "Never reached" not in chapter


def test_a_stage_that_failed_without_a_notebook_has_a_chapter(build, stages):
    failures.keep(build, "training", "its process ended with code -9")
    text = Page(rendered(build, stages)).text
    assert "Chapter 2 Training # This chapter’s notebook failed: its process ended" in text


def test_a_stage_that_waits_for_one_that_failed_is_named_and_referred_to_by_its_title(
    build, stages
):
    write(build, "preprocessing", [new_markdown_cell("# A\nb\n\nSee {{ chapter('summary') }}.")])
    failures.keep(build, "training", "x")
    failures.keep_waiting(build, "summary", ["training"])
    write(build, "summary", [new_markdown_cell("# Old\nb\n\nOlder results.")])
    text = Page(rendered(build, [*stages, stage(build, "summary", "Findings")])).text
    assert "“Findings” did not run: it reads training." in text and "See “Findings”." in text
    assert "Older results" not in text


@pytest.mark.parametrize("file", ["notebook.ipynb", "notes.json"])
def test_a_result_file_that_cannot_be_read_is_a_chapter_that_says_so(build, stages, file):
    (build / "stages" / "training" / file).write_text("{")
    out = build / "report.html"
    assert len(html.render(build, plan=stages, metrics=METRICS, out=out)) == 1
    text = Page(out.read_text(encoding="utf-8")).text
    assert "Chapter 1 What the pictures are" in text
    assert f"{file}: " in text[: text.index("Chapter 1 What the")]


def test_other_outputs_are_shown_and_defused(build, stages):
    frame = "<style>td {color: red}</style><table onclick='x'><tr><td>7<br>8</td></tr></table>"
    outputs = [
        new_output("display_data", {"text/html": frame + "<script>alert(1)</script>"}),
        new_output("display_data", {"text/markdown": "**bold** ```x```"}),
        new_output("execute_result", {"text/plain": "<Figure size 640x480>"}),
        new_output("error", ename="ValueError", evalue="a < b", traceback=["\x1b[31mred\x1b[0m"]),
    ]
    write(build, "training", [new_markdown_cell("# A\nb"), new_code_cell("x", outputs=outputs)])
    text = rendered(build, stages)
    assert "alert(1)" not in text and "color: red" not in text
    assert "<strong>bold</strong>" in text
    assert "&lt;Figure size 640x480&gt;" in text
    assert "ValueError</strong>: a &lt; b" in text and "\x1b" not in text


def test_repeated_headings_get_anchors_of_their_own(build, stages):
    cells = [
        new_markdown_cell("# A\nb"),
        new_markdown_cell("## Same\n\n## Same\n\n```nolang\nx\n```"),
    ]
    write(build, "training", cells)
    page = Page(rendered(build, stages))
    assert page.all("h3", id="training-same") and page.all("h3", id="training-same-again")


def test_a_chapter_without_a_title_keeps_the_plans(build, stages):
    write(build, "training", [new_markdown_cell("Just text."), new_code_cell("")])
    assert "Chapter 2 Training #" in Page(rendered(build, stages)).text


def test_pictures_shrink_where_all_of_them_exceed_the_budget(build, stages, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    cell = new_code_cell(
        "x", outputs=[figure("n", "c", "a", base64.b64encode(buffer.getvalue()).decode())]
    )
    write(build, "training", [new_markdown_cell("# A\nb"), cell])
    large = len(rendered(build, stages))
    monkeypatch.setattr(html, "IMAGE_BUDGET", 1000)
    assert len(rendered(build, stages)) < large - 50_000


def test_two_renderings_are_the_same_to_the_byte(build, stages):
    assert rendered(build, stages) == rendered(build, stages)


def test_a_failed_notebook_shows_its_error_on_top_and_in_its_cell(tmp_path):
    path = write(
        tmp_path,
        "training",
        [
            new_markdown_cell("# A\nb {{ training.never_made | pct }}"),
            new_code_cell("1", outputs=[figure("f", "c {{ x.y }}", "a"), printed("hello\n")]),
            new_code_cell(
                "boom()",
                outputs=[
                    new_output(
                        "error",
                        ename="UserError",
                        evalue="no such <file>",
                        traceback=["\x1b[0;31mUserError\x1b[0m: no such <file>"],
                    )
                ],
            ),
        ],
    )
    written = html.render_failed(path)
    assert written == path.with_suffix(".html")
    text = written.read_text(encoding="utf-8")
    page = Page(text)
    assert page.text.index("UserError: no such <file>") < page.text.index("hello")
    assert "In cell 3." in page.text
    assert page.all("details", id="notebook-cell-3")[0]["class"] == "code failed"
    assert text.index("code failed") < text.index('class="error"')


def test_a_notebook_that_ended_without_an_error_says_so(tmp_path):
    path = write(tmp_path, "training", [new_markdown_cell("# A\nb"), new_code_cell("1")])
    assert "without an error in any cell" in html.render_failed(path).read_text(encoding="utf-8")


def test_a_broken_notebook_file_is_a_users_mistake(tmp_path):
    path = tmp_path / "notebook.ipynb"
    path.write_text("{")
    with pytest.raises(UserError, match="cannot be read as a notebook"):
        html.render_failed(path)


# --- in a browser --------------------------------------------------------------------------------

PROBE = """<script>addEventListener("load", () => setTimeout(() => {
  const wide = [...document.querySelectorAll("body *")].filter((e) =>
    !e.closest(".scroll") && e.getBoundingClientRect().right > innerWidth + 1);
  parent.postMessage(JSON.stringify({
    inner: innerWidth, scroll: document.documentElement.scrollWidth,
    wide: wide.map((e) => e.tagName + "." + e.className).slice(0, 5),
    open: document.querySelectorAll("details.code[open]").length,
    contents: document.querySelector(".toc details").open,
  }), "*");
}, 50));</script></body>"""

# Chromium's own windows are never narrower than 500 px; a frame may be.
FRAME = """<!DOCTYPE html><body><iframe style="border: 0; width: {width}px; height: 900px"
srcdoc="{page}"></iframe>
<script>addEventListener("message", (m) => {{ document.body.dataset.probe = m.data; }});</script>"""


@pytest.fixture(scope="module")
def chromium():
    try:
        return pdf.find_chromium()
    except UserError as error:
        pytest.skip(error.message)


@pytest.fixture
def wide_report(build, stages):
    """A report with a table and a line of code far wider than a phone."""
    frame = pd.concat([SCORES] * 3, axis=1)
    cells = [
        new_markdown_cell("# Wide\nthings"),
        new_markdown_cell("`" + "a_long_name" * 12 + "` and\n\n```\n" + "x" * 300 + "\n```\n"),
        new_code_cell("y" * 300, outputs=[table("wide", "Wide.", frame), printed("z" * 400)]),
    ]
    write(build, "training", cells)
    rendered(build, stages)
    return build / "report.html"


def probe(chromium, report, width):
    page = report.with_name("probe.html")
    inner = report.read_text(encoding="utf-8").replace("</body>", PROBE)
    page.write_text(FRAME.format(width=width, page=escape(inner)), encoding="utf-8")
    flags = ("--dump-dom", "--window-size=1600,900", "--virtual-time-budget=3000")
    dom = pdf.browse(chromium, page, *flags, seconds=60).stdout
    return json.loads(Page(dom).all("body")[0]["data-probe"])


def test_nothing_overflows_at_phone_width(chromium, wide_report):
    seen = probe(chromium, wide_report, 390)
    assert seen["inner"] == 390
    assert seen["scroll"] <= 390 and seen["wide"] == []
    assert seen["contents"] is False and seen["open"] == 0


def test_the_contents_are_open_on_a_wide_screen(chromium, wide_report):
    seen = probe(chromium, wide_report, 1280)
    assert seen["contents"] is True and seen["scroll"] <= 1280


def test_a_browser_meets_no_error_and_asks_for_nothing(chromium, wide_report, tmp_path):
    log = tmp_path / "net.json"
    flags = ("--dump-dom", "--enable-logging=stderr", f"--log-net-log={log}")
    done = pdf.browse(chromium, wide_report, *flags, seconds=60)
    assert done.returncode == 0
    assert "CONSOLE" not in done.stderr
    asked = set(re.findall(r'"url":"(https?:[^"]*)"', log.read_text(errors="replace")))
    # Chromium itself looks for updates of its own parts, whatever the page.
    assert not {url for url in asked if not re.search(r"google|gstatic|chrome", url)}


def test_a_printed_warning_does_not_tell_where_its_maker_keeps_python():
    from types import SimpleNamespace

    from realfake_lib.report import html

    text = "/home/me/.venv/lib/python3.12/site-packages/sklearn/x.py:5: ConvergenceWarning: stop"
    output = nbformat.v4.new_output("stream", text=text)
    chapter = SimpleNamespace(where=lambda cell: "")
    shown = html._output_block(output, None, chapter, None, None)
    assert shown["text"] == "sklearn/x.py:5: ConvergenceWarning: stop"
