"""Rules for the committed notebooks: clean, short, readable, and without a result typed by hand.

``python -m realfake_lib.report.checks`` checks the notebooks of a checkout; with ``--strip`` it
cleans them first (:func:`normalise`), as a commit wants them.
"""

import argparse
import ast
import hashlib
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat

from realfake_lib import settings
from realfake_lib.errors import UserError

TAGS = ("abstract", "finding", "method", "parameters")
"""Tags of cells that mean something to the report."""

RULES = {
    "clean": "committed without outputs, execution counts and passing metadata (`make strip`)",
    "kernel": "the kernel is python3",
    "title": "the first cell is `# Title` over one line of fewer than 100 characters",
    "parameters": "exactly one code cell is tagged `parameters`",
    "definitions": "functions and classes live in realfake_lib, but for a cell tagged `method`",
    "tag": f"the tags of cells are {', '.join(TAGS)}",
    "syntax": "the code is Python",
    "length": "a code cell has about twelve lines, and never more than 15",
    "rhythm": "text comes before code: at most three code cells in a row",
    "typed result": 'results and published figures come in by f"{value:pct}", settings stand '
    "in `backticks`; plain counts up to 20, years, sizes such as 32×32, ε = 1/255, section numbers "
    "and levels such as 95 % interval or 1 % FPR may be typed",
    "template": "no template code: code cells say results, by run.text(…)",
    "tex": "no TeX: the report loads no MathJax; write x², ε, ≤ in Unicode",
    "image": "images come from run.figure(…), which numbers and captions them",
}
"""What each rule asks for, by its name."""

LINES, MOST_LINES = 12, 15
IN_A_ROW = 3

_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


@dataclass(frozen=True)
class Problem:
    """A rule that a notebook breaks.

    Attributes
    ----------
    rule : str
        A name in :data:`RULES`.
    notebook : Path
    cell : int or None
        Counted from 1; None where the notebook as a whole is meant.
    found : str
        What was found.
    severity : {"error", "warning"}
    """

    rule: str
    notebook: Path
    cell: int | None
    found: str
    severity: str = "error"

    def __str__(self):
        place = self.notebook.name + (f", cell {self.cell}" if self.cell else "")
        return f"{place}: [{self.rule}] {self.found} – {RULES[self.rule]}"


def check(path):
    """Problems of one notebook.

    Parameters
    ----------
    path : path

    Returns
    -------
    list of Problem
    """
    path = Path(path)
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat lets whatever its reader meets through
        raise UserError(f"{path}: cannot be read as a notebook: {error}") from None
    cells = list(enumerate(notebook.cells, start=1))
    problems = [*_check_whole(notebook), *_check_rhythm(cells)]
    for number, cell in cells:
        found = []
        if cell.cell_type == "code":
            found = _check_code(cell)
        elif cell.cell_type == "markdown":
            found = _check_text(cell.source)
        problems += [(rule, number, *rest) for rule, *rest in dict.fromkeys(found)]
    return [Problem(rule, path, *rest) for rule, *rest in problems]


def typed_results(text):
    """Numbers in Markdown that look like results typed by hand.

    A number is one if it has a percent sign, a decimal point, a thousands separator, or is a whole
    number above 20, unless it is part of a name or one of :data:`_ALLOWED`. In code only
    percentages are looked for.

    Returns
    -------
    list of str
    """
    code = re.compile(r"```.*?```|~~~.*?~~~|``.*?``|`[^`\n]*`", re.S)
    found = [m[0] for part in code.findall(text) for m in _PERCENT.finditer(part)]
    text = code.sub(" ", text)
    text = re.sub(r"<[^<>]*>|\]\([^)]*\)|https?://\S+", " ", text)  # tags and addresses
    for pattern in _ALLOWED:
        text = pattern.sub(" ", text)
    for match in _NUMBER.finditer(text):
        percent, number = match["percent"], match["number"]
        if percent or not number.isdigit() or int(number) > 20:
            found.append(match[0].strip())
    return found


