"""Places to write are checked before any work; explanations keep apart and replace their own."""

import json
import os
import re
from pathlib import Path

import pytest

from realfake_lib import outputs
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


def test_every_path_has_a_name_of_its_own_that_any_disk_takes(tmp_path):
    raw = [os.fsdecode(name) for name in (b"caf\xe9.png", b"caf\xe8.png", b"A.png", b"a.png")]
    files = ["a/x.jpg", "b/x.jpg", "B/X.jpg", "/p/x.jpg", "../q/x.jpg", "x" * 250 + ".jpg", *raw]
    targets = [outputs.Explanations(tmp_path).target(Path(file)) for file in files]
    assert targets == [outputs.Explanations(tmp_path).target(Path(file)) for file in files]
    assert len({target.name.lower() for target in targets}) == len(files)
    assert all(re.fullmatch(r"[\w.-]{1,100}\.png", target.name, re.ASCII) for target in targets)
    assert targets[0].parent == tmp_path and targets[0].name.startswith("x-")


def filled(folder, *files):
    """Fill a folder as a run does; the beginnings of the names of the pictures in it."""
    explanations = outputs.Explanations(folder)
    explanations.check()
    explanations.begin(list(map(Path, files)))
    for file in files:
        explanations.target(Path(file)).write_bytes(b"picture")
    return sorted(path.name.partition("-")[0] for path in folder.glob("*.png"))


def test_a_second_run_replaces_the_pictures_of_the_first_and_nothing_else(tmp_path):
    folder = tmp_path / "why"
    assert filled(folder, "a/x.jpg", "b/y.jpg") == ["x", "y"]
    (folder / "notes.txt").write_text("mine")
    assert filled(folder, "c/z.jpg") == ["z"]
    assert (folder / "notes.txt").exists()
    assert list(json.loads((folder / outputs.RECORD).read_text()).values()) == ["c/z.jpg"]


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / ".DS_Store").touch()
    assert filled(tmp_path, "x.jpg") == ["x"]


@pytest.mark.parametrize("record", [None, "{cut", "5"])
def test_a_folder_with_other_things_is_refused(tmp_path, record):
    (tmp_path / "holiday.jpg").touch()
    if record is not None:
        (tmp_path / outputs.RECORD).write_text(record)
    with pytest.raises(UserError, match="not empty, and no earlier run has made it"):
        outputs.Explanations(tmp_path).check()


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("nowhere")])
def test_what_is_no_folder_is_refused(tmp_path, make):
    make(tmp_path / "why")
    with pytest.raises(UserError, match="--explain .*why is not a folder"):
        outputs.Explanations(tmp_path / "why").check()


def test_a_record_cannot_lead_out_of_its_folder(tmp_path):
    folder = tmp_path / "why"
    folder.mkdir()
    kept = [tmp_path / "mine.png", folder / "mine.jpg"]
    for file in kept:
        file.touch()
    os.symlink(tmp_path, folder / "up")
    names = {"../mine.png": "", str(tmp_path / "mine.png"): "", "up/mine.png": "", "mine.jpg": ""}
    (folder / outputs.RECORD).write_text(json.dumps(names))
    filled(folder, "x.jpg")
    assert all(file.exists() for file in kept)
