"""Places to write are checked before any work; explanations keep apart and replace their own."""

import json
import os
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


def test_names_are_the_paths_as_given_and_all_different(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = ["a/x.jpg", "a/x.png", "b/x.jpg", "./c/../b/x.jpg", "B/X.jpg", "/p/x.jpg", "../q/x.jpg"]
    names = outputs.picture_names(map(Path, files))
    assert (
        list(names.values())
        == [
            "a/x.jpg.png",
            "a/x.png.png",
            "b/x.jpg.png",
            "b/x.jpg-2.png",  # ./c/../b/x.jpg may be another file where c is a link
            "B/X.jpg-3.png",  # would be b/x.jpg on a disk that knows no letter case
            "p/x.jpg.png",
            f"{tmp_path.parent}/q/x.jpg.png"[1:],
        ]
    )


def filled(folder, *files):
    """Fill a folder as a run does; the pictures in it, by relative path."""
    explanations = outputs.Explanations(folder)
    explanations.check()
    explanations.begin(list(map(Path, files)))
    for file in explanations.names:
        explanations.target(file).write_bytes(b"picture")
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_a_second_run_replaces_the_pictures_of_the_first_and_nothing_else(tmp_path):
    folder = tmp_path / "why"
    assert filled(folder, "a/x.jpg", "b/y.jpg") == {
        "a/x.jpg.png", "b/y.jpg.png", outputs.RECORD,
    }  # fmt: skip
    (folder / "b" / "notes.txt").write_text("mine")
    assert filled(folder, "c/x.jpg") == {"c/x.jpg.png", "b/notes.txt", outputs.RECORD}
    assert not (folder / "a").exists()
    assert json.loads((folder / outputs.RECORD).read_text()) == {"c/x.jpg.png": "c/x.jpg"}


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / ".DS_Store").touch()
    assert "x.jpg.png" in filled(tmp_path, "x.jpg")


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
