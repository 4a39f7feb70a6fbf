"""Render the executed notebooks of all stages as one HTML file that needs nothing beside itself."""

import base64
import io
import json
import re
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import jinja2
import mistune
import pygments
import pygments.formatters
import pygments.lexers
from markupsafe import Markup
from PIL import Image

from realfake_lib import settings
from realfake_lib.errors import UserError
from realfake_lib.report import failures, prose

TITLE = "Real photograph or generated image?"
SUBTITLE = (
    "Whether a convolutional network can tell them apart, how far it can be trusted, "
    "and why it decides as it does"
)
TEMPLATES = Path(__file__).with_name("templates")
IMAGE_BUDGET = 5_500_000  # bytes; as base64 they make 7.3 MB of a page that should stay below 8

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_FOLDERS = re.compile(r"(?:/[\w.+-]+)+/site-packages/")


def render(build, *, plan, metrics, out):
    """Write the report.

    What fails in one cell is shown there, in red, and the rest of the page stands. A stage that
    failed is a chapter that says so. What quotes a result that this run does not have is left out.

    Parameters
    ----------
    build : path
        Folder of one profile, with ``stages/<stage>/notebook.ipynb`` of the finished stages and
        what :mod:`realfake_lib.report.failures` keeps of the others.
    plan : iterable of plan.Stage
        The chapters in order. Prose comes from the stages' source notebooks as long as their code
        is the code that ran, so that an edited sentence needs a new rendering only.
    metrics : dict
        The content of ``metrics.json``.
    out : path
        The HTML file to write. Appears whole or not at all.

    Returns
    -------
    list of (str, int or None, str)
        What could not be rendered: stage, cell and why. Empty for a whole page.

    Raises
    ------
    UserError
        If no stage has run.
    """
    stages = list(plan)
    chapters = [_read_chapter(Path(build), stage) for stage in stages]
    missing = [chapter for chapter in chapters if not chapter.cells and not chapter.failure]
    chapters = [chapter for chapter in chapters if chapter not in missing]
    if not chapters:
        raise UserError(
            f"{build}: no stage has finished, so there is nothing to render",
            hint="Run `make report`, or `realfake report run`.",
        )
    targets = _number(chapters, missing)
    images = _Images(chapters)
    for chapter in chapters:
        own = {}
        if chapter.failure:  # or it would say of what it had measured that it could not be had
            left = failures.metrics(build, chapter.stage)
            own = {f"{chapter.stage}.{name}": entry for name, entry in left.items()}
        known = metrics | {"metrics": metrics.get("metrics", {}) | own}
        filler = prose.Prose(known, targets, strict=False)
        _fill_chapter(chapter, filler, images)
        chapter.left_out = _parts(filler.missing)
    problems = [(chapter.stage, *error) for chapter in chapters for error in chapter.errors]
    content = {
        "title": TITLE,
        "subtitle": SUBTITLE,
        "chapters": chapters,
        "abstract": _abstract(chapters, prose.Prose(metrics, targets, strict=False), problems),
        "failed": [chapter for chapter in chapters if chapter.failure or chapter.errors],
        "byline": _byline(metrics),
        "warnings": _warnings(chapters, metrics),
        "missing": [(one.title, failures.waits_for(build, one.stage)) for one in missing],
        "provenance": _provenance(metrics),
        "data": metrics.get("data", {}),
    }
    page = _environment().get_template("report.html.j2").render(content)
    _write(page, Path(out))
    return problems


