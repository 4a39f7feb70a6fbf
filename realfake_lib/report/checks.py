"""Rules for the committed notebooks: clean, short, readable, and without a result typed by hand.

``python -m realfake_lib.report.checks`` checks the notebooks of a checkout; with ``--strip`` it
cleans them first (:func:`strip`), as a commit wants them.
"""

import ast
import copy
import re
import sys
from pathlib import Path

import nbformat

from realfake_lib import settings
from realfake_lib.errors import UserError

TAGS = ("abstract", "finding", "method", "parameters")  # that mean something to the report
LINES, IN_A_ROW = 15, 3  # most of a code cell, and most code cells without text between them

_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def check(path):
    """What breaks a rule in a notebook: list of (rule, cell from 1, words)."""
    notebook = read_notebook(path)
    problems = list(_check_whole(notebook))
    for number, cell in enumerate(notebook.cells, start=1):
        found = _check_code(cell) if cell.cell_type == "code" else _check_text(cell.source)
        problems += [(rule, number, what) for rule, what in dict.fromkeys(found)]
    return problems


def strip(path):
    """Leave in a notebook only what belongs into a commit; whether anything changed."""
    notebook = read_notebook(path)
    clean = _stripped(notebook)
    if clean != notebook:
        with settings.atomic_file(path) as temporary:
            nbformat.write(clean, temporary)
    return clean != notebook


def typed_results(text):
    """What looks like a result typed by hand: decimals, percentages, whole numbers above 20."""
    found = [m[0] for part in _CODE.findall(text) for m in _PERCENT.finditer(part)]
    text = re.sub(r"<[^<>]*>|\]\([^)]*\)|https?://\S+", " ", _CODE.sub(" ", text))
    for pattern in _ALLOWED:
        text = re.sub(pattern, " ", text, flags=re.I | re.M)
    numbers = [(m[0].strip(), m["number"], m["percent"]) for m in _NUMBER.finditer(text)]
    return found + [
        whole
        for whole, number, percent in numbers
        if percent or not number.isdigit() or int(number) > 20
    ]


_CODE = re.compile(r"```.*?```|~~~.*?~~~|``.*?``|`[^`\n]*`", re.S)
_PERCENT = re.compile(r"(?<![\w.,])\d[\d.,]*\s?%(?!\})")
_NUMBER = re.compile(
    # Glued to letters it is a name: ResNet50, VGG-16, 2D, CIFAR-10, x2.
    r"(?<![\w.,])(?<![A-Za-z][-_])"
    r"(?P<number>\.\d+|\d+(?:[.,]\d+)*)(?P<percent>[ \u00a0\u202f]?%)?(?!\w)"
)
_ALLOWED = (
    r"\barXiv[: ]\s*\d{4}\.\d{4,5}",
    r"\b\d+(\.\d+)?\s?[×x]\s?\d+(\s?[×x]\s?\d+)?\b",  # 32×32
    r"\b\d+(\.\d+)?\s?/\s?255\b",  # ε = 1/255
    r"\b255\b",  # the brightest pixel
    r"(?<![\d.,])(19|20)\d\d(?![\d.,]*\d)(?!\s?(%|images|files|pairs|examples|photo))",
    r"\b\d+(\.\d+)?[ \u00a0]?%[ \u00a0-](of\s)?(FPR|false|confidence|interval|CI\b|level)",
    r"^#+\s*\d+(\.\d+)*\.?\s",  # a numbered heading
    r"\{:[^{}]*\}",  # a format
    r"\b(chapter|section|sections|figure|table|equation|appendix|part|step)\s\d+(\.\d+)*",
    r"\b(python|tensorflow|keras|numpy|version|stable diffusion|sd)\s?v?\d+(\.\d+)*",
    r"\b\d+(\.\d+)?[ \u00a0-]?(px|pixels?|bits?|°)",
    r"\b\d+\.\d+\.\d+(\.\d+)*\b",  # a version
    r"\bJPEG(\squality)?\s\d+\b",
)


def main(*arguments):
    """Check, or with ``--strip`` clean and check, the named or all notebooks; the exit code."""
    paths = [Path(name) for name in arguments if name != "--strip"]
    root, errors = settings.project_root() or Path.cwd(), []
    paths = paths or sorted((root / "notebooks").glob("*.ipynb"))
    for path in paths:
        try:
            if "--strip" in arguments and strip(path):
                print(f"{path.name}: cleaned")
            errors += [f"{path.name}, cell {n}: [{rule}] {what}" for rule, n, what in check(path)]
        except UserError as error:
            errors.append(error)
    for error in errors:
        print(f"error: {error}", file=sys.stderr)
    print(f"{len(paths)} notebooks checked, {len(errors)} problems")
    return 2 if errors else 0


