"""Model cards: what somebody must know of a detector before using it, written from its JSON file.

A card states what the file beside the model records and says of everything else that it is not
recorded. :func:`with_report` adds to that file what a finished report measured of the detector.
"""

import functools

import jinja2

from realfake_lib.report import prose
from realfake_lib.report.published import PUBLISHED

MISSING = "not recorded"

_IN_SIDECAR = ("test.", "test_dedup.", "operating_point.")
_VERSIONS = ("tensorflow", "keras", "numpy")
_CHANGES = {
    "clean": "none",
    "pgd": "attack (PGD), each pixel moved by at most {}/255",
    "jpeg": "compressed as JPEG once more, quality {}",
    "gaussian_blur": "blurred, standard deviation {} pixels",
    "gaussian_noise": "Gaussian noise, standard deviation {} of the range",
    "rescale_and_back": "shrunk to {} of its side and enlarged again",
}
"""Attacks and corruptions that a card shows, as metrics name them, and in words."""


def with_report(meta, name, metrics):
    """What is said of a detector, with what a report measured of it and how it was made.

    Parameters
    ----------
    meta : dict
        From the JSON file beside the model, as the training chapter wrote it.
    name : str
        The detector's name in the report's metrics.
    metrics : dict
        A report's ``metrics.json``.

    Returns
    -------
    dict
        ``meta`` with ``report``: ``profile``, ``finished``, ``commit``, ``lock``, ``python``,
        ``versions``, ``processor``, ``cores``, ``parameters`` of the training chapter, ``images``
        (numbers by part), and the metric records ``training`` and ``robustness``.
    """
    made = metrics["provenance"]
    chapter = made["stages"].get("training", {})
    hardware = made.get("hardware", {})
    of_training = _below(f"training.{name}.", metrics)
    generators = tuple(f"unseen.{generator}." for generator in meta.get("unseen") or {})
    report = {
        "profile": metrics.get("profile"),
        "finished": chapter.get("finished"),
        "commit": chapter.get("commit"),
        "lock": made.get("lock"),
        "python": made.get("python"),
        "versions": {k: v for k, v in made.get("versions", {}).items() if k in _VERSIONS},
        "processor": hardware.get("processor"),
        "cores": hardware.get("cores"),
        "parameters": made.get("parameters", {}).get("training"),
        "images": {k: v["value"] for k, v in _below("training.images.", metrics).items()},
        "training": {
            key: record
            for key, record in of_training.items()
            if not key.startswith(_IN_SIDECAR + generators)
        },
        "robustness": {
            key: record
            for key, record in _below(f"adversarial_robustness.{name}.", metrics).items()
            if _change(key)
        },
    }
    return meta | {"report": {key: value for key, value in report.items() if value}}


def render(meta, title, folder="realfake_lib/detectors"):
    """The card of a detector, as Markdown.

    Parameters
    ----------
    meta : dict
        From the JSON file beside the model.
    title : str
        Name of the model file, without its ending.
    folder : str
        Where the file lies, for the examples.

    Returns
    -------
    str
    """
    meta = meta | (meta.get("trained_on") or {})
    records = dict(_records(meta))
    facts = {word: prose.Reference(word, records) for word in {k.split(".")[0] for k in records}}
    text = (
        _environment()
        .get_template("model_card.md.j2")
        .render(
            facts,
            meta=meta,
            title=title,
            folder=folder,
            robustness=_robustness(records),
            by_object=_by_object(meta, facts),
        )
    )
    return text.strip() + "\n"


def _below(prefix, metrics):
    """The metrics whose names begin with ``prefix``, by the rest of their names."""
    found = metrics["metrics"].items()
    return {key.removeprefix(prefix): record for key, record in found if key.startswith(prefix)}


