"""Prove that a copy of CIFAKE is the one its author published."""

from dataclasses import dataclass
from pathlib import Path

from realfake_lib import settings
from realfake_lib.data import fingerprint, sources
from realfake_lib.errors import UserError


@dataclass(frozen=True)
class VerifyReport:
    """Outcome of :func:`verify`.

    Attributes
    ----------
    source : str
    n : int
        Images found; CIFAKE has 120,000.
    trees : dict
        Folder to git's tree id of the files found in it.
    """

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


def verify(data="cifake", cache=None, allow_download=True):
    """Recompute the git tree ids of a copy of CIFAKE and compare them with the published ones.

    Every file is read again; nothing remembered is trusted.

    Parameters
    ----------
    data, cache, allow_download
        As for :func:`realfake_lib.data.load`.

    Returns
    -------
    VerifyReport
    """
    found = sources.locate(data, Path(cache or settings.cache_dir()), allow_download)
    if found.path is None:
        raise UserError(
            "There is no copy of CIFAKE to verify",
            f"Set {sources.VARIABLE} to its archive or folder, or run `realfake data fetch`.",
        )
    _, content = fingerprint.scan(found.path)
    return VerifyReport(found.source, content.n, content.trees)
