"""What commands show on standard error while they work: a bar, and none of TensorFlow's lines."""

import contextlib
import json
import logging
import os
import sys
import tempfile
import threading

from realfake_lib import progress

LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def import_tensorflow():
    """Import TensorFlow without what its C++ code prints while it starts.

    Those lines (build flags, CUDA that is not there) name nothing that a user could mend. With
    ``TF_CPP_MIN_LOG_LEVEL`` set to anything but 3 they are printed as ever.

    Raises
    ------
    ImportError
        After what was held back has been printed.
    """
    if "tensorflow" in sys.modules:
        return
    silent = os.environ.setdefault(LOG_LEVEL, "3") == "3"
    # The variable alone leaves the lines from before TensorFlow has read it.
    with _held_back() if silent else contextlib.nullcontext():
        import keras  # noqa: F401
        import tensorflow  # noqa: F401


@contextlib.contextmanager
def _held_back():
    """Hold back what is written to file descriptor 2; an error lets it out."""
    try:
        kept = os.dup(2)
    except OSError:  # standard error is closed: there is nothing to keep clean
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextlib.contextmanager
def notes():
    """Print what the library logs, e.g. what must be known of a data set, on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("note: %(message)s"))
    library = logging.getLogger("realfake_lib")
    library.addHandler(handler)
    try:
        yield
    finally:
        library.removeHandler(handler)


@contextlib.contextmanager
def progress_bar():
    """Draw what is told to :mod:`realfake_lib.progress`, if standard error is a terminal."""
    shown = sys.stderr is not None and sys.stderr.isatty()
    if not shown or progress.VARIABLE in os.environ:
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeLeft()
    bars = Progress(*columns, console=Console(stderr=True), transient=True)
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as lines, bars:
        task = bars.add_task("Starting", total=None)
        ended = threading.Event()

        def follow():
            while not ended.wait(0.2):
                for line in lines.readlines():
                    told = json.loads(line)
                    done = told["done"] or 0
                    bars.update(
                        task, description=told["message"], completed=done, total=told["total"]
                    )

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        os.environ[progress.VARIABLE] = lines.name
        try:
            yield
        finally:
            del os.environ[progress.VARIABLE]
            ended.set()
            follower.join()
