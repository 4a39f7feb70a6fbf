"""Figures that others published, each with its source, from ``published.yml``."""

import functools
from pathlib import Path

import yaml

from realfake_lib.report import values

PUBLISHED = Path(__file__).with_name("published.yml")


@functools.cache
def published():
    """Figures that others published, each with its source.

    Returns
    -------
    dict of name → dict with ``title``, ``source`` and any of ``accuracy``, ``auroc`` and ``sd`` (in
    [0, 1]), ``params``, ``seconds``, ``note``, ``figures`` (name → number or list of numbers),
    every number a :class:`values.Number`
    """
    return values.of(yaml.safe_load(PUBLISHED.read_text(encoding="utf-8")))
