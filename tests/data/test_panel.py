"""The panel is found, checked against its manifest, decoded, and made again from its originals."""

import gzip
import http.server
import io
import threading
import urllib.parse

import numpy as np
import pytest
from PIL import Image
from small_panel import make_panel, scene, write_manifest
from typer.testing import CliRunner

from realfake_lib import cli
from realfake_lib.data import fetch, panel, panel_fetch
from realfake_lib.errors import UserError

from .conftest import write_tar, write_zip


@pytest.fixture(autouse=True)
def no_panel_of_the_machine(monkeypatch):
    for variable in panel.VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def small(tmp_path):
    """A folder with a panel of 12 crops, its rows and its originals."""
    folder = tmp_path / "made" / "panel"
    folder.mkdir(parents=True)
    return folder, *make_panel(folder)


def test_crops_come_with_what_is_known_of_them(small, monkeypatch):
    folder, rows, _ = small
    monkeypatch.setenv("REALFAKE_PANEL", str(folder))
    found = panel.load()
    assert len(found) == 12 and found.notices() == [] and found.missing is None
    assert found.labels.tolist() == [0] * 6 + [1] * 6 and found.labels.dtype == np.int8
    assert found.sources.tolist() == [row["source"] for row in rows]
    assert found.table["original_width"].tolist() == [320] * 12
    assert found.bytes(7) == (folder / rows[7]["file"]).read_bytes()
    crops = found.crops([4, 0])
    assert crops.shape == (2, 256, 256, 3) and crops.dtype == np.uint8
    assert np.array_equal(crops[1], scene([0, 0])[:256, :256])  # lossless, from the corner
    assert found.crops().shape[0] == 12


@pytest.mark.parametrize("place", ["REALFAKE_PANEL", "above", "inside data", "beside", "archive"])
def test_the_panel_is_found_where_it_may_be(small, monkeypatch, tmp_path, place):
    folder = small[0]
    if place == "REALFAKE_PANEL":
        monkeypatch.setenv("REALFAKE_PANEL", str(folder))
    elif place == "above":
        monkeypatch.setenv("REALFAKE_PANEL", str(folder.parent))
    elif place == "inside data":
        monkeypatch.setenv("REALFAKE_DATA", str(folder.parent))
    elif place == "beside":
        monkeypatch.setenv("REALFAKE_DATA", str(folder.parent / "cifake.tar.gz"))
    else:  # a folder panel that holds the archive
        packed = tmp_path / "data" / "panel" / "archive" / "panel.tar"
        packed.parent.mkdir(parents=True)
        write_tar(packed, files_of(folder), "w")
        monkeypatch.setenv("REALFAKE_DATA", str(tmp_path / "data" / "cifake"))
    assert len(panel.load()) == 12


