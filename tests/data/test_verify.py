"""Verification recomputes git's own ids and names what differs."""

import shutil
import subprocess

import pytest

from realfake_lib import data, settings
from realfake_lib.data import fingerprint
from realfake_lib.errors import UserError

from .conftest import picture, tiny_files, write_folder, write_tar


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_blob_and_tree_ids_are_gits_own(tmp_path):
    files = {"a.jpg": b"one", "0 (2).jpg": b"two", "ü.jpg": b"three", "0.jpg": b""}
    write_folder(tmp_path, files)
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    tree = subprocess.run([*git, "write-tree"], check=True, capture_output=True, text=True)
    blobs = {name: fingerprint.blob_id(content) for name, content in files.items()}
    assert fingerprint.tree_id(blobs) == tree.stdout.strip()


@pytest.fixture
def published(monkeypatch):
    """Lets a tiny data set stand for the published one."""
    files = tiny_files()
    keys = sorted(files)
    blobs = [fingerprint.blob_id(files[key]) for key in keys]
    _, _, trees = fingerprint._identity(keys, blobs)
    monkeypatch.setattr(fingerprint, "CIFAKE_TREES", trees)
    return files


def test_an_unchanged_copy_is_found_so(tmp_path, published):
    report = data.verify(write_tar(tmp_path / "a.tar.gz", published))
    assert report.ok and "byte for byte" in str(report)


@pytest.mark.parametrize("folder", ["train/FAKE", "test/REAL"])
@pytest.mark.parametrize("change", ["missing", "changed", "extra"])
def test_a_folder_that_differs_is_named(tmp_path, published, folder, change):
    if change == "missing":
        del published[f"{folder}/0001.jpg"]
    else:
        published[f"{folder}/{'0001' if change == 'changed' else 'new'}.jpg"] = picture(77)
    report = data.verify(write_folder(tmp_path / "a", published))
    assert not report.ok and "not CIFAKE" in str(report)
    lines = [line for line in str(report).splitlines() if "differs, published" in line]
    assert len(lines) == 1 and folder in lines[0]


def test_a_missing_folder_is_named(tmp_path, published):
    kept = {key: content for key, content in published.items() if key.startswith("train")}
    report = data.verify(write_folder(tmp_path / "a", kept))
    assert str(report).count("(not there)") == 2


def test_the_demo_set_cannot_be_verified():
    with pytest.raises(UserError, match="no copy of CIFAKE"):
        data.verify("auto", allow_download=False)


def test_cifake_is_verified(cifake):
    report = data.verify("cifake", allow_download=False)
    assert report.ok and report.n == 120_000
    assert settings.env("REALFAKE_DATA") in report.source
