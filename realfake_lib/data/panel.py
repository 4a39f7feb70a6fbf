"""Crops of fakes and photographs of real size at native resolution, by source.

There are two collections: the panel, on which detectors are measured, and the pool, many more
sources for training alone. Every crop is 256×256 pixels as they stand in the original file, on a
grid of 16 pixels. No image is shipped; :mod:`realfake_lib.data.panel_fetch` gets the originals from
their repositories.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from realfake_lib import parallel, settings
from realfake_lib.data import archives, layout
from realfake_lib.data.images import decode
from realfake_lib.errors import UserError

VARIABLES = {"panel": "REALFAKE_PANEL", "pool": "REALFAKE_POOL"}
"""Setting that names the folder or archive of each collection."""

MANIFEST = "manifest.csv"
CROP = 256
"""Side of every crop in pixels."""

COLUMNS = {
    "file": str, "label": str, "family": str, "source": str, "repository": str, "commit": str,
    "path": str, "original_format": str, "original_width": int, "original_height": int,
    "crop_x": int, "crop_y": int, "crop_size": int, "licence": str, "original_sha256": str,
}  # fmt: skip


@dataclass(frozen=True)
class Panel:
    """Crops of many sources, with where each comes from.

    Attributes
    ----------
    table : DataFrame
        One row a crop that is there: ``file`` (its name below ``folder``), ``label`` (int8,
        FAKE = 0, REAL = 1), ``family`` (of the generator, ``"real"`` for photographs), ``source``,
        ``repository``, ``commit``, ``path``, ``original_format``, ``original_width`` and
        ``original_height`` (pixels), ``crop_x``, ``crop_y``, ``crop_size``, ``licence``,
        ``original_sha256``.
    folder : Path or None
        Folder of the manifest; None where there is no panel.
    name : str
        "panel" or "pool".
    missing : str or None
        Why there is no such collection.
    notes : tuple of str
        What a reader has to know of the files, e.g. that crops are missing.
    """

    table: pd.DataFrame = field(repr=False)
    folder: Path | None = None
    name: str = "panel"
    missing: str | None = None
    notes: tuple = ()

    def __len__(self):
        return len(self.table)

    @property
    def labels(self):
        """(n,) int8 array, FAKE = 0, REAL = 1."""
        return self.table["label"].to_numpy()

    @property
    def sources(self):
        """(n,) array of str, the source of each crop."""
        return self.table["source"].to_numpy()

    def notices(self):
        """What a reader has to know, a sentence each; that there is no panel, too."""
        if self.missing is None:
            return [*self.notes]
        return [
            f"The {self.name} of images of ordinary size is not available ({self.missing}). "
            f"{VARIABLES[self.name]} can name a folder or archive that holds it, and "
            f"`realfake data fetch {self.name}` gets it."
        ]

    def bytes(self, row):
        """Content of the file of the crop at position ``row``."""
        name = self.table["file"].iat[row]
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            raise UserError(f"{self.folder / name} cannot be read: {error.strerror}") from error

    def crop(self, row):
        """Pixels of the crop at position ``row``, (256, 256, 3) uint8; else a UserError."""
        file = self.folder / self.table["file"].iat[row]
        pixels = decode(self.bytes(row), file)
        if pixels.shape != (CROP, CROP, 3):
            height, width, _ = pixels.shape
            raise UserError(f"{file} is {width}×{height} pixels, not {CROP}×{CROP}")
        return pixels

    def crops(self, rows=None):
        """Decode crops, with a thread for each core.

        Parameters
        ----------
        rows : (m,) int array, optional
            Positions in ``table``; all by default.

        Returns
        -------
        (m, 256, 256, 3) uint8 array

        Raises
        ------
        UserError
            Names a file that cannot be read or decoded, or has another size.
        """
        rows = np.arange(len(self)) if rows is None else np.asarray(rows, np.int64)
        pixels = np.empty((len(rows), CROP, CROP, 3), np.uint8)
        for at, crop in enumerate(parallel.each(self.crop, rows)):
            pixels[at] = crop
        return pixels


def load(name="panel", allow_download=False):
    """Find a collection and read its manifest; no image is decoded yet.

    It is looked for in the folder or archive ``REALFAKE_PANEL`` or ``REALFAKE_POOL``, in ``panel``
    or ``pool`` inside ``REALFAKE_DATA`` or beside it, and in the cache.

    Parameters
    ----------
    name : str
        ``"panel"`` or ``"pool"``.
    allow_download : bool
        Whether it may be fetched into the cache where it is not there: about 3,100 originals, or
        11,000.

    Returns
    -------
    Panel
        Without rows where there is none, and with the reason; that is no error.

    Raises
    ------
    UserError
        If there is a manifest that cannot be used; names the column or the line.
    """
    folder, wrong = _locate(name)
    if folder is None and allow_download:
        from realfake_lib.data import panel_fetch

        report = panel_fetch.fetch_panel(name=name)
        folder, wrong = (report.folder, None) if report.n else (None, report.reason)
    if folder is None:
        empty = {name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()}
        missing = wrong or "not here, and no download was allowed"
        return Panel(pd.DataFrame(empty), name=name, missing=missing)
    return read(folder, name)


def read(folder, name="panel"):
    """The :class:`Panel` in a folder that holds ``manifest.csv``; see :func:`load` for errors."""
    folder = Path(folder)
    table = read_manifest(folder / MANIFEST)
    table["label"] = table["label"].map(settings.CLASS_NAMES.index).astype(np.int8)
    there = {
        file.relative_to(folder).as_posix()
        for file in folder.glob("*/*/*")
        if layout.is_image(file.name) and not layout.is_hidden(file.relative_to(folder).parts[0])
    }
    has = table["file"].isin(there)
    notes = []
    if not has.all():
        gone = table[~has].groupby("source", sort=False).size().to_dict()
        notes.append(
            f"Of the {name}, {(~has).sum():,} of {len(table):,} crops are missing: "
            f"{layout.counted(gone, len(gone))}."
        )
    if unknown := sorted(there - set(table["file"])):
        notes.append(
            f"Of the {name}, {len(unknown):,} files stand in no line of its manifest and are left "
            f"out, {unknown[0]} first."
        )
    return Panel(table[has].reset_index(drop=True), folder, name, notes=tuple(notes))


def read_manifest(path):
    """Table of a panel's manifest, a CSV file, with :data:`COLUMNS` and ``label`` in words.

    A UserError names the column or the line that cannot be used.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:  # pandas's own errors are kinds of ValueError
        raise UserError(f"{path} cannot be read: {error}") from error
    if absent := [name for name in COLUMNS if name not in table]:
        raise UserError(f"{path} has no column {', '.join(absent)}")
    table = table[list(COLUMNS)]
    numbers = [name for name, kind in COLUMNS.items() if kind is int]
    wrong = {
        "label": ~table["label"].isin(settings.CLASS_NAMES),
        "file": table["file"].duplicated() | table["file"].map(archives.climbs),
        "source": table["source"] == "",
        **{name: ~table[name].str.fullmatch(r"\d{1,9}") for name in numbers},
    }
    for name, lines in wrong.items():
        if lines.any():
            at = int(np.flatnonzero(lines)[0])
            value = table[name].iat[at]
            raise UserError(f"{path}, line {at + 2}: {name} {value!r} cannot be used")
    return table.astype(dict.fromkeys(numbers, int))


