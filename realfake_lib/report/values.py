"""Numbers that know how they are written: ``f"{accuracy:pct}"`` is ``98.6 %``.

A number that a run doesn't have is written as a mark, for whose sake :mod:`.leave_out` removes the
sentence that quotes it.
"""

import math
import numbers

from realfake_lib.formats import NBSP, duration, fixed, plain, short, signed
from realfake_lib.report import leave_out

_UNITS = {
    "pct": (100, 1, f"{NBSP}%"),
    "pp": (100, 1, f"{NBSP}pp"),
    "num": (1, 3, ""),
    "int": (1, 0, ""),
    "bytes": (1e-6, 1, f"{NBSP}MB"),
}
"""Format code to factor, usual number of decimals, and unit."""


class Number(float):
    """A float with its 95 % interval, which formats itself.

    Format codes, where ``(2)`` sets the number of decimals:

    ============ ===================================== =========================
    code         0.98584 with interval, or else        written
    ============ ===================================== =========================
    ``pct``      share                                 98.6 %
    ``ci``       share                                 98.4 to 98.7 %
    ``pct_ci``   share                                 98.6 % (98.4 to 98.7 %)
    ``pp``       difference of two shares              +0.4 pp
    ``pp_ci``    difference of two shares              +0.4 pp (+0.2 to +0.6 pp)
    ``num``      any number                            0.986
    ``num_ci``   any number                            0.986 (0.984 to 0.987)
    ``int``      119999.6                              120,000
    ``short``    288001                                288 k
    ``duration`` seconds                               4 min 10 s
    ``bytes``    1241917                               1.2 MB
    ``sci``      0.0000012                             1.2e-06
    ============ ===================================== =========================

    Without an interval ``pct_ci``, ``pp_ci`` and ``num_ci`` write the number alone. Any other code
    is Python's own. Arithmetic gives a Number without interval.

    Parameters
    ----------
    value : float
        NaN stands for a number that this run does not have.
    ci : (low, high), optional
    n : int, optional
        Number of images, or other units, that the value rests on.

    Attributes
    ----------
    missing : bool
        Whether this run does not have the number.
    low, high : float
        Ends of the interval; the number itself where there is none.
    """

    def __new__(cls, value, ci=None, n=None):
        number = super().__new__(cls, value)
        number.missing, number.n = math.isnan(value), n
        number.ci = None if ci is None else tuple(map(float, ci))
        number.low, number.high = number.ci or (float(value), float(value))
        return number

    def __format__(self, spec):
        if self.missing:
            return leave_out.VALUE
        if spec in ("", "short", "duration"):
            return {"": plain, "short": short, "duration": duration}[spec](float(self))
        code, _, digits = spec.rstrip(")").partition("(")
        if code == "sci":
            return f"{float(self):.{digits or 1}e}"
        kind, interval, _ = ("pct", "ci", "") if code == "ci" else code.partition("_ci")
        if kind not in _UNITS:
            return format(float(self), spec)
        if code == "ci" and not self.ci:
            return leave_out.VALUE
        interval = interval and self.ci
        factor, usual, unit = _UNITS[kind]
        write, digits = signed if kind == "pp" else fixed, int(digits or usual)
        value, low, high = (write(factor * x, digits) for x in (self, self.low, self.high))
        if code == "ci":
            return f"{low} to {high}{unit}"
        return f"{value}{unit}" + (f" ({low} to {high}{unit})" if interval else "")

    __str__ = __repr__ = lambda self: format(self, "")


for _name in "add radd sub rsub mul rmul truediv rtruediv neg abs".split():
    _own = getattr(float, f"__{_name}__")
    setattr(Number, f"__{_name}__", lambda *operands, own=_own: Number(own(*operands)))

MISSING = Number(math.nan)  # stands for a number that a run does not have


def better(a, b):
    """Whether ``a`` is above ``b`` beyond what their 95 % intervals allow.

    Parameters
    ----------
    a, b : float or Number

    Returns
    -------
    bool or None
        None where one of them is missing.
    """
    a, b = (one if isinstance(one, Number) else Number(one) for one in (a, b))
    return None if a.missing or b.missing else a.low > b.high


def largest_difference(a, b):
    """How far two arrays are apart, in words: "largest difference 2e-08" or "no difference"."""
    most = abs(a - b).max()
    return f"largest difference {most:.0e}" if most else "no difference"


def read(record):
    """The value of a record of ``metrics.json``: a Number, or the bool or str that it holds."""
    value = record["value"]
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return value
    return Number(value, record.get("ci"), record.get("n"))


def of(tree):
    """``tree``, dicts and lists at any depth, with every number in it as :class:`Number`."""
    if isinstance(tree, dict):
        return {key: of(item) for key, item in tree.items()}
    if isinstance(tree, list):
        return [of(item) for item in tree]
    return read({"value": tree})
