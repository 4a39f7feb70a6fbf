"""Figures that others published, each with its source, from ``published.yml``."""

import functools
from pathlib import Path

import yaml

from realfake_lib.errors import UserError
from realfake_lib.report import values

PUBLISHED = Path(__file__).with_name("published.yml")

_ENTRY = {"title": str, "source": str, "accuracy": float, "auroc": float, "params": int}
_ENTRY |= {"sd": float, "seconds": float, "note": str, "figures": dict}


@functools.cache
def published(path=PUBLISHED):
    """Figures that others published, each with its source.

    Parameters
    ----------
    path : path, optional
        A YAML file laid out as ``published.yml`` beside this module.

    Returns
    -------
    dict of name → dict with ``title``, ``source`` and any of ``accuracy``, ``auroc`` and ``sd`` (in
    [0, 1]), ``params``, ``seconds``, ``note``, ``figures`` (name → number or list of numbers),
    every number a :class:`values.Number`

    Raises
    ------
    UserError
        If an entry lacks its source or a figure is not what its name says.
    """
    entries = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    if not isinstance(entries, dict):
        raise UserError(f"{path}: expected a mapping of names to published figures")
    for name, entry in entries.items():
        _check_entry(f"{path}, {name}", entry)
    return values.of(entries)


def _check_entry(where, entry):
    if not isinstance(entry, dict) or not entry.get("title") or not entry.get("source"):
        raise UserError(f"{where}: needs a title and a source")
    for field, value in entry.items():
        if field not in _ENTRY:
            raise UserError(f"{where}: unknown field {field!r}", hint=f"Known: {', '.join(_ENTRY)}")
        if not isinstance(value, (float, int) if _ENTRY[field] is float else _ENTRY[field]):
            raise UserError(f"{where}: {field} must be of type {_ENTRY[field].__name__}")
        if field in ("accuracy", "auroc", "sd") and not 0 <= value <= 1:
            raise UserError(f"{where}: {field} must lie between 0 and 1, not {value}")
    for key, value in entry.get("figures", {}).items():
        items = value if isinstance(value, list) else [value]
        if not all(isinstance(item, (int, float, list)) for item in items):
            raise UserError(f"{where}: figures.{key} must be numbers")
