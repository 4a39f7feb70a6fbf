"""One thing that a file says of itself, and the terms in which standards say it."""

import re
from dataclasses import dataclass

KINDS = ("ai", "partly_ai", "camera", "other", "unusable")
"""Kinds of statements, those first that say most."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that a file says of itself.

    Attributes
    ----------
    source : str
        Where it says so: ``"C2PA"``, ``"XMP"``, ``"EXIF"``, ``"Software"``, ….
    kind : str
        ``"ai"`` (made by AI), ``"partly_ai"``, ``"camera"``, ``"other"``, or ``"unusable"``: a C2PA
        manifest that is invalid, damaged or was not read, and so no evidence.
    text : str
        What it says, on one line.
    validation : str
        Of a C2PA manifest ``"trusted"`` (signed by somebody whom the trust list knows), ``"valid"``
        (unchanged since somebody signed it), ``"invalid"`` or ``"not checked"``; else ``""``.
    """

    source: str
    kind: str
    text: str
    validation: str = ""


def short(value):
    """Words of a file on one line, 80 characters at most, none of which steers a terminal."""
    text = "".join(sign if sign.isprintable() else " " for sign in str(value)[:1000])
    return " ".join(text.split())[:80]


_OF_TERMS = {
    **dict.fromkeys(("trainedAlgorithmicMedia", "trainedAlgorithmicData"), "ai"),
    **dict.fromkeys(("compositeWithTrainedAlgorithmicMedia", "compositeSynthetic"), "partly_ai"),
    **dict.fromkeys(("digitalCapture", "computationalCapture", "compositeCapture"), "camera"),
    **dict.fromkeys(("negativeFilm", "positiveFilm"), "camera"),
}
_VOCABULARIES = r"https?://(?:cv\.iptc\.org/newscodes|c2pa\.org)/digitalsourcetype/"


def source_type(value):
    """Term of a digital source type and the kind of statement that it makes; None for other texts.

    ``value`` is the term's address in the vocabulary of the IPTC or of C2PA, or the term alone.
    https://cv.iptc.org/newscodes/digitalsourcetype/
    """
    found = re.fullmatch(rf"({_VOCABULARIES})?(\w{{1,60}})", str(value).strip())
    if not found or not (found[1] or found[2] in _OF_TERMS):
        return None
    return found[2], _OF_TERMS.get(found[2], "other")
