"""Tell a mistyped name in prose from one that a run merely doesn't have, without a run.

Names of metrics are put together while a stage runs, but from words that stand in the code of the
notebooks and the library, in ``report.yml`` or among the published figures. A name with any other
word is none that a stage could ever give.
"""

import ast
import re
from pathlib import Path

from realfake_lib.report import plan, prose
from realfake_lib.report.published import PUBLISHED

_WORD = re.compile(r"[A-Za-z0-9]+")


def known(root):
    """Every word that the code of a checkout could make a name of.

    Parameters
    ----------
    root : path
        Folder of ``report.yml``.

    Returns
    -------
    set of str
    """
    root = Path(root)
    texts = [path.read_text("utf-8") for path in (root / "realfake_lib").rglob("*.py")]
    for notebook in (root / "notebooks").glob("*.ipynb"):
        cells = plan.read_notebook(notebook)["cells"]
        texts += [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    words = {word for text in texts for word in _of_code(text)}
    for path in (root / "report.yml", PUBLISHED):
        words.update(_WORD.findall(path.read_text("utf-8")))
    return words


def _of_code(text):
    """Words of the names and the short strings in a Python text; not those of comments."""
    try:
        tree = ast.parse(re.sub(r"(?m)^\s*[%!].*$", "", text))
    except SyntaxError:  # told by a rule of its own
        return
    for node in ast.walk(tree):
        for name in ("id", "attr", "arg", "name", "value"):
            found = getattr(node, name, None)
            # A name is one word or a dotted few: what is longer is prose, and may hold anything.
            if isinstance(found, str) and not re.search(r"\s\S+\s", found.strip()):
                yield from _WORD.findall(found)


def unknown(text, words):
    """Names in a text of which a word is not among ``words``.

    Parameters
    ----------
    text : str
        Markdown with references.
    words : set of str
        From :func:`known`.

    Returns
    -------
    list of str
    """
    return [name for name in prose.quoted(text) if not words.issuperset(_WORD.findall(name))]
