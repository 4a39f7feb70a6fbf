"""The JSON file beside a model file: what the model is, and by its hash which file is meant.

One description serves a detector in both forms: ``detector.json`` lies beside ``detector.keras``
and ``detector.onnx``.
"""

import hashlib
import json
from pathlib import Path

from realfake_lib.errors import UserError
from realfake_lib.settings import atomic_file

SCHEMA = 1

AGAIN = "Train it again (`make report`), or get both files from whoever made them."
"""What to do about a model file that cannot be trusted."""


def path_of(model_file):
    """Path of the JSON file that belongs to a model file."""
    return Path(model_file).with_suffix(".json")


def read(model_file):
    """Read what is said of a model file.

    A UserError says if either file is missing, the JSON cannot be read, is of another version, or
    gives a value that no verdict can be made with.
    """
    path, described = Path(model_file), path_of(model_file)
    if not path.is_file():
        raise UserError(f"No model file {path}.", AGAIN)
    try:
        meta = json.loads(described.read_text(encoding="utf-8"))
        if not isinstance(meta, dict):
            raise ValueError("not a JSON object")
    except FileNotFoundError:
        raise UserError(
            f"{path} has no {described.name} beside it, so nothing says what it is.", AGAIN
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{described} cannot be read: {error}", AGAIN) from None
    if meta.get("schema") != SCHEMA:
        raise UserError(
            f"{path} is of model schema {meta.get('schema')!r}; this version reads {SCHEMA}.", AGAIN
        )
    for name, is_sound in _SOUND.items():
        if name in meta and not is_sound(meta[name]):
            raise UserError(f"{described} gives {name} as {str(meta[name])[:80]}", AGAIN)
    return meta


def _is_share(value):
    return type(value) in (int, float) and 0 <= value <= 1


def _is_band(value):
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(map(_is_share, value))
        and value[0] <= value[1]
    )


def _is_recalls(value):
    return isinstance(value, dict) and all(
        isinstance(one, dict) and _is_share(one.get("fake_recall")) for one in value.values()
    )


def _is_sides(value):
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and type(value[0]) is int
        and (value[1] is None or type(value[1]) is int and value[0] <= value[1])
    )


def _is_rates(value):
    return isinstance(value, dict) and all(
        _is_rate(rate) and isinstance(band, list) and len(band) == 2 and all(map(_is_share, band))
        for rate, band in value.items()
    )


def _is_rate(text):
    try:
        return text == str(float(text)) and 0 < float(text) < 1
    except ValueError:
        return False


def _is_held_out(value):
    counts, shares = ("sources_of_fakes", "sources_of_photographs"), ("auroc", "recall", "missed")
    shares += ("false_positive_rate", "worst_false_positive_rate", "specificity")
    parts = ("all.equalised", "all.web_hard", "panel.equalised")
    return isinstance(value, dict) and all(
        isinstance(part := value.get(name), dict)
        and all(type(part.get(count)) is int for count in counts)
        and all(_is_share(part.get(share)) for share in shares)
        for name in parts
    )


_SOUND = {
    "image_size": lambda value: value is None or type(value) is int and value > 0,
    "temperature": lambda value: type(value) in (int, float) and 0 < value < float("inf"),
    "threshold": _is_share,
    "uncertain_band": _is_band,
    "sides": _is_sides,
    "bands": _is_rates,
    "trained_on": lambda value: value is None or isinstance(value, dict),
    "unseen": lambda value: value is None or _is_recalls(value),
    "data": lambda value: isinstance(value, str),
    "held_out": lambda value: value is None or _is_held_out(value),
}
"""What verdicts and their caveat are made from, and what each may be."""


def write(model_file, meta):
    """Write ``meta``, a JSON-able dict, as what is said of a model file."""
    with atomic_file(path_of(model_file)) as temporary:
        temporary.write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")


def describes_onnx(meta):
    """Whether what lies beside a model file tells of an ONNX file that belongs to it."""
    return isinstance(meta.get("onnx"), dict)


def check_hash(model_file, found, expected):
    """Raise UserError unless a model file's hash is the one that its description gives."""
    if found != expected:
        raise UserError(
            f"{model_file} is not the file that {path_of(model_file).name} describes: "
            "it was changed, or cut off in a copy.",
            AGAIN,
        )


def sha256(path):
    """SHA-256 of a file's content, 64 hexadecimal digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
