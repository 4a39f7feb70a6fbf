"""Unseen generators are found, checked, cut and compressed; what is missing is named."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from realfake_lib.data import fetch, generators
from realfake_lib.errors import UserError

from .conftest import write_tar, write_zip


@pytest.fixture
def grids(tmp_path, monkeypatch):
    """A folder with a made-up grid for every generator, and the pins to go with them."""
    folder = tmp_path / "grids"
    folder.mkdir()
    pinned = {}
    for seed, (name, grid) in enumerate(generators.GRIDS.items()):
        side = 2 + 34 * grid.across
        picture = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
        Image.fromarray(picture).save(folder / grid.file)
        sha256 = hashlib.sha256((folder / grid.file).read_bytes()).hexdigest()
        pinned[name] = generators.Grid(grid.title, grid.file, grid.url, sha256, grid.across)
    monkeypatch.setattr(generators, "GRIDS", pinned)
    return folder


COUNTS = {"ddpm": 256, "dcgan": 64, "sngan": 64, "wgan": 64}


def counted(loaded):
    assert all(tiles.shape[1:] == (32, 32, 3) for tiles in loaded.tiles.values())
    return {name: len(tiles) for name, tiles in loaded.tiles.items()}


def test_grids_are_found_through_either_variable(grids, monkeypatch, tmp_path):
    monkeypatch.setenv("REALFAKE_GENERATORS", str(grids))
    assert counted(generators.load_unseen(allow_download=False)) == COUNTS
    monkeypatch.delenv("REALFAKE_GENERATORS")
    grids.rename(tmp_path / "generators")
    for place in (tmp_path, tmp_path / "cifake.tar.gz", tmp_path / "cifake" / "cifake.tar.gz"):
        monkeypatch.setenv("REALFAKE_DATA", str(place))
        assert counted(generators.load_unseen(allow_download=False)) == COUNTS


def test_a_changed_grid_is_missing_with_its_reason(grids, monkeypatch):
    monkeypatch.setenv("REALFAKE_GENERATORS", str(grids))
    (grids / generators.GRIDS["wgan"].file).write_bytes(b"other")
    loaded = generators.load_unseen(allow_download=False)
    assert set(loaded.tiles) == {"ddpm", "dcgan", "sngan"}
    assert "SHA-256 differs" in loaded.missing["wgan"]
    assert loaded.titles()["ddpm"] == "DDPM"


def test_without_network_only_one_attempt_is_made(monkeypatch):
    asked = []

    def fail(url, *_, **__):
        asked.append(url)
        raise fetch.DownloadError("no network", unreachable=True)

    monkeypatch.setattr(fetch, "download", fail)
    loaded = generators.load_unseen()
    assert len(asked) == 1
    assert loaded.missing == dict.fromkeys(
        generators.GRIDS, "no connection to raw.githubusercontent.com"
    )


def test_a_grid_gone_from_its_server_does_not_keep_the_others_away(grids, monkeypatch):
    def download(url, path, known_hash):
        if "wgan" in url:
            raise fetch.DownloadError("404")
        return grids / path.name

    monkeypatch.setattr(fetch, "download", download)
    loaded = generators.load_unseen()
    assert set(loaded.missing) == {"wgan"} and len(loaded.tiles) == 3


def test_nothing_here_and_no_download_is_said():
    missing = generators.load_unseen(allow_download=False).missing
    assert missing == dict.fromkeys(generators.GRIDS, "not here, and no download was allowed")


@pytest.mark.parametrize("pack", [write_zip, write_tar])
def test_grids_are_found_in_an_archive(grids, monkeypatch, tmp_path, pack):
    files = {f"any folder/{path.name}": path.read_bytes() for path in grids.iterdir()}
    path = pack(tmp_path / f"own.{'zip' if pack is write_zip else 'tar.gz'}", files)
    monkeypatch.setenv("REALFAKE_GENERATORS", str(path))
    for _ in range(2):  # unpacked, then found so
        assert counted(generators.load_unseen(allow_download=False)) == COUNTS
    assert len(list((tmp_path / "cache/unpacked").iterdir())) == 1


WRONG = {
    "gone": (lambda path: None, "does not exist"),
    "empty": (lambda path: path.mkdir(), "holds none of the published files"),
    "notes.txt": (lambda path: path.write_text("x"), "neither a folder nor an archive"),
    "cut.zip": (lambda path: path.write_bytes(b"PK\3\4"), "cut off or damaged"),
    "climbing.zip": (lambda path: write_zip(path, {"../x.png": b"x"}), "climbs out"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_setting_that_leads_to_no_grids_is_named_as_the_reason(monkeypatch, tmp_path, name):
    make, message = WRONG[name]
    make(tmp_path / name)
    monkeypatch.setenv("REALFAKE_GENERATORS", str(tmp_path / name))
    loaded = generators.load_unseen(allow_download=False)
    assert not loaded.tiles
    (notice,) = loaded.notices()
    assert f"REALFAKE_GENERATORS: {tmp_path / name}" in notice and message in notice
    assert not (tmp_path.parent / "x.png").exists()


def test_grids_that_are_elsewhere_are_found_despite_a_wrong_setting(grids, monkeypatch, tmp_path):
    monkeypatch.setenv("REALFAKE_GENERATORS", str(tmp_path / "gone"))
    grids.rename(tmp_path / "generators")
    monkeypatch.setenv("REALFAKE_DATA", str(tmp_path / "cifake.tar.gz"))
    assert counted(generators.load_unseen(allow_download=False)) == COUNTS


def test_tiles_are_cut_row_by_row_without_the_gaps():
    picture = np.full((2 + 34 * 2, 2 + 34 * 2, 3), 255, np.uint8)
    for number, (y, x) in enumerate(((2, 2), (2, 36), (36, 2), (36, 36))):
        picture[y : y + 32, x : x + 32] = number
    assert generators.cut(picture, 2).max((1, 2, 3)).tolist() == [0, 1, 2, 3]


def test_a_grid_of_another_size_is_refused():
    with pytest.raises(UserError, match="sample grid"):
        generators.cut(np.zeros((10, 10, 3), np.uint8), 2)


def test_tiles_go_through_cifakes_jpeg_settings(cifake):
    smooth = np.tile(np.linspace(60, 200, 32, dtype=np.uint8)[:, None, None], (1, 32, 3))
    once = generators.compress(smooth[None])
    assert np.abs(once[0].astype(int) - smooth).max() < 8
    # CIFAKE's own images have been through these settings: a second time changes them little.
    photographs = np.array(cifake.images[:200])
    again = generators.compress(photographs)
    assert np.abs(again.astype(int) - photographs).mean() < 1.5


def test_notices_say_once_what_several_generators_miss():
    missing = {"ddpm": "no network", "dcgan": "no network", "wgan": "its SHA-256 differs"}
    notices = generators.UnseenGenerators({}, missing).notices()
    assert len(notices) == 2
    assert "DDPM, DCGAN" in notices[0] and "no network" in notices[0]
    assert "WGAN" in notices[1] and "SHA-256" in notices[1]
    assert generators.UnseenGenerators({}, {}).notices() == []
