"""Archives are read in every format; hostile or damaged ones are refused at once."""

import io
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from realfake_lib.data import archives, layout
from realfake_lib.errors import BadFiles, UserError

from .conftest import tiny_files, write_folder, write_tar, write_zip

FILES = tiny_files()


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.tar.bz2", "w:bz2"), ("a.tar.xz", "w:xz")],
)
def test_every_tar_gives_back_its_files(tmp_path, name, mode):
    assert dict(archives.read_files(write_tar(tmp_path / name, FILES, mode))) == FILES


def test_a_tar_whose_last_file_is_a_zip_is_a_tar(tmp_path):
    inner = write_zip(tmp_path / "a.zip", FILES).read_bytes()
    files = FILES | {"zz.zip": inner}
    assert dict(archives.read_files(write_tar(tmp_path / "a.tar", files, "w"))) == files


def test_zip_and_folder_give_back_their_files(tmp_path):
    assert dict(archives.read_files(write_zip(tmp_path / "a.zip", FILES))) == FILES
    assert dict(archives.read_files(write_folder(tmp_path / "a", FILES))) == FILES


def test_unwanted_files_are_not_read(tmp_path):
    for path in (write_zip(tmp_path / "a.zip", FILES), write_tar(tmp_path / "a.tar.gz", FILES)):
        assert not list(archives.read_files(path, wanted=lambda name: False))


CLIMBING = [
    "../x.jpg", "a/../../x.jpg", "/etc/x.jpg", "..\\x.jpg", "C:/x.jpg", "\\x.jpg", "C:\\x.jpg",
    "a\\..\\..\\x.jpg", "a/..\\..\\x.jpg", "c:x.jpg", "\\\\server\\share\\x.jpg",
]  # fmt: skip


@pytest.mark.parametrize("name", CLIMBING)
@pytest.mark.parametrize("write", [write_tar, write_zip])
def test_a_climbing_path_is_refused(tmp_path, write, name):
    path = write(tmp_path / ("a.zip" if write is write_zip else "a.tar.gz"), {name: b"x"})
    with pytest.raises(UserError, match="climbs out"):
        list(archives.read_files(path))
    assert [left.name for left in tmp_path.iterdir()] == [path.name]


def test_two_dots_or_a_colon_inside_a_name_are_no_climb(tmp_path):
    files = {"train/REAL/a..b.jpg": b"x", "at 12:30/REAL/x.jpg": b"y"}
    assert dict(archives.read_files(write_tar(tmp_path / "a.tar", files, "w"))) == files


def test_a_zip_by_powershell_whose_names_have_backslashes_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, content in (FILES | {"train/": b""}).items():
            entry = zipfile.ZipInfo("x")
            entry.filename, entry.create_system = name.replace("/", "\\"), 0
            archive.writestr(entry, content)
    assert dict(archives.read_files(tmp_path / "a.zip")) == FILES


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        entry = tarfile.TarInfo("train/REAL/1.jpg")
        entry.type, entry.linkname = kind, "/etc/passwd"
        tar.addfile(entry)
    with pytest.raises(UserError, match="link or a device"):
        list(archives.read_files(tmp_path / "a.tar"))


def test_links_in_a_zip_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        entry = zipfile.ZipInfo("train/REAL/1.jpg")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(UserError, match="link or a device"):
        list(archives.read_files(tmp_path / "a.zip"))


def test_an_absurd_size_is_refused_before_it_is_unpacked(tmp_path):
    entry = tarfile.TarInfo("train/REAL/1.jpg")
    entry.size = 2**40
    (tmp_path / "a.tar").write_bytes(entry.tobuf())
    with pytest.raises(UserError, match="claims 1,048,576 MB"):
        list(archives.read_files(tmp_path / "a.tar"))


def test_a_zip_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_FILE_BYTES", 10_000)
    path = write_zip(tmp_path / "a.zip", {"train/REAL/1.jpg": bytes(100_000)})
    with pytest.raises(UserError, match="refused"):
        list(archives.read_files(path))


