"""Render a report with nbconvert: one HTML file that needs nothing beside itself."""

import base64
import io
import re

import jinja2
from markupsafe import Markup
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from PIL import Image

from realfake_lib import settings
from realfake_lib.errors import UserError
from realfake_lib.formats import duration, plain
from realfake_lib.report import chapters, markdown

TITLE = "Real photograph or generated image?"
SUBTITLE = (
    "Whether a convolutional network can tell them apart, how far it can be trusted, "
    "and why it decides as it does"
)
MOST_TILES = 6


def render(stages, *, metrics, out):
    """Write the report: the HTML file ``out``, and in ``chapters`` beside it each as Markdown.

    ``metrics`` is the content of ``metrics.json``. What fails in one cell is shown there, in red,
    and the rest of the page stands; what that was is returned, as tuples of stage, cell or None,
    and why. A stage that failed is a chapter that says so. Raises UserError if no stage has run.
    """
    everything = chapters.read(stages)
    shown = [chapter for chapter in everything if chapter.cells or chapter.failure]
    if not shown:
        raise UserError(
            f"{out.parent}: no stage has finished, so there is nothing to render",
            hint="Run `make report`, or `realfake report run`.",
        )
    anchors = {chapter.notebook: chapter.anchor for chapter in shown}
    tiles = [own for chapter in shown for own in map(chapters.facts, chapter.abstract)]
    missing = [chapter.stage for chapter in everything if chapter not in shown]
    content = {
        "title": TITLE,
        "subtitle": SUBTITLE,
        "chapters": [(chapter, _parts(chapter, anchors)) for chapter in shown],
        "tiles": [own for own in tiles if own["kind"] == "tile"][:MOST_TILES],
        "failed": [chapter for chapter in shown if chapter.failure or chapter.errors],
        "byline": _byline(metrics),
        "warnings": _warnings(shown, metrics),
        "missing": [(stage.title, stage.failure.get("waits_for")) for stage in missing],
        "provenance": _provenance(metrics),
        "data": metrics.get("data", {}),
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(chapters.TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html.j2").render(content)
    markdown.write(shown, out.parent / "chapters")
    with settings.atomic_file(out) as temporary:
        temporary.write_text(chapters.joined(page), encoding="utf-8")
    return [(chapter.stage.name, *error) for chapter in shown for error in chapter.errors]


def _parts(chapter, anchors):
    """The parts of a chapter as HTML; links to another notebook of ``anchors`` lead to it."""

    def markdown(text):
        """Markdown below a chapter's heading; its sections go into the contents."""
        renderer = IPythonRenderer(escape=False, exclude_anchor_links=True)
        html = MarkdownWithMath(renderer=renderer).render(text)
        if fetched := _FETCHED.search(html):
            raise UserError(f"the report would fetch {fetched[0]} from elsewhere")
        html = re.sub(r"<h([1-5])>(.*?)</h\1>", heading, html)
        html = _BLOCK.sub(r'<div class="scroll" tabindex="0">\g<0></div>', html)
        return Markup(_LINK.sub(link, html))

    def inline(text):
        """A caption's Markdown: emphasis, code and links, no paragraphs."""
        return Markup(re.sub(r"\A<p>|</p>\Z", "", markdown(text).strip()))

    def heading(match):
        level, text = int(match[1]) + 1, match[2]
        plain = Markup(text).striptags()
        anchor = f"{chapter.anchor}-{re.sub(r'[^a-z0-9]+', '-', plain.lower()).strip('-')}"
        while anchor in dict(chapter.headings):
            anchor += "-again"
        if level == 3:
            chapter.headings.append((anchor, plain))
        link = f'<a class="anchor" href="#{anchor}" aria-label="Link to this section">#</a>'
        return f'<h{level} id="{anchor}">{text} {link}</h{level}>'

    def link(match):
        if match["notebook"] not in anchors:
            return match["text"]
        return f'<a class="xref" href="#{anchors[match["notebook"]]}">{match["text"]}</a>'

    filters = {"markdown": markdown, "inline": inline, "grid": chapters.grid, "size": _size}
    filters["highlight"] = lambda code: Markup(_highlight(code))
    parts = chapters.rendered(chapter, "html.j2", **filters)
    parts = {name: Markup(text) for name, text in parts.items()}
    return parts | {"subtitle": inline(chapter.subtitle)}


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


def _warnings(shown, metrics):
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
    for chapter in shown:
        owns = map(chapters.facts, chapter.outputs)
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
