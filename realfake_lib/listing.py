"""How verdicts and measures are shown: tables on the terminal, JSON, CSV."""

import csv
import json
import operator
import textwrap
from types import SimpleNamespace

from realfake_lib import console
from realfake_lib.data import layout


def columns(explained):
    """Names of a row's values, in the order of a file."""
    names = ["path", "p_fake", "verdict", "width", "height", "error"]
    return [*names, "explanation"] if explained else names


def write_csv(stream, predictions, explained=False):
    """Write a table with a header line; ``stream`` was opened with ``newline=""``."""
    names = columns(explained)
    # It quotes what is in the line's end only: a carriage return, too, has to be.
    lines = SimpleNamespace(write=lambda row: stream.write(row.removesuffix("\r\n") + "\n"))
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows(map(operator.attrgetter(*names), predictions))


def as_json(detector, predictions, left_out, explained=False):
    """The verdicts with what must be known of them, as text."""
    names = columns(explained)
    record = {
        "model": str(detector.path),
        "threshold": detector.threshold,
        "uncertain_band": list(detector.uncertain_band),
        "caveat": detector.caveat(),
        "left_out": dict(left_out),
        "results": [{name: getattr(one, name) for name in names} for one in predictions],
    }
    return json.dumps(record, indent=2)


def print_table(detector, predictions):
    """Print a line for each image, and below them what must be known of the verdicts."""
    from rich.console import Console

    terminal = Console()
    coloured = terminal.color_system not in (None, "windows") and not terminal.no_color
    lines = [f"{'size':>11} {'p(fake)':>8}  {'verdict':<16}  image"]
    lines += [_line(one, coloured) for one in predictions]
    print("\n".join(lines), end="\n\n")
    words = f"FAKE from p(fake) = {detector.threshold:.3f} on. {detector.caveat()}"
    print(textwrap.fill(words, min(terminal.width, 100)))


def _line(one, coloured):
    # The path comes last: whatever its length and its letters, the columns stay in line.
    path = one.path
    if one.error:
        size, p_fake, verdict, path = "–", "–", "not read", f"{path}: {one.error}"
    else:
        size, p_fake, verdict = f"{one.width}×{one.height}", f"{one.p_fake:.3f}", one.verdict
    path = console.printable(path, keep="")
    start, end = (_COLOURS.get(verdict, _YELLOW), "\033[m") if coloured else ("", "")
    return f"{size:>11} {p_fake:>8}  {start}{verdict:<16}{end}  {path}"


_COLOURS = {"FAKE": "\033[31m", "REAL": "\033[32m"}
_YELLOW = "\033[33m"


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
        "measures": {
            name: {"value": value, "ci": [low, high]}
            for name, (value, low, high) in found.measures.items()
        },
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
        f"{'measure':<20} {'value':>7}   95 % interval",
    ]
    for name, (value, low, high) in found.measures.items():
        lines.append(f"{name:<20} {value:>7.4f}   {low:.4f} to {high:.4f}")
    return "\n".join(lines)
