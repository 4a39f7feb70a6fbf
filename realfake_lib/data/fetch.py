"""Download the pinned files this project reads, with progress, retries and resumption."""

import itertools
import re
import time
import warnings
from pathlib import Path

import urllib3

from realfake_lib import progress
from realfake_lib.errors import UserError

CONNECT_TIMEOUT = 5.0
"""Seconds to wait for a connection; without a network the answer should come at once."""

READ_TIMEOUT = 30.0
ATTEMPTS = 5
PAUSE = 0.5  # seconds before the second attempt; doubled for each further one
_CHUNK = 1 << 18


class DownloadError(UserError):
    """A download failed; ``unreachable`` if no server answered at all."""

    def __init__(self, message, hint=None, unreachable=False):
        super().__init__(message, hint)
        self.unreachable = unreachable


def download(url, path, known_hash=None, check=None, label=None):
    """Fetch ``url`` to ``path`` through pooch; a partial file beside it is carried on with.

    The file appears whole and checked, or not at all: by ``known_hash`` (``"sha256:…"``), and by
    ``check``, which takes the path of the download and raises UserError. ``label`` is what progress
    messages call it; there are none for an empty one. A DownloadError tells of no network, an error
    status, or other contents.
    """
    with warnings.catch_warnings():
        # In a notebook pooch's import asks for ipywidgets, which no page of a report can show.
        warnings.filterwarnings("ignore", message="IProgress not found")
        import pooch

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    downloader = _ResumingDownloader(path, check, path.name if label is None else label)
    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(
            url,
            known_hash=known_hash,
            fname=path.name,
            path=path.parent,
            downloader=downloader,
        )
    except DownloadError:
        downloader.report(": not available")
        raise
    except ValueError as error:  # pooch's word for a wrong hash; it removes the file itself
        raise _wrong_contents(url, error) from error
    return path


class _ResumingDownloader:
    """Downloader for pooch that keeps ``<file>.part`` between attempts and between runs."""

    def __init__(self, path, check, label):
        self.part = path.with_name(path.name + ".part")
        self.check = check
        self.label = label

    def __call__(self, url, output_file, pooch):
        import requests

        for attempt in itertools.count(1):
            try:
                self._transfer(url)
                break
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                self._give_up_or_wait(url, error, attempt)
            except OSError:  # of the disk: the cache's own words follow
                self.part.unlink(missing_ok=True)
                raise
        try:
            if self.check is not None:
                self.check(self.part)
        except UserError as error:
            self.part.unlink(missing_ok=True)
            raise _wrong_contents(url, error.message) from error
        self.part.replace(output_file)

    def report(self, words, *counts):
        if self.label:
            progress.report(self.label + words, *counts)

    def _give_up_or_wait(self, url, error, attempt):
        answer = getattr(error, "response", None)
        if answer is not None:
            passing = answer.status_code >= 500 or answer.status_code == 429
            if not passing:
                self.part.unlink(missing_ok=True)
            if not passing or attempt == ATTEMPTS:
                words = f"{url} answered {answer.status_code} {answer.reason}"
                raise DownloadError(words) from error
        elif attempt == ATTEMPTS or (attempt > 1 and not self._size()):
            # One more try for a server that cannot be reached, more for one that broke off in the
            # middle: a machine without network should not wait.
            raise DownloadError(
                f"{url} could not be read: {_reason(error)}",
                "Check the network; the same command carries on where it stopped.",
                unreachable=not self._size(),
            ) from error
        self.report(": trying again")
        time.sleep(min(PAUSE * 2 ** (attempt - 1), 4))

    def _size(self):
        return self.part.stat().st_size if self.part.exists() else 0

    def _transfer(self, url):
        import requests

        have = self._size()
        # Should the file have changed meanwhile, the check of its contents finds it out.
        headers = {"Range": f"bytes={have}-"} if have else {}
        timeout = (CONNECT_TIMEOUT, READ_TIMEOUT)
        with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
            if response.status_code == 416:  # asked past the end: the part is of no use
                self.part.unlink(missing_ok=True)
                raise requests.ConnectionError("the server refused to carry on")
            response.raise_for_status()
            done = have if response.status_code == 206 else 0
            length = response.headers.get("Content-Length")
            total = done + int(length) if length else None
            with open(self.part, "ab" if done else "wb") as stream:
                # Raw: a .tar.gz that a server marks as gzip-encoded must not be unpacked.
                for chunk in response.raw.stream(_CHUNK, decode_content=False):
                    stream.write(chunk)
                    done += len(chunk)
                    self.report("", done, total, "bytes")
            if total is not None and done < total:
                raise requests.ConnectionError(f"ended after {done:,} of {total:,} bytes")


def _wrong_contents(url, reason):
    return DownloadError(
        f"{url} gave other contents than expected: {reason}",
        "Something between here and the server changes the file, or it was replaced there.",
    )


_REASONS = re.compile(
    "name or service not known|temporary failure in name resolution|connection refused|"
    "timed out|network is unreachable"
)


def _reason(error):
    known = _REASONS.search(str(error).lower())
    return known[0] if known else str(error)
