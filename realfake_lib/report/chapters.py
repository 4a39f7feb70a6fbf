"""The executed notebooks of a report as chapters: what is shown where, under which number.

A chapter is the same for the page and for Markdown (:mod:`.html`).
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import nbformat
from nbconvert.exporters.templateexporter import TemplateExporter

from realfake_lib.errors import UserError
from realfake_lib.formats import NBSP
from realfake_lib.report.checks import read_notebook
from realfake_lib.report.plan import Stage

TEMPLATES = Path(__file__).with_name("templates")
ADDED = {"injected-parameters", "papermill-error-cell-tag"}  # tags of cells that papermill adds

_FOLDERS = re.compile(r"(?:/[\w.+-]+)+/site-packages/")


@dataclass
class Chapter:
    """One stage on its way into the report.

    Cells have ``metadata.realfake``: ``number``, as in JupyterLab, ``anchor``, and whether the code
    is shown ``open``; a figure's or table's output its ``label``, its ``anchor``, and its ``code``.
    The outputs in ``finding``, ``abstract`` and ``appendix`` are shown elsewhere than below their
    cell. ``errors`` are the cells that could not be rendered, and why.
    """

    stage: Stage
    number: int
    notebook: str
    anchor: str
    title: str
    failure: dict | None = None
    subtitle: str = ""
    cells: list = field(default_factory=list)
    finding: list = field(default_factory=list)
    appendix: list = field(default_factory=list)
    abstract: list = field(default_factory=list)
    errors: list = field(default_factory=list)
    headings: list = field(default_factory=list)  # anchor and text of its sections, as HTML
    left_out: bool = False

    @property
    def outputs(self):
        """Outputs that stand below their cells."""
        return [output for cell in self.cells for output in cell.get("outputs", ())]


def read(stages):
    """The chapters of a report: one a stage; without cells where it did not run.

    Static text comes from the stages' source notebooks as long as their code is the code that ran,
    so that an edited sentence needs a new rendering only.
    """
    chapters = [_read_chapter(stage, number) for number, stage in enumerate(stages, start=1)]
    placed = [(chapter, output) for chapter in chapters for output in chapter.abstract]
    placed += [(chapter, output) for chapter in chapters for output in chapter.outputs]
    counts = {"figure": 0, "table": 0}
    for chapter, output in placed:  # numbered as they are met on the page
        own = facts(output)
        if own.get("kind") in counts:
            counts[own["kind"]] += 1
            own["label"] = f"{own['kind'].capitalize()}{NBSP}{counts[own['kind']]}"
            own["anchor"] = f"{chapter.anchor}-{own['kind']}-{own['name'].replace('_', '-')}"
            own["stage"] = chapter.stage.name
    return chapters


def facts(output):
    """What the stage handle said about an output: its kind, name, caption and alt text."""
    return output.get("metadata", {}).get("realfake", {})


def rendered(chapter, template, **filters):
    """The text of a chapter's parts by name, through nbconvert and a template."""
    exporter = TemplateExporter(
        template_name="cells",
        template_file=template,
        extra_template_basedirs=[str(TEMPLATES)],
        filters=filters,
    )
    parts = {
        "finding": [_bare(chapter.finding)],
        "abstract": [_bare(chapter.abstract)],
        "body": chapter.cells,
        "appendix": [_bare([table]) for table in chapter.appendix],
    }
    return {
        name: "".join(_cell_text(exporter, chapter, cell) for cell in cells)
        for name, cells in parts.items()
    }


def _bare(outputs):
    """A cell that shows outputs, and no code."""
    number = facts(outputs[0]).get("cell") if outputs else None
    place = {"number": number, "elsewhere": True}
    return nbformat.v4.new_code_cell(outputs=outputs, metadata={"realfake": place})


def _cell_text(exporter, chapter, cell):
    """The text of a cell; of one that cannot be shown its error, noted in the chapter."""
    try:
        return exporter.from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))[0]
    except Exception as error:  # whatever it is, the other cells' results are worth a page
        number, why = cell.metadata.realfake["number"], f"{type(error).__name__}: {error}"
        if (number, why) not in chapter.errors:
            chapter.errors.append((number, why))
        name = f"{chapter.notebook}, cell {number} cannot be shown"
        said = nbformat.v4.new_output("error", ename=name, evalue=why, traceback=[])
        return exporter.from_notebook_node(nbformat.v4.new_notebook(cells=[_bare([said])]))[0]


def linked(text, targets):
    """Markdown whose links to notebooks lead to ``targets``; those to others are plain text."""
    return _LINK.sub(lambda m: f"[{m[1]}]({targets[m[2]]})" if m[2] in targets else m[1], text)


_LINK = re.compile(r"\[([^\]]*)\]\([^)\s]*?([\w-]+\.ipynb)(?:#[^)]*)?\)")


def grid(markup):
    """Header and rows of a table in HTML, and which of its columns hold numbers."""
    root = ElementTree.fromstring(f"<div>{markup}</div>")
    rows = [["".join(cell.itertext()).strip() for cell in row] for row in root.iter("tr")]
    columns = zip(*rows, strict=True)
    numeric = [all(map(_NUMERIC.fullmatch, cells)) for _, *cells in columns]
    return rows[0], rows[1:], numeric


