"""Rendering of executed notebooks as one HTML file, on notebooks built here with their outputs."""

import json
import re
from html import escape
from html.parser import HTMLParser

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from realfake_lib.errors import UserError
from realfake_lib.report import chapters, html, pdf
from realfake_lib.report.plan import Stage

from . import notebooks

METRICS = {
    "profile": "smoke",
    "data": {
        "name": "demo",
        "n": 1200,
        "is_demo": True,
        "notices": ["CIFAKE was not found, so the demo set is used."],
    },
    "metrics": {},
    "provenance": {
        "git": {"commit": "3f2a9b7c1d2e", "clean": False},
        "finished": "2026-11-23T21:04:05",
        "lock": "5d41402abc4b",
        "versions": {"python": "3.11.7", "tensorflow": "2.21.0"},
        "stages": {"training": {"seconds": 1320.0, "key": "cd34"}},
        "parameters": {"training": {"epochs": 8, "recipes": ["short"]}},
    },
}


def stage(folder, number, name, title):
    notebook = folder / "notebooks" / f"{number:02}_{name}.ipynb"
    failed = folder / "failed" / f"{name}.ipynb"
    return Stage(name, title, notebook, folder=folder / "stages" / name, failed_notebook=failed)


@pytest.fixture
def build(tmp_path):
    notebooks.training(tmp_path).write()
    notebooks.summary(tmp_path).write()
    return tmp_path


@pytest.fixture
def stages(build):
    return [stage(build, 1, "training", "Training"), stage(build, 2, "summary", "Findings")]


def rendered(build, stages, metrics=METRICS, problems=()):
    out = build / "report.html"
    assert html.render(stages, metrics=metrics, out=out) == list(problems)
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
def text(build, stages):
    return rendered(build, stages)


@pytest.fixture
def page(text):
    return Page(text)


def test_the_page_fetches_nothing(page):
    for tag, attributes in page.elements:
        for name in ("src", "srcset", "poster", "data"):
            assert attributes.get(name, "data:").startswith("data:"), (tag, attributes)
        if tag in ("link", "use"):
            assert attributes.get("href", "data:").startswith("data:")
    style = (chapters.TEMPLATES / "report.css").read_text()
    assert "url(" not in style and "@import" not in style
    policy = page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    assert policy.startswith("default-src 'none'")


def test_every_link_within_the_page_leads_somewhere(page):
    anchors = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(anchors) == len(set(anchors))
    links = [link["href"] for link in page.all("a")]
    assert len(links) > 12 and all(link.startswith("#") for link in links)
    assert {link[1:] for link in links} <= set(anchors)


def test_the_contents_list_every_chapter_and_section(text):
    contents = text[text.index("<nav") : text.index("</nav>")]
    for words in ("Training", "The network", "Tables", "What was found", "provenance"):
        assert words in contents


def test_a_link_to_another_notebook_leads_to_its_chapter_where_there_is_one(page, text):
    assert page.all("a", href="#summary")
    assert "See Chapter 3 and" in text


def test_figures_and_tables_are_numbered_as_the_page_shows_them(text):
    captions = re.findall("<figcaption>(.*?)</figcaption>", text, re.S)
    assert [Page(caption.partition("<a")[0]).text.strip() for caption in captions] == [
        "Figure 1. First figure.",
        "Figure 2. It rises.",
        "Table 1. Scores.",
        "Table 2. All scores.",
    ]


def test_a_figure_has_its_alternative_text_size_and_a_link_to_its_code(page):
    shown = page.all("img", alt="Two curves.")[0]
    assert int(shown["width"]) > int(shown["height"]) > 50
    links = [link["href"] for link in page.all("a", class_="made-by")]
    assert links[1] == "#training-cell-6" and page.all("details", id="training-cell-6")


def test_a_picture_that_is_no_figure_of_the_report_still_has_an_alternative_text(build, stages):
    made = notebooks.training(build.parent / "other")
    png = made.cells[5].outputs[0].data["image/png"]
    made.cells.append(new_code_cell(outputs=[new_output("display_data", {"image/png": png})]))
    made.write(build / "stages" / "training" / "notebook.ipynb")
    shown = Page(rendered(build, stages)).all("img")
    assert shown[-1]["alt"] == "Figure from cell 10, without description"


