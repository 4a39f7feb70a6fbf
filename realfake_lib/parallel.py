"""Work spread over the cores that this process may use."""

import contextlib
import contextvars
import os
from concurrent.futures import ThreadPoolExecutor

_one_core = contextvars.ContextVar("one_core", default=False)


@contextlib.contextmanager
def one_core():
    """Use one core in the block: the others have work of their own, as on a cluster's worker."""
    token = _one_core.set(True)
    try:
        yield
    finally:
        _one_core.reset(token)


def cores():
    """Number of cores that this process may use, which can be fewer than the machine has."""
    if _one_core.get():
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def each(function, items):
    """Yield ``function`` of every item, in order, with a thread for each core.

    After an error, or Ctrl-C, what has not begun is never done.
    """
    items = list(items)
    if len(items) < 2:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(min(cores(), len(items)))
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)
