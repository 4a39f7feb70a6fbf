"""Model cards: what somebody must know of a detector before using it, written from its JSON file.

A card states what the file beside the model records and says of everything else that it is not
recorded. :func:`with_report` adds to that file what a finished report measured of the detector.
"""

import functools

import jinja2

from realfake_lib.names import in_words
from realfake_lib.report import values
from realfake_lib.report.published import PUBLISHED

MISSING = "not recorded"

_IN_METADATA = ("test.", "test_dedup.", "operating_point.")
_VERSIONS = ("tensorflow", "keras", "numpy")
_CHANGES = {
    "clean": "none",
    "pgd": "attack (PGD), each pixel moved by at most {}/255",
    "jpeg": "compressed as JPEG once more, quality {}",
    "gaussian_blur": "blurred, σ = {} px",
    "gaussian_noise": "Gaussian noise, standard deviation {} of the range",
    "rescale_and_back": "shrunk to {} of its side and enlarged again",
}
"""Attacks and corruptions that a card shows, as metrics name them, and in words."""

_RECIPE = {
    "epochs": "epochs {epochs}",
    "batch_size": "batch size {batch_size}",
    "optimizer": "optimizer {optimizer}",
    "learning_rate": "highest learning rate {learning_rate}",
    "schedule": "schedule {schedule}",
    "warmup": "warmup in {warmup:pct(0)} of the steps",
    "weight_decay": "weight decay {weight_decay}",
    "label_smoothing": "label smoothing {label_smoothing}",
    "augment": "augmentation by {augment}",
    "data_pruning": "easy images left out with probability {data_pruning} in the first "
    "{data_pruning_share:pct(0)} of the epochs",
    "crop_size": "random crops of {crop_size:pct(0)} of the side in the first "
    "{crop_share:pct(0)} of the epochs",
    "auxiliary_class_loss": "auxiliary class loss with weight {auxiliary_class_loss}",
}
"""What a card says of a recipe, by the field that it depends on."""

_OFF = {"crop_size": 1, "augment": "none"}  # of the other fields: 0


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
            if not key.startswith(_IN_METADATA + generators)
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
    facts = _numbers(meta)
    template = _environment().get_template("model_card.md.j2")
    changed, classes = _robustness(meta), _by_object(facts)
    text = template.render(
        facts, meta=meta, title=title, folder=folder, robustness=changed, by_object=classes
    )
    return text.strip() + "\n"


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


def _robustness(meta):
    """Pairs of what was done to the images and the accuracy that is left."""
    records = meta.get("report", {}).get("robustness", {})
    rows = [(_change(key), values.read(record)) for key, record in records.items()]
    kinds = [words.partition("{")[0] for words in _CHANGES.values()]
    return sorted(rows, key=lambda row: [row[0].startswith(kind) for kind in kinds].index(True))


def _by_object(facts):
    """Pairs of an object class and its accuracy, the lowest first."""
    classes = facts.get("per_object_class", {}).items()
    return sorted(((name, one["accuracy"]) for name, one in classes), key=lambda pair: pair[1])


class _NotRecorded(jinja2.ChainableUndefined):
    """A fact that the file does not hold; it says so wherever it is shown."""

    def __str__(self):
        return MISSING

    def __eq__(self, other):
        return False

    __hash__ = jinja2.ChainableUndefined.__hash__


def _shown(value, code, digits=None):
    """A number by a format code of :class:`values.Number`, or a word that it is missing."""
    if value is None or isinstance(value, jinja2.Undefined):
        return MISSING
    number = value if isinstance(value, values.Number) else values.Number(value)
    option = "" if digits is None else f"({digits})"
    if code.endswith("_ci") and not number.ci:
        return f"{number:{code.removesuffix('_ci')}{option}} (interval {MISSING})"
    return f"{number:{code}{option}}"


def _recipe(recipe):
    """A recipe in words, without what it does not use."""
    if not isinstance(recipe, dict):
        return str(recipe)
    numbers = values.of(recipe)
    used = [words for key, words in _RECIPE.items() if recipe.get(key, 0) not in (0, _OFF.get(key))]
    return ", ".join(used).format(**numbers).replace("_", " ")


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
    environment.filters |= {
        code: lambda value, digits=None, code=code: _shown(value, code, digits)
        for code in ("pct", "pct_ci", "num", "num_ci", "int", "short", "duration", "bytes", "sci")
    }
    environment.filters |= {"pairs": _pairs, "recipe": _recipe}
    environment.filters["in_words"] = in_words
    return environment
