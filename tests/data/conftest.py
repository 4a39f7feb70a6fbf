"""Tiny data sets for the tests of the data package, in every layout."""

import io
import tarfile
import zipfile

import numpy as np
import pytest

from realfake_lib.data.images import encode_jpeg


def picture(seed, size=16):
    """JPEG bytes of a picture of its own for every seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size // 4, size // 4, 3), np.uint8)
    return encode_jpeg(np.kron(pixels, np.ones((4, 4, 1), np.uint8)))


def tiny_files(prefix="", per_folder=4, splits=("train", "test")):
    """Name to bytes of a data set in CIFAKE's layout."""
    return {
        f"{prefix}{split}/{name}/{number:04d}.jpg": picture([number, len(split), len(prefix), at])
        for split in splits
        for at, name in enumerate(("FAKE", "REAL"))
        for number in range(per_folder)
    }


def write_folder(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def write_tar(path, files, mode="w:gz"):
    with tarfile.open(path, mode) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def write_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.fixture(autouse=True)
def own_surroundings(request, monkeypatch, tmp_path):
    """A cache of its own and no REALFAKE_DATA, except for tests of the shared data sets."""
    if not {"demo", "cifake"} & set(request.fixturenames):
        monkeypatch.setenv("REALFAKE_CACHE", str(tmp_path / "cache"))
        monkeypatch.delenv("REALFAKE_DATA", raising=False)
        monkeypatch.delenv("REALFAKE_GENERATORS", raising=False)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def tiny(tmp_path):
    """A loaded data set of 16 images of 16×16 pixels from a folder."""
    from realfake_lib import data

    return data.load(write_folder(tmp_path / "tiny", tiny_files()))
