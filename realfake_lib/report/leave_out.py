"""Leave out of a text what quotes something that is not there.

A text holds a mark wherever a value is missing. The smallest block around a
mark goes: a sentence of a paragraph or of a list item, a row of a table, a heading, a line of HTML,
a block of code.
"""

import re

VALUE = "\ufdd0"  # a noncharacter, which no text holds
"""Mark for a missing value."""

_SENTENCE = re.compile(
    r".+?(?:(?<!e\.g)(?<!i\.e)(?<!et al)(?<!vs)[.!?][)\"”*_`]*(?=\s+[^\sa-z])|\Z)\s*", re.S
)
# A sentence that begins so says something of the one before it, and goes with it.
_LEANS = re.compile(
    r"(It|Its|They|Their|This|That|These|Those|Such|So|Both|But|And|Yet|Nor|Hence|Thus)\b"
)
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d+[.)])[ \t]+")
_TABLE_HEAD = re.compile(r"(?m)^[ \t]*\|[^\n]*\n[ \t]*\|[-: |]+\|[ \t]*(?:\n(?![ \t]*\|)|\Z)")


def without_gaps(text):
    """``text`` without the blocks that hold a mark.

    Parameters
    ----------
    text : str
        Markdown.

    Returns
    -------
    str
    """
    if VALUE not in text:
        return text
    kept = "".join(_kept(kind, block) for kind, block in _blocks(text))
    return _TABLE_HEAD.sub("", kept)


def _blocks(text):
    """Pairs of a kind, "whole" or "sentences", and a piece of the text."""
    kind, block, fenced = None, "", False
    for line in text.splitlines(keepends=True):
        fence = line.lstrip().startswith(("```", "~~~"))
        start = line.lstrip()[:1]
        if fenced or fence:
            new, begins = "whole", not fenced
            fenced = fenced != fence
        elif start in ("|", "<", "#", ""):
            new, begins = "whole", True
        else:
            new, begins = "sentences", kind != "sentences" or bool(_ITEM.match(line))
        if begins and block:
            yield kind, block
            block = ""
        kind, block = new, block + line
    if block:
        yield kind, block


def _kept(kind, block):
    if VALUE not in block:
        return block
    if kind == "whole":
        return ""
    bullet = match[0] if (match := _ITEM.match(block)) else ""
    sentences, gone = [], False
    for sentence in _SENTENCE.findall(block[len(bullet) :]):
        gone = VALUE in sentence or (gone and bool(_LEANS.match(sentence)))
        if not gone:
            sentences.append(sentence)
        elif sentences and not sentences[-1][-1:].isspace():
            sentences[-1] += " "
    kept = "".join(sentences)
    halved = any(kept.count(sign) % 2 for sign in ("**", "`"))  # emphasis around several sentences
    return "" if halved or not kept.strip() else bullet + kept.rstrip() + "\n"
