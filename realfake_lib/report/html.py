"""Render a report with nbconvert: one HTML file that needs nothing beside itself, and Markdown."""

import base64
import functools
import io
import re
import shutil

import jinja2
from markupsafe import Markup, escape
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from PIL import Image

from realfake_lib import settings
from realfake_lib.errors import UserError
from realfake_lib.formats import duration, plain
from realfake_lib.report import chapters

SMOKE = (
    "Profile smoke: trainings of a few epochs on few images. The figures show that everything "
    "runs, not how well a detector can do."
)


def render(stages, *, metrics, out):
    """Write the report: the HTML file ``out``, and in ``chapters`` beside it each as Markdown.

    ``metrics`` is the content of ``metrics.json``. What fails in one cell is shown there, in red,
    and the rest of the page stands; what that was is returned, as tuples of stage, cell or None,
    and why. A stage that failed is a chapter that says so.
    """
    everything = chapters.read(stages)
    shown = [chapter for chapter in everything if chapter.cells or chapter.failure]
    tiles = [own for chapter in shown for own in map(chapters.facts, chapter.abstract)]
    targets = {chapter.notebook: f"#{chapter.anchor}" for chapter in shown}
    missing = [chapter.stage for chapter in everything if chapter not in shown]
    content = {
        "chapters": [(chapter, _parts(chapter, targets)) for chapter in shown],
        "tiles": [own for own in tiles if own["kind"] == "tile"][:6],
        "failed": [chapter for chapter in shown if chapter.failure or chapter.errors],
        "byline": _byline(metrics),
        "warnings": _warnings(shown, metrics),
        "missing": [(stage.title, stage.failure.get("waits_for")) for stage in missing],
        "provenance": _provenance(metrics),
        "data": metrics.get("data", {}),
    }
    loader = jinja2.FileSystemLoader(chapters.TEMPLATES)
    tidy = {"trim_blocks": True, "lstrip_blocks": True}
    environment = jinja2.Environment(loader=loader, autoescape=True, **tidy)
    environment.filters["with_code"] = _with_code
    page = environment.get_template("report.html.j2").render(content)
    _write_markdown(shown, out.parent / "chapters")
    with settings.atomic_file(out) as temporary:
        temporary.write_text(chapters.joined(page), encoding="utf-8")
    return [(chapter.stage.name, *error) for chapter in shown for error in chapter.errors]


def _with_code(text):
    """Plain text whose `code` is set as such."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _parts(chapter, targets):
    """The parts of a chapter as HTML; links to another notebook lead to those of ``targets``."""

    def markdown(text):
        """Markdown below a chapter's heading; its sections go into the contents."""
        renderer = IPythonRenderer(escape=False, exclude_anchor_links=True)
        html = MarkdownWithMath(renderer=renderer).render(chapters.linked(text, targets))
        if fetched := _FETCHED.search(html):
            raise UserError(f"the report would fetch {fetched[0]} from elsewhere")
        html = re.sub(r"<h([1-5])>(.*?)</h\1>", heading, html)
        return Markup(_BLOCK.sub(r'<div class="scroll" tabindex="0">\g<0></div>', html))

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

    parts = chapters.rendered(
        chapter,
        "html.j2",
        markdown=markdown,
        inline=inline,
        grid=chapters.grid,
        size=lambda png: Image.open(io.BytesIO(base64.b64decode(png))).size,
        highlight=lambda code: Markup(_highlight(code)),
    )
    parts = {name: Markup(text) for name, text in parts.items()}
    return parts | {"subtitle": inline(chapter.subtitle)}


_FETCHED = re.compile(r"""<[^<>]*\s(src|srcset|data|poster)=(?!["']?data:)[^<>]*>|<link\s""", re.I)
_BLOCK = re.compile(
    r'<table>.*?</table>|<div class="highlight">.*?</div>|(?<!>)<pre>.*?</pre>', re.S
)
_highlight = Highlight2HTML(pygments_lexer="python")


# --- first page and appendix ---------------------------------------------------------------------


def _warnings(shown, metrics):
    """What no reader may miss: text → the chapters that say so, in order."""
    notes = {text: [] for text in metrics.get("data", {}).get("notices", ())}
    if metrics.get("profile") == "smoke":
        notes[SMOKE] = []
    tested = metrics.get("metrics", {}).get("training.images.test", {}).get("value", 500)
    if tested < 500:
        notes[f"The test set has only {tested} images, so intervals are wide."] = []
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
        "Commit": git.get("commit") and git["commit"][:10] + changed,
    }
    return [(label, text) for label, text in pairs.items() if text]


def _provenance(metrics):
    """Provenance as tables: list of (heading, columns or None, rows of text)."""
    parts = dict(metrics.get("provenance", {}))
    stages = parts.pop("stages", {})
    nested = {name.capitalize(): part for name, part in parts.items() if isinstance(part, dict)}
    loose = {name: part for name, part in parts.items() if not isinstance(part, dict)}
    tables = {"This run": loose, "Data": metrics.get("data", {})} | nested
    shown = [(heading, None, list(_rows(tree))) for heading, tree in tables.items() if tree]
    if rows := [[stage, *(text for _, text in _rows(one))] for stage, one in stages.items()]:
        names = next(iter(stages.values()))
        columns = ["stage", *("time" if name == "seconds" else name for name in names)]
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


# --- chapters as Markdown, for GitHub ------------------------------------------------------------


def _write_markdown(shown, folder):
    """Write one Markdown file a chapter, in place of what is in the folder.

    Figures are looked for beside it, as ``figures/<stage>/<name>.png``.
    """
    shutil.rmtree(folder, ignore_errors=True)
    files = {chapter.notebook: f"{chapter.stage.notebook.stem}.md" for chapter in shown}

    linked = functools.partial(chapters.linked, targets=files)
    for chapter in shown:
        found = chapters.rendered(chapter, "md.j2", markdown=linked, table=_table, cell=_cell)
        found = {name: text.strip() for name, text in found.items()}
        parts = [f"# {chapter.number}. {chapter.title}", linked(chapter.subtitle)]
        if found["finding"]:
            parts.append(re.sub("(?m)^", "> ", f"**Finding.** {found['finding']}"))
        parts += [found["abstract"], found["body"]]
        if chapter.appendix:
            folded = f"<details>\n<summary>Tables</summary>\n\n{found['appendix']}\n\n</details>"
            parts.append(f"## Appendix\n\n{folded}")
        source = f"[{chapter.notebook}](../../notebooks/{chapter.notebook})"
        parts.append(f"---\n\nThis chapter with all its code: {source}")
        with settings.atomic_file(folder / files[chapter.notebook]) as temporary:
            text = re.sub(r"\n{3,}", "\n\n", "\n\n".join(filter(None, parts)))
            temporary.write_text(chapters.joined(text) + "\n", encoding="utf-8")


def _table(markup):
    """A table in HTML as one in Markdown."""
    header, rows, numeric = chapters.grid(markup)
    lines = [header, ["---:" if right else "---" for right in numeric], *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text):
    """A text that may stand in a cell of a table."""
    return re.sub(r"\s+", " ", text).replace("|", "\\|")
