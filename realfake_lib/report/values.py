"""Numbers that know how they are written: ``f"{accuracy:pct}"`` is ``98.6 %``.

A number that a run doesn't have is written as a mark, for whose sake :mod:`.leave_out` removes the
sentence that quotes it.
"""

import math
import numbers
import re

from realfake_lib.report import leave_out

NBSP = "\u00a0"
MINUS = "\u2212"

_SPEC = re.compile(r"(?P<name>[a-z_]+)(?:\((?P<digits>\d)\))?")


def _without_interval(operation):
    """Arithmetic of floats that gives a :class:`Number`."""
    return lambda *operands: Number(operation(*operands))


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

    Any other code is Python's own. Arithmetic gives a Number without interval.

    Parameters
    ----------
    value : float
        NaN stands for a number that this run does not have.
    ci : (low, high), optional
    n : int, optional
        Number of images, or other units, that the value rests on.

    Attributes
    ----------
    ci : tuple of two floats, or None
    n : int or None
    """

    def __new__(cls, value, ci=None, n=None):
        number = super().__new__(cls, value)
        number.ci = None if ci is None else tuple(map(float, ci))
        number.n = n
        return number

    def __getnewargs__(self):
        return float(self), self.ci, self.n

    @property
    def missing(self):
        """Whether this run does not have the number."""
        return math.isnan(self)

    @property
    def low(self):
        """Lower end of the interval; the number itself where there is none."""
        return self.ci[0] if self.ci else float(self)

    @property
    def high(self):
        """Upper end of the interval; the number itself where there is none."""
        return self.ci[1] if self.ci else float(self)

    def __format__(self, spec):
        if self.missing:
            return leave_out.VALUE
        match = _SPEC.fullmatch(spec)
        if not spec or not match or match["name"] not in _FORMATS:
            return format(float(self), spec) if spec else plain(self)
        write, digits = _FORMATS[match["name"]]
        if match["name"] in _INTERVALS and not self.ci:
            return leave_out.VALUE
        return write(self, int(match["digits"]) if match["digits"] else digits)

    __str__ = __repr__ = lambda self: format(self, "")

    __add__ = __radd__ = _without_interval(float.__add__)
    __mul__ = __rmul__ = _without_interval(float.__mul__)
    __sub__, __rsub__ = _without_interval(float.__sub__), _without_interval(float.__rsub__)
    __truediv__ = _without_interval(float.__truediv__)
    __rtruediv__ = _without_interval(float.__rtruediv__)
    __neg__, __abs__ = _without_interval(float.__neg__), _without_interval(float.__abs__)


MISSING = Number(math.nan)
"""What stands for a number that a run does not have."""


def better(a, b, by=0.0):
    """Whether ``a`` is above ``b`` beyond what their 95 % intervals allow.

    Parameters
    ----------
    a, b : float or Number
    by : float
        Least difference.

    Returns
    -------
    bool or None
        None where one of them is missing.
    """
    a, b = (one if isinstance(one, Number) else Number(one) for one in (a, b))
    return None if a.missing or b.missing else a.low > b.high + by


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


# --- how numbers are written ---------------------------------------------------------------------


def fixed(value, digits):
    """A number with so many decimals, a true minus sign and grouped thousands."""
    if not math.isfinite(value):
        return "not defined" if math.isnan(value) else ("∞" if value > 0 else f"{MINUS}∞")
    text = f"{abs(value):,.{digits}f}"
    return (MINUS if value < 0 and float(text.replace(",", "")) else "") + text


def pct(value, digits=1):
    """0.969 → ``96.9 %`` (with a no-break space)."""
    return f"{fixed(100 * value, digits)}{NBSP}%"


def duration(seconds):
    """Seconds → ``3.2 s``, ``4 min 10 s``, ``1 h 05 min``."""
    if seconds < 9.95 and seconds != round(seconds):
        return f"{fixed(seconds, 1)}{NBSP}s"
    if round(seconds) < 60:
        return f"{round(seconds)}{NBSP}s"
    if round(seconds) < 3600:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes}{NBSP}min" + (f" {rest}{NBSP}s" if rest else "")
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours}{NBSP}h {rest:02d}{NBSP}min"


def short(value):
    """288001 → ``288 k``, 21665664 → ``21.7 M``."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            scaled = value / size
            return f"{fixed(scaled, 0 if abs(scaled) >= 100 else 1)}{NBSP}{letter}"
    return fixed(value, 0)


def plain(value):
    """How a value reads without a format: four significant digits, grouped whole numbers."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, numbers.Real):
        if float(value).is_integer():
            return fixed(value, 0)
        return f"{float(value):.4g}".replace("-", MINUS)
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(item) for item in value)
    return str(value)


def signed(value, digits):
    """A difference with its sign: 0.42 → ``+0.4``, −0.01 → ``0.0``."""
    text = fixed(value, digits)
    return f"+{text}" if value > 0 and text.strip("0.,") else text


def _points(value, digits):
    return f"{signed(100 * value, digits)}{NBSP}pp"


def _range_pct(value, digits):
    low, high = value.ci
    return f"{fixed(100 * low, digits)} to {fixed(100 * high, digits)}{NBSP}%"


def _range_points(value, digits):
    low, high = (_points(bound, digits) for bound in value.ci)
    return f"{low.removesuffix(f'{NBSP}pp')} to {high}"


def _range(value, digits):
    low, high = value.ci
    return f"{fixed(low, digits)} to {fixed(high, digits)}"


_FORMATS = {
    "pct": (pct, 1),
    "ci": (_range_pct, 1),
    "pct_ci": (lambda v, digits: f"{pct(v, digits)} ({_range_pct(v, digits)})", 1),
    "pp": (_points, 1),
    "pp_ci": (lambda v, digits: f"{_points(v, digits)} ({_range_points(v, digits)})", 1),
    "num": (fixed, 3),
    "num_ci": (lambda v, digits: f"{fixed(v, digits)} ({_range(v, digits)})", 3),
    "int": (lambda v, _: fixed(v, 0), 0),
    "short": (lambda v, _: short(v), 0),
    "duration": (lambda v, _: duration(v), 0),
    "bytes": (lambda v, _: f"{fixed(v / 1e6, 1)}{NBSP}MB", 0),
    "sci": (lambda v, digits: f"{float(v):.{digits}e}", 1),
}
_INTERVALS = ("ci", "pct_ci", "pp_ci", "num_ci")
