"""Make the real-size panel again: originals from their repositories, cut as its manifest says."""

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import pandas as pd
from PIL import Image

from realfake_lib import parallel, progress, settings
from realfake_lib.data import decoding, fetch, panel
from realfake_lib.errors import UserError

HOST = "https://raw.githubusercontent.com"
MANIFESTS = {name: Path(__file__).with_name(f"{name}_manifest.csv.gz") for name in panel.VARIABLES}
"""Manifests of both collections, which travel with the library; the images do not."""


def originals():
    """SHA-256 of the files that ``real_size`` was trained on, a set of str."""
    return {
        sha for path in MANIFESTS.values() for sha in panel.read_manifest(path)["original_sha256"]
    }


THREADS = 8  # downloads at once: enough for a line, few enough for a server


@dataclass(frozen=True)
class FetchReport:
    """What a fetch brought.

    ``n`` crops of the collection ``name`` are in ``folder`` now, ``n_new`` of them made by this
    call. ``failed`` has one row a crop that is not available: ``file``, ``source`` and ``reason``.
    """

    name: str
    folder: Path
    n: int
    n_new: int
    failed: pd.DataFrame

    @property
    def reason(self):
        """The most frequent reason, or None."""
        return None if self.failed.empty else self.failed["reason"].mode()[0]

    def __str__(self):
        name = self.name.capitalize()
        lines = [f"{name}: {self.n:,} crops in {self.folder}, {self.n_new:,} of them new"]
        if not self.failed.empty:
            lines.append(f"{len(self.failed):,} crops are not available:")
            counts = self.failed.groupby(["source", "reason"], sort=False).size()
            lines += [f"  {n:>5,}  {source:<16} {why}" for (source, why), n in counts.items()]
            lines.append("The same command carries on where this one stopped.")
        return "\n".join(lines)


def fetch_panel(to=None, name="panel"):
    """Fetch the originals of the panel, or the pool, that are missing, and cut the crops from them.

    Each original comes from its repository at the pinned commit, is checked by its SHA-256, cut,
    and removed. What was made before stays. Crops are stored as lossless WebP, those of JPEG
    originals too: nothing used here cuts a JPEG file without decoding it. Their pixels are the
    original's, but the quantisation tables are lost, so that of the properties of files those that
    follow from format and quality say less than with the archived panel.

    Parameters
    ----------
    to : path-like, optional
        Folder for it; by default ``panel`` or ``pool`` in the cache, where it is found.
    name : str
        ``"panel"`` or ``"pool"``.

    Returns
    -------
    FetchReport
        Also says what is not available; that is no error.
    """
    folder = settings.user_path(to) if to is not None else settings.cache_dir() / name
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--to {folder} is not a folder")
    table = panel.read_manifest(MANIFESTS[name])
    table["file"] = [_stored(folder, file) for file in table["file"]]
    with settings.atomic_file(folder / panel.MANIFEST) as manifest:
        table.to_csv(manifest, index=False)
    wanted = table[[not (folder / file).is_file() for file in table["file"]]]
    originals = [rows for _, rows in wanted.groupby("original_sha256", sort=False)]
    work = _Work(folder)
    made = parallel.each(work.make, originals, THREADS)
    reasons = list(progress.track(made, name.capitalize(), len(originals), "originals"))
    with contextlib.suppress(OSError):  # what was begun stays in it
        work.originals.rmdir()
    failed = [
        (file, source, reason)
        for rows, reason in zip(originals, reasons, strict=True)
        if reason
        for file, source in zip(rows["file"], rows["source"], strict=True)
    ]
    failed = pd.DataFrame(failed, columns=["file", "source", "reason"])
    n = len(table) - len(failed)
    return FetchReport(name, folder, n, len(wanted) - len(failed), failed)


def _stored(folder, file):
    """Name of a crop in the folder: the manifest's where it is there, else ending in .webp."""
    return file if (folder / file).is_file() else str(Path(file).with_suffix(".webp").as_posix())


class _Work:
    """Fetches originals into a folder and cuts them; without network only a few are tried."""

    def __init__(self, folder):
        self.folder = folder
        self.originals = folder / ".originals"
        self.no_network = None

    def make(self, rows):
        """Make all crops of one original; why that could not be done, or None."""
        if self.no_network:
            return self.no_network
        first = rows.iloc[0]
        repository, commit, sha256 = first["repository"], first["commit"], first["original_sha256"]
        url = f"{HOST}/{repository}/{commit}/{quote(first['path'])}"
        original = self.originals / sha256
        try:
            fetch.download(url, original, f"sha256:{sha256}", label="")
            crops = _cut(original, rows)
        except fetch.DownloadError as error:
            if error.unreachable:
                self.no_network = f"no connection to {urlsplit(url).hostname}"
            words = error.message.replace(url, "the server")
            # The two hashes, different for each file, would make as many reasons.
            return self.no_network or re.sub("(than expected): .*", r"\1", words, flags=re.DOTALL)
        except UserError as error:
            return error.message.replace(str(original), "the original")
        for file, crop in zip(rows["file"], crops, strict=True):
            with settings.atomic_file(self.folder / file) as temporary:
                crop.save(temporary, "WEBP", lossless=True)
        original.unlink()


def _cut(original, rows):
    """Crops of an original as Pillow images, in RGB."""
    crops = []
    with decoding.in_words(original), Image.open(original) as image:
        for x, y in zip(rows["crop_x"], rows["crop_y"], strict=True):
            crop = image.crop((x, y, x + panel.CROP, y + panel.CROP))
            # The crops of JPEG files were cut without decoding: as stored, with neither the
            # camera's orientation nor a colour profile.
            for told in ("exif", "icc_profile"):
                crop.info.pop(told, None)
            crops.append(Image.fromarray(decoding.from_pillow(crop, original)))
    return crops
