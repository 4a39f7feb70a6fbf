"""Names, class conventions and places on disk that every other module shares."""

import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

import platformdirs

FAKE, REAL = 0, 1
"""Class indices, in Keras's alphabetical order. A model's one logit is for REAL."""

CLASS_NAMES = ("FAKE", "REAL")

OBJECT_CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
"""CIFAR-10's object classes, in its own order."""


def env(name):
    """Value of the environment variable ``name``, or None where it is unset or blank."""
    value = os.environ.get(name, "").strip()
    return value or None


def user_path(given):
    """A path as a user wrote it, which may begin with ``~`` or ``~name``."""
    from realfake_lib.errors import UserError  # which needs this module

    if not str(given).strip():
        raise UserError("A path is empty.", "Name a folder or a file.")
    try:
        return Path(given).expanduser()
    except RuntimeError:
        raise UserError(f"{given}: there is no such user, or no home folder is known") from None


def cache_dir():
    """Folder for downloads and decoded images: ``REALFAKE_CACHE``, else the user's cache folder."""
    chosen = env("REALFAKE_CACHE")
    return user_path(chosen) if chosen else Path(platformdirs.user_cache_dir("realfake"))


def project_root():
    """Root of the checkout this library runs from, or None where it runs from elsewhere."""
    root = Path(__file__).resolve().parent.parent
    return root if (root / "report.yml").is_file() else None


def experiments_dir():
    """Folder of what was tried and of trainings that were kept: ``REALFAKE_EXPERIMENTS``, else the
    checkout's own; None where there is neither."""
    if chosen := env("REALFAKE_EXPERIMENTS"):
        return user_path(chosen)
    root = project_root()
    return root / "experiments" if root else None


@contextlib.contextmanager
def atomic_file(path):
    """Yield the path of a temporary file that becomes ``path`` only when the block succeeds.

    A reader, or a run that follows a kill, therefore sees the old file or the new one, never half.
    A link stays, and what it leads to is replaced. A file that is replaced keeps its mode and
    owner; a new one gets those that the umask and the folder give. What is no plain file (a device,
    a pipe, ``/dev/stdout``) stays what it is, and the content is written to it.
    """
    descriptor = _own_descriptor(path)
    path = Path(os.path.realpath(path))
    is_special = os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)
    through = descriptor is not None or is_special
    if not through:
        path.parent.mkdir(parents=True, exist_ok=True)
    # The name stays: Keras and NumPy choose the file format by it, and a prefix would make a long
    # one too long.
    folder = tempfile.TemporaryDirectory(prefix=".realfake-", dir=None if through else path.parent)
    with folder as folder:
        temporary = Path(folder, "content" if through else path.name)
        yield temporary
        if not through:
            with contextlib.suppress(OSError, AttributeError):  # there is none, or the disk has not
                old = os.stat(path)
                os.chown(temporary, old.st_uid, old.st_gid)
            with contextlib.suppress(OSError):
                shutil.copymode(path, temporary)
            os.replace(temporary, path)
            return
        if sys.stdout is not None:
            sys.stdout.flush()  # what was printed before comes first, whatever the descriptor
        with (
            open(temporary, "rb") as content,
            open(path if descriptor is None else os.dup(descriptor), "wb") as stream,
        ):
            shutil.copyfileobj(content, stream)


def _own_descriptor(path):
    """1 or 2 where ``path`` is what this process prints to; opened anew, it would begin anew."""
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            if os.path.samestat(os.stat(path), os.fstat(descriptor)):
                return descriptor
    return None
