"""Unseen generators are found, checked, cut and compressed; what is missing is named."""

import dataclasses
import hashlib
import os
import re
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from realfake_lib.data import fetch, generators
from realfake_lib.data.sample_grids import CORE, Grid
from realfake_lib.errors import UserError

from .conftest import write_tar, write_zip

PUBLISHED = os.environ.get("REALFAKE_GENERATORS", "")


@pytest.fixture
def grids(tmp_path, monkeypatch):
    """A folder with a made-up grid for every file, and the pins to go with them."""
    folder = tmp_path / "grids"
    folder.mkdir()
    pinned, seed = {}, 0
    for name, generator in generators.GENERATORS.items():
        files = []
        for grid in generator.grids:
            pixels = np.random.default_rng(seed).integers(0, 256, grid.shape, np.uint8)
            kind = "JPEG" if generator.was_jpeg else "PNG"
            Image.fromarray(pixels).save(folder / grid.file, kind)
            sha256 = hashlib.sha256((folder / grid.file).read_bytes()).hexdigest()
            files.append(dataclasses.replace(grid, sha256=sha256))
            seed += 1
        pinned[name] = dataclasses.replace(generator, grids=tuple(files))
    monkeypatch.setattr(generators, "GENERATORS", pinned)
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
    (grids / generators.GENERATORS["wgan"].grids[0].file).write_bytes(b"other")
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
    assert loaded.missing == dict.fromkeys(CORE, "no connection to raw.githubusercontent.com")


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
    assert missing == dict.fromkeys(CORE, "not here, and no download was allowed")


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


GAPS = Grid("gaps.png", "", "", columns=3, rows=2, gap=2, left=2, top=4)
SIDE_BY_SIDE = Grid("right half.png", "", "", columns=3, rows=2, left=323)


@pytest.mark.parametrize("grid", [GAPS, SIDE_BY_SIDE], ids=lambda grid: grid.file)
def test_tiles_are_cut_row_by_row_without_the_gaps(grid):
    image = np.full(grid.shape, 255, np.uint8)
    places = [(row, column) for row in range(2) for column in range(3)]
    for number, (row, column) in enumerate(places):
        y, x = grid.top + row * (32 + grid.gap), grid.left + column * (32 + grid.gap)
        image[y : y + 32, x : x + 32] = number
    assert generators.cut(image, grid).max((1, 2, 3)).tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("off", [(-1, 0), (1, 0), (0, -1), (0, 2)])
def test_a_grid_of_another_size_is_refused(off):
    height, width, _ = GAPS.shape
    with pytest.raises(UserError, match="sample grid gaps.png"):
        generators.cut(np.zeros((height + off[0], width + off[1], 3), np.uint8), GAPS)


def test_all_generators_are_loaded_where_they_are_asked_for(grids, monkeypatch):
    monkeypatch.setenv("REALFAKE_GENERATORS", str(grids))
    loaded = generators.load_unseen(allow_download=False, names=None)
    counts = counted(loaded)
    assert list(counts) == list(generators.GENERATORS) and len(counts) == 19
    assert counts["pixelcnnpp"] == 14 * 25 and counts["ddpm_keer"] == 4 * 64
    assert sum(counts.values()) == 2630
    assert Counter(loaded.families().values()) == {"gan": 14, "diffusion": 3, "autoregressive": 2}
    assert loaded.notices() == []


def test_a_generator_of_which_files_are_missing_is_used_as_far_as_it_is_there(grids, monkeypatch):
    monkeypatch.setenv("REALFAKE_GENERATORS", str(grids))
    whole = generators.load_unseen(allow_download=False, names=["ddpm_keer"]).tiles["ddpm_keer"]
    (grids / generators.GENERATORS["ddpm_keer"].grids[1].file).unlink()
    loaded = generators.load_unseen(allow_download=False, names=["ddpm_keer"])
    assert np.array_equal(loaded.tiles["ddpm_keer"], np.delete(whole, np.s_[64:128], axis=0))
    (notice,) = loaded.notices()
    assert "DDPM (Keer)" in notice and "1 of its 4 files" in notice and not loaded.missing


def test_pins_name_a_commit_a_hash_and_an_address_that_can_be_asked_for():
    files = [grid for one in generators.GENERATORS.values() for grid in one.grids]
    assert len({grid.sha256 for grid in files}) == len({grid.file for grid in files}) == 35
    for grid in files:
        assert re.fullmatch(r"[0-9a-f]{64}", grid.sha256)
        assert re.fullmatch(
            r"https://raw\.githubusercontent\.com/[\w-]+/[\w-]+/[0-9a-f]{40}/[\w./%-]+", grid.url
        )


def test_generators_published_as_jpeg_are_marked():
    marked = {name for name, one in generators.GENERATORS.items() if one.was_jpeg}
    assert marked == {"gulrajani_wgan_gp_adam", "gulrajani_wgan_gp_rmsprop"}


@pytest.mark.skipif(not PUBLISHED, reason="needs the published grids")
def test_the_four_of_the_chapters_are_what_their_figures_were_measured_on(monkeypatch):
    monkeypatch.setenv("REALFAKE_GENERATORS", PUBLISHED)
    tiles = generators.load_unseen(allow_download=False).tiles
    hashes = {name: hashlib.sha256(of.tobytes()).hexdigest()[:12] for name, of in tiles.items()}
    assert list(hashes.items()) == [
        ("ddpm", "3c4e2c62c358"),
        ("dcgan", "fc2e3a67251e"),
        ("sngan", "3e122e582e1b"),
        ("wgan", "6028ea113504"),
    ]


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