_PERCENT = re.compile(r"(?<![\w.,])\d[\d.,]*\s?%(?!\})")
_NUMBER = re.compile(
    # Glued to letters it is a name: ResNet50, VGG-16, 2D, CIFAR-10, x2.
    r"(?<![\w.,])(?<![A-Za-z][-_])"
    r"(?P<number>\.\d+|\d+(?:[.,]\d+)*)(?P<percent>[ \u00a0\u202f]?%)?(?!\w)"
)
_ALLOWED = tuple(
    re.compile(pattern, re.I | re.M)
    for pattern in (
        r"\barXiv[: ]\s*\d{4}\.\d{4,5}",
        r"\b\d+(\.\d+)?\s?[×x]\s?\d+(\s?[×x]\s?\d+)?\b",  # 32×32
        r"\b\d+(\.\d+)?\s?/\s?255\b",  # ε = 1/255
        r"\b255\b",  # the brightest pixel
        r"(?<![\d.,])(19|20)\d\d(?![\d.,]*\d)(?!\s?(%|images|files|pairs|examples|photo))",
        r"\b\d+(\.\d+)?[ \u00a0]?%[ \u00a0-](of\s)?(FPR|false|confidence|interval|CI\b|level)",
        r"^#+\s*\d+(\.\d+)*\.?\s",  # a numbered heading
        r"\b(chapter|section|sections|figure|table|equation|appendix|part|step)\s\d+(\.\d+)*",
        r"\b(python|tensorflow|keras|numpy|version|stable diffusion|sd)\s?v?\d+(\.\d+)*",
        r"\b\d+(\.\d+)?[ \u00a0-]?(px|pixels?|bits?|°)",
        r"\b\d+\.\d+\.\d+(\.\d+)*\b",  # a version
        r"\bJPEG(\squality)?\s\d+\b",
    )
)


def normalise(path):
    """Clean a notebook for a commit: no outputs, no counts, only metadata that means something.

    Parameters
    ----------
    path : path

    Returns
    -------
    bool
        Whether anything changed.
    """
    path = Path(path)
    before = path.read_text(encoding="utf-8")
    notebook = nbformat.from_dict(json.loads(before))
    cells = []
    for number, cell in enumerate(notebook.cells):
        if "injected-parameters" in cell.metadata.get("tags", ()):
            continue
        tags = cell.metadata.get("tags")
        clean = {
            "cell_type": cell.cell_type,
            "id": cell.get("id") or hashlib.sha1(str(number).encode()).hexdigest()[:8],
            "metadata": {"tags": tags} if tags else {},
            "source": "".join(cell.source).rstrip().lstrip("\n").splitlines(keepends=True),
        }
        if cell.cell_type == "code":
            clean |= {"execution_count": None, "outputs": []}
        if clean["source"]:
            cells.append(clean)
    whole = {"cells": cells, "metadata": _METADATA, "nbformat": 4, "nbformat_minor": 5}
    after = json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
    if after != before:
        with settings.atomic_file(path) as temporary:
            temporary.write_text(after, encoding="utf-8")
    return after != before