def _records(facts, prefix=""):
    """Yield dotted names and metric records from what is nested in a model's JSON file."""
    intervals = facts.get("intervals") or {}
    for key, value in facts.items():
        name = prefix + key
        if isinstance(value, dict) and "value" in value:
            yield name, value
        elif isinstance(value, dict):
            yield from _records(value, f"{name}.")
        elif value is not None and key != "intervals":
            record = {"value": value}
            if key in intervals:
                record |= {"ci": intervals[key], "n": facts.get("n")}
            yield name, record


def _change(key):
    """An attack or corruption's words, from the name of its metric, or None if it is not shown."""
    word, _, measure = key.rpartition(".")
    if measure != "accuracy":
        return None
    for kind, words in _CHANGES.items():
        strength = word.removeprefix(kind).lstrip("_")
        if word == kind or (word.startswith(f"{kind}_") and strength[:1].isdigit()):
            return words.format(strength.replace("_", "."))
    return None


def _robustness(records):
    """Pairs of what was done to the pictures and the accuracy that is left."""
    start = "report.robustness."
    keys = [key.removeprefix(start) for key in records if key.startswith(start)]
    rows = [(_change(key), prose.Reference(start + key, records)) for key in keys if _change(key)]
    kinds = [words.partition("{")[0] for words in _CHANGES.values()]
    return sorted(rows, key=lambda row: [row[0].startswith(kind) for kind in kinds].index(True))


def _by_object(meta, facts):
    """Pairs of an object class and its accuracy, the lowest first."""
    found = meta.get("per_object_class") or {}
    pairs = [(name, facts["per_object_class"][name].accuracy) for name in found]
    return sorted(pairs, key=lambda pair: float(pair[1]))


class _NotRecorded(jinja2.ChainableUndefined):
    """A fact that the file does not hold; it says so wherever it is shown."""

    def __str__(self):
        return MISSING

    def __eq__(self, other):
        return False

    __hash__ = jinja2.ChainableUndefined.__hash__


def _or_missing(shown):
    """A filter that says of a missing value that it is missing."""

    @functools.wraps(shown)
    def filtered(value, *options):
        return MISSING if isinstance(value, jinja2.Undefined) else shown(value, *options)

    return filtered


def _with_interval(shown, plain):
    """A filter for a value with its interval, or with a word that it has none."""

    def filtered(value, digits):
        if not (hasattr(value, "low") and hasattr(value, "high")):
            return f"{plain(value, digits)} (interval {MISSING})"
        return shown(value, digits)

    return filtered


def _size(value):
    """1241917 → ``1.2 MB``."""
    return f"{float(value) / 1e6:.1f}{prose.NBSP}MB"


def _sci(value):
    return f"{float(value):.1e}"


def _pairs(value):
    """A mapping as ``key value, key value``; anything else as it is."""
    if not isinstance(value, dict):
        return str(value)
    shown = {key: item for key, item in value.items() if item is not None}
    return ", ".join(f"{key.replace('_', ' ')} {_one(item)}" for key, item in shown.items())


def _one(item):
    return " ".join(map(str, item)) if isinstance(item, list) else str(item)


@functools.cache
def _environment():
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PUBLISHED.with_name("templates")),
        undefined=_NotRecorded,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        keep_trailing_newline=True,
    )
    own = {
        "pct": lambda value, digits=1: prose.pct(value, digits),
        "num": prose.num,
        "int": prose.integer,
        "short": prose.short,
        "duration": prose.duration,
        "size": _size,
        "sci": _sci,
        "pairs": _pairs,
        "plain": str,
    }
    environment.filters |= {name: _or_missing(shown) for name, shown in own.items()}
    pct_ci = _with_interval(prose.pct_ci, prose.pct)
    num_ci = _with_interval(prose.num_ci, prose.num)
    environment.filters["pct_ci"] = _or_missing(lambda value, digits=1: pct_ci(value, digits))
    environment.filters["num_ci"] = _or_missing(lambda value, digits=3: num_ci(value, digits))
    return environment