def test_too_much_in_all_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 1000)
    with pytest.raises(UserError, match="unpacks to more"):
        list(archives.read_files(write_tar(tmp_path / "a.tar.gz", FILES)))


@pytest.mark.parametrize("keep", [0.95, 0.5, 0.1])
@pytest.mark.parametrize("name", ["a.tar.gz", "a.tar", "a.zip"])
def test_a_cut_off_archive_is_refused(tmp_path, name, keep):
    path = tmp_path / name
    if name.endswith(".zip"):
        write_zip(path, FILES)
    else:
        write_tar(path, FILES, "w" if name == "a.tar" else "w:gz")
    content = path.read_bytes().rstrip(b"\0")
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(UserError, match="cut off or damaged") as caught:
        list(archives.read_files(path))
    assert name in caught.value.message


def test_damaged_bytes_in_a_zip_are_noticed(tmp_path):
    path = write_zip(tmp_path / "a.zip", FILES)
    content = bytearray(path.read_bytes())
    content[200:210] = bytes(10)
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        list(archives.read_files(path))


def test_something_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "a.tar.gz").write_text("<html>Not found</html>")
    with pytest.raises(UserError, match="cut off or damaged"):
        list(archives.read_files(tmp_path / "a.tar.gz"))


def test_an_encrypted_zip_is_refused(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"train/REAL/1.jpg": b"x"})
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the flag "encrypted", in the file's header and in the directory
    content[content.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="encrypted"):
        list(archives.read_files(path))


def test_a_zip_packed_in_an_unknown_way_is_refused(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"train/REAL/1.jpg": b"x"})
    content = bytearray(path.read_bytes())
    content[8] = content[content.find(b"PK\x01\x02") + 10] = 77
    path.write_bytes(content)
    with pytest.raises(UserError, match="cannot be read"):
        list(archives.read_files(path))


def test_a_tree_of_any_depth_is_walked(tmp_path):
    before = os.getcwd()
    try:
        os.chdir(tmp_path)
        for _ in range(1200):
            os.mkdir("a")
            os.chdir("a")
        Path("x.jpg").write_bytes(b"x")
        ((name, _),) = archives.read_files(tmp_path)
    finally:
        os.chdir(before)
        subprocess.run(["rm", "-r", tmp_path / "a"], check=True)  # too deep for pytest
    assert name == "a/" * 1200 + "x.jpg"


def test_unreadable_places_are_named(tmp_path):
    with pytest.raises(UserError, match="gone.tar"):
        list(archives.read_files(tmp_path / "gone.tar"))
    folder = write_folder(tmp_path / "a", FILES)
    (folder / "train/REAL/broken.jpg").symlink_to("nowhere")
    with pytest.raises(UserError, match=r"broken\.jpg cannot be read"):
        list(archives.read_files(folder))
    bad = BadFiles(folder)
    assert dict(archives.read_files(folder, bad=bad)) == FILES
    assert bad.lines == ["train/REAL/broken.jpg cannot be read: a link to nothing"]


def test_a_file_too_large_for_an_image_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_FILE_BYTES", 10)
    with pytest.raises(UserError, match="too large"):
        list(archives.read_files(write_folder(tmp_path / "a", FILES)))


def test_long_names_survive_a_tar(tmp_path):
    name = "train/REAL/" + "x" * 150 + "ü.jpg"
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / "a.tar", "w", format=form) as tar:
            entry = tarfile.TarInfo(name)
            entry.size = 3
            tar.addfile(entry, io.BytesIO(b"abc"))
        assert list(archives.read_files(tmp_path / "a.tar")) == [(name, b"abc")]


