"""Places to write are checked before any work; explanations have names of their own."""

import os
import re
from pathlib import Path

import pytest

from realfake_lib import outputs, prediction
from realfake_lib.errors import UserError


def test_a_place_is_checked_without_making_anything(tmp_path):
    outputs.check_place("--csv", tmp_path / "new" / "deep" / "t.csv")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("place", "message"),
    [("folder", "--csv .*folder is a folder"), ("file/t.csv", "file is not a folder")],
)
def test_a_place_where_no_file_can_be_is_refused(tmp_path, place, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=message):
        outputs.check_place("--csv", tmp_path / place)


def test_a_place_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    def refuse(dir):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(outputs.tempfile, "TemporaryFile", refuse)
    with pytest.raises(UserError, match="--csv .*Read-only file system"):
        outputs.check_place("--csv", tmp_path / "t.csv")


def test_what_is_no_plain_file_is_a_place_that_a_check_leaves_alone(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # opened by a check, its reader would see the end
    (tmp_path / "link").symlink_to(os.devnull)
    for place in (tmp_path / "pipe", tmp_path / "link", "/dev/null", "/dev/stdout"):
        outputs.check_place("--csv", place)
    with pytest.raises(UserError, match="/dev/fd/987: nothing can be written"):
        outputs.check_place("--csv", "/dev/fd/987")


def test_a_link_is_checked_where_it_leads(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link.csv").symlink_to("file/t.csv")
    with pytest.raises(UserError, match="not a folder"):
        outputs.check_place("--csv", tmp_path / "link.csv")


def test_a_write_protected_file_is_refused(tmp_path, monkeypatch):
    (tmp_path / "t.csv").touch(0o444)
    monkeypatch.setattr(os, "access", lambda path, _: False)  # root may write everything
    with pytest.raises(UserError, match="t.csv is write-protected"):
        outputs.check_place("--csv", tmp_path / "t.csv")


def test_every_path_has_a_name_of_its_own_that_any_disk_takes():
    raw = [os.fsdecode(name) for name in (b"caf\xe9.png", b"caf\xe8.png", b"A.png", b"a.png")]
    files = [
        "a/x.jpg",
        "b/x.jpg",
        "link/../b/x.jpg",
        "B/X.jpg",
        "/p/x.jpg",
        "../q/x.jpg",
        "x" * 250 + ".jpg",
        *raw,
    ]
    names = [prediction.explanation_name(Path(file)) for file in files]
    assert names == [prediction.explanation_name(Path(file)) for file in files]
    assert len({name.lower() for name in names}) == len(files)
    assert all(re.fullmatch(r"[\w.-]{1,100}\.png", name, re.ASCII) for name in names)
    assert names[0].startswith("x-")


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("nowhere")])
def test_what_is_no_folder_is_refused(tmp_path, make):
    make(tmp_path / "why")
    with pytest.raises(UserError, match="--explain: .*why is not a folder"):
        outputs.check_folder("--explain", tmp_path / "why")
