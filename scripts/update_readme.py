"""Write the figures of the reference report into README.md, between their markers.

``<!--= training.compact_cnn.test.accuracy as pct -->96.9 %<!--/-->`` holds an expression, as
notebooks use it in Markdown, and its value in ``reports/metrics.json``. It says ``as`` for ``|``,
which would end a table's cell.
"""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MARKER = re.compile(r"(<!--= (?P<expression>.*?) -->).*?(<!--/-->)", re.S)


def filled(text, metrics):
    """``text`` with every marked figure set from ``metrics``, a metrics.json as a dict.

    Raises
    ------
    UserError
        If an expression names no metric.
    """
    from realfake_lib.report.prose import Prose

    prose = Prose(metrics)

    def value(match):
        where = f"README.md: {match['expression']}"
        expression = match["expression"].replace(" as ", " | ")
        return match[1] + prose.text(f"{{{{ {expression} }}}}", where) + match[3]

    return MARKER.sub(value, text)


if __name__ == "__main__":
    readme = ROOT / "README.md"
    metrics = json.loads((ROOT / "reports" / "metrics.json").read_text(encoding="utf-8"))
    readme.write_text(filled(readme.read_text(encoding="utf-8"), metrics), encoding="utf-8")
