"""Downloads carry on, try again, and never leave a file that is not the right one."""

import hashlib
import http.server
import threading

import pytest

from realfake_lib import data
from realfake_lib.data import fetch, fingerprint, sources
from realfake_lib.errors import UserError

from .conftest import tiny_files, write_tar

CONTENT = bytes(range(256)) * 4000


class Server:
    """Serves one file on 127.0.0.1, breaking off or failing as told; keeps what was asked."""

    def __init__(self, content):
        self.content = content
        self.plan = []  # what to do with the next requests: a status, or bytes to send and break
        self.ranges = []
        self.honours_ranges = True
        handler = type("Handler", (_Handler,), {"server_state": self})
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/file"


class _Handler(http.server.BaseHTTPRequestHandler):
    server_state = None

    def do_GET(self):
        state = self.server_state
        asked = self.headers.get("Range")
        state.ranges.append(asked)
        step = state.plan.pop(0) if state.plan else None
        if isinstance(step, int) and step >= 400:
            self.send_error(step)
            return
        start = 0
        if asked and state.honours_ranges:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        body = state.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if step is None else body[: step[0]])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(fetch, "PAUSE", 0.01)
    server = Server(CONTENT)
    yield server
    server.http.shutdown()
    server.http.server_close()


def test_a_file_arrives_whole(server, tmp_path):
    path = fetch.download(server.url, tmp_path / "new/file")
    assert path.read_bytes() == CONTENT
    assert [left.name for left in path.parent.iterdir()] == ["file"]


def test_an_interrupted_transfer_carries_on_where_it_stopped(server, tmp_path):
    server.plan = [(300_000,), (300_000,)]
    assert fetch.download(server.url, tmp_path / "file").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-", "bytes=600000-"]


def test_a_later_run_carries_on_too(server, tmp_path):
    server.plan = [(100_000,)] + [503] * fetch.ATTEMPTS
    with pytest.raises(fetch.DownloadError, match="503"):
        fetch.download(server.url, tmp_path / "file")
    assert not (tmp_path / "file").exists()
    server.plan = []
    assert fetch.download(server.url, tmp_path / "file").read_bytes() == CONTENT
    assert server.ranges[-1] == "bytes=100000-"


def test_a_server_that_cannot_carry_on_sends_all_of_it_again(server, tmp_path):
    server.honours_ranges = False
    server.plan = [(100_000,)]
    assert fetch.download(server.url, tmp_path / "file").read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_not_mixed_with_its_old_beginning(server, tmp_path):
    server.plan = [(100_000,)] + [503] * fetch.ATTEMPTS
    new = CONTENT[::-1]
    known_hash = f"sha256:{hashlib.sha256(new).hexdigest()}"
    with pytest.raises(fetch.DownloadError, match="503"):
        fetch.download(server.url, tmp_path / "file", known_hash)
    server.plan, server.content = [], new
    with pytest.raises(fetch.DownloadError, match="other contents"):
        fetch.download(server.url, tmp_path / "file", known_hash)
    assert fetch.download(server.url, tmp_path / "file", known_hash).read_bytes() == new


def test_a_part_longer_than_the_file_is_dropped(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT * 2)
    server.plan = [416]
    assert fetch.download(server.url, tmp_path / "file").read_bytes() == CONTENT


def test_a_server_in_trouble_is_asked_again(server, tmp_path):
    server.plan = [503, 429]
    assert fetch.download(server.url, tmp_path / "file").read_bytes() == CONTENT


def test_a_missing_file_is_said_at_once(server, tmp_path):
    server.plan = [404] * 9
    with pytest.raises(fetch.DownloadError, match="404") as caught:
        fetch.download(server.url, tmp_path / "file")
    assert len(server.ranges) == 1 and not caught.value.unreachable
    assert not list(tmp_path.iterdir())


def test_a_server_that_always_breaks_off_is_given_up(server, tmp_path):
    server.plan = [(1000,)] * 99
    with pytest.raises(fetch.DownloadError, match="could not be read"):
        fetch.download(server.url, tmp_path / "file")
    assert len(server.ranges) == fetch.ATTEMPTS


def test_no_server_at_all_is_said_soon(server, tmp_path):
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(fetch.DownloadError, match="connection refused") as caught:
        fetch.download(server.url, tmp_path / "file")
    assert caught.value.unreachable
    assert not (tmp_path / "file").exists()


def test_a_wrong_hash_leaves_nothing(server, tmp_path):
    with pytest.raises(fetch.DownloadError, match="other contents than expected"):
        fetch.download(server.url, tmp_path / "file", known_hash="sha256:" + "0" * 64)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_nothing(server, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetch.progress, "report", full)
    with pytest.raises(OSError, match="No space"):
        fetch.download(server.url, tmp_path / "file")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def little_cifake(server, tmp_path, monkeypatch):
    """A server with a data set that passes for CIFAKE."""
    path = write_tar(tmp_path / "x.tar.gz", tiny_files("repo-123/DATASET/"))
    server.content = path.read_bytes()
    trees = fingerprint.scan(path)[1].trees
    monkeypatch.setattr(fingerprint, "CIFAKE_TREES", trees)
    monkeypatch.setattr(sources, "CIFAKE_URL", server.url)
    return server


def test_cifake_is_downloaded_checked_and_kept(little_cifake):
    little_cifake.plan = [(500,)]
    first = data.load("auto")
    assert first.name == "CIFAKE" and first.n == 16 and not first.is_demo
    asked = len(little_cifake.ranges)
    again = data.load("cifake")
    assert again.fingerprint == first.fingerprint and "cache" in again.source
    assert len(little_cifake.ranges) == asked


def test_an_archive_with_other_contents_is_not_kept(little_cifake, tmp_path, cache):
    other = write_tar(tmp_path / "y.tar.gz", tiny_files(per_folder=3))
    little_cifake.content = other.read_bytes()
    with pytest.raises(UserError, match="other contents than expected"):
        data.load("cifake")
    assert not list((cache / "downloads").iterdir())


def test_a_page_instead_of_the_archive_is_not_kept(little_cifake, cache):
    little_cifake.content = b"<html>Please log in to this network</html>"
    with pytest.raises(UserError, match="other contents than expected"):
        data.fetch_cifake()
    assert not list((cache / "downloads").iterdir())


def test_without_network_auto_falls_back_and_says_why(server, monkeypatch):
    monkeypatch.setattr(sources, "CIFAKE_URL", server.url)
    server.http.shutdown()
    server.http.server_close()
    identity = data.fingerprint_of("auto")
    assert identity.is_demo and "connection refused" in identity.notices[1]
    with pytest.raises(UserError, match="CIFAKE is not here.*connection refused"):
        data.load("cifake")
