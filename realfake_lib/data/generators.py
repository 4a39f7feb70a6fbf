"""Fakes of generators that no CIFAKE detector has seen, cut from their authors' sample grids."""

import hashlib
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np

from realfake_lib import settings
from realfake_lib.data import archives, fetch
from realfake_lib.data.images import decode, encode_jpeg, load_image
from realfake_lib.errors import UserError

VARIABLE = "REALFAKE_GENERATORS"
TILE, GAP = 32, 2


@dataclass(frozen=True)
class Grid:
    """One published image of many samples: ``across`` by ``across`` tiles with gaps between."""

    title: str
    file: str
    url: str
    sha256: str
    across: int


_HOST = "https://raw.githubusercontent.com/w86763777"
_GANS = f"{_HOST}/pytorch-gan-collections/581bad4aa84cf364db712ab6a873cef4ec506013/images"
GRIDS = {
    "ddpm": Grid(
        "DDPM",
        "pytorch-ddpm__cifar10_samples.png",
        f"{_HOST}/pytorch-ddpm/f804ccbd58a758b07f79a3b9ecdfb1beb67258f6/images/cifar10_samples.png",
        "ed259f5daa2a1b0bd6808bdd6feefe5edf8fc83f4b5ab062517f62a4e1371b48",
        16,
    ),
    "dcgan": Grid(
        "DCGAN",
        "gan-collections__dcgan_cifar10.png",
        f"{_GANS}/dcgan_cifar10.png",
        "b2177374357857040143629d27dd94ea29fb8a0cd3726c0d3facdd01dc2a7149",
        8,
    ),
    "sngan": Grid(
        "SNGAN",
        "gan-collections__sngan_cifar10_cnn.png",
        f"{_GANS}/sngan_cifar10_cnn.png",
        "bf9b23fb3d3225c4a4831b829520bd309a2c05fd6423e606bb498c9da50a4054",
        8,
    ),
    "wgan": Grid(
        "WGAN",
        "gan-collections__wgan_cifar10_cnn.png",
        f"{_GANS}/wgan_cifar10_cnn.png",
        "5000761761608205e4cf663d40c0e03026af4a5fe81ab597d26410268c85ddf5",
        8,
    ),
}
"""Generators trained on CIFAR-10 itself, by name."""


@dataclass(frozen=True)
class UnseenGenerators:
    """Fakes of other generators, after JPEG compression with CIFAKE's settings.

    ``tiles`` holds (n, 32, 32, 3) uint8 arrays by the generator's name, ``missing`` why one is not
    there.
    """

    tiles: dict = field(repr=False)
    missing: dict

    def titles(self):
        """Name to title, e.g. ``"ddpm"`` to ``"DDPM"``, for the generators that are there."""
        return {name: GRIDS[name].title for name in self.tiles}

    def notices(self):
        """What a reader has to know of the missing ones: a sentence for each reason."""
        by_reason = {}
        for name, reason in self.missing.items():
            by_reason.setdefault(reason, []).append(GRIDS[name].title)
        return [
            f"No detector is tested on unseen generators: images of {', '.join(titles)} are not "
            f"available ({reason}). REALFAKE_GENERATORS can name a folder that has them."
            for reason, titles in by_reason.items()
        ]


def load_unseen(allow_download=True):
    """Load the fakes of generators that were trained on CIFAR-10 itself.

    Each sample grid is looked for in the folder or archive ``REALFAKE_GENERATORS``, in
    ``generators`` inside ``REALFAKE_DATA`` or beside it, and in the cache, and else downloaded.

    What is not available is named in ``missing`` of the result; that is no error.
    """
    folders, wrong = _folders()
    tiles, missing = {}, {}
    no_network = None
    for name, grid in GRIDS.items():
        path, reason = _find(grid, folders)
        if path is None and allow_download and no_network is None:
            try:
                target, known_hash = folders[-1] / grid.file, f"sha256:{grid.sha256}"
                path = fetch.download(grid.url, target, known_hash)
            except fetch.DownloadError as error:
                if error.unreachable:
                    no_network = f"no connection to {urlsplit(grid.url).hostname}"
                reason = reason or no_network or error.message
        if path is None:
            reason = reason or no_network or "not here, and no download was allowed"
            missing[name] = f"{wrong}; {reason}" if wrong else reason
        else:
            tiles[name] = compress(cut(load_image(path), grid.across))
    return UnseenGenerators(tiles, missing)


def cut(grid, across):
    """Cut a square sample grid, (h, w, 3) uint8, into its ``across`` × ``across`` tiles."""
    side = GAP + across * (TILE + GAP)
    if grid.shape != (side, side, 3):
        raise UserError(f"The sample grid is {grid.shape}, not {(side, side, 3)}")
    starts = GAP + np.arange(across) * (TILE + GAP)
    return np.stack([grid[y : y + TILE, x : x + TILE] for y in starts for x in starts])


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
            if not any((folders[0] / grid.file).is_file() for grid in GRIDS.values()):
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
