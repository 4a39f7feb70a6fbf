"""Ending processes together with all that they started, kernels and their workers included."""

import contextlib
import os
import threading
import time

import psutil


def end_family(process):
    """Kill everything that a process has started, but not itself.

    Parameters
    ----------
    process : psutil.Process
    """
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()


def end_with(parent, every=0.5):
    """End this process and what it started as soon as its parent is gone.

    A runner that is killed cannot stop its stages, and a forgotten one would train on for hours.

    Parameters
    ----------
    parent : int
        Process id of the parent.
    every : float
        Seconds between two looks.
    """

    def watch():
        while os.getppid() == parent:
            time.sleep(every)
        end_family(psutil.Process())
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
