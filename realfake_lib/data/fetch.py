"""Download the pinned files this project reads, with progress, retries and resumption."""

import errno
import json
import time
from pathlib import Path

from realfake_lib import progress
from realfake_lib.errors import UserError

CONNECT_TIMEOUT = 5.0
"""Seconds to wait for a connection; without a network the answer should come at once."""

READ_TIMEOUT = 30.0
ATTEMPTS = 5
_CHUNK = 1 << 18


class DownloadError(UserError):
    """A file could not be had from the network."""


def download(url, path, known_hash=None, check=None, label=None):
    """Fetch ``url`` to ``path`` through pooch; a partial file beside it is carried on with.

    Parameters
    ----------
    url : str
    path : path-like
        Where the file appears, whole and checked or not at all.
    known_hash : str, optional
        ``"sha256:…"`` of the file's bytes.
    check : callable, optional
        Takes the path of the finished download; raises UserError when the contents are wrong.
    label : str, optional
        What progress messages call the file.

    Raises
    ------
    DownloadError
        No network, an error status, or contents that are not the expected ones.
    """
    import pooch

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(
            url,
            known_hash=known_hash,
            fname=path.name,
            path=path.parent,
            downloader=_ResumingDownloader(path, check, label or path.name),
        )
    except ValueError as error:  # pooch's word for a wrong hash; it removes the file itself
        raise DownloadError(
            f"{url} gave other contents than expected: {error}",
            "Something between here and the server changes the file, or it was replaced there.",
        ) from error
    return path


class _ResumingDownloader:
    """Downloader for pooch that keeps ``<file>.part`` between attempts and between runs."""

    def __init__(self, path, check, label):
        self.part = path.with_name(path.name + ".part")
        self.state = path.with_name(path.name + ".part.json")
        self.check = check
        self.label = label

    def __call__(self, url, output_file, pooch):
        import requests

        for attempt in range(1, ATTEMPTS + 1):
            before = self._size()
            try:
                self._transfer(url)
                break
            except requests.HTTPError as error:
                status = error.response.status_code
                if attempt == ATTEMPTS or (status < 500 and status != 429):
                    self._forget()
                    raise DownloadError(f"{url} answered {status} {error.response.reason}") from error
            except (requests.ConnectionError, requests.Timeout, OSError) as error:
                if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
                    self._forget()
                    raise UserError(
                        f"No space left for the download in {self.part.parent}",
                        "Free some, or set REALFAKE_CACHE to a folder on another disk.",
                    ) from error
                # One more try for a server that cannot be reached at all, more for one that
                # broke off in the middle: a machine without network should not wait.
                reached = self._size() > before
                if attempt == ATTEMPTS or (attempt > 1 and not reached and before == 0):
                    raise DownloadError(
                        f"{url} could not be read: {_reason(error)}",
                        "Check the network; the same command carries on where it stopped.",
                    ) from error
            progress.report(f"{self.label}: trying again ({attempt})")
            time.sleep(min(0.5 * 2 ** (attempt - 1), 4))
        try:
            if self.check is not None:
                self.check(self.part)
        except UserError as error:
            self._forget()
            raise DownloadError(
                f"{url} gave other contents than expected: {error.message}",
                "Something between here and the server changes the file, or it was replaced there.",
            ) from error
        self.part.replace(output_file)
        self.state.unlink(missing_ok=True)

    def _size(self):
        return self.part.stat().st_size if self.part.exists() else 0

    def _forget(self):
        self.part.unlink(missing_ok=True)
        self.state.unlink(missing_ok=True)

    def _transfer(self, url):
        import requests

        have = self._size()
        tag = self._tag(url)
        # If-Range makes a server whose file has changed send it whole instead of a foreign tail.
        headers = {"Range": f"bytes={have}-", "If-Range": tag} if have and tag else {}
        with requests.get(
            url, headers=headers, stream=True, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT)
        ) as response:
            if response.status_code == 416:  # asked past the end: nothing of the part is of use
                self._forget()
                raise requests.ConnectionError("the server refused to carry on; starting again")
            response.raise_for_status()
            carries_on = response.status_code == 206
            done = have if carries_on else 0
            length = response.headers.get("Content-Length")
            total = done + int(length) if length else None
            self.state.write_text(json.dumps({"url": url, "tag": response.headers.get("ETag")}))
            with open(self.part, "ab" if carries_on else "wb") as stream:
                for chunk in progress.track(_chunks(response), self.label, total=None):
                    stream.write(chunk)
                    done += len(chunk)
                    progress.report(self.label, done, total, "bytes")
            if total is not None and done < total:
                raise requests.ConnectionError(f"ended after {done:,} of {total:,} bytes")

    def _tag(self, url):
        try:
            state = json.loads(self.state.read_text())
        except (OSError, ValueError):
            return None
        return state.get("tag") if state.get("url") == url else None


def _chunks(response):
    # The raw stream: a server that marks a .tar.gz as Content-Encoding gzip must not unpack it.
    return iter(lambda: response.raw.read(_CHUNK, decode_content=False), b"")


def _reason(error):
    text = str(error)
    for known in ("Name or service not known", "Temporary failure in name resolution",
                  "Connection refused", "timed out", "Network is unreachable"):  # fmt: skip
        if known in text:
            return known[0].lower() + known[1:]
    return text