def test_what_a_cell_tagged_abstract_says_is_on_the_first_page_only(page):
    first = page.text[: page.text.index("Chapter 1 ")]
    assert "Half of it is true." in first and "Figure 1. First figure." in first
    assert "Tile 5 5 % a detail" in first and "Tile 6" not in page.text
    assert page.text.count("Half of it is true.") == 1


def test_without_an_abstract_the_first_page_says_so(build, stages):
    text = Page(rendered(build, stages[:1])).text
    assert "no abstract" in text[: text.index("Chapter 1 ")]


def test_the_finding_stands_at_the_top_of_its_chapter(page):
    chapter = page.text[page.text.index("Chapter 1 ") :]
    assert chapter.index("Finding It reaches 96.9 %.") < chapter.index("The network")


def test_a_long_table_stands_in_the_chapters_appendix_with_a_link_in_its_place(text):
    place = text.index('(<a href="#training-table-long">Table\u00a02</a>)')
    appendix = text.index("Appendix to this")
    assert text.index(" Scores. ") < place < appendix
    assert appendix < text.index('id="training-table-long"')


def test_columns_of_numbers_are_set_right(text):
    assert '<th scope="col" class="num">accuracy (%)</th>' in text
    assert '<td class="num">70.0 to 95.0</td>' in text
    assert '<th scope="row">network 1</th>' in text


def test_the_method_is_shown_open_and_other_code_folded_with_what_it_printed(page, text):
    opened = [cell["id"] for cell in page.all("details") if "open" in cell and "id" in cell]
    assert opened == ["training-cell-5"]
    assert len(page.all("details", class_="code")) == 7
    said = text.index("results go to build/smoke")
    assert text.rindex("<details", 0, said) > text.rindex("</details>", 0, said)


def test_the_front_page_warns_of_demo_data(build, stages, page):
    assert page.all("section", id="demo-warning", role="alert")
    real = METRICS | {"data": METRICS["data"] | {"is_demo": False, "name": "CIFAKE"}}
    assert not Page(rendered(build, stages, real)).all("section", id="demo-warning")


@pytest.mark.parametrize(
    ("profile", "tested", "said", "not_said"),
    [
        ("smoke", 20000, "Profile smoke", "The test set"),
        ("standard", 16, "The test set has only 16 images", "Profile smoke"),
    ],
)
def test_the_front_page_says_how_little_a_small_run_shows(
    build, stages, profile, tested, said, not_said
):
    images = {"training.images.test": {"value": tested}}
    made = METRICS | {"profile": profile, "metrics": METRICS["metrics"] | images}
    front = Page(rendered(build, stages, made)).text
    assert said in front and not_said not in front


def test_notes_are_on_the_front_page_and_in_their_chapter(build, stages):
    made = notebooks.training(build)
    made.code("run.note(…)", say=lambda run: run.note("Demo data."))
    made.code("run.note(…)", say=lambda run: run.note("`make <this>` gets it."))
    made.write()
    html = rendered(build, stages)
    assert "<li><code>make &lt;this&gt;</code> gets it. " in html
    page = Page(html)
    front = Page(html[: html.index('class="chapter"')]).text
    assert "CIFAKE was not found, so the demo set is used." in front
    assert "Demo data. (Chapter 1)" in front
    assert "Note. Demo data." in page.text


def test_a_chapter_says_that_sentences_are_left_out(build, stages):
    made = notebooks.training(build)
    made.code("…", say=lambda run: run.text(f"It is {run.value('gone'):pct}.", "This stays."))
    made.write()
    text = Page(rendered(build, stages)).text
    assert "sentences are left out" in text and "This stays." in text and "It is ." not in text


def test_a_chapter_that_was_not_run_is_named_and_keeps_its_number(build, stages):
    plan = [stages[0], stage(build, 2, "grad_cam", "Grad-CAM"), stages[1]]
    text = Page(rendered(build, plan)).text
    assert (
        "Missing, because their notebooks were not run: “Grad-CAM”." in text
        and "Chapter 3 What was found" in text
    )


def test_the_byline_tells_date_profile_data_and_commit(page):
    assert "Run 2026-11-23 21:04" in page.text
    assert "Data demo, 1,200 images" in page.text
    assert "Commit 3f2a9b7c1d, with local changes" in page.text


