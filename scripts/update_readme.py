"""Set in README.md the figures of the reference report and what its example command prints.

``<!--= training.detector.test.accuracy:pct_ci -->98.6 % (98.4 to 98.7 %)<!--/-->`` holds the name
of a metric of ``reports/metrics.json``, a format of :class:`realfake_lib.report.values.Number` (of
``….n`` the number of images that it rests on), and what they give. The ``text`` block below the
command is its output.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIGURE = re.compile(r"(<!--= (?P<name>\S+?)(?P<n>\.n)?:(?P<format>\S+) -->).*?(<!--/-->)", re.S)
EXAMPLE = re.compile(
    r"(```console\n(?:.*\n)*?realfake (?P<arguments>predict .*)\n```\n\n```text\n)(?:.*\n)*?(```)"
)
COLUMNS = 80


def filled(text, metrics):
    """``text`` with every marked figure set from ``metrics``, a metrics.json as a dict.

    Raises
    ------
    KeyError
        If a mark names a metric that is not there.
    """
    from realfake_lib.report import values

    def figure(match):
        number = values.read(metrics["metrics"][match["name"]])
        number = values.Number(number.n) if match["n"] else number
        return f"{match[1]}{number:{match['format']}}{match[5]}"

    return FIGURE.sub(figure, text)


def with_output(text, project=ROOT):
    """``text`` with what its example command prints in the folder ``project``."""

    def example(match):
        command = [sys.executable, "-m", "realfake_lib", *match["arguments"].split()]
        variables = os.environ | {"COLUMNS": str(COLUMNS), "NO_COLOR": "1"}
        printed = subprocess.check_output(command, cwd=project, env=variables, encoding="utf-8")
        return f"{match[1]}{printed}{match[3]}"

    return EXAMPLE.sub(example, text)


if __name__ == "__main__":
    readme = ROOT / "README.md"
    metrics = json.loads((ROOT / "reports" / "metrics.json").read_text(encoding="utf-8"))
    text = with_output(filled(readme.read_text(encoding="utf-8"), metrics))
    readme.write_text(text, encoding="utf-8")
