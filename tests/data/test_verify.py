"""Verification recomputes git's own ids and names what differs."""

import shutil
import subprocess

import pytest

from realfake_lib import data, settings
from realfake_lib.data import fingerprint, verification
from realfake_lib.errors import UserError

from .conftest import picture, tiny_files, write_folder, write_tar


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_blob_and_tree_ids_are_gits_own(tmp_path):
    files = {"a.jpg": b"one", "sub/b.jpg": b"two", "sub.jpg": b"three", "sub/c/d.jpg": b""}
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
    monkeypatch.setattr(verification, "CIFAKE_TREES", trees)
    monkeypatch.setattr(verification, "cifake_keys", lambda: keys)
    starts = [fingerprint.blob_id(files[key])[:2] for key in keys]
    monkeypatch.setattr(verification, "_expected_starts", lambda: starts)
    return files


def test_an_unchanged_copy_is_found_so(tmp_path, published):
    report = data.verify(write_tar(tmp_path / "a.tar.gz", published))
    assert report.ok and report.trees["same"].all()
    assert not (report.missing or report.changed or report.extra)
    assert "byte for byte" in str(report)


def test_missing_changed_and_extra_files_are_named(tmp_path, published):
    del published["test/REAL/0001.jpg"]
    published["train/FAKE/0002.jpg"] = picture(77)
    published["train/REAL/new.jpg"] = picture(78)
    report = data.verify(write_folder(tmp_path / "a", published))
    assert not report.ok
    assert report.missing == ("test/REAL/0001.jpg",)
    assert report.changed == ("train/FAKE/0002.jpg",)
    assert report.extra == ("train/REAL/new.jpg",)
    text = str(report)
    assert "1 missing: test/REAL/0001.jpg" in text and "not CIFAKE" in text


def test_long_lists_are_cut_in_words(tmp_path, published):
    extra = {f"train/REAL/x{n}.jpg": picture(n) for n in range(12)}
    report = data.verify(write_folder(tmp_path / "a", published | extra))
    assert "and 2 more" in str(report)


def test_a_missing_folder_is_named(tmp_path, published):
    kept = {key: content for key, content in published.items() if key.startswith("train")}
    report = data.verify(write_folder(tmp_path / "a", kept))
    assert "(not there)" in str(report) and len(report.missing) == 8


def test_the_demo_set_cannot_be_verified():
    with pytest.raises(UserError, match="no copy of CIFAKE"):
        data.verify("auto", allow_download=False)


def test_the_list_of_names_has_cifakes_120_000():
    keys = verification.cifake_keys()
    assert len(set(keys)) == 120_000 == len(list(verification._expected_starts()))
    assert keys[0] == "test/FAKE/0 (10).jpg"


def test_cifake_is_verified_file_by_file(cifake):
    report = data.verify("cifake", allow_download=False)
    assert report.ok and report.n == 120_000
    assert settings.env("REALFAKE_DATA") in report.source
