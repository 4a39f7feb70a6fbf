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


def test_names_are_the_paths_as_given_and_all_different(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = ["a/x.jpg", "a/x.png", "b/x.jpg", "./c/../b/x.jpg", "B/X.jpg", "/p/x.jpg", "../q/x.jpg"]
    names = outputs.explanation_names(map(Path, files))
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


def test_long_names_are_shortened_and_stay_different_and_the_same():
    prompt = "masterpiece, best quality, portrait of a woman in the rain, neon lights, " * 4
    files = [Path(f"{prompt[:length]}{end}.png") for length in (120, 150, 251) for end in "ab"]
    files += [Path("é" * 125 + ".jpg"), Path(prompt[:200], "x.jpg"), Path(prompt[:200], "y.jpg")]
    names = outputs.explanation_names(files)
    assert names == outputs.explanation_names(files) and len(set(names.values())) == len(files)
    assert all(
        names[file] == outputs.explanation_names([file])[file] for file in files
    )  # whatever else is judged
    parts = [part for name in names.values() for part in name.split("/")]
    assert max(len(part.encode()) for part in parts) <= outputs.LONGEST
    assert names[files[0]] == f"{files[0]}.png" and names[files[2]].startswith(prompt[:100])
    assert Path(names[files[-1]]).parent == Path(names[files[-2]]).parent


def test_names_that_are_no_text_or_equal_to_a_disk_are_kept_apart():
    raw = [os.fsdecode(name) for name in (b"caf\xe9.png", b"caf\xe8.png", b"A.png", b"a.png")]
    raw += ["cafe\u0301.jpg", "caf\u00e9.jpg"]
    names = outputs.explanation_names(map(Path, raw))
    assert list(names.values()) == [
        "caf\ufffd.png.png", "caf\ufffd.png-2.png", "A.png.png", "a.png-2.png",
        "cafe\u0301.jpg.png", "caf\u00e9.jpg-2.png",
    ]  # fmt: skip


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
