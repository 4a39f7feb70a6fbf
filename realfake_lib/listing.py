"""How verdicts and measures are shown: tables on the terminal, JSON, CSV."""

import csv
import dataclasses
import itertools
import json
import shutil
import textwrap
from collections import Counter

from realfake_lib import console
from realfake_lib.data import layout
from realfake_lib.detector import VERDICTS

DO_NOT = "Do not use a verdict as the only ground for a decision about a person or an image."

SAID_BY_FILES = (
    "What a file says of itself can be copied, changed or removed; a file that says nothing proves "
    "nothing."
)

_SAYS = {
    "ai": "says it was made by AI",
    "partly_ai": "says it was made by AI in part",
    "camera": "says it is from a camera",
    "other": "says how it was made",
    "unusable": "no evidence",
}
"""Words before the statements of a kind that a file makes."""

_VALIDATION = {
    "trusted": "signature valid, signer trusted",
    "valid": "signature valid, signer not verified",
    "invalid": "invalid",
    "not checked": "not checked",
}


def write_csv(stream, predictions):
    """Write a table with a header line; ``stream`` was opened with ``newline=""``."""
    writer = csv.writer(stream)
    names = [field.name for field in dataclasses.fields(predictions[0])]
    writer.writerow(names)
    for one in predictions:
        row = {name: getattr(one, name) for name in names}
        told = {"statements": said(one), "reasons": "; ".join(one.reasons)}
        writer.writerow((row | told).values())


def as_json(detectors, predictions, left_out):
    """The verdicts with what must be known of them, as text."""
    record = {
        "detectors": {
            one.name: {
                "model": str(one.path),
                "uncertain_band": list(one.uncertain_band),
                "caveat": one.caveat(),
            }
            for one in _used(detectors, predictions)
        },
        "caveat_of_statements": SAID_BY_FILES,
        "left_out": dict(left_out),
        "results": [dataclasses.asdict(one) for one in predictions],
    }
    return json.dumps(record, indent=2)


def as_table(detectors, predictions):
    """A line for each image, below it what its file says and why there is no verdict, and what must
    be known of them all.

    Text.
    """
    lines = [f"{'size':>11} {'p(fake)':>8}  {'verdict':<16}  image"]
    for one in predictions:
        lines.append(_line(one))
        if one.reasons:
            lines.append(f"{'':>12}because {console.printable('; '.join(one.reasons), keep='')}")
        if one.statements:
            lines.append(f"{'':>12}{console.printable(said(one), keep='')}")
    width = min(shutil.get_terminal_size((100, 24)).columns, 100)
    paragraphs = [_how(one) for one in _used(detectors, predictions)]
    paragraphs += [DO_NOT, SAID_BY_FILES]
    if len(predictions) > 1:
        lines += ["", _tally(predictions)]
    return "\n".join([*lines, "", *(textwrap.fill(text, width) for text in paragraphs)])


def _tally(predictions):
    counts = Counter(one.verdict or "not read" for one in predictions)
    return ", ".join(f"{counts[what]:,} {what}" for what in (*VERDICTS, "not read") if counts[what])


def _used(detectors, predictions):
    """The detectors that judged some image."""
    names = {one.detector for one in predictions}
    return [one for one in detectors if one.name in names]


def _how(detector):
    low, high = detector.uncertain_band
    if low < high:
        rule = f"FAKE from p(fake) = {high:.3f} on, REAL up to {low:.3f}."
    else:
        rule = f"FAKE from p(fake) = {detector.threshold:.3f} on."
    return console.printable(f"{detector.name}: {rule} {detector.caveat()}", keep="")


def said(prediction):
    """What the file of an image says of itself, on one line; "" where it says nothing."""
    parts = []
    for kind, statements in itertools.groupby(prediction.statements, lambda one: one.kind):
        parts.append(f"{_SAYS[kind]}: {', '.join(map(_statement, statements))}")
    return "; ".join(parts)


def _statement(one):
    words = [f"{one.source} {one.text}", *filter(None, [_VALIDATION.get(one.validation)])]
    return ", ".join(words)


def _line(one):
    # The path comes last: whatever its length and its letters, the columns stay in line.
    path = one.path
    if one.error:
        size, p_fake, verdict, path = "–", "–", "not read", f"{path}: {one.error}"
    else:
        size, verdict = f"{one.width}×{one.height}", one.verdict
        p_fake = "–" if one.p_fake is None else f"{one.p_fake:.3f}"
    return f"{size:>11} {p_fake:>8}  {verdict:<16}  {console.printable(path, keep='')}"


def left_out(kinds):
    """A sentence on what was found in folders and not looked at, counted by kind."""
    things = "1 file or folder" if kinds.total() == 1 else f"{kinds.total():,} files and folders"
    return (
        f"left out {things}: {layout.counted(kinds)}. "
        "Images of a kind that is not read here need to be saved as JPEG or PNG first."
    )


def evaluation_as_json(found):
    """An Evaluation as text for programs."""
    record = {
        "model": str(found.detector.path),
        "data": found.data,
        "n": found.n,
        "threshold": found.threshold,
        "verdicts": found.verdicts,
        "measures": {
            name: {"value": value, "ci": [low, high]}
            for name, (value, low, high) in found.measures.items()
        },
        "sources": [
            {name: None if value != value else value for name, value in source.items()}
            for source in found.sources
        ],
    }
    return json.dumps(record, indent=1)


def evaluation(found):
    """An Evaluation as a table for people."""
    if found.only is None:
        remark = "precision, recall and F1 are for FAKE"
    else:
        remark = f"all are {found.only}; accuracy, AUROC and the rest need both classes"
    lines = [
        f"{found.detector.path} on {found.n:,} images of {found.data} ({found.part})",
        f"FAKE from p(fake) = {found.threshold:.3f} on; {remark}",
        "",
        f"predict says {_HEADS}",
        *(
            f"of {name:<9} {_counts(each)}"
            for name, each in found.verdicts.items()
            if found.only in (None, name)
        ),
        "",
        f"{'measure':<20} {'value':>7}   95 % interval",
    ]
    for name, (value, low, high) in found.measures.items():
        lines.append(f"{name:<20} {value:>7.4f}   {low:.4f} to {high:.4f}")
    if found.sources:
        heads = f"{_HEADS}  {'from threshold on':<25}  {'AUROC':<25}"
        lines += ["", f"class  {heads}  source (folder)"]
        lines += map(_source, found.sources)
    return "\n".join(lines)


def _source(one):
    share = _with_interval(*(one[name] for name in ("predicted_fake", "ci_low", "ci_high")))
    auroc = _with_interval(*(one[name] for name in ("auroc", "auroc_low", "auroc_high")))
    source = console.printable(one["source"] or "(none)", keep="")
    return f"{one['class']}   {_counts(one['verdicts'])}  {share:<25}  {auroc:<25}  {source}"


_HEADS = "".join(f"{what:>12}" for what in VERDICTS)


def _counts(verdicts):
    return "".join(f"{verdicts[what]:>12,}" for what in VERDICTS)


def _with_interval(value, low, high):
    return "–" if value != value else f"{value:.4f} ({low:.4f}–{high:.4f})"
