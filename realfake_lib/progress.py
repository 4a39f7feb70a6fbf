"""How far long work has come, for whoever draws it: a command, or the run of the notebooks.

A long-running function calls :func:`report`. In a command a listener draws what it says. Bars in
the cells of a notebook would end up in the report, so there it leaves the kernel as lines in the
file named by ``REALFAKE_PROGRESS``, which the process that runs the notebooks follows. Without
either, nothing happens.
"""

import contextlib
import json
import os
import time

VARIABLE = "REALFAKE_PROGRESS"

_listeners = []


@contextlib.contextmanager
def listen(listener):
    """Call ``listener(message, done, total)`` for what this process reports inside the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def report(message, done=None, total=None, unit=""):
    """Say how far the work has come.

    ``message`` says what is being done, e.g. ``"compact_cnn epoch 3/8"``; ``done`` of ``total`` are
    counted in ``unit``.
    """
    for listener in _listeners:
        listener(message, done, total)
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
