"""Find the data (a path, ``REALFAKE_DATA``, cache, download or demo set), and verify CIFAKE."""

from dataclasses import dataclass
from pathlib import Path

from realfake_lib import settings
from realfake_lib.data import archives, fetch, fingerprint, layout
from realfake_lib.errors import UserError

CIFAKE_COMMIT = "e112a942abaecd02b6b1f6f646c807d56be8fb62"
CIFAKE_URL = (
    "https://github.com/jordan-bird/CIFAKE-Real-and-AI-Generated-Synthetic-Images/archive/"
    f"{CIFAKE_COMMIT}.tar.gz"
)

VARIABLE = "REALFAKE_DATA"

DEMO_NOTICE = (
    "DEMO DATA, not CIFAKE: every figure here comes from a small set made on the spot from two "
    "photographs. It shows that the pipeline runs; it says nothing about detecting AI images."
)


@dataclass(frozen=True)
class Found:
    """Where data were found. ``path`` is None for the demo set.

    ``must_be_cifake`` is set where CIFAKE was asked for, or where the place calls itself CIFAKE.
    """

    path: Path | None
    source: str
    notices: tuple = ()
    must_be_cifake: bool = False


def locate(data, allow_download=True):
    """Decide where the data come from; ``data`` as for :func:`realfake_lib.data.load`.

    A UserError says that nothing is there, where the demo set is no answer to what was asked for.
    """
    if str(data) == "demo":
        return Found(None, "made on the spot from scikit-learn's two photographs", (DEMO_NOTICE,))
    if str(data) not in ("auto", "cifake"):
        path = settings.user_path(data)
        return Found(_dataset_at(path, f"data={str(data)!r}"), f"{path}")
    wants_cifake = str(data) == "cifake"
    given = settings.env(VARIABLE)
    if given:
        path = _dataset_at(settings.user_path(given), VARIABLE)
        claims = "cifake" in path.name.lower()
        return Found(path, f"{path} ({VARIABLE})", must_be_cifake=wants_cifake or claims)
    cached = cached_archive()
    if cached.is_file():
        return Found(cached, f"{cached} (cache)", must_be_cifake=True)
    if allow_download:
        try:
            return Found(fetch_cifake(), CIFAKE_URL, must_be_cifake=True)
        except fetch.DownloadError as error:
            reason = error.message
    else:
        reason = "no download was allowed"
    if wants_cifake:
        raise UserError(
            f"CIFAKE is not here: {VARIABLE} is not set, the cache has none, and {reason}",
            f"Set {VARIABLE} to its archive or folder, or connect and run `realfake data fetch`.",
        )
    why = f"CIFAKE is not available: {VARIABLE} is not set, the cache has none, and {reason}."
    return Found(None, "made on the spot from scikit-learn's two photographs", (DEMO_NOTICE, why))


def cached_archive():
    """Where a downloaded CIFAKE archive lies."""
    return settings.cache_dir() / "downloads" / f"cifake-{CIFAKE_COMMIT[:12]}.tar.gz"


def fetch_cifake():
    """Path of the pinned CIFAKE archive in the cache, downloaded unless it is there.

    The archive's own bytes may differ from one day to the next, its files may not: they are
    checked against the git tree ids before the archive takes its place. Without network, or where
    the contents are others, it is a DownloadError.
    """
    from realfake_lib.data import store

    path = cached_archive()
    with store.lock("download"), store.writing():
        if not path.is_file():
            fetch.download(
                CIFAKE_URL,
                path,
                check=lambda file: require_cifake(file, fingerprint.scan(file)[1]),
                label="CIFAKE",
            )
            seen = fingerprint.stamp(path)
            fingerprint.remember(path, fingerprint.scan(path)[1], seen)
    return path


def require_cifake(path, content):
    """Raise UserError unless the content is CIFAKE's 120,000 files."""
    if content.is_cifake:
        return
    raise UserError(
        f"{path} does not hold CIFAKE's {fingerprint.CIFAKE_IMAGES:,} files unchanged "
        f"({content.n:,} images)",
        "`realfake data verify` names the folders. To use these images as a data set of their own, "
        "give the path as DATA.",
    )


@dataclass(frozen=True)
class VerifyReport:
    """Outcome of :func:`verify`: number of images, and git's id of each folder with images."""

    source: str
    n: int
    trees: dict

    @property
    def ok(self):
        """Whether all four folders have the published git tree id, and there are no others."""
        return self.trees == fingerprint.CIFAKE_TREES

    def __str__(self):
        lines = [f"{self.source}: {self.n:,} images"]
        for folder in sorted({*self.trees, *fingerprint.CIFAKE_TREES}):
            found, published = self.trees.get(folder), fingerprint.CIFAKE_TREES.get(folder)
            word = "as published" if found == published else f"differs, published is {published}"
            lines.append(f"  {folder:<10} {found or '(not there)':<40}  {word}")
        lines.append(
            f"All {fingerprint.CIFAKE_IMAGES:,} files are CIFAKE's, byte for byte."
            if self.ok
            else "This is not CIFAKE as its author published it."
        )
        return "\n".join(lines)


def verify(data="cifake", allow_download=True):
    """Recompute the git tree ids of a copy of CIFAKE and compare them with the published ones.

    Every file is read again; nothing remembered is trusted. The arguments are those of
    :func:`realfake_lib.data.load`; the result is a :class:`VerifyReport`.
    """
    found = locate(data, allow_download)
    if found.path is None:
        raise UserError(
            "There is no copy of CIFAKE to verify",
            f"Set {VARIABLE} to its archive or folder, or run `realfake data fetch`.",
        )
    _, content = fingerprint.scan(found.path)
    return VerifyReport(found.source, content.n, content.trees)


def _dataset_at(path, setting):
    """Archive or folder at ``path``, or the one archive in the folder or one level below."""
    if not path.exists():
        raise UserError(f"{setting}: {path} does not exist", "Give a folder or an archive.")
    if not path.is_dir():
        if not archives.is_archive(path):
            raise UserError(
                f"{setting}: {path} is not an archive read here",
                f"Give a folder, or a file ending in {', '.join(archives.ARCHIVE_SUFFIXES)}.",
            )
        return path
    if _has_class_folder(path):
        return path
    inside = [*path.glob("*"), *path.glob("*/*")]
    found = sorted(file for file in inside if file.is_file() and archives.is_archive(file))
    named = [file for file in found if "cifake" in file.name.lower()]
    found = named if len(named) == 1 else found
    if len(found) > 1:
        raise UserError(
            f"{setting}: {path} holds several archives: {', '.join(file.name for file in found)}",
            "Name the one to use.",
        )
    if not found:
        raise UserError(
            f"{setting}: {path} holds neither an archive nor folders named REAL and FAKE",
            f"Give the folder above it: {path.parent}."
            if layout.says_class(path.name)
            else layout.EXPECTED,
        )
    return found[0]


def _has_class_folder(path):
    walked = archives.walk(path, lambda error: None)  # where a folder matters, reading names it
    return any(layout.says_class(name) for _, folders, _ in walked for name in folders)
