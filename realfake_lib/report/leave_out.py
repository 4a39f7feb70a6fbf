"""Leave out of a text what quotes something that is not there.

A text holds a mark wherever a value is missing. The sentence around a mark goes.
"""

import re

VALUE = "\ufdd0"  # mark for a missing value: a noncharacter, which no text holds

_ITEM = r"(?:[-*+]|\d+[.)])[ \t]+"
_BLOCK_STARTS = re.compile(rf"(?m)^(?=[ \t]*(?:{_ITEM}|$))")
_SENTENCE = re.compile(
    r".+?(?:(?<!e\.g)(?<!i\.e)(?<!et al)(?<!vs)[.!?][)\"”*_`]*(?=\s+[^\sa-z])|\Z)\s*", re.S
)
# A sentence that begins so says something of the one before it, and goes with it.
_LEANS = re.compile(
    r"(It|Its|They|Their|This|That|These|Those|Such|So|Both|But|And|Yet|Nor|Hence|Thus)\b"
)


def without_gaps(text):
    """``text``, Markdown, without the parts that hold a mark."""
    return "".join(map(_kept, _BLOCK_STARTS.split(text))) if VALUE in text else text


def _kept(block):
    """What is left of a paragraph or a list item."""
    if VALUE not in block:
        return block
    lead = re.match(rf"\s*(?:{_ITEM})?", block)[0]
    kept, gone = "", False
    for sentence in _SENTENCE.findall(block[len(lead) :]):
        gone = VALUE in sentence or (gone and bool(_LEANS.match(sentence)))
        kept += "" if gone else sentence
    halved = any(kept.count(sign) % 2 for sign in ("**", "`"))  # emphasis around several sentences
    return "" if halved or not kept.strip() else lead + kept.rstrip() + "\n"