def read_notebook(path):
    """A notebook file; unlike by ``nbformat.read``, no second goes into validating it."""
    try:
        return nbformat.v4.reads(path.read_text("utf-8"))
    except Exception as error:  # nbformat lets whatever its reader meets through
        raise UserError(f"{path} is not a notebook: {error}") from error


def _stripped(notebook):
    """A copy as :func:`strip` wants it."""
    clean = copy.deepcopy(notebook)
    clean.metadata = nbformat.from_dict(_METADATA)
    kept = [one for one in clean.cells if not _has(one, "injected-parameters")]
    clean.cells = [cell for cell in kept if cell.source.strip()]
    for cell in clean.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return clean


def _has(cell, tag):
    return tag in cell.metadata.get("tags", ())


# --- the rules: each yields (rule, found), or those of a whole notebook (rule, cell, found) -------


def _check_whole(notebook):
    cells = notebook.cells
    clean = {cell.id: cell for cell in _stripped(notebook).cells}
    if notebook.metadata != _METADATA:
        yield "clean", 1, "the notebook has other metadata than a commit wants: `make strip`"
    in_a_row = 0
    for number, cell in enumerate(cells, 1):
        if clean.get(cell.id) != cell:
            yield "clean", number, "it has outputs, a count or passing metadata: `make strip`"
        for tag in {*cell.metadata.get("tags", ())} - {*TAGS}:
            yield "tag", number, f"{tag!r} is none of {', '.join(TAGS)}"
        in_a_row = in_a_row + (not _has(cell, "parameters")) if cell.cell_type == "code" else 0
        if in_a_row > IN_A_ROW:
            yield "rhythm", number, f"code cell {in_a_row} in a row: text comes before code"
    text = cells[0].source.strip() if cells and cells[0].cell_type == "markdown" else ""
    if not re.fullmatch(r"# \S.*\n+(?!#).{1,99}", text):
        yield "title", 1, "the first cell is `# Title` over one line of fewer than 100 characters"


def _check_code(cell):
    lines = [line for line in cell.source.splitlines() if line.strip()]
    if len(lines) > LINES:
        yield "length", f"{len(lines)} lines of code, where {LINES} are the most"
    try:  # magics and shell lines are IPython's, not Python's
        tree = ast.parse(re.sub(r"(?m)^\s*[%!].*$", "", cell.source))
    except SyntaxError as error:
        yield "syntax", f"{error.msg} (line {error.lineno})"
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if not _has(cell, "method"):
                yield "definitions", f"{node.name}: only a cell tagged `method` defines things"
        elif isinstance(node, ast.Call) and (call := ast.unparse(node.func)).startswith("run."):
            parts = list(ast.walk(node))
            keys = [getattr(part, "slice", None) for part in parts]  # which are no text
            keys += [getattr(part, "format_spec", None) for part in parts]
            keys = {part for key in filter(None, keys) for part in ast.walk(key)}
            for part in parts:
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    found = [] if part in keys else _check_text(part.value)
                    yield from ((rule, f"{call}: {what}") for rule, what in found)


_TYPED = (
    'results and published figures come in by f"{value:pct}", settings stand in `backticks`; plain '
    "counts up to 20, years, sizes such as 32×32, ε = 1/255 and levels such as 1 % FPR may be typed"
)


def _check_text(text):
    for number in typed_results(text):
        yield "typed result", f"{number!r}: {_TYPED}"
    bare = re.sub(r"```.*?```|`[^`\n]*`", " ", text, flags=re.S)
    tex = re.search(r"\$\$?[^$\n]*[\\^_={][^$\n]*\$|\\[(\[]", bare)
    if tex:
        yield "tex", f"{tex[0]!r}: the report loads no MathJax; write x², ε, ≤ in Unicode"
    if re.search(r"!\[[^\]]*\]\((?!data:)|<img\b", bare):
        yield "image", "images come from run.figure(…), which numbers and captions them"
    if re.search(r"\{\{|\{%", text):
        yield "template", "no template code: code cells say results, by run.text(…)"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