def test_the_suffix_is_cut_from_a_name():
    assert archives.stem("/a/faces.tar.gz") == "faces"
    assert archives.stem("/a/faces.v2") == "faces.v2"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("repo-abc/DATASET/train/FAKE/0 (2).jpg", "train/FAKE/0 (2).jpg"),
        ("train/REAL/0000 (10).jpg", "train/REAL/0000 (10).jpg"),
        ("cifake/Test/real/1.PNG", "test/REAL/1.PNG"),
        ("valid/Fake/a.jpg", "valid/FAKE/a.jpg"),
        ("./fake/camera/a.webp", "FAKE/camera/a.webp"),
        ("REAL/a.jpg", "REAL/a.jpg"),
        ("REAL/scan.PPM", "REAL/scan.PPM"),
        ("FAKE/from the web.jfif", "FAKE/from the web.jfif"),
        ("Dataset/Validation/Fake/a.jpg", "validation/FAKE/a.jpg"),
        ("Train set/Real Images/a.jpg", "train set/REAL/Real Images/a.jpg"),
        ("dev/AI-generated/a.jpg", "dev/FAKE/AI-generated/a.jpg"),
        ("sd4/train/nature/a.jpg", "train/REAL/nature/a.jpg"),
        ("train/progan/0_real/a.jpg", "train/REAL/progan/0_real/a.jpg"),
        ("REAL/train/a.jpg", "train/REAL/a.jpg"),
        ("training_fake/a.jpg", "train/FAKE/training_fake/a.jpg"),
        ("AiArtData/a.jpg", "FAKE/AiArtData/a.jpg"),
        ("rEaL/a.jpg", "REAL/a.jpg"),
        ("real_vs_fake/real-vs-fake/valid/real/a.jpg", "valid/REAL/a.jpg"),
        ("FAKE/nature/a.jpg", "FAKE/nature/a.jpg"),
        ("generated/REAL/a.jpg", "REAL/a.jpg"),
        ("test/train/1_fake/a.jpg", "test/FAKE/train/1_fake/a.jpg"),
        ("FAKE/real_esrgan/a.jpg", "FAKE/real_esrgan/a.jpg"),
        ("not_real/a.jpg", None),
        ("sd_fakes/a.jpg", None),
        ("0/a.jpg", None),
        ("REAL/@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg", None),
        ("lost+found/REAL/a.jpg", None),
        ("REAL/.ipynb_checkpoints/a-checkpoint.jpg", None),
        ("README.md", None),
        ("train/FAKE/Thumbs.db", None),
        ("train/FAKE/.hidden.jpg", None),
        ("__MACOSX/train/FAKE/a.jpg", None),
        ("train/a.jpg", None),
        ("a.jpg", None),
    ],
)
def test_a_path_says_split_and_class(name, key):
    place = layout.place(name)
    assert (place and place.key()) == key


@pytest.mark.parametrize("name", ["REAL/fake/a.jpg", "nature/ai/a.jpg", "fake/x/Real images/a.jpg"])
def test_a_path_that_names_both_classes_has_no_label(name):
    assert layout.place(name).label is None


@pytest.mark.parametrize(
    ("folder", "split"),
    [("train", "train"), ("Training_set", "train"), ("VAL", "train"), ("valid", "train"),
     ("Validation", "train"), ("dev", "train"), ("val2017", "train"), ("Test Images", "test")],
)  # fmt: skip
def test_every_word_for_a_split_is_understood_and_validation_joins_training(folder, split):
    assert layout.joins(layout.place(f"{folder}/REAL/a.jpg").split) == split


def test_counts_in_words_stay_short():
    kinds = {f".{number}": 20 - number for number in range(13)}
    assert layout.counted({"a": 1, "b": 2}) == "2 b, 1 a"
    assert layout.counted(kinds).endswith("11 .9, 27 others")


def test_file_names_carry_the_object_class_as_cifake_numbers_them():
    classes = [layout.cifake_object_class(f"test/REAL/7{s}.jpg") for s in ("", " (2)", " (10)")]
    assert classes == [0, 1, 9]
    assert layout.cifake_object_class("REAL/7 (11).jpg") == -1
    assert layout.cifake_object_class("REAL/holiday.jpg") == -1