_NUMERIC = re.compile(r"|–|(< )?[±+\-−–]?\d[\d.,]*(e[+\-−]?\d+)?(?![\w×]).*")


def joined(text):
    """A page, in HTML or Markdown, whose numbers stay with their units: 5 %, ε = 4/255, < 0.001."""
    return _APART.sub(lambda match: NBSP if match[0] == " " else match[0], text)


_APART = re.compile(
    r"<(pre|code|script|style)\b.*?</\1>|<[a-z/!][^>]*>|(`+).*?\2"  # stay as they are
    r"|(?<=\d) (?=(%|pp|[kMG]?B|[kM]|h|min|m?s|px|pixels?|[MP]FLOP)(?!\w))"
    r"|(?<=\b[^\W\d]) (?=([=≤≥<>]|&[lg]t;) [−\d½])"
    r"|((?<=[ \u00a0][=≤≥<>±≈])|(?<=&[lg]t;)) (?=[−\d½])",
    re.S | re.I,
)


# --- reading -------------------------------------------------------------------------------------


def _read_chapter(stage, number):
    failure, anchor = stage.failure, stage.name.replace("_", "-")
    chapter = Chapter(stage, number, stage.notebook.name, anchor, stage.title)
    chapter.failure = failure if failure.get("error") else None
    executed = stage.failed_notebook if chapter.failure else stage.folder / "notebook.ipynb"
    # Of a stage that waits for one that failed, older results would not fit the others.
    if failure.get("waits_for") or not executed.is_file():
        return chapter
    try:
        static = read_notebook(stage.notebook).cells if stage.notebook.is_file() else []
        _place(chapter, _merge(read_notebook(executed).cells, static))
    except UserError as error:
        chapter.failure = chapter.failure or {"error": str(error), "cell": None}
        chapter.errors.append((None, str(error)))
    return chapter


def _merge(executed, source):
    """Cells of the source notebook with the outputs of the executed one, if their code is equal."""
    cells = [cell for cell in executed if not ADDED & {*_tags(cell)}]
    ran = [cell for cell in cells if cell.cell_type == "code"]
    code = [cell for cell in source if cell.cell_type == "code"]
    if source and [cell.source for cell in ran] == [cell.source for cell in code]:
        cells = source
        for cell, done in zip(code, ran, strict=True):
            cell.outputs = done.outputs
    injected = [cell.source for cell in executed if "injected-parameters" in _tags(cell)]
    for cell in cells:
        if "parameters" in _tags(cell) and injected:
            cell.source += injected[0].replace("# Parameters", "\n\n# In this run:", 1)
    return cells


def _tags(cell):
    return cell.metadata.get("tags", ())


# --- what is shown where -------------------------------------------------------------------------


def _place(chapter, cells):
    """Take out of the cells what is shown elsewhere: title, finding, abstract, appendix."""
    for number, cell in enumerate(cells, start=1):
        cell.metadata["realfake"] = {
            "number": number,
            "anchor": f"{chapter.anchor}-cell-{number}",
            "notebook": chapter.notebook,
            "open": "method" in _tags(cell),
        }
        title = re.match(r"\s*#[ \t]+(.+)\n*([^\n#].*)?\n?", cell.source) if number == 1 else None
        if cell.cell_type == "code":
            _place_outputs(chapter, cell)
        elif title:
            chapter.title, chapter.subtitle = title[1].strip(), title[2] or ""
            cell.source = cell.source[title.end() :]
        if cell.cell_type == "code" or cell.source.strip():
            chapter.cells.append(cell)
        if cell.metadata.realfake.get("failed"):
            break  # the cells after it did not run


def _place_outputs(chapter, cell):
    shown, place, tags = [], cell.metadata.realfake, _tags(cell)
    last = "".join(re.findall(r"(?m)^[^\s)#].*", cell.source)[-1:])
    for output in cell.outputs:
        own = facts(output)
        if output.output_type == "execute_result" and last.startswith("run."):
            continue  # the value of a call of the stage handle is not for readers
        if own.get("kind") == "caption":
            continue  # of the figure above, which has it, too
        own |= {"code": place["anchor"], "cell": place["number"]}
        chapter.left_out |= bool(own.get("left_out"))
        # A warning names the file it comes from; whose machine that was is nobody's business.
        if output.output_type == "error":
            place["failed"] = True
            output.traceback = [_FOLDERS.sub("", line) for line in output.traceback]
        elif output.output_type == "stream":
            output.text = _FOLDERS.sub("", output.text)
        if "abstract" in tags and own.get("kind") in ("text", "tile", "figure"):
            chapter.abstract.append(output)
        elif "finding" in tags and own.get("kind") == "text":
            chapter.finding.append(output)
        else:
            shown.append(output)
            chapter.appendix += [output] if own.get("appendix") else []
    cell.outputs = shown
