"""How numbers are written, everywhere that a person reads them."""

import math
import numbers

NBSP = "\u00a0"
MINUS = "\u2212"


def fixed(value, digits):
    """A number with so many decimals, a true minus sign and grouped thousands."""
    if not math.isfinite(value):
        return "not defined" if math.isnan(value) else ("∞" if value > 0 else f"{MINUS}∞")
    text = f"{abs(value):,.{digits}f}"
    return (MINUS if value < 0 and float(text.replace(",", "")) else "") + text


def signed(value, digits):
    """A difference with its sign: 0.42 → ``+0.4``, −0.01 → ``0.0``."""
    text = fixed(value, digits)
    return f"+{text}" if value > 0 and text.strip("0.,") else text


def pct(value, digits=1):
    """0.969 → ``96.9 %`` (with a no-break space)."""
    return f"{fixed(100 * value, digits)}{NBSP}%"


def duration(seconds):
    """Seconds → ``3.2 s``, ``4 min 10 s``, ``1 h 05 min``."""
    if seconds < 9.95 and seconds != round(seconds):
        return f"{fixed(seconds, 1)}{NBSP}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        parts = [f"{minutes}{NBSP}min"] * (minutes > 0) + [f"{rest}{NBSP}s"] * (rest > 0)
        return " ".join(parts) or f"0{NBSP}s"
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