def render_failed(notebook_path):
    """Write a notebook that failed as HTML beside it, the error on top and marked in its cell.

    Parameters
    ----------
    notebook_path : path

    Returns
    -------
    Path of the HTML file
    """
    path = Path(notebook_path)
    cells = [_Cell.of(cell, number) for number, cell in enumerate(_read(path), start=1)]
    chapter = Chapter("notebook", path.stem, 0, path.name, cells)
    chapter.blocks = []
    failure = None
    for cell in cells:
        if cell.kind == "markdown":
            # Nothing is filled in: the metrics that the text quotes may not exist.
            source = re.sub(r"\{%.*?%\}", "", cell.source, flags=re.S)
            chapter.blocks.append({"kind": "prose", "html": _markdown(source, chapter)})
        elif cell.kind == "code":
            block = _code_block(cell, chapter)
            block["failed"] = any(output["output_type"] == "error" for output in cell.outputs)
            chapter.blocks.append(block)
            for output in cell.outputs:
                chapter.blocks.append(_output_block(output, cell, chapter, None, _Images([])))
                if output["output_type"] == "error" and failure is None:
                    failure = {"name": output["ename"], "value": output["evalue"]}
                    failure["cell"] = cell.number
                    failure["anchor"] = block["anchor"]
    page = _environment().get_template("failed.html.j2")
    page = page.render(title=path.name, chapter=chapter, failure=failure)
    return _write(page, path.with_suffix(".html"))


# --- reading -------------------------------------------------------------------------------------


@dataclass
class _Cell:
    """A notebook's cell as the report needs it; ``number`` counts from 1, as in JupyterLab."""

    kind: str
    source: str
    number: int
    tags: tuple
    outputs: list

    @classmethod
    def of(cls, cell, number):
        return cls(cell["cell_type"], cell["source"], number, _tags(cell), cell.get("outputs", []))


@dataclass
class Chapter:
    """One stage on its way into the report."""

    stage: str
    title: str
    number: int
    notebook: str
    cells: list
    notes: list = field(default_factory=list)
    subtitle: str = ""
    blocks: list = field(default_factory=list)
    headings: list = field(default_factory=list)
    abstract: str = ""
    failure: dict | None = None  # why the stage's notebook did not end well
    errors: list = field(default_factory=list)  # (cell, text) of what could not be rendered
    left_out: list = field(default_factory=list)  # what it would have quoted

    @property
    def anchor(self):
        return self.stage.replace("_", "-")

    def where(self, cell):
        """The words for ``cell`` in a message."""
        return f"{self.notebook}, cell {cell.number}"


def _read(path):
    """Cells of a notebook file as dicts, every text as one string.

    nbformat would do the same, and takes seconds to be imported.
    """
    try:
        cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
        for cell in cells:
            cell["source"] = "".join(cell["source"])
            cell.setdefault("metadata", {})
            for output in cell.get("outputs", ()):
                output["text"] = "".join(output.get("text", ""))
                data = output.get("data", {})
                output["data"] = {
                    kind: "".join(item) if isinstance(item, list) else item
                    for kind, item in data.items()
                }
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: cannot be read as a notebook: {error}") from None
    return cells


