"""Model cards: what somebody must know of a detector before using it, written from its JSON file.

A card states what the file beside the model records and says of everything else that it is not
recorded. :func:`with_report` adds to that file what a finished report measured of the detector.
"""

import functools
import re
from pathlib import Path

import jinja2

from realfake_lib.formats import plain
from realfake_lib.names import in_words
from realfake_lib.report import values

MISSING = "not recorded"
_VERSIONS = ("tensorflow", "keras", "numpy")
_CODES = ("pct", "pct_ci", "num", "num_ci", "int", "short", "duration", "bytes", "sci")
_CHANGES = {
    "clean": "none",
    "pgd": "attack (PGD), each pixel moved by at most {}/255",
    "linf": "worst case of three attacks, each pixel moved by at most {}/255",
    "jpeg_40": "compressed as JPEG once more, quality 40",
    "gaussian_blur_1": "blurred, σ = 1 px",
    "gaussian_noise_0.1": "Gaussian noise, standard deviation 0.1 of the range",
    "rescale_half": "halved in size and enlarged again",
    "mean": "mean over twenty corruptions in five severities",
}
"""Attacks and corruptions that a card shows, as metrics name them, and in words."""


def with_report(meta, name, metrics):
    """``meta``, from the JSON file beside a model, with what a report's ``metrics`` say of it."""
    made = metrics["provenance"]
    attacked = f"adversarial_robustness.{name}.test.accuracy" in metrics["metrics"]
    stage = "adversarial_robustness" if attacked else "training"
    chapter, hardware = made["stages"].get(stage, {}), made.get("hardware", {})
    training = _below(f"{stage}.{name}.", metrics)
    # What the metadata say anyway, and attacks, which are robustness.
    unseen = [f"unseen.{generator}" for generator in meta.get("unseen") or ()]
    known = "|".join(["test", "test_dedup", "operating_point", *unseen])
    known = re.compile(rf"({known})\.|(clean|noise|fgsm|pgd|linf|worst)[\d_.]*\.")
    robustness = _below(f"adversarial_robustness.{name}.", metrics)
    robustness |= _below(f"corruptions.{name}.", metrics)
    changed = rf"({'|'.join(_CHANGES)})[\d_.]*\.(worst_case_)?accuracy"
    report = {
        "profile": metrics.get("profile"),
        "finished": chapter.get("finished"),
        "commit": chapter.get("commit"),
        "lock": made.get("lock"),
        "python": made.get("python"),
        "versions": {k: v for k, v in made.get("versions", {}).items() if k in _VERSIONS},
        "processor": hardware.get("processor"),
        "cores": hardware.get("cores"),
        "parameters": made.get("parameters", {}).get(stage),
        "images": {k: v["value"] for k, v in _below("training.images.", metrics).items()},
        "training": {k: v for k, v in training.items() if not known.match(k)},
        "robustness": {k: v for k, v in robustness.items() if re.fullmatch(changed, k)},
    }
    return meta | {"report": {key: value for key, value in report.items() if value}}


def render(meta, title):
    """A detector's card as Markdown, from its metadata and the name of its file, without ending."""
    if "held_out" in meta:
        return _of_real_size(meta, title)
    meta = meta | (meta.get("trained_on") or {})
    about = {"meta": meta, "title": title, "robustness": _robustness(meta)}
    return _rendered("model_card.md.j2", _numbers(meta), about)


def _of_real_size(meta, title):
    """The card of a detector that was measured on sources that it never saw."""
    columns = {}
    of = {"near": "all.equalised", "far": "all.web_hard", "panel": "panel.equalised"}
    for column, name in of.items():
        one = meta["held_out"][name]
        shown = {
            "fpr": "false_positive_rate",
            "worst": "worst_false_positive_rate",
            "specificity": "specificity",
            "recall": "recall",
            "missed": "missed",
            "coverage": "coverage",
            "balanced": "balanced_accuracy",
        }
        columns[column] = {
            key: f"{values.Number(one[name], one['intervals'].get(name)):pct_ci}"
            for key, name in shown.items()
        }
        columns[column]["stylegan"] = one["stylegan"]
        columns[column]["auroc"] = f"{values.Number(one['auroc'], one['ci']):num_ci(2)}"
    about = columns | {"meta": meta, "title": title, "held_out": meta["held_out"]}
    return _rendered("real_size_card.md.j2", {"folds": meta["trained_on"].get("folds")}, about)


def _rendered(template, numbers, about):
    loader = jinja2.FileSystemLoader(Path(__file__).with_name("templates"))
    tidy = {"trim_blocks": True, "lstrip_blocks": True}
    environment = jinja2.Environment(loader=loader, undefined=_NotRecorded, **tidy)
    environment.filters |= {code: functools.partial(_shown, code) for code in _CODES}
    environment.filters |= {"pairs": _pairs, "in_words": in_words}
    return environment.get_template(template).render(numbers, **about).strip() + "\n"


def _below(prefix, metrics):
    """The metrics whose names begin with ``prefix``, by the rest of their names."""
    found = metrics["metrics"].items()
    return {key.removeprefix(prefix): record for key, record in found if key.startswith(prefix)}


def _numbers(facts):
    """What is nested in a model's JSON file, with numbers that format themselves."""
    found, intervals = {}, facts.get("intervals") or {}
    for name, value in facts.items():
        *groups, key = name.split(".")
        if isinstance(value, dict):
            value = values.read(value) if "value" in value else _numbers(value)
        elif name in intervals:
            value = values.Number(value, intervals[name], facts.get("n"))
        elif isinstance(value, (int, float, list)):
            value = values.of(value)
        place = found
        for group in groups:
            place = place.setdefault(group, {})
        if value is not None and name != "intervals":
            place[key] = value
    return found


def _robustness(meta):
    """Pairs of what was done to the images and the accuracy that is left."""
    records = meta.get("report", {}).get("robustness", {})
    return [
        (words.format(match[1]), values.read(record))
        for kind, words in _CHANGES.items()
        for key, record in records.items()
        if (match := re.fullmatch(rf"{kind}_?([\d.]*)\.(?:worst_case_)?accuracy", key))
    ]


class _NotRecorded(jinja2.ChainableUndefined):
    """A fact that the file does not hold; it says so wherever it is shown."""

    def __str__(self):
        return MISSING


def _shown(code, value, digits=None):
    """A number by a format code of :class:`values.Number`, or a word that it is missing."""
    if value is None or isinstance(value, jinja2.Undefined):
        return MISSING
    number = value if isinstance(value, values.Number) else values.Number(value)
    option = "" if digits is None else f"({digits})"
    if code.endswith("_ci") and not number.ci:
        return f"{number:{code.removesuffix('_ci')}{option}} (interval {MISSING})"
    return f"{number:{code}{option}}"


def _pairs(value):
    """A mapping as ``key value, key value``, without what it does not use."""
    if isinstance(value, jinja2.Undefined):
        return MISSING
    used = {key: item for key, item in value.items() if item not in (None, 0, "none")}
    return ", ".join(f"{key} {plain(item)}" for key, item in used.items()).replace("_", " ")
