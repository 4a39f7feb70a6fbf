"""Render a report with nbconvert: one HTML file that needs nothing beside itself."""

import base64
import io
import re
from pathlib import Path

import jinja2
from markupsafe import Markup
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from PIL import Image

from realfake_lib import settings
from realfake_lib.errors import UserError
from realfake_lib.formats import duration, plain
from realfake_lib.report import chapters as reading
from realfake_lib.report import failures, markdown

TITLE = "Real photograph or generated image?"
SUBTITLE = (
    "Whether a convolutional network can tell them apart, how far it can be trusted, "
    "and why it decides as it does"
)
MOST_TILES = 6


def render(build, *, plan, metrics, out):
    """Write the report: the HTML file ``out``, and in ``chapters`` beside it each as Markdown.

    ``plan`` are the stages in order, ``metrics`` is the content of ``metrics.json``. What fails in
    one cell is shown there, in red, and the rest of the page stands; what that was is returned, as
    tuples of stage, cell or None, and why. A stage that failed is a chapter that says so. Raises
    UserError if no stage has run.
    """
    out = Path(out)
    everything = reading.read(build, plan)
    chapters = [chapter for chapter in everything if chapter.cells or chapter.failure]
    missing = [chapter for chapter in everything if chapter not in chapters]
    if not chapters:
        raise UserError(
            f"{build}: no stage has finished, so there is nothing to render",
            hint="Run `make report`, or `realfake report run`.",
        )
    parts = [_Part(chapter, chapters) for chapter in chapters]
    tiles = [own for chapter in chapters for own in map(reading.facts, chapter.abstract)]
    content = {
        "title": TITLE,
        "subtitle": SUBTITLE,
        "parts": parts,
        "tiles": [own for own in tiles if own["kind"] == "tile"][:MOST_TILES],
        "failed": [chapter for chapter in chapters if chapter.failure or chapter.errors],
        "byline": _byline(metrics),
        "warnings": _warnings(chapters, metrics),
        "missing": [
            (one.title, failures.read(build, one.stage).get("waits_for")) for one in missing
        ],
        "provenance": _provenance(metrics),
        "data": metrics.get("data", {}),
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(reading.TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html.j2").render(content)
    markdown.write(chapters, out.parent / "chapters")
    with settings.atomic_file(out) as temporary:
        temporary.write_text(reading.joined(page), encoding="utf-8")
    return [(chapter.stage, *error) for chapter in chapters for error in chapter.errors]


class _Part:
    """A chapter as HTML; ``headings`` are anchor and text of its sections, for the contents."""

    def __init__(self, chapter, chapters):
        self.chapter = chapter
        self.headings = []
        self._anchors = {one.notebook: one.anchor for one in chapters}
        self._exporter = reading.exporter(
            "html.j2",
            markdown=self._markdown,
            inline=self.inline,
            grid=reading.grid,
            size=_size,
            highlight=lambda code: Markup(_highlight(code)),
        )
        self.subtitle = self.inline(chapter.subtitle)
        self.finding = self._cells([reading.bare(chapter.finding)])
        self.body = self._cells(chapter.cells)
        self.appendix = self._cells([reading.bare([output]) for output in chapter.appendix])
        said = [one for one in chapter.abstract if reading.facts(one)["kind"] != "tile"]
        self.abstract = self._cells([reading.bare([output]) for output in said])

    def _cells(self, cells):
        return Markup(reading.render(self._exporter, self.chapter, cells))

    def _markdown(self, text):
        """Markdown below a chapter's heading; its sections go into the contents."""
        renderer = IPythonRenderer(escape=False, exclude_anchor_links=True)
        html = MarkdownWithMath(renderer=renderer).render(text)
        if fetched := _FETCHED.search(html):
            raise UserError(f"the report would fetch {fetched[0]} from elsewhere")
        html = re.sub(r"<h([1-5])>(.*?)</h\1>", self._heading, html)
        html = _BLOCK.sub(r'<div class="scroll" tabindex="0">\g<0></div>', html)
        return Markup(_LINK.sub(self._link, html))

    def inline(self, text):
        """A caption's Markdown: emphasis, code and links, no paragraphs."""
        return Markup(re.sub(r"\A<p>|</p>\Z", "", self._markdown(text).strip()))

    def _heading(self, match):
        level, text = int(match[1]) + 1, match[2]
        plain = Markup(text).striptags()
        slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") or "section"
        anchor = f"{self.chapter.anchor}-{slug}"
        while anchor in dict(self.headings):
            anchor += "-again"
        if level == 3:
            self.headings.append((anchor, plain))
        link = f'<a class="anchor" href="#{anchor}" aria-label="Link to this section">#</a>'
        return f'<h{level} id="{anchor}">{text} {link}</h{level}>'

    def _link(self, match):
        """A link to another notebook leads to its chapter, as far as that is on the page."""
        if match["notebook"] not in self._anchors:
            return match["text"]
        return f'<a class="xref" href="#{self._anchors[match["notebook"]]}">{match["text"]}</a>'


_FETCHED = re.compile(r"""<[^<>]*\s(src|srcset|data|poster)=(?!["']?data:)[^<>]*>|<link\s""", re.I)
_LINK = re.compile(r'<a href="[^"]*?(?P<notebook>[\w-]+\.ipynb)(#[^"]*)?"[^>]*>(?P<text>.*?)</a>')
_BLOCK = re.compile(
    r'<table>.*?</table>|<div class="highlight">.*?</div>|(?<!>)<pre>.*?</pre>', re.S
)
_highlight = Highlight2HTML(pygments_lexer="python")


def _size(png):
    """Width and height of a base64 PNG in pixels."""
    with Image.open(io.BytesIO(base64.b64decode(png))) as image:
        return image.size


# --- first page and appendix ---------------------------------------------------------------------


def _warnings(chapters, metrics):
    """What no reader may miss: text → the chapters that say so, in order."""
    said = list(metrics.get("data", {}).get("notices", ()))
    if metrics.get("profile") == "smoke":
        said.append(
            "Profile smoke: trainings of a few epochs on few images. The figures show that "
            "everything runs, not how well a detector can do."
        )
    tested = metrics.get("metrics", {}).get("training.images.test", {}).get("value", 500)
    if tested < 500:
        said.append(f"The test set has only {tested} images, so intervals are wide.")
    notes = {text: [] for text in said}
    for chapter in chapters:
        owns = map(reading.facts, chapter.outputs)
        for text in dict.fromkeys(own["text"] for own in owns if own.get("kind") == "note"):
            notes.setdefault(text, []).append(chapter)
    return notes


def _byline(metrics):
    """Pairs of (label, text) below the title."""
    provenance, data = metrics.get("provenance", {}), metrics.get("data", {})
    git = provenance.get("git", {})
    changed = ", with local changes" if git.get("clean") is False else ""
    pairs = {
        "Run": (provenance.get("finished") or "")[:16].replace("T", " "),
        "Profile": metrics.get("profile"),
        "Data": f"{data['name']}, {data['n']:,} images" if data.get("n") else data.get("name"),
        "Commit": (git.get("commit") or "")[:10] + changed if git.get("commit") else None,
    }
    return [(label, text) for label, text in pairs.items() if text]


def _provenance(metrics):
    """Provenance as tables: list of (heading, columns or None, rows of text)."""
    parts = dict(metrics.get("provenance", {}))
    loose = {name: item for name, item in parts.items() if not isinstance(item, dict)}
    stages = parts.pop("stages", {})
    tables = {"This run": loose, "Data": metrics.get("data", {})}
    tables |= {name.capitalize(): item for name, item in parts.items() if name not in loose}
    shown = [(heading, None, list(_rows(tree))) for heading, tree in tables.items() if tree]
    if stages:
        names = [name for name, _ in _rows(next(iter(stages.values())))]
        columns = ["stage", *("time" if name == "seconds" else name for name in names)]
        rows = [[stage, *(text for _, text in _rows(one))] for stage, one in stages.items()]
        shown.append(("Stages", columns, rows))
    return shown


def _rows(tree, prefix=""):
    """Pairs of name and text of what is nested in ``tree``."""
    for key, value in tree.items():
        name = prefix + str(key).replace("_", " ")
        if isinstance(value, dict):
            yield from _rows(value, f"{name}, ")
        elif value is None:
            yield name, "–"
        else:
            yield name, duration(value) if key == "seconds" else plain(value)
