"""A data set is the same from every layout, decoded once, and refused if it is not what it says."""

import errno
import io
import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realfake_lib import data
from realfake_lib.data import fingerprint, images, sources, store
from realfake_lib.data.images import decode
from realfake_lib.errors import BadFiles, UserError
from realfake_lib.report.stage import write_json

from .conftest import picture, tiny_files, write_folder, write_tar, write_zip

LAYOUTS = {
    "authors.tar.gz": ("CIFAKE-0123abc/DATASET/", write_tar),
    "kaggle.zip": ("", write_zip),
    "below.zip": ("cifake/", write_zip),
    "plain": ("", write_folder),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gives_the_same_data_set(tmp_path, tiny, name):
    prefix, write = LAYOUTS[name]
    files = {prefix + key: content for key, content in reversed(tiny_files().items())}
    loaded = data.load(write(tmp_path / name, files | {prefix + "README.md": b"hello"}))
    assert loaded.fingerprint == tiny.fingerprint
    assert (loaded.images == tiny.images).all()
    assert loaded.index.drop(columns="encoding").equals(tiny.index.drop(columns="encoding"))


def test_images_stand_in_the_order_of_their_keys_with_labels_and_splits(tiny):
    files = tiny_files()
    assert tiny.index["key"].tolist() == sorted(files)
    for at, key in enumerate(tiny.index["key"]):
        assert (tiny.images[at] == decode(files[key], key)).all()
    assert (tiny.labels == ["REAL" in key for key in tiny.index["key"]]).all()
    assert (tiny.index["split"] == [key.split("/")[0] for key in tiny.index["key"]]).all()
    assert tiny.index["file_size"].tolist() == [len(files[key]) for key in tiny.index["key"]]
    assert (tiny.index["object_class"] == -1).all()  # numbers in names mean nothing outside CIFAKE
    assert (tiny.n, tiny.image_size, tiny.name) == (16, 16, "tiny")


def test_the_index_has_the_promised_types(tiny):
    types = {name: str(kind) for name, kind in tiny.index.dtypes.items()}
    assert types["label"] == types["object_class"] == "int8"
    assert types["file_size"] == types["group"] == "int32"


def test_images_are_memory_mapped_and_cannot_be_changed(tiny):
    assert isinstance(tiny.images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        tiny.images[0] = 0


def test_the_second_load_decodes_nothing(tmp_path, tiny, monkeypatch):
    age(tmp_path / "tiny")
    data.load(tmp_path / "tiny")
    monkeypatch.setattr(store, "build", None)
    monkeypatch.setattr(fingerprint, "scan", None)
    again = data.load(tmp_path / "tiny")
    assert (again.images == tiny.images).all()
    assert data.fingerprint_of(tmp_path / "tiny").fingerprint == tiny.fingerprint


def age(path):
    """Make files look a minute old: what was just written is never trusted to stay."""
    for file in path.rglob("*") if path.is_dir() else [path]:
        os.utime(file, (file.stat().st_mtime - 60,) * 2)


def test_a_changed_file_changes_the_fingerprint(tmp_path, tiny):
    age(tmp_path / "tiny")
    before = data.fingerprint_of(tmp_path / "tiny")
    assert before.n == 16 and before.fingerprint == tiny.fingerprint
    (tmp_path / "tiny/train/REAL/0000.jpg").write_bytes(picture(999))
    assert data.fingerprint_of(tmp_path / "tiny").fingerprint != before.fingerprint
    assert data.load(tmp_path / "tiny").fingerprint != before.fingerprint


def test_files_written_just_now_are_not_remembered(tmp_path, cache):
    path = write_folder(tmp_path / "new", tiny_files())
    data.fingerprint_of(path)
    assert fingerprint.remembered(path) is None


def test_a_damaged_memo_or_cache_is_made_again(tmp_path, tiny, cache):
    path = tmp_path / "tiny"
    age(path)
    data.load(path)
    for memo in (cache / "fingerprints").iterdir():
        memo.write_text(json.dumps({"n": 3}))
    assert data.fingerprint_of(path).n == 16
    [entry] = (cache / "decoded").iterdir()
    (entry / "images.npy").write_bytes(b"cut off")
    assert (data.load(path).images[0] == decode(tiny_files()["test/FAKE/0000.jpg"], "")).all()


def test_an_index_of_another_length_is_not_used(tmp_path, tiny, cache):
    [entry] = (cache / "decoded").iterdir()
    np.savez(entry / "index.npz", label=np.zeros(3))
    assert store.read(entry) is None


def test_image_size_brings_mixed_images_to_one_size(tmp_path):
    mixed = tiny_files() | {"train/REAL/big.jpg": picture(1, 64)}
    path = write_folder(tmp_path / "mixed", mixed)
    with pytest.raises(UserError, match=r"big\.jpg is 64×64"):
        data.load(path)
    assert data.load(path, image_size=24).images.shape == (17, 24, 24, 3)


@pytest.mark.parametrize("size", [0, 8, 15, 5000])
def test_an_image_size_without_sense_is_refused(size):
    with pytest.raises(UserError, match="image_size"):
        data.load("demo", image_size=size)


def test_a_data_set_without_test_part_gets_one_that_says_so(tmp_path):
    files = {f"{name}/{n}.jpg": picture([n, at]) for at, name in enumerate(("Fake", "real"))
             for n in range(20)}  # fmt: skip
    loaded = data.load(write_folder(tmp_path / "own", files))
    counts = loaded.index.groupby(["split", "label"]).size()
    assert counts.to_dict() == {("test", 0): 4, ("test", 1): 4, ("train", 0): 16, ("train", 1): 16}
    assert "no test part" in " ".join(loaded.notices)
    assert loaded.index["key"][0] == "FAKE/0.jpg"


@pytest.mark.parametrize("word", ["valid", "val", "Validation", "dev"])
def test_a_validation_folder_joins_training(tmp_path, word):
    path = write_folder(tmp_path / "own", tiny_files(splits=("train", word, "test")))
    assert data.load(path).index["split"].value_counts().to_dict() == {"train": 16, "test": 8}


def test_a_validation_folder_of_one_class_is_noticed(tmp_path):
    files = tiny_files() | {"Validation/Real/a.jpg": picture(1)}
    assert data.load(write_folder(tmp_path / "own", files)).n == 17  # it joins training
    files = {key: content for key, content in files.items() if not key.startswith("train/FAKE")}
    with pytest.raises(UserError, match="only REAL images for train"):
        data.load(write_folder(tmp_path / "other", files))


def renamed(names, files=None):
    """Files whose folders have other names, by path as CIFAKE has it."""
    for old, new in names.items():
        files = {key.replace(old, new): file for key, file in (files or tiny_files()).items()}
    return files


@pytest.mark.parametrize(
    "names",
    [
        {"train/": "Train/", "test/": "Test/", "REAL": "Real", "FAKE": "Fake"},
        {"REAL": "nature", "FAKE": "ai"},
        {"REAL": "progan/0_real", "FAKE": "progan/1_fake"},
        {"train/REAL": "REAL/train", "train/FAKE": "FAKE/train", "test/REAL": "REAL/test",
         "test/FAKE": "FAKE/test"},
        {"train/": "training_set/", "test/": "testing_set/", "REAL": "Real Images",
         "FAKE": "AI-generated images"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("write", [write_folder, write_zip])
def test_layouts_of_well_known_data_sets_give_the_same_images(tmp_path, tiny, names, write):
    loaded = data.load(write(tmp_path / "own.zip", renamed(names)))
    columns = ["split", "label", "blob"]
    same = [one.index[columns].sort_values(columns).values.tolist() for one in (loaded, tiny)]
    assert same[0] == same[1] and not loaded.notices


def test_folders_by_generator_in_class_folders_are_looked_into(tmp_path):
    files = {f"FAKE/{by}/{n}.jpg": picture([n, at]) for at, by in enumerate(("sd", "dalle"))
             for n in range(5)} | {f"REAL/{n}.jpg": picture(n) for n in range(10)}  # fmt: skip
    loaded = data.load(write_folder(tmp_path / "own", files))
    assert set(loaded.index["key"]) == set(files)


def test_class_folders_below_several_others_are_one_set_that_says_so(tmp_path):
    files = {f"objects/{of}/{kind}/{n}.jpg": picture([n, at, len(kind)])
             for at, of in enumerate(("car", "cat")) for kind in ("0_real", "1_fake")
             for n in range(5)}  # fmt: skip
    loaded = data.load(write_folder(tmp_path / "own", files))
    assert loaded.index["key"][0] == "FAKE/car/1_fake/0.jpg" and loaded.n == 20
    assert "The images of 2 folders are taken together" in " ".join(loaded.notices)
    assert "2 folders" in " ".join(data.fingerprint_of(tmp_path / "own").notices)


def test_images_in_folders_that_say_no_class_are_counted_and_said(tmp_path):
    path = write_folder(tmp_path / "own", tiny_files() | {"more/sdxl/a.jpg": picture(1)})
    age(path)
    for _ in range(2):  # read, then remembered
        assert "names say no class: 1 in 'more/sdxl'" in " ".join(data.load(path).notices)


def test_folders_with_names_of_their_own_are_named_where_a_class_is_missing(tmp_path):
    files = {f"{name}/{n}.jpg": picture(n) for name in ("REAL", "sdxl_fakes") for n in range(3)}
    with pytest.raises(UserError, match="only REAL images; left out: 3 in 'sdxl_fakes'") as caught:
        data.load(write_folder(tmp_path / "own", files))
    assert "folders REAL and FAKE" in caught.value.hint


def test_a_path_that_names_both_classes_is_a_question(tmp_path):
    files = tiny_files() | {"train/FAKE/real images/a.jpg": picture(1)}
    with pytest.raises(UserError, match="train/FAKE/real images/a.jpg' name both classes"):
        data.load(write_folder(tmp_path / "own", files))


def test_what_systems_put_among_files_is_no_part_of_a_data_set(tmp_path, tiny, monkeypatch):
    litter = ("lost+found", "__MACOSX", ".ipynb_checkpoints", "@eaDir", "$RECYCLE.BIN", "#recycle",
              "System Volume Information")  # fmt: skip
    files = tiny_files() | {f"{at}{name}/REAL/a.jpg": b"x" for name in litter
                            for at in ("", "train/", "train/REAL/")}  # fmt: skip
    files |= {"train/REAL/Thumbs.db": b"x", "test/FAKE/desktop.ini": b"x"}
    path = write_folder(tmp_path / "own", files)
    forbid(monkeypatch, *path.rglob("lost+found"))
    loaded = data.load(path)
    assert loaded.fingerprint == tiny.fingerprint and not loaded.notices


def forbid(monkeypatch, *paths):
    """Make folders and files unreadable, for root, too."""
    import builtins

    forbidden = set(map(str, paths))

    def guarded(opened):
        def guard(path, *args, **kwargs):
            if str(path) in forbidden:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return opened(path, *args, **kwargs)

        return guard

    monkeypatch.setattr(os, "scandir", guarded(os.scandir))
    monkeypatch.setattr(builtins, "open", guarded(open))


def test_unreadable_folders_and_files_among_good_ones_are_named(tmp_path, monkeypatch):
    files = tiny_files() | {"FAKE more/a.jpg": picture(1), "test/REAL/mine.jpg": picture(2)}
    path = write_folder(tmp_path / "own", files)
    forbid(monkeypatch, path / "FAKE more", path / "test/REAL/mine.jpg")
    with pytest.raises(UserError, match="2 files that cannot be used") as caught:
        data.load(path)
    assert "FAKE more cannot be read: Permission denied" in caught.value.message
    assert "test/REAL/mine.jpg cannot be read: Permission denied" in caught.value.message


def test_of_very_many_bad_files_a_list_is_written_and_named(tmp_path, cache):
    files = tiny_files() | {f"train/REAL/cut{n:03}.jpg": picture(n)[:-40] for n in range(300)}
    path = write_folder(tmp_path / "own", files)
    with pytest.raises(UserError, match="300 files that cannot be used") as caught:
        data.load(path)
    lines = caught.value.message.splitlines()
    listed = lines[-1].rpartition("all are listed in ")[2]
    with open(listed, encoding="utf-8") as stream:
        names = [line.split()[0] for line in stream]
    assert names == sorted(key for key in files if "cut" in key) and len(lines) == 22
    assert listed == str(cache / "bad_files" / "own.txt")


def test_where_no_list_can_be_written_the_message_names_them_all(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REALFAKE_CACHE", str(tmp_path / "file"))
    bad = BadFiles("own")
    for number in range(300):
        bad.add(f"{number} is odd")
    with pytest.raises(UserError) as caught:
        bad.check()
    assert len(caught.value.message.splitlines()) == 301


def test_subset_keeps_rows_together_and_has_its_own_fingerprint(tiny):
    part = tiny.subset([3, 1])
    assert part.index["key"].tolist() == tiny.index["key"].iloc[[3, 1]].tolist()
    assert (part.images == tiny.images[[3, 1]]).all()
    assert part.fingerprint != tiny.fingerprint


def test_object_classes_are_called_what_they_are(tiny, demo):
    assert tiny.object_names[3] == "cat"
    assert demo.object_names[0].startswith("china") and len(demo.object_names) == 8


def test_describe_counts_every_part(tiny):
    table = data.describe(tiny)
    assert table["images"].tolist() == [4, 4, 4, 4]
    assert table["class"].tolist() == ["FAKE", "REAL"] * 2 and table["split"][0] == "test"
    assert table["file_size_median"][0] == tiny.index["file_size"][:4].median()


BAD = {
    "nothing": ({}, "neither an archive nor folders"),
    "no images": ({"REAL/a.txt": b"x"}, "no images"),
    "one class": (tiny_files() and {"REAL/a.jpg": picture(0)}, "only REAL"),
    "one class in test": (
        {k: v for k, v in tiny_files().items() if not k.startswith("test/FAKE")},
        "only REAL images for test",
    ),
    "two data sets": (tiny_files("a/") | tiny_files("b/"), "more than one data set"),
    "inside and outside": (tiny_files() | {"REAL/a.jpg": picture(0), "FAKE/a.jpg": picture(1)},
                           "mixes images"),
    "twice": (tiny_files() | {"train/real/0000.jpg": picture(5)}, "2 times"),
    "a bad image": (tiny_files() | {"train/REAL/bad.jpg": b""}, r"bad\.jpg is empty"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_an_unusable_folder_is_refused_and_leaves_nothing(tmp_path, cache, case):
    files, message = BAD[case]
    (tmp_path / "bad").mkdir()
    with pytest.raises(UserError, match=message):
        data.load(write_folder(tmp_path / "bad", files))
    assert not [left for left in cache.rglob("*") if left.is_file() and left.suffix != ".lock"]


def test_every_bad_file_is_named_in_one_message(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(images, "_CHUNK", 3)  # bad files of several chunks
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("black", "white")]
    moving = io.BytesIO()
    frames[0].save(moving, "GIF", save_all=True, append_images=frames[1:])
    files = tiny_files() | {
        "train/REAL/moving.gif": moving.getvalue(),
        "test/FAKE/empty.png": b"",
        "train/FAKE/cut.jpg": picture(1)[:-40],
    }
    path = write_folder(tmp_path / "own", files)
    (path / "test/REAL/gone.jpg").symlink_to("nowhere")
    (path / "test/REAL/more").symlink_to(path / "train/REAL")
    with pytest.raises(UserError, match="own holds 5 files that cannot be used") as caught:
        data.load(path)
    for words in (
        "train/REAL/moving.gif is animated",
        "test/FAKE/empty.png is empty",
        "train/FAKE/cut.jpg is damaged",
        "test/REAL/gone.jpg cannot be read: a link to nothing",
        "test/REAL/more is a link to a folder",
    ):
        assert words in caught.value.message
    assert not list((cache / "decoded").iterdir())


@pytest.mark.parametrize("write", [write_folder, write_tar])
def test_a_name_that_is_no_text_is_read_like_any_other(tmp_path, write):
    odd = [os.fsdecode(name) for name in (b"caf\xe9.jpg", b"caf\xe8.jpg", b"\xff/a.jpg")]
    files = {f"train/REAL/{name}": picture(at) for at, name in enumerate(odd)}
    keys = data.load(write(tmp_path / "own.tar.gz", tiny_files() | files)).index["key"]
    assert {r"train/REAL/caf\xe9.jpg", r"train/REAL/caf\xe8.jpg"} < set(keys) and len(keys) == 19


def test_a_bad_file_whose_name_is_no_text_is_named(tmp_path):
    path = write_folder(tmp_path / "own", tiny_files())
    (path / "train/REAL" / os.fsdecode(b"\xe9.jpg")).write_bytes(b"")
    (path / "train/REAL" / os.fsdecode(b"\xe8.jpg")).symlink_to("nowhere")
    with pytest.raises(UserError, match=r"\\xe8.jpg cannot be read[^\\]*\\xe9.jpg is empty"):
        data.load(path)


def test_photographs_are_handed_on_by_their_bytes(monkeypatch):
    monkeypatch.setattr(images, "_CHUNK_BYTES", 1)
    assert [len(chunk) for chunk in images._chunks(tiny_files().items())] == [1] * 16


def test_files_of_no_kind_read_here_are_counted_and_said(tmp_path):
    others = {"train/REAL/a.nef": b"x", "train/REAL/b.NEF": b"x", "test/FAKE/c": b"x"}
    unseen = {"train/REAL/.DS_Store": b"x", "train/REAL/Thumbs.db": b"x", "notes.txt": b"x"}
    path = write_folder(tmp_path / "own", tiny_files() | others | unseen)
    age(path)
    for _ in range(2):  # read, then remembered
        assert "2 .nef, 1 without suffix." in " ".join(data.load(path).notices)
    (path / "train/REAL/d.nef").write_bytes(b"x")
    assert "3 .nef" in " ".join(data.fingerprint_of(path).notices)


def test_a_data_set_below_a_hidden_folder_is_watched_like_any_other(tmp_path):
    path = write_folder(tmp_path / ".data" / "own", tiny_files())
    age(path)
    before = data.fingerprint_of(path).fingerprint
    (path / "train/REAL/0000.jpg").write_bytes(picture(999))
    assert data.fingerprint_of(path).fingerprint != before


def test_one_class_alone_is_loaded_only_where_it_is_asked_for(tmp_path):
    path = write_folder(tmp_path / "own", {f"FAKE/{n}.jpg": picture(n) for n in range(5)})
    age(path)
    alone = data.load(path, one_class=True)
    assert (alone.labels == 0).all() and not alone.notices
    for ask in (data.load, data.fingerprint_of):  # also when it is remembered
        with pytest.raises(UserError, match="only FAKE images"):
            ask(path)


def test_what_a_killed_run_left_is_cleared_away(cache, tmp_path):
    left = cache / "decoded" / ".unfinished-x"
    left.mkdir(parents=True)
    (left / "images.npy").write_bytes(b"half")
    data.load(write_folder(tmp_path / "tiny", tiny_files()))
    assert not left.exists()


@pytest.mark.parametrize(
    ("number", "message"),
    [(errno.ENOSPC, "No space left in the cache"), (errno.EACCES, "cannot be written"),
     (errno.EROFS, "cannot be written")],
)  # fmt: skip
def test_a_full_or_forbidden_cache_is_named(tmp_path, monkeypatch, number, message):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    path = write_folder(tmp_path / "tiny", tiny_files())
    monkeypatch.setattr(store.np, "savez", lambda *_, **__: fail())
    with pytest.raises(UserError, match=message) as caught:
        data.load(path)
    assert "REALFAKE_CACHE" in caught.value.hint
    assert not list((tmp_path / "cache/decoded").iterdir())


def test_other_failures_of_the_disk_are_not_hidden():
    with pytest.raises(OSError, match="odd"), store.writing():
        raise OSError(errno.EIO, "odd")


def test_a_file_in_the_place_of_the_cache_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REALFAKE_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match="cache folder .*file"):
        data.load(write_folder(tmp_path / "tiny", tiny_files()))


def load_in_child(path, queue):
    queue.put(data.load(path).fingerprint)


def test_two_processes_at_once_both_get_the_data(tmp_path, cache):
    path = write_folder(tmp_path / "tiny", tiny_files())
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    children = [context.Process(target=load_in_child, args=(path, queue)) for _ in range(2)]
    for child in children:
        child.start()
    results = {queue.get(timeout=120) for _ in children}
    for child in children:
        child.join()
    assert len(results) == 1
    assert len(list((cache / "decoded").iterdir())) == 1


def test_waiting_for_another_process_ends_when_it_is_done(cache, monkeypatch):
    said = []
    monkeypatch.setattr(store.progress, "report", lambda text: (said.append(text), held.release()))
    held = store.filelock.FileLock(cache / "locks" / "x.lock")
    (cache / "locks").mkdir(parents=True)
    held.acquire()
    with store.lock("x"):
        assert "Waiting" in said[0]


def test_asking_for_the_fingerprint_imports_no_tensorflow(tmp_path):
    path = write_folder(tmp_path / "tiny", tiny_files())
    code = (
        "import sys; from realfake_lib import data; "
        f"data.load({str(path)!r}); data.fingerprint_of({str(path)!r}); "
        "data.fingerprint_of('demo'); "
        "print({'tensorflow', 'keras', 'sklearn.ensemble', 'requests'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# Where the data come from


def test_realfake_data_may_be_a_folder_around_the_archive(tmp_path, monkeypatch):
    (tmp_path / "given/sub").mkdir(parents=True)
    path = write_tar(tmp_path / "given/sub/faces.tar.gz", tiny_files())
    monkeypatch.setenv("REALFAKE_DATA", str(tmp_path / "given"))
    loaded = data.load("auto")
    assert loaded.name == "faces" and str(path) in loaded.source


def test_several_archives_are_a_question_unless_one_is_called_cifake(tmp_path, monkeypatch):
    given = tmp_path / "given"
    given.mkdir()
    write_tar(given / "a.tar.gz", tiny_files())
    write_tar(given / "b.tar.gz", tiny_files())
    with pytest.raises(UserError, match="several archives: a.tar.gz, b.tar.gz"):
        data.load(given)
    named = write_zip(given / "my-CIFAKE.zip", tiny_files())
    assert sources.locate(given).path == named


@pytest.mark.parametrize(
    ("make", "message"),
    [(lambda path: None, "does not exist"), (lambda path: path.write_text(""), "not an archive")],
)
def test_a_setting_that_leads_nowhere_is_named(tmp_path, monkeypatch, make, message):
    make(tmp_path / "there")
    monkeypatch.setenv("REALFAKE_DATA", str(tmp_path / "there"))
    for request in ("auto", "cifake"):
        with pytest.raises(UserError, match=f"REALFAKE_DATA: .*there {message}|{message}"):
            data.load(request)


def test_what_calls_itself_cifake_and_is_not_is_refused(tmp_path, monkeypatch):
    path = write_zip(tmp_path / "cifake.zip", tiny_files())
    monkeypatch.setenv("REALFAKE_DATA", str(path))
    for ask in (data.load, data.fingerprint_of):
        with pytest.raises(UserError, match="does not hold CIFAKE's 120,000 files"):
            ask("auto")
    assert data.load(path).name == "cifake"  # named by its path, it is a data set like any other


def test_cifake_is_never_replaced_by_other_data(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="CIFAKE is not here"):
        data.load("cifake", allow_download=False)
    monkeypatch.setenv("REALFAKE_DATA", str(write_folder(tmp_path / "own", tiny_files())))
    with pytest.raises(UserError, match="does not hold CIFAKE"):
        data.load("cifake")


def test_without_data_and_network_the_demo_set_is_named_loudly():
    identity = data.fingerprint_of("auto", allow_download=False)
    assert identity.is_demo and identity.resolved == "demo" and identity.n == 2500
    assert "DEMO DATA" in identity.notices[0]
    assert "is not available" in identity.notices[1]


def test_resolved_leads_to_the_same_data(tmp_path):
    path = write_folder(tmp_path / "own", tiny_files())
    identity = data.fingerprint_of(path)
    assert data.fingerprint_of(identity.resolved) == identity


# CIFAKE itself


def test_cifake_is_the_authors_120_000_files(cifake):
    assert (cifake.name, cifake.n, cifake.image_size) == ("CIFAKE", 120_000, 32)
    assert not cifake.notices and not cifake.is_demo
    counts = cifake.index.groupby(["split", "label", "object_class"]).size()
    assert len(counts) == 40 and set(counts["test"]) == {1000} and set(counts["train"]) == {5000}
    assert cifake.index["encoding"].nunique() == 1  # every file has the same JPEG settings


def test_cifake_has_1336_duplicate_pairs_all_fake(cifake):
    found = data.duplicates(cifake)
    assert (found.pairs, found.within_train, found.within_test) == (1336, 920, 38)
    assert (found.cross_split, found.cross_class, found.distinct) == (378, 0, 118_664)
    assert len(found.test_indices_with_train_duplicate) == 378
    assert (found.frame["label"] == 0).all()


def test_cifakes_identity_is_known_at_once(cifake):
    identity = data.fingerprint_of("cifake", allow_download=False)
    assert identity.fingerprint == cifake.fingerprint and identity.resolved == "cifake"


def test_cifake_splits_leave_no_duplicate_behind(cifake):
    splits = data.make_splits(cifake)
    sizes = [len(part) for part in (splits.train, splits.val, splits.test, splits.test_dedup)]
    assert sizes == [90_000, 10_000, 20_000, 19_622]
    shared = splits.counts(cifake.labels)[["in_train", "in_val"]].sum(axis=1)
    assert shared.to_dict() == {"train": 0, "val": 0, "test": 378, "test_dedup": 0}


def test_a_folder_whose_name_is_no_text_can_hold_a_data_set(tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    write_folder(folder, tiny_files())
    loaded = data.load(folder, image_size=16)
    write_json(tmp_path / "a.json", {"data": str(folder)})
    assert loaded.n and json.loads((tmp_path / "a.json").read_text("utf-8"))["data"] == str(folder)