def test_the_appendix_tells_where_everything_came_from(page):
    appendix = page.text[page.text.rindex("Appendix") :]
    for words in ("lock 5d41402abc4b", "tensorflow 2.21.0", "training 22 min cd34", "epochs 8"):
        assert words in appendix


def test_text_comes_from_the_source_notebook_while_its_code_is_the_code_that_ran(build, stages):
    made = notebooks.training(build)
    tags = {"tags": ["injected-parameters"]}
    made.cells.insert(2, new_code_cell("# Parameters\nseed = 7", metadata=tags))
    made.write()
    del made.cells[2]
    made.cells[3].source = "## New words"
    source = made.write(stages[0].notebook)
    text = Page(rendered(build, stages)).text
    assert "New words" in text and "seed = 0 # In this run: seed = 7" in text
    made.cells[2].source = "something_else()"
    made.write(source)
    assert "New words" not in Page(rendered(build, stages)).text


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        (new_markdown_cell("![x](pictures/a.png)"), "would fetch"),
        (new_markdown_cell("<img src='https://example.org/a'>"), "would fetch"),
        (new_code_cell("x", outputs=[new_output("display_data", {"image/png": "AAAA"})]), "Error"),
    ],
)
def test_a_cell_that_cannot_be_shown_is_an_error_in_its_place(build, stages, cell, why):
    made = notebooks.training(build)
    made.cells += [cell, new_markdown_cell("The rest.")]
    made.write()
    out = build / "report.html"
    ((name, number, text),) = html.render(stages, metrics=METRICS, out=out)
    assert (name, number) == ("training", 10) and why in text
    page = Page(out.read_text(encoding="utf-8"))
    assert "training.ipynb, cell 10 cannot be shown" in page.text and "The rest." in page.text
    assert page.all("div", class_="error", role="alert")
    assert page.all("section", class_="alarm", id="failures")
    assert "example.org" not in str(page.elements)


def test_a_stage_that_failed_is_a_chapter_with_its_error_and_what_it_had_shown(build, stages):
    made = notebooks.training(build)
    made.code("boom()", outputs=[notebooks.printed("so far\n"), notebooks.failed("no good")])
    made.text("Never reached.")
    stages[0].fail("ValueError: no good", 10)
    made.write(stages[0].failed_notebook)
    page = Page(rendered(build, stages))
    first = page.text[: page.text.index("Contents")]
    assert "Chapter 1, Training, failed in cell 10: ValueError: no good" in first
    chapter = page.text[page.text.index("Chapter 1 Training") :]
    for words in ("failed in cell 10", "so far", "Figure 2. It rises.", "deep inside"):
        assert words in chapter
    assert "Never reached" not in chapter


def test_a_stage_that_failed_without_a_notebook_has_a_chapter(build, stages):
    stages[0].fail("its process ended with code -9")
    text = Page(rendered(build, stages)).text
    assert "Chapter 1 Training # This chapter’s notebook failed: its process ended" in text


def test_a_stage_that_waits_for_one_that_failed_is_named_and_shows_no_older_results(build, stages):
    stages[0].fail("x")
    stages[1].fail(waits_for=["training"])
    text = Page(rendered(build, stages)).text
    assert "“Findings” did not run: it needs the results of training." in text
    assert "Half of it" not in text


def test_a_notebook_that_cannot_be_read_is_a_chapter_that_says_so(build, stages):
    (build / "stages" / "training" / "notebook.ipynb").write_text("{")
    out = build / "report.html"
    assert len(html.render(stages, metrics=METRICS, out=out)) == 1
    text = Page(out.read_text(encoding="utf-8")).text
    assert "Chapter 2 What was found" in text
    assert "notebook.ipynb is not a notebook" in text[: text.index("Contents")]


def test_other_outputs_are_shown_as_text(build, stages):
    outputs = [
        new_output("display_data", {"text/html": "<script>alert(1)</script>", "text/plain": "a<b"}),
        new_output("display_data", {"text/markdown": "**bold**"}),
        notebooks.failed("a < b"),
    ]
    made = notebooks.training(build)
    made.code("x", outputs=outputs)
    made.write()
    text = rendered(build, stages)
    assert "alert(1)" not in text and "a&lt;b" in text
    assert "<strong>bold</strong>" in text
    assert "ValueError</strong>: a &lt; b" in text and "\x1b" not in text


