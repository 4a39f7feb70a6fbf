"""Files are written whole, and what is no plain file of one's own is written to, not replaced."""

import os
import stat
import subprocess
import sys
import threading

import pytest

from realfake_lib import settings
from realfake_lib.errors import UserError


def write(path, text="new\n"):
    with settings.atomic_file(path) as temporary:
        temporary.write_text(text)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask():
    """Set the umask until the end of the test."""
    before = os.umask(0)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize("mask", [0o077, 0o022, 0o002])
def test_a_new_file_has_the_mode_that_the_umask_says(tmp_path, umask, mask):
    umask(mask)
    write(tmp_path / "new.csv")
    assert mode(tmp_path / "new.csv") == 0o666 & ~mask


def test_a_new_file_has_the_group_of_a_folder_that_passes_it_on(tmp_path):
    tmp_path.chmod(0o2770)
    write(tmp_path / "new.csv")
    assert (tmp_path / "new.csv").stat().st_gid == tmp_path.stat().st_gid


def test_a_file_that_is_replaced_keeps_its_mode_and_owner(tmp_path, umask):
    umask(0o077)
    file = tmp_path / "old.csv"
    file.write_text("old and longer\n")
    file.chmod(0o664)
    if os.geteuid() == 0:
        os.chown(file, 1234, 4321)
    before = file.stat()
    write(file)
    after = file.stat()
    assert file.read_text() == "new\n" and after.st_ino != before.st_ino
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode, before.st_uid, before.st_gid,
    )  # fmt: skip


def test_modes_need_not_be_possible(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    file = tmp_path / "old.csv"
    write(file, "old and longer\n")
    monkeypatch.setattr(os, "chmod", refuse)
    monkeypatch.setattr(os, "chown", refuse)
    write(file)
    assert file.read_text() == "new\n"


@pytest.mark.parametrize("target", ["real/verdicts.csv", "real/missing.csv"])
def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path, target):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "verdicts.csv").write_text("old\n")
    link = tmp_path / "verdicts.csv"
    link.symlink_to(target)
    write(link)
    assert os.readlink(link) == target and (tmp_path / target).read_text() == "new\n"


def test_the_reader_of_a_named_pipe_gets_all_and_the_end(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()), daemon=True)
    reader.start()
    write(pipe, "text\n" * 50_000)  # more than a pipe holds
    reader.join(10)
    assert got == ["text\n" * 50_000] and stat.S_ISFIFO(os.stat(pipe).st_mode)


@pytest.mark.parametrize("path", ["~nobody-of-this-name/data", " "])
def test_a_path_that_leads_nowhere_is_told_in_words(path, monkeypatch):
    with pytest.raises(UserError, match="no such user|is empty"):
        settings.user_path(path)
    monkeypatch.setenv("REALFAKE_CACHE", "~nobody-of-this-name")
    with pytest.raises(UserError, match="no such user"):
        settings.cache_dir()


def test_a_device_stays_a_device(tmp_path):
    link = tmp_path / "nowhere"
    link.symlink_to(os.devnull)
    write(link)
    assert link.is_symlink() and stat.S_ISCHR(os.stat(os.devnull).st_mode)


PRINTING = """
import sys
from realfake_lib import settings
from realfake_lib.errors import UserError
print("first")
with settings.atomic_file(sys.argv[1]) as temporary:
    temporary.write_text("second\\n")
print("third")
"""


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "link"])
@pytest.mark.parametrize("how", ["wb", "ab", "pipe"])
def test_what_is_written_to_standard_output_comes_in_its_order(tmp_path, name, how):
    if not os.path.exists("/dev/fd/1"):
        pytest.skip("no /dev/fd here")
    if name == "link":
        (tmp_path / name).symlink_to("/dev/stdout")
        name = tmp_path / name
    command = [sys.executable, "-c", PRINTING, name]
    if how == "pipe":
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    else:
        (tmp_path / "out").write_bytes(b"before\n")
        with open(tmp_path / "out", how) as stream:
            subprocess.run(command, check=True, stdout=stream)
        printed = (tmp_path / "out").read_bytes()
    before = b"before\n" if how == "ab" else b""
    assert printed == before + b"first\nsecond\nthird\n"


def test_the_longest_name_that_a_disk_takes_can_be_written(tmp_path):
    name = "x" * 251 + ".csv"
    write(tmp_path / name)
    assert os.listdir(tmp_path) == [name]


def test_nothing_is_left_of_a_block_that_fails(tmp_path):
    (tmp_path / "old.csv").write_text("old\n")
    with pytest.raises(ZeroDivisionError):
        with settings.atomic_file(tmp_path / "old.csv") as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError
    assert os.listdir(tmp_path) == ["old.csv"]
    assert (tmp_path / "old.csv").read_text() == "old\n"