def _read_chapter(build, stage):
    folder, source = build / "stages" / stage.name, Path(stage.notebook)
    chapter = Chapter(stage.name, stage.title, 0, source.name, [])
    chapter.failure = failures.of(build, stage.name)
    if failures.waits_for(build, stage.name):
        return chapter  # older results of it would not fit the others
    executed = folder / "notebook.ipynb"
    if chapter.failure:
        executed = failures.notebook(build, stage.name)
    try:
        if executed.is_file():
            cells = _merge(_read(executed), _read(source) if source.is_file() else [])
            chapter.cells = _until_error(cells) if chapter.failure else cells
    except UserError as error:
        chapter.failure = chapter.failure or {"error": str(error), "cell": None}
        chapter.errors.append((None, str(error)))
    try:
        notes = folder / "notes.json"
        if notes.is_file() and not chapter.failure:
            chapter.notes = json.loads(notes.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        chapter.errors.append((None, f"{notes}: {error}"))
    return chapter


def _until_error(cells):
    """The cells up to the one that failed; those after it did not run."""
    for position, cell in enumerate(cells, start=1):
        if any(output["output_type"] == "error" for output in cell.outputs):
            return cells[:position]
    return cells


def _merge(executed, source):
    """Cells of the source notebook with the outputs of the executed one.

    Falls back on the executed notebook alone where the code of the two differs.
    """
    added = {"injected-parameters", "papermill-error-cell-tag"}
    kept = [cell for cell in executed if not added & {*_tags(cell)}]
    ran = [c for c in kept if c["cell_type"] == "code"]
    code = [c for c in source if c["cell_type"] == "code"]
    if not source or [c["source"] for c in ran] != [c["source"] for c in code]:
        cells = [_Cell.of(cell, number) for number, cell in enumerate(kept, start=1)]
    else:
        cells = [_Cell.of(cell, number) for number, cell in enumerate(source, start=1)]
        outputs = iter(ran)
        for cell in cells:
            if cell.kind == "code":
                cell.outputs = next(outputs).get("outputs", [])
    injected = [cell["source"] for cell in executed if "injected-parameters" in _tags(cell)]
    for cell in cells:
        if "parameters" in cell.tags and injected:
            cell.source += f"\n\n# In this run:\n{_without_header(injected[0])}"
    return cells


def _tags(cell):
    return tuple(cell["metadata"].get("tags", ()))


def _without_header(injected):
    return re.sub(r"\A# Parameters\s*", "", injected)


# --- numbering -----------------------------------------------------------------------------------


def _facts(output):
    """What the stage handle said about ``output``: its kind, name, caption and alt text."""
    return output.get("metadata", {}).get("realfake", {})


def _number(chapters, missing):
    """Number chapters, figures and tables through the report; the missing chapters have a title.

    Returns
    -------
    dict of (kind, stage, name) → (label, anchor or None)
    """
    targets = {("chapter", one.stage, None): (f"“{one.title}”", None) for one in missing}
    counts = {"fig": 0, "table": 0}
    for position, chapter in enumerate(chapters, start=1):
        chapter.number = position
        chapter_label = f"Chapter{prose.NBSP}{position}"
        targets["chapter", chapter.stage, None] = (chapter_label, chapter.anchor)
        for cell in chapter.cells:
            for output in cell.outputs:
                kind = {"figure": "fig", "table": "table"}.get(_facts(output).get("kind"))
                if kind and "remove" not in cell.tags:
                    counts[kind] += 1
                    word = {"fig": "Figure", "table": "Table"}[kind]
                    name = _facts(output)["name"]
                    label = f"{word}{prose.NBSP}{counts[kind]}"
                    anchor = f"{kind}-{chapter.anchor}-{name.replace('_', '-')}"
                    targets[kind, chapter.stage, name] = (label, anchor)
    return targets


# --- chapters ------------------------------------------------------------------------------------


def _fill_chapter(chapter, filler, images):
    """Turn the cells into blocks of HTML; one that cannot be turned becomes its error."""
    for cell in chapter.cells:
        if "remove" in cell.tags:
            continue
        try:
            blocks = list(_cell_blocks(cell, chapter, filler, images))
            for block in blocks:
                _fetch_nothing(str(block.get("html", "")))
        except Exception as error:  # whatever it is, the other cells' results are worth a page
            text = (
                str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            )
            chapter.errors.append((cell.number, text))
            blocks = [_error_block(chapter.where(cell), text)]
        chapter.blocks += blocks


def _error_block(where, text):
    name = f"{where} cannot be shown"
    return {"kind": "error", "name": name, "value": text.removeprefix(f"{where}: "), "trace": ""}


def _cell_blocks(cell, chapter, filler, images):
    """The blocks of one cell."""
    if cell.kind == "markdown":
        filled = filler.markdown(cell.source, chapter.where(cell), chapter.stage)
        if "abstract" in cell.tags:
            chapter.abstract += _markdown(filled, chapter, contents=False)
            return
        if not chapter.subtitle and not chapter.blocks:
            filled = _take_title(filled, chapter)
        if filled.strip():
            yield {"kind": "prose", "html": _markdown(filled, chapter)}
    elif cell.kind == "code":
        block = _code_block(cell, chapter)
        block["failed"] = any(output["output_type"] == "error" for output in cell.outputs)
        if "abstract" in cell.tags:
            chapter.abstract += _first_page(cell.outputs, chapter)
            return
        yield block
        for output in cell.outputs:
            shown = _output_block(output, cell, chapter, filler, images)
            if shown["kind"] == "stream":
                block["printed"] = block.get("printed", "") + shown["text"]
            else:
                yield shown


def _first_page(outputs, chapter):
    """What a cell says on the first page: its text, then its tiles."""
    said = [output for output in outputs if _facts(output).get("kind") == "text"]
    tiles = [_facts(output) for output in outputs if _facts(output).get("kind") == "tile"]
    text = "\n\n".join(output["data"]["text/markdown"] for output in said)
    tiles = "".join(
        prose._tile(one["label"], one["value"], one["detail"], one["loud"]) for one in tiles
    )
    boxes = Markup(f'<div class="tiles">{tiles}</div>') if tiles else Markup("")
    return _markdown(text, chapter, contents=False) + boxes


_MOST_PARTS = 8


def _parts(names):
    """The parts of a run that names belong to, in few words each."""
    parts = list(dict.fromkeys(".".join(name.split(".")[:2]) for name in names))
    more = len(parts) - _MOST_PARTS
    return parts[:_MOST_PARTS] + ([f"{more} more"] if more > 0 else [])


def _take_title(text, chapter):
    """Cut ``# Title`` and the line below it from the first cell's text."""
    match = re.match(r"\s*#[ \t]+(?P<title>.+)\n*(?P<subtitle>[^\n#].*)?\n?", text)
    if not match:
        return text
    chapter.title = prose.reveal(match["title"].strip(), escape=False)
    chapter.subtitle = Markup(prose.reveal(mistune.html(match["subtitle"] or "").strip()))
    chapter.subtitle = Markup(re.sub(r"\A<p>|</p>\Z", "", chapter.subtitle))
    return text[match.end() :]


def _code_block(cell, chapter):
    lines = cell.source.strip().count("\n") + 1 if cell.source.strip() else 0
    return {
        "kind": "code",
        "anchor": f"{chapter.anchor}-cell-{cell.number}",
        "number": cell.number,
        "notebook": chapter.notebook,
        "lines": lines,
        "html": _highlight(cell.source.strip(), "python"),
    }


def _output_block(output, cell, chapter, filler, images):
    """One output of a code cell, as the template takes it."""
    where = chapter.where(cell)
    if output["output_type"] == "stream":
        # A warning names the file it comes from; whose machine that was is nobody's business.
        text = _FOLDERS.sub("", _ANSI.sub("", output["text"]))
        return {"kind": "stream", "text": text}
    if output["output_type"] == "error":
        trace = _FOLDERS.sub("", _ANSI.sub("", "\n".join(output["traceback"])))
        block = {"kind": "error", "name": output["ename"], "value": output["evalue"]}
        return block | {"trace": trace}
    facts, data = _facts(output), output["data"]
    block = {"kind": "text", "text": data.get("text/plain", "")}
    if facts.get("kind") == "note":
        return {"kind": "note", "text": facts["text"]}
    if "image/png" in data:
        block = {"kind": "image"} | images.png(data["image/png"])
        block["alt"] = facts.get("alt") or f"Picture from cell {cell.number}, without description"
    elif "text/html" in data:
        block = {"kind": "html", "html": _table(_harmless(data["text/html"]))}
    elif "text/markdown" in data:
        block = {"kind": "prose", "html": _markdown(data["text/markdown"], chapter, False)}
    if facts.get("kind") in ("figure", "table"):
        block["cell_anchor"] = f"{chapter.anchor}-cell-{cell.number}"
        if filler is None:  # a failed notebook: no numbers, and nothing to fill captions with
            block |= {"label": facts["name"], "caption": facts.get("caption", "")}
        else:
            block |= _captioned(facts, chapter, filler, where)
    return block


def _captioned(facts, chapter, filler, where):
    """Number, anchor, caption and alt text of a figure or table."""
    kind, name = {"figure": "fig", "table": "table"}[facts["kind"]], facts["name"]
    where = f"{where}, {facts['kind']} {name!r}"
    label, anchor = filler._targets[kind, chapter.stage, name]
    caption = filler.markdown(facts.get("caption", ""), where, chapter.stage)
    parts = {"label": label, "anchor": anchor, "name": name, "caption": _inline(caption)}
    if facts.get("alt"):
        parts["alt"] = filler.text(facts["alt"], where, chapter.stage)
    return parts


# --- Markdown and outputs ------------------------------------------------------------------------


class _Renderer(mistune.HTMLRenderer):
    """Markdown to HTML below a chapter's heading, collecting the sections for the contents."""

    def __init__(self, chapter, contents):
        super().__init__(escape=False)
        self._chapter = chapter
        self._contents = contents

    def heading(self, text, level, **_):
        level = min(level + 1, 6)
        if not self._contents:
            return f"<h{level}>{text}</h{level}>\n"
        plain = prose.reveal(Markup(text).striptags(), escape=False)
        slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") or "section"
        anchor = f"{self._chapter.anchor}-{slug}"
        taken = {heading["anchor"] for heading in self._chapter.headings}
        while anchor in taken:
            anchor += "-again"
        self._chapter.headings.append({"anchor": anchor, "text": plain, "level": level})
        link = f'<a class="anchor" href="#{anchor}" aria-label="Link to this section">#</a>'
        return f'<h{level} id="{anchor}">{text} {link}</h{level}>\n'

    def block_code(self, code, info=None):
        language = (info or "text").split()[0]
        code = _highlight(code.rstrip("\n"), language)
        return f'<div class="scroll" tabindex="0"><pre class="source">{code}</pre></div>\n'

    def image(self, text, url, title=None):
        if not url.startswith("data:"):
            raise UserError(
                f"{self._chapter.notebook}: the Markdown shows the picture {url}",
                hint="Show pictures with run.figure(…): then they have a number and a caption.",
            )
        return f'<img src="{url}" alt="{escape(text)}">'


def _markdown(text, chapter, contents=True):
    """Markdown with disguised values to HTML."""
    plugins = ["table", "strikethrough", "footnotes", "url"]
    convert = mistune.create_markdown(renderer=_Renderer(chapter, contents), plugins=plugins)
    converted = re.sub(r"<table>.*?</table>", lambda m: _table(m[0]), convert(text), flags=re.S)
    return Markup(prose.reveal(converted))


def _inline(text):
    """A caption's Markdown: emphasis, code and links, no paragraphs."""
    converted = mistune.create_markdown(escape=False)(text).strip()
    return Markup(prose.reveal(re.sub(r"\A<p>|</p>\Z", "", converted)))


def _highlight(code, language):
    try:
        lexer = pygments.lexers.get_lexer_by_name(language, stripnl=False)
    except pygments.util.ClassNotFound:
        return Markup(escape(code))
    formatter = pygments.formatters.HtmlFormatter(nowrap=True)
    return Markup(pygments.highlight(code, lexer, formatter).rstrip("\n"))


def _harmless(markup):
    """Leave out what must not run or restyle the page from within an output."""
    markup = re.sub(r"<(script|style|iframe|link)\b.*?(</\1>|/>)", "", markup, flags=re.S | re.I)
    return re.sub(r'\s(on\w+|style|border|class)="[^"]*"', "", markup, flags=re.I)


_NUMBER = r"[±+\-−–]?\d[\d.,]*(e[+-]?\d+)?(\s?[%kMG])?"
_RANGE = rf" (to|–|±) {_NUMBER}| \({_NUMBER} to {_NUMBER}\)"
_NUMERIC = re.compile(rf"{_NUMBER}({_RANGE})?( \w{{1,6}})?|–")


def _table(markup):
    """A table that scrolls on its own where it is too wide, with columns of numbers set right."""
    try:
        root = ElementTree.fromstring(f"<div>{markup}</div>")
    except ElementTree.ParseError:
        return Markup(f'<div class="scroll" tabindex="0">{markup}</div>')
    for table in root.iter("table"):
        _join_index_names(table)
        _set_numbers_right(table)
        for cell in table.findall("thead/tr/th"):  # names_like_this may break at an underscore
            cell.text = cell.text and cell.text.replace("_", "_\u200b")
        for cell in table.iter("td"):
            cell.text = cell.text and re.sub(r"(?<=\d)%", f"{prose.NBSP}%", cell.text)
    root.attrib |= {"class": "scroll", "tabindex": "0"}
    return Markup(ElementTree.tostring(root, encoding="unicode", method="html"))


def _cells(row, *tags):
    return [cell for cell in row if cell.tag in tags]


def _words(cell):
    return prose.reveal("".join(cell.itertext()).strip(), escape=False)


def _join_index_names(table):
    """Move the index names, which pandas puts into a row of their own, up beside the rest."""
    head = table.find("thead")
    rows = table.findall("thead/tr")
    if len(rows) < 2:
        return
    upper, lower = (_cells(row, "th") for row in rows[-2:])
    pairs = list(zip(upper, lower, strict=False))
    if len(upper) == len(lower) and not any(_words(u) and _words(low) for u, low in pairs):
        for above, below in pairs:
            above.text = above.text if _words(above) else below.text
        head.remove(rows[-1])


def _set_numbers_right(table):
    """Mark columns of numbers; the index, which may span rows, stands left of them."""
    body = [_cells(row, "td") for row in table.findall("tbody/tr")]
    width = len(body[0]) if body else 0
    if any(len(row) != width for row in body):
        return
    head = [_cells(row, "th") for row in table.findall("thead/tr")]
    head = [row[len(row) - width :] for row in head if not any("colspan" in c.attrib for c in row)]
    if width > 8:
        table.set("class", "many" if width < 15 else "many most")
    for number in range(width):
        texts = [_words(row[number]) for row in body]
        if all(not text or _NUMERIC.fullmatch(text) for text in texts):
            for row in [*body, *(row for row in head if len(row) == width)]:
                row[number].attrib.pop("style", None)
                row[number].set("class", "num")


class _Images:
    """Turns PNG outputs into data addresses, smaller ones where all of them exceed the budget."""

    def __init__(self, chapters):
        pictures = [
            output["data"]["image/png"]
            for chapter in chapters
            for cell in chapter.cells
            for output in cell.outputs
            if "image/png" in output.get("data", {})
        ]
        self._reduce = sum(len(text) * 3 // 4 for text in pictures) > IMAGE_BUDGET

    def png(self, text):
        """The address and the size in pixels of a base64 PNG."""
        content = base64.b64decode(text)
        with Image.open(io.BytesIO(content)) as picture:
            width, height = picture.size
            if self._reduce:
                content = min(content, _reduced(picture), key=len)
        encoded = base64.b64encode(content).decode("ascii")
        return {"src": f"data:image/png;base64,{encoded}", "width": width, "height": height}


def _reduced(picture):
    # 256 colours with dithering: no harm to plots, none to be seen in photographs of this size.
    reduced = picture.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG)
    buffer = io.BytesIO()
    reduced.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


# --- first page and appendix ---------------------------------------------------------------------


def _abstract(chapters, filler, problems):
    """The cells tagged so, else the usual text over the headline figures."""
    own = Markup("").join(chapter.abstract for chapter in chapters)
    if own:
        return own
    parts = [_template("abstract.md.j2"), _template("headline.md.j2")]
    try:
        filled = "\n\n".join(filler.markdown(part, where) for part, where in parts)
        return _markdown(filled, chapters[0], contents=False)
    except Exception as error:
        problems.append(("abstract", None, str(error)))
        return Markup('<p class="error" role="alert">The abstract cannot be shown: {}</p>').format(
            error
        )


def _template(name):
    return (TEMPLATES / name).read_text(encoding="utf-8"), f"templates/{name}"


def _warnings(chapters, metrics):
    """What no reader may miss: text → the chapters that say so, in order."""
    notes = {text: [] for text in metrics.get("data", {}).get("notices", ())}
    for chapter in chapters:
        outputs = [output for cell in chapter.cells for output in cell.outputs]
        shown = [_facts(o)["text"] for o in outputs if _facts(o).get("kind") == "note"]
        for text in dict.fromkeys([*chapter.notes, *shown]):
            notes.setdefault(text, []).append(chapter)
    return notes


def _look_up(tree, *paths):
    """The first of several dotted paths that a nested dict holds, or None."""
    for path in paths:
        item = tree
        for word in path.split("."):
            item = item.get(word) if isinstance(item, dict) else None
        if item not in (None, ""):
            return item
    return None


def _byline(metrics):
    """Pairs of (label, text) below the title."""
    provenance, data = metrics.get("provenance", {}), metrics.get("data", {})
    commit = _look_up(provenance, "git.commit", "commit", "git_commit")
    clean = _look_up(provenance, "git.clean", "clean", "git_clean")
    date = _look_up(provenance, "date", "finished", "run.finished", "run.date", "started")
    name, n = data.get("name"), data.get("n")
    pairs = [
        ("Run", str(date)[:16].replace("T", " ") if date else None),
        ("Profile", metrics.get("profile")),
        ("Data", f"{name}, {n:,} images" if name and n else name),
        ("Commit", commit and f"{commit[:10]}{', with local changes' if clean is False else ''}"),
    ]
    return [(label, text) for label, text in pairs if text]


def _provenance(metrics):
    """Provenance as tables: list of (heading, columns or None, rows of text)."""
    tables, loose = [], []
    for key, item in metrics.get("provenance", {}).items():
        heading = str(key).replace("_", " ").capitalize()
        if isinstance(item, dict):
            tables.append((heading, *_grid(item)))
        elif isinstance(item, list) and item and all(isinstance(one, dict) for one in item):
            columns = list(dict.fromkeys(name for one in item for name in one))
            rows = [[_shown(one.get(column)) for column in columns] for one in item]
            tables.append((heading, columns, rows))
        else:
            loose.append([heading, _shown(item)])
    first = [("This run", None, loose), ("Data", None, _rows(metrics.get("data", {})))]
    return [table for table in first + tables if table[2]]


def _grid(tree):
    """Columns and rows of a nested dict: a grid where all its items are alike, else a list."""
    items = list(tree.values())
    alike = items and all(isinstance(i, dict) and i.keys() == items[0].keys() for i in items)
    if not alike or any(isinstance(value, (dict, list)) for value in items[0].values()):
        return None, _rows(tree)
    rows = [
        [name, *(prose.duration(v) if k == "seconds" else _shown(v) for k, v in item.items())]
        for name, item in tree.items()
    ]
    return ["", *("time" if column == "seconds" else column for column in items[0])], rows


def _rows(tree, prefix=""):
    rows = []
    for key, value in tree.items():
        if isinstance(value, dict):
            rows += _rows(value, f"{prefix}{key}, ")
        else:
            rows.append([f"{prefix}{key}", _shown(value)])
    return rows


def _shown(value):
    if value is None:
        return "–"
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(item) for item in value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 9999:
        return f"{value:,}"
    return prose._plain(value) if isinstance(value, (bool, float)) else str(value)


# --- the page ------------------------------------------------------------------------------------


def _environment():
    loader = jinja2.FileSystemLoader(TEMPLATES)
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["include_raw"] = lambda name: Markup(
        (TEMPLATES / name).read_text(encoding="utf-8")
    )
    return environment


class _Requests(HTMLParser):
    """Collects what a browser would fetch while it shows a page."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            fetched = name in ("src", "srcset", "data", "poster") or (tag, name) == ("link", "href")
            if fetched and not (value or "").startswith("data:"):
                self.found.append(f"<{tag} {name}={value!r}>")


def _write(page, out):
    _fetch_nothing(page)
    with settings.atomic_file(out) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return out


def _fetch_nothing(page):
    """Refuse a page, or a part of one, that makes a browser fetch something."""
    parser = _Requests()
    parser.feed(page)
    if parser.found:
        raise UserError(
            f"the report would fetch {parser.found[0]} from elsewhere",
            hint="Everything it shows must come from a notebook's output.",
        )