def files_of(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {f"panel/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in files}


@pytest.mark.parametrize("pack", [write_tar, write_zip])
def test_an_archive_is_unpacked_once_with_its_subfolders(small, monkeypatch, tmp_path, pack):
    path = pack(tmp_path / f"p.{'zip' if pack is write_zip else 'tar.gz'}", files_of(small[0]))
    monkeypatch.setenv("REALFAKE_PANEL", str(path))
    crops = [panel.load().crops() for _ in range(2)]
    assert np.array_equal(*crops) and np.array_equal(crops[0], panel.read(small[0]).crops())
    assert len(list((tmp_path / "cache/unpacked").iterdir())) == 1


@pytest.mark.parametrize("setting", [None, "gone", "empty", "notes.txt", "climbing.zip"])
def test_a_missing_panel_is_a_sentence(monkeypatch, tmp_path, setting):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    write_zip(tmp_path / "climbing.zip", {"../manifest.csv": b"x"})
    if setting:
        monkeypatch.setenv("REALFAKE_PANEL", str(tmp_path / setting))
    found = panel.load()
    assert len(found) == 0 and found.crops().shape == (0, 256, 256, 3)
    (notice,) = found.notices()
    assert "REALFAKE_PANEL" in notice and "fetch panel" in notice
    assert (str(tmp_path / setting) if setting else "no download was allowed") in notice
    assert not (tmp_path.parent / "manifest.csv").exists()


def test_files_and_manifest_that_differ_are_named(small):
    folder, rows, _ = small
    (folder / rows[1]["file"]).unlink()
    (folder / "fake" / "gpt" / "new.webp").write_bytes(b"x")
    (folder / ".originals").mkdir()
    found = panel.read(folder)
    assert len(found) == 11 and rows[1]["file"] not in set(found.table["file"])
    assert found.notices() == [
        "Of the panel, 1 of 12 crops are missing: 1 ldm one.",
        "Of the panel, 1 files stand in no line of its manifest and are left out, "
        "fake/gpt/new.webp first.",
    ]


WRONG = {
    "label": ("Fake", "line 4: label 'Fake'"),
    "file": ("fake/../../secret.jpg", "line 4: file 'fake/../../secret.jpg'"),
    "crop_x": ("-16", "line 4: crop_x '-16'"),
    "original_width": ("", "line 4: original_width ''"),
    "source": ("", "line 4: source ''"),
}


@pytest.mark.parametrize("column", WRONG)
def test_a_line_that_cannot_be_used_is_named(small, column):
    folder, rows, _ = small
    rows[2][column], message = WRONG[column]
    write_manifest(folder, rows)
    with pytest.raises(UserError, match="manifest.csv") as caught:
        panel.read(folder)
    assert message in caught.value.message


def test_a_file_named_twice_is_refused(small):
    folder, rows, _ = small
    write_manifest(folder, [*rows, rows[0]])
    with pytest.raises(UserError, match=f"line 14: file '{rows[0]['file']}'"):
        panel.read(folder)


@pytest.mark.parametrize(
    "content, message",
    [(b"", "cannot be read"), (b"file,label\nx,FAKE\n", "no column family"), (b"\xff,\n", "read")],
)
def test_a_manifest_that_is_none_is_refused(small, content, message):
    (small[0] / "manifest.csv").write_bytes(content)
    with pytest.raises(UserError, match=message):
        panel.read(small[0])


def test_a_crop_of_another_size_or_damaged_is_named(small):
    folder, rows, _ = small
    Image.fromarray(scene(0, 255, 256)).save(folder / rows[0]["file"])
    (folder / rows[1]["file"]).write_bytes(b"RIFF")
    found = panel.read(folder)
    with pytest.raises(UserError, match="0000.webp is 255×256 pixels, not 256×256"):
        found.crops([0])
    with pytest.raises(UserError, match="0001.webp"):
        found.crops([2, 1])


# --- making it again ----------------------------------------------------------------------------


class Host:
    """Serves originals on 127.0.0.1 by their path; keeps what was asked for."""

    def __init__(self, originals):
        self.originals, self.asked = originals, []
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                assert "#" not in self.path and " " not in self.path
                path = urllib.parse.unquote(self.path).lstrip("/")
                host.asked.append(path)
                if path not in host.originals:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(host.originals[path])))
                self.end_headers()
                self.wfile.write(host.originals[path])

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def host(small, tmp_path, monkeypatch):
    """A server with the originals of the small panel, whose manifest is the library's."""
    folder, _, originals = small
    packed = tmp_path / "manifest.csv.gz"
    packed.write_bytes(gzip.compress((folder / "manifest.csv").read_bytes()))
    host = Host(originals)
    monkeypatch.setattr(fetch, "PAUSE", 0.01)
    monkeypatch.setitem(panel_fetch.MANIFESTS, "panel", packed)
    monkeypatch.setitem(panel_fetch.MANIFESTS, "pool", packed)
    monkeypatch.setattr(panel_fetch, "HOST", f"http://127.0.0.1:{host.http.server_port}")
    yield host
    host.close()


def test_crops_are_cut_again_from_the_originals(small, host, tmp_path):
    report = panel_fetch.fetch_panel(tmp_path / "again")
    assert (report.n, report.n_new, report.reason) == (12, 12, None)
    again, first = panel.read(tmp_path / "again"), panel.read(small[0])
    assert again.notices() == [] and again.sources.tolist() == first.sources.tolist()
    assert np.array_equal(again.crops(range(6)), first.crops(range(6)))  # of lossless originals
    for row in range(6, 12):
        table = again.table.iloc[row]
        original = host.originals[f"someone/real/{table.commit}/{table.path}"]
        x, y = table.crop_x, table.crop_y
        whole = np.asarray(Image.open(io.BytesIO(original)).convert("RGB"))
        assert np.array_equal(again.crop(row), whole[y : y + 256, x : x + 256])
    assert {path.name for path in (tmp_path / "again").iterdir()} == {
        "fake", "real", "manifest.csv",
    }  # fmt: skip


