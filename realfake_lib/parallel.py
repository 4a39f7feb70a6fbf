"""Work spread over the cores that this process may use."""

import os
from concurrent.futures import ThreadPoolExecutor


def cores():
    """Number of cores that this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def each(function, items, threads=None):
    """Yield ``function`` of every item, in order, with a thread for each core, or so many.

    After an error, or Ctrl-C, what has not begun is never done.
    """
    items = list(items)
    if len(items) < 2:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(min(threads or cores(), len(items)))
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)
