"""Names, class conventions and places on disk that every other module shares."""

import contextlib
import os
import tempfile
from pathlib import Path

import platformdirs

FAKE, REAL = 0, 1
"""Class indices, in Keras's alphabetical order. A model's one logit is for REAL."""

CLASS_NAMES = ("FAKE", "REAL")

OBJECT_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
"""CIFAR-10's object classes, in its own order."""


def env(name):
    """Value of the environment variable ``name``, or None where it is unset or blank."""
    value = os.environ.get(name, "").strip()
    return value or None


def cache_dir():
    """Folder for downloads and decoded images: ``REALFAKE_CACHE``, else the user's cache folder."""
    chosen = env("REALFAKE_CACHE")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("realfake"))


def project_root():
    """Root of the checkout this library runs from, or None where it runs from elsewhere."""
    root = Path(__file__).resolve().parent.parent
    return root if (root / "report.yml").is_file() else None


def experiments_dir():
    """Folder of what was tried and of trainings that were kept: ``REALFAKE_EXPERIMENTS``, else the
    checkout's own; None where there is neither."""
    if chosen := env("REALFAKE_EXPERIMENTS"):
        return Path(chosen).expanduser()
    root = project_root()
    return root / "experiments" if root else None


@contextlib.contextmanager
def atomic_file(path):
    """Yield a temporary path beside ``path`` that takes its place only when the block succeeds.

    A reader, or a run that follows a kill, therefore sees the old file or the new one, never half.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays: Keras and NumPy choose the file format by it.
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o644)  # mkstemp's 0600 would lock other users out of a shared cache
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