def test_only_what_is_missing_is_fetched(small, host):
    folder, rows, _ = small
    (folder / rows[4]["file"]).unlink()
    (folder / rows[8]["file"]).unlink()  # from a JPEG, made again as WebP
    report = panel_fetch.fetch_panel(folder)
    assert (report.n, report.n_new) == (12, 2) and len(host.asked) == 2
    assert panel.read(folder).notices() == []
    assert panel_fetch.fetch_panel(folder).n_new == 0 and len(host.asked) == 2


def test_crops_of_one_original_are_cut_from_one_download(small, host, tmp_path):
    folder, rows, _ = small
    shared = ("path", "original_sha256")
    rows[1].update({name: rows[0][name] for name in shared})
    write_manifest(folder, rows)
    panel_fetch.MANIFESTS["panel"].write_bytes(
        gzip.compress((folder / "manifest.csv").read_bytes())
    )
    assert panel_fetch.fetch_panel(tmp_path / "again").n == 12 and len(host.asked) == 11


def test_what_is_not_available_is_listed_with_the_reason(small, host, tmp_path, monkeypatch):
    for row in small[1][:3]:
        host.originals.pop(f"{row['repository']}/{row['commit']}/{row['path']}")
    other = small[1][6]
    host.originals[f"{other['repository']}/{other['commit']}/{other['path']}"] = b"another"
    monkeypatch.setenv("REALFAKE_CACHE", str(tmp_path / "cache"))
    done = CliRunner().invoke(cli.app, ["data", "fetch", "panel"])
    assert done.exit_code == 2 and "8 crops in" in done.stdout
    (gone,) = (line for line in done.stdout.splitlines() if "404" in line)
    assert gone.split()[:3] == ["3", "ldm", "one"]
    assert "1  phone            the server gave other contents than expected\n" in done.stdout
    found = panel.load()
    assert len(found) == 8 and "4 of 12 crops are missing" in found.notices()[0]


def test_without_network_it_is_said_once_and_soon(host, tmp_path):
    host.close()
    report = panel_fetch.fetch_panel(tmp_path / "again")
    assert report.n == 0 and set(report.failed["reason"]) == {"no connection to 127.0.0.1"}
    assert panel.load(allow_download=True).missing == "no connection to 127.0.0.1"


def test_a_panel_that_is_asked_for_is_fetched_into_the_cache(host):
    assert len(panel.load()) == 0
    assert len(panel.load(allow_download=True)) == 12
    assert len(panel.load()) == 12


@pytest.mark.parametrize("arguments", [["wrong"], ["cifake", "--to", "x"]])
def test_a_fetch_of_anything_else_is_refused(arguments):
    assert CliRunner().invoke(cli.app, ["data", "fetch", *arguments]).exit_code == 2


def test_the_manifest_of_the_whole_panel_travels_with_the_library():
    table = panel.read_manifest(panel_fetch.MANIFESTS["panel"])
    assert len(table) == 3240
    assert table.groupby("label")["source"].nunique().to_dict() == {"FAKE": 20, "REAL": 12}
    check_manifest(table)


def test_the_manifest_of_the_pool_names_no_image_of_the_panel():
    table, measured = (panel.read_manifest(panel_fetch.MANIFESTS[n]) for n in ("pool", "panel"))
    assert len(table) > 9000 and table["source"].nunique() > 150
    assert not set(table["original_sha256"]) & set(measured["original_sha256"])
    check_manifest(table)


def test_the_pool_is_a_collection_of_its_own(host):
    assert len(panel.load("pool", allow_download=True)) == 12
    assert len(panel.load()) == 0 and len(panel.load("pool")) == 12
    assert "fetch pool" in panel.Panel(panel.load().table, name="pool", missing="x").notices()[0]


def check_manifest(table):
    """Each row names a square within its original, and where that lies."""
    assert set(table["crop_size"]) == {256} and set(table["crop_x"] % 16) == {0}
    for at, whole in (("crop_x", "original_width"), ("crop_y", "original_height")):
        assert (table[at] + 256 <= table[whole]).all()
    assert table["commit"].str.fullmatch("[0-9a-f]{40}").all()
    assert table["original_sha256"].str.fullmatch("[0-9a-f]{64}").all()
