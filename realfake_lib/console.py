"""What commands show: signs that the terminal has, a progress bar, no lines of TensorFlow's."""

import codecs
import contextlib
import logging
import os
import sys
import tempfile
import unicodedata

from realfake_lib import progress

LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"

_PLAINER = str.maketrans(
    {"–": "-", "—": "-", "×": "x", "→": "->", "≤": "<=", "≥": ">=", "“": '"', "”": '"',
     "…": "...", "\u00a0": " "}
)  # fmt: skip


def use_signs_of_the_terminal():
    """Print what a terminal in Latin-1 or ASCII lacks in a plainer form, or as ``\\u2603``."""
    codecs.register_error("plainer", _plainer)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not where the program runs inside another
            stream.reconfigure(errors="plainer")


def _plainer(error):
    text = error.object[error.start : error.end].translate(_PLAINER)
    return text.encode("ascii", "backslashreplace").decode(), error.end


def printable(text, keep="\n"):
    """Text in which nothing steers a terminal: control characters become ``\\x1b`` and the like."""
    return "".join(
        sign.encode("unicode_escape").decode()
        if unicodedata.category(sign)[0] == "C" and sign not in keep
        else sign
        for sign in text
    )


def import_tensorflow():
    """Import TensorFlow without what its C++ code prints while it starts.

    Those lines (build flags, CUDA that is not there) name nothing that a user could mend. They are
    printed where the import fails, or ``TF_CPP_MIN_LOG_LEVEL`` is set to anything but 3.
    """
    if "tensorflow" in sys.modules:
        return
    tempfile.gettempdir()  # TensorFlow's import needs one, and would fail after many seconds
    silent = os.environ.setdefault(LOG_LEVEL, "3") == "3"
    # The variable alone leaves the lines from before TensorFlow has read it.
    with _held_back() if silent else contextlib.nullcontext():
        from realfake_lib import keras_setup  # noqa: F401


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
    formatter = logging.Formatter("note: %(message)s")
    handler.format = lambda record: printable(formatter.format(record))
    library = logging.getLogger("realfake_lib")
    library.addHandler(handler)
    try:
        yield
    finally:
        library.removeHandler(handler)


@contextlib.contextmanager
def progress_bar():
    """Draw what is told to :mod:`realfake_lib.progress`, where standard error is a terminal."""
    if sys.stderr is None or progress.VARIABLE in os.environ or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeLeft()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("Starting", total=None)

        def draw(message, done, total):
            bars.update(task, description=message, completed=done or 0, total=total)

        with progress.listen(draw):
            yield
