"""Fakes of generators that no CIFAKE detector has seen, cut from their authors' sample grids."""

import hashlib
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np

from realfake_lib import settings
from realfake_lib.data import archives, fetch
from realfake_lib.data.images import decode, encode_jpeg, load_image
from realfake_lib.data.sample_grids import CORE, GENERATORS, TILE
from realfake_lib.errors import UserError

VARIABLE = "REALFAKE_GENERATORS"


@dataclass(frozen=True)
class UnseenGenerators:
    """Fakes of other generators, after JPEG compression with CIFAKE's settings.

    Attributes
    ----------
    tiles : dict of str to (n, 32, 32, 3) uint8 array
        By the generator's name.
    missing : dict of str to str
        Why there is nothing of a generator.
    partial : dict of str to str
        Of which generators some files are missing, how many, and why.
    """

    tiles: dict = field(repr=False)
    missing: dict
    partial: dict = field(default_factory=dict)

    def titles(self):
        """Name to title, e.g. ``"ddpm"`` to ``"DDPM"``, for the generators that are there."""
        return {name: GENERATORS[name].title for name in self.tiles}

    def families(self):
        """Name to ``"gan"``, ``"diffusion"`` or ``"autoregressive"``, for those that are there."""
        return {name: GENERATORS[name].family for name in self.tiles}

    def notices(self):
        """What a reader has to know of the missing ones: a sentence for each reason."""
        by_reason = {}
        for name, reason in self.missing.items():
            by_reason.setdefault(reason, []).append(GENERATORS[name].title)
        return [
            f"No detector is tested on unseen generators: images of {', '.join(titles)} are not "
            f"available ({reason}). REALFAKE_GENERATORS can name a folder that has them."
            for reason, titles in by_reason.items()
        ] + [
            f"Only a part of the images of {GENERATORS[name].title} is tested: {reason}."
            for name, reason in self.partial.items()
        ]


def load_unseen(allow_download=True, names=CORE):
    """Load the fakes of generators that were trained on CIFAR-10 itself.

    Each sample grid is looked for in the folder or archive ``REALFAKE_GENERATORS``, in
    ``generators`` inside ``REALFAKE_DATA`` or beside it, and in the cache, and else downloaded.

    What is not available is named in ``missing`` or ``partial`` of the result; that is no error.

    Parameters
    ----------
    allow_download : bool
    names : iterable of str, optional
        Keys of :data:`realfake_lib.data.sample_grids.GENERATORS`; all 19 for None.

    Returns
    -------
    UnseenGenerators
        In the order of ``names``.
    """
    search = _Search(allow_download)
    tiles, missing, partial = {}, {}, {}
    for name in GENERATORS if names is None else names:
        grids = GENERATORS[name].grids
        found = [search.find(grid) for grid in grids]
        reasons = [reason for path, reason in found if path is None]
        reason = "; ".join(dict.fromkeys(reasons))
        if len(reasons) == len(grids):
            missing[name] = f"{search.wrong}; {reason}" if search.wrong else reason
            continue
        if reasons:
            partial[name] = f"{len(reasons)} of its {len(grids)} files are not available ({reason})"
        there = [(path, grid) for (path, _), grid in zip(found, grids, strict=True) if path]
        tiles[name] = compress(
            np.concatenate([cut(load_image(path), grid) for path, grid in there])
        )
    return UnseenGenerators(tiles, missing, partial)


class _Search:
    """Looks for sample grids; ``wrong`` is what is wrong with the setting, or None."""

    def __init__(self, allow_download):
        self.folders, self.wrong = _folders()
        self.allow_download = allow_download
        self.no_network = None

    def find(self, grid):
        """Path of a grid, or None, and why there is none."""
        path, reason = _find(grid, self.folders)
        if path is None and self.allow_download and self.no_network is None:
            try:
                target, known_hash = self.folders[-1] / grid.file, f"sha256:{grid.sha256}"
                path = fetch.download(grid.url, target, known_hash)
            except fetch.DownloadError as error:
                if error.unreachable:
                    self.no_network = f"no connection to {urlsplit(grid.url).hostname}"
                reason = reason or self.no_network or error.message
        return path, reason or self.no_network or "not here, and no download was allowed"


def cut(image, grid):
    """Cut a sample grid into its tiles, row by row.

    Parameters
    ----------
    image : (h, w, 3) uint8 array
    grid : realfake_lib.data.sample_grids.Grid
        Says where the tiles are.

    Returns
    -------
    (rows * columns, 32, 32, 3) uint8 array

    Raises
    ------
    UserError
        If the image has another size than such a grid.
    """
    if image.shape != grid.shape:
        raise UserError(f"The sample grid {grid.file} is {image.shape}, not {grid.shape}")
    step = TILE + grid.gap
    tops = grid.top + step * np.arange(grid.rows)
    lefts = grid.left + step * np.arange(grid.columns)
    return np.stack([image[y : y + TILE, x : x + TILE] for y in tops for x in lefts])


def compress(tiles):
    """Pass ``(n, h, w, 3)`` uint8 images through CIFAKE's JPEG settings (quality 75, 4:2:0)."""
    return np.stack([decode(encode_jpeg(tile), "tile") for tile in tiles])


def _folders():
    """Where to look, and what is wrong with the setting, or None."""
    folders, wrong = [], None
    if chosen := settings.env(VARIABLE):
        try:
            folders.append(archives.as_folder(chosen))
        except UserError as error:  # what is missing is told of, and the report goes on
            wrong = f"{VARIABLE}: {error.message}"
        else:
            grids = (grid for one in GENERATORS.values() for grid in one.grids)
            if not any((folders[0] / grid.file).is_file() for grid in grids):
                wrong = f"{VARIABLE}: {chosen} holds none of the published files"
    if data := settings.env("REALFAKE_DATA"):
        data = settings.user_path(data)
        folders += [above / "generators" for above in (data, data.parent, data.parent.parent)]
    return [*folders, settings.cache_dir() / "generators"], wrong


def _find(grid, folders):
    """Path of the grid in the first folder that has it unchanged, and else why there is none."""
    reason = None
    for folder in folders:
        path = folder / grid.file
        try:
            content = path.read_bytes()
        except OSError:
            continue
        if hashlib.sha256(content).hexdigest() == grid.sha256:
            return path, None
        reason = f"{path} is not the published file (its SHA-256 differs)"
    return None, reason
