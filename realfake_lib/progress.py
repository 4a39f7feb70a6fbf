"""Progress that leaves a notebook's kernel for the terminal of the run, as lines in a file.

Bars inside cells would end up in the report, so a long-running function calls :func:`report`; the
process that runs the notebooks follows the file named by ``REALFAKE_PROGRESS`` and draws it.
Without that variable nothing is written.
"""

import json
import os
import time

VARIABLE = "REALFAKE_PROGRESS"


def report(message, done=None, total=None, unit=""):
    """Say how far the work has come.

    Parameters
    ----------
    message : str
        What is being done, e.g. ``"compact_cnn epoch 3/8"``.
    done, total : float, optional
        Work done and work in all, in ``unit``; the reader works out the time left.
    unit : str
        Name of the unit, e.g. ``"epochs"``.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return
    line = {"time": time.time(), "message": message, "done": done, "total": total, "unit": unit}
    # One write of one short line in append mode: lines of parallel stages do not mix.
    with open(path, "a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


def track(iterable, message, total=None, unit="", every=2.0):
    """Yield from ``iterable`` and report at most every ``every`` seconds."""
    total = len(iterable) if total is None and hasattr(iterable, "__len__") else total
    last = 0.0
    done = 0
    for done, item in enumerate(iterable, start=1):
        yield item
        now = time.monotonic()
        if now - last >= every:
            last = now
            report(message, done, total, unit)
    report(message, done, total, unit)