def test_what_the_stage_handle_returns_is_not_shown(build, stages):
    made = notebooks.training(build)
    for source in ("x = 1\nrun.claim(\n    'a', x\n)", "run.claim('a', x)\nshown"):
        value = new_output("execute_result", {"text/plain": f"value of {source[-5:]}"})
        made.code(source, outputs=[value])
    made.write()
    text = Page(rendered(build, stages)).text
    assert text.count("value of") == 1 and "value of shown" in text


def test_repeated_headings_get_anchors_of_their_own(build, stages):
    made = notebooks.training(build)
    made.text("## Same\n\n## Same\n\n```nolang\nx\n```")
    made.write()
    page = Page(rendered(build, stages))
    assert page.all("h3", id="training-same") and page.all("h3", id="training-same-again")


def test_two_renderings_are_the_same_to_the_byte(build, stages):
    assert rendered(build, stages) == rendered(build, stages)


def test_a_printed_warning_does_not_tell_where_its_maker_keeps_python(build, stages):
    made = notebooks.training(build)
    warned = "/home/me/.venv/lib/python3.12/site-packages/sklearn/x.py:5: ConvergenceWarning"
    made.code("x", outputs=[notebooks.printed(warned)])
    made.write()
    text = rendered(build, stages)
    assert "sklearn/x.py:5: ConvergenceWarning" in text and "/home/me" not in text


# --- in a browser --------------------------------------------------------------------------------

PROBE = """<script>addEventListener("load", () => setTimeout(() => {
  const wide = [...document.querySelectorAll("body *")].filter((e) =>
    !e.closest(".scroll") && e.getBoundingClientRect().right > innerWidth + 1);
  const sort = document.querySelectorAll("th button")[1];
  sort.click(); sort.click();
  location.hash = "#training-table-long";
  setTimeout(() => parent.postMessage(JSON.stringify({
    inner: innerWidth, scroll: document.documentElement.scrollWidth,
    wide: wide.map((e) => e.tagName + "." + e.className).slice(0, 5),
    open: document.querySelectorAll("details.code[open]:not(.method)").length,
    contents: document.querySelector(".toc details").open,
    sorted: [...sort.closest("table").tBodies[0].rows].map((row) => row.cells[1].textContent),
    appendix: document.querySelector("details.appendix").open,
  }), "*"), 100);
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
    made = notebooks.training(build)
    made.text("`" + "a_long_name" * 12 + "` and\n\n```\n" + "x" * 300 + "\n```\n")

    def say(run):
        run.table(notebooks.table(columns=12), "wide", caption="Wide.", appendix=False)

    made.code("y" * 300, say=say, outputs=[notebooks.printed("z" * 400)])
    made.write()
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


def test_on_a_wide_screen_the_contents_are_open_tables_sort_and_links_unfold(chromium, wide_report):
    seen = probe(chromium, wide_report, 1280)
    assert seen["contents"] is True and seen["scroll"] <= 1280 and seen["wide"] == []
    assert seen["sorted"] == ["90.0", "85.0", "80.0"]
    assert seen["appendix"] is True


def test_a_browser_meets_no_error_and_asks_for_nothing(chromium, wide_report, tmp_path):
    log = tmp_path / "net.json"
    flags = ("--dump-dom", "--enable-logging=stderr", f"--log-net-log={log}")
    done = pdf.browse(chromium, wide_report, *flags, seconds=60)
    assert done.returncode == 0
    assert "CONSOLE" not in done.stderr
    asked = set(re.findall(r'"url":"(https?:[^"]*)"', log.read_text(errors="replace")))
    # Chromium itself looks for updates of its own parts, whatever the page.
    assert not {url for url in asked if not re.search(r"google|gstatic|chrome", url)}


def test_a_number_stays_with_its_unit_and_its_sign():
    page = "<p title='5 %'>5 % of a <b>x</b> 7, ε = 4/255, p &lt; 0.001, <code>a = 4</code></p>"
    joined = "<p title='5 %'>5_% of a <b>x</b> 7, ε_=_4/255, p_&lt;_0.001, <code>a = 4</code></p>"
    assert chapters.joined(page) == joined.replace("_", "\u00a0")
    assert (
        chapters.joined("`n = 3`, n < 3, 32 pixels") == "`n = 3`, n\u00a0<\u00a03, 32\u00a0pixels"
    )