def _locate(name):
    """Folder of the manifest, or None, and what is wrong with the setting, or None."""
    variable = VARIABLES[name]
    chosen, wrong = settings.env(variable), None
    places = [chosen] if chosen else []
    if data := settings.env("REALFAKE_DATA"):
        data = settings.user_path(data)
        places += [above / name for above in (data, data.parent, data.parent.parent)]
    for place in [*places, settings.cache_dir() / name]:
        try:
            if found := _manifest_folder(archives.as_folder(place, subfolders=True), name):
                return found, None
            reason = f"{place} holds no {MANIFEST}"
        except UserError as error:  # what is missing is told of, and the report goes on
            reason = error.message
        if place == chosen:
            wrong = f"{variable}: {reason}"
    return None, wrong


def _manifest_folder(place, name):
    """A folder, or the one named in it, that holds a manifest; or that of the one archive in it."""
    for folder in (place, place / name):
        if (folder / MANIFEST).is_file():
            return folder
    inside = [path for form in ("*", "*/*") for path in place.glob(form)]
    packed = [path for path in inside if archives.is_archive(path) and path.is_file()]
    if len(packed) != 1:
        return None
    unpacked = archives.as_folder(packed[0], subfolders=True)
    return next((at for at in (unpacked, unpacked / name) if (at / MANIFEST).is_file()), None)