def main(arguments=None):
    """Check, or with ``--strip`` clean and check, notebooks; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m realfake_lib.report.checks")
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: notebooks/*.ipynb")
    parser.add_argument("--strip", action="store_true", help="clean the notebooks first")
    chosen = parser.parse_args(arguments)
    paths, errors = chosen.notebooks, 0
    if not paths:
        root = settings.project_root() or Path.cwd()
        paths = sorted((root / "notebooks").glob("*.ipynb"))
    for path in paths:
        try:
            if chosen.strip and normalise(path):
                print(f"{path.name}: cleaned")
            problems = check(path)
        except (UserError, OSError, ValueError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            errors += 1
            continue
        for problem in problems:
            print(f"{problem.severity}: {problem}", file=sys.stderr)
            errors += problem.severity == "error"
    print(f"{len(paths)} notebooks checked, {errors} problems")
    return 2 if errors else 0


# --- the rules -----------------------------------------------------------------------------------
# Each yields (rule, cell, found[, severity]), or without the cell where the caller knows it.


def _check_whole(notebook):
    cells = notebook.cells
    kernel = notebook.metadata.get("kernelspec", {}).get("name")
    if kernel != "python3":
        yield "kernel", None, f"kernel {kernel!r}"
    extra = set(notebook.metadata) - set(_METADATA)
    if extra:
        yield "clean", None, f"metadata {', '.join(sorted(extra))}"
    tagged = [n for n, c in enumerate(cells, 1) if "parameters" in c.metadata.get("tags", ())]
    if len(tagged) != 1:
        yield "parameters", None, f"{len(tagged)} cells are tagged"
    elif cells[tagged[0] - 1].cell_type != "code":
        yield "parameters", tagged[0], "the tagged cell is not code"
    for number, cell in enumerate(cells, 1):
        for tag in set(cell.metadata.get("tags", ())) - set(TAGS):
            yield "tag", number, f"{tag!r} is none"
    first = cells[0].source.strip().splitlines() if cells else []
    subtitle = [line for line in first[1:] if line.strip()]
    if not cells or cells[0].cell_type != "markdown" or not re.match(r"# \S", first[0]):
        yield "title", 1, "no title"
    elif len(subtitle) != 1 or subtitle[0].startswith("#"):
        yield "title", 1, f"{len(subtitle)} lines below the title"
    elif len(subtitle[0]) >= 100:
        yield "title", 1, f"a subtitle of {len(subtitle[0])} characters"


def _check_rhythm(cells):
    run = 0
    for number, cell in cells:
        if cell.cell_type != "code":
            run = 0
        elif "parameters" not in cell.metadata.get("tags", ()):
            run += 1
            if run > IN_A_ROW:
                yield "rhythm", number, f"code cell {run} in a row"


def _check_code(cell):
    if cell.outputs or cell.execution_count is not None:
        yield "clean", "it has outputs"
    extra = set(cell.metadata) - {"tags"}
    if extra:
        yield "clean", f"metadata {', '.join(sorted(extra))}"
    tags = cell.metadata.get("tags", ())
    lines = [line for line in cell.source.splitlines() if line.strip()]
    if len(lines) > (MOST_LINES if "parameters" in tags else LINES):
        severity = "error" if len(lines) > MOST_LINES else "warning"
        yield "length", f"{len(lines)} lines", severity
    try:  # magics and shell lines are IPython's, not Python's
        tree = ast.parse(re.sub(r"(?m)^\s*[%!].*$", "", cell.source))
    except SyntaxError as error:
        yield "syntax", f"{error.msg} (line {error.lineno})"
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if "method" not in tags:
                yield "definitions", f"{node.name} is defined in the notebook"
        elif isinstance(node, ast.keyword) and node.arg in ("caption", "alt"):
            yield from _check_said(node.arg, node.value)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in _SAYING:
            first = _SAYING[ast.unparse(node.func)]
            for said in [*node.args[first:], *(keyword.value for keyword in node.keywords)]:
                yield from _check_said(ast.unparse(node.func), said)


_SAYING = {"run.text": 0, "run.claim": 1, "run.tile": 0, "run.note": 0}
"""Calls that say something, with the position of their first text."""


def _check_said(place, node):
    """Prose that stands in code."""
    for text in _literals(node):
        for rule, found in _check_text(text):
            yield rule, f"{place}: {found}"


def _literals(node):
    """The strings of an expression, f-strings with "…" in place of their values."""
    if isinstance(node, ast.Constant):
        yield from [node.value] if isinstance(node.value, str) else []
    elif isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
        yield "".join(parts)
        for part in node.values:
            yield from [] if isinstance(part, ast.Constant) else _literals(part.value)
    elif isinstance(node, ast.Subscript):  # its key is no text
        yield from _literals(node.value)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _literals(child)


def _check_text(text):
    for number in typed_results(text):
        yield "typed result", f"{number!r} is typed by hand"
    bare = re.sub(r"```.*?```|`[^`\n]*`", " ", text, flags=re.S)
    tex = re.search(r"\$\$?[^$\n]*[\\^_={][^$\n]*\$|\\[(\[]", bare)
    if tex:
        yield "tex", f"{tex[0]!r}"
    if re.search(r"!\[[^\]]*\]\((?!data:)|<img\b", bare):
        yield "image", "an image in the text"
    if re.search(r"\{\{|\{%", text):
        yield "template", "template code in the text"


if __name__ == "__main__":
    sys.exit(main())
