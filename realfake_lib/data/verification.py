"""Prove, file by file, that a copy of CIFAKE is the one its author published."""

import itertools
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from realfake_lib import settings
from realfake_lib.data import sources
from realfake_lib.data.fingerprint import CIFAKE_IMAGES, CIFAKE_TREES, scan
from realfake_lib.errors import UserError

# First two bytes of each file's git blob id, in the order of the keys. The tree ids decide whether
# anything differs; these only name what differs, and miss one changed file in 65,536.
_BLOB_STARTS = "cifake_blobs.bin"


@dataclass(frozen=True)
class VerifyReport:
    """Outcome of :func:`verify`.

    Attributes
    ----------
    ok : bool
        All four folders have the published git tree id.
    trees : DataFrame
        Columns ``folder``, ``tree``, ``expected``, ``same``.
    missing, changed, extra : tuple of str
        Keys of files that are not there, have other bytes, or should not be there.
    """

    ok: bool
    source: str
    n: int
    trees: pd.DataFrame
    missing: tuple
    changed: tuple
    extra: tuple

    def __str__(self):
        lines = [f"{self.source}: {self.n:,} images"]
        for row in self.trees.itertuples():
            word = "as published" if row.same else f"differs, published is {row.expected}"
            lines.append(f"  {row.folder:<10} {row.tree or '(not there)':<40}  {word}")
        for word in ("missing", "changed", "extra"):
            names = getattr(self, word)
            if names:
                more = f", … and {len(names) - 10:,} more" if len(names) > 10 else ""
                lines.append(f"{len(names):,} {word}: {', '.join(names[:10])}{more}")
        lines.append(
            f"All {CIFAKE_IMAGES:,} files are CIFAKE's, byte for byte."
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
    index, content = scan(found.path)
    trees = pd.DataFrame(
        [
            (folder, content.trees.get(folder, ""), CIFAKE_TREES.get(folder, ""))
            for folder in sorted({*content.trees, *CIFAKE_TREES})
        ],
        columns=["folder", "tree", "expected"],
    )
    trees["same"] = trees["tree"] == trees["expected"]
    keys = index["key"].tolist()
    starts = dict(zip(keys, map(bytes, index["blob"][:, :2]), strict=True))
    expected = dict(zip(cifake_keys(), _expected_starts(), strict=True))
    return VerifyReport(
        ok=content.is_cifake,
        source=found.source,
        n=content.n,
        trees=trees,
        missing=tuple(key for key in expected if key not in starts),
        changed=tuple(key for key in expected if starts.get(key, expected[key]) != expected[key]),
        extra=tuple(sorted(key for key in starts if key not in expected)),
    )


def cifake_keys():
    """Keys of CIFAKE's 120,000 images, ascending; its file names follow a rule in each folder."""
    stems = {
        "test/FAKE": map(str, range(1000)),
        "test/REAL": (f"{number:04d}" for number in range(1000)),
        "train/FAKE": map(str, range(1000, 6000)),
        "train/REAL": (f"{number:04d}" for number in range(5000)),
    }
    suffixes = ["", *(f" ({number})" for number in range(2, 11))]
    return sorted(
        f"{folder}/{stem}{suffix}.jpg"
        for folder, names in stems.items()
        for stem, suffix in itertools.product(names, suffixes)
    )


def _expected_starts():
    stored = files("realfake_lib.data").joinpath(_BLOB_STARTS).read_bytes()
    return map(bytes, np.frombuffer(stored, np.uint8).reshape(-1, 2))
