"""Read the files of a folder, tar or zip one after the other, safely and without extracting.

Nothing an archive says decides where a file is written, because none is. Archives with climbing
paths, links or absurd sizes are refused all the same: no data set has them.
"""

import gzip
import hashlib
import itertools
import lzma
import os
import re
import stat
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path

from realfake_lib import settings
from realfake_lib.data import layout
from realfake_lib.errors import UserError

ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip", ".tar.xz", ".tar.bz2")

MAX_FILE_BYTES = 256 * 2**20
"""Largest single file taken; the largest photographs of today's cameras stay below."""

MAX_TOTAL_BYTES = 256 * 2**30
MAX_FILES = 20_000_000

_DAMAGED = (EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError,
            gzip.BadGzipFile)  # fmt: skip


def is_archive(path):
    """Whether the file name is one of an archive that :func:`read_files` reads."""
    return str(path).lower().endswith(ARCHIVE_SUFFIXES)


def stem(path):
    """File or folder name without the archive suffix."""
    name = Path(path).name
    suffix = next((end for end in ARCHIVE_SUFFIXES if name.lower().endswith(end)), "")
    return name[: len(name) - len(suffix)]


def read_files(path, wanted=None, bad=None):
    """Yield ``(name, bytes)`` for every file in a folder, tar (plain, gz, bz2, xz) or zip.

    ``wanted`` takes a name and tells whether its bytes are to be read and yielded. ``bad``, a
    BadFiles, takes the files of a folder that cannot be read; without it the first one raises.
    A UserError tells of an archive that is damaged, cut off, encrypted or hostile.
    """
    path = Path(path)
    wanted = wanted or (lambda name: True)
    if path.is_dir():
        yield from _read_folder(path, wanted, bad)
        return
    # A tar whose last file is a zip ends as a zip does.
    is_zip = zipfile.is_zipfile(path) and not tarfile.is_tarfile(path)
    reader = _read_zip if is_zip else _read_tar
    budget = _Budget(path)
    try:
        yield from reader(path, wanted, budget)
    except _DAMAGED as error:
        raise UserError(
            f"{path} is cut off or damaged: {error}",
            "Get it again; nothing of it was kept.",
        ) from error
    except NotImplementedError as error:  # zipfile: a compression method it does not know
        raise UserError(f"{path} cannot be read: {error}", "Pack it as .zip or .tar.gz.") from error
    except RuntimeError as error:  # zipfile's word for a missing password
        if "password" not in str(error) and "encrypted" not in str(error):
            raise
        raise UserError(f"{path} is encrypted", "Give an archive without a password.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error


def as_folder(path, subfolders=False):
    """A folder itself, or a folder in the cache that holds an archive's files.

    They lie side by side, for a few that are looked up by their names, such as weights; or in the
    archive's own subfolders. A UserError says where there is nothing, or no archive that can be
    read.
    """
    path = settings.user_path(path)
    if path.is_dir():
        return path
    if not path.exists():
        raise UserError(f"{path} does not exist")
    if not is_archive(path):
        raise UserError(f"{path} is neither a folder nor an archive")
    seen = path.stat()
    form = "\0subfolders" if subfolders else ""
    mark = os.fsencode(f"{path.resolve()}\0{seen.st_size}\0{seen.st_mtime_ns}{form}")
    target = settings.cache_dir() / "unpacked" / hashlib.sha256(mark).hexdigest()[:24]
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, ignore_cleanup_errors=True) as made:
            for name, content in read_files(path):
                # No name climbs out: read_files refuses an archive with one that does.
                file = Path(made, name if subfolders else name.rpartition("/")[2])
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            try:
                os.rename(made, target)
            except OSError:
                if not target.is_dir():  # or another process was quicker
                    raise
    except OSError as error:
        raise UserError(f"{path} cannot be unpacked into {target}: {error.strerror}") from error
    return target


_CLIMBS = re.compile(r"/|[A-Za-z]:|(.*/)?\.\.(/|$)", re.DOTALL)


def climbs(name):
    """Whether a file's name leads out of the folder that it stands in."""
    return bool(_CLIMBS.match(name))


class _Budget:
    """Refuse what no honest archive holds, before a byte of it is unpacked."""

    def __init__(self, archive):
        self.archive = archive
        self.bytes = 0
        self.files = 0

    def admit(self, name, size, is_link=False):
        """The entry's name with forward slashes, which Windows' own packers don't write."""
        name = name.replace("\\", "/")
        if climbs(name):
            self._refuse(f"its entry {name!r} climbs out of its folder")
        if is_link:
            self._refuse(f"its entry {name!r} is a link or a device, not a file")
        self.bytes += size
        self.files += 1
        if size > MAX_FILE_BYTES:
            self._refuse(f"its entry {name!r} claims {size / 2**20:,.0f} MB")
        if self.bytes > MAX_TOTAL_BYTES or self.files > MAX_FILES:
            self._refuse(f"it unpacks to more than {MAX_TOTAL_BYTES / 2**30:,.0f} GB")
        return name

    def _refuse(self, why):
        raise UserError(
            f"{self.archive} is refused: {why}",
            "A data set holds plain image files only. Get it from a source you trust.",
        )


def walk(top, onerror):
    """What ``os.walk(top, onerror=onerror)`` yields, from trees of any depth; hidden folders not.

    Up to Python 3.11 that function calls itself once a level.
    """
    waiting = [top]
    while waiting:
        for folder, folders, files in itertools.islice(os.walk(waiting.pop(), onerror=onerror), 1):
            folders[:] = sorted(name for name in folders if not layout.is_hidden(name))
            yield folder, folders, files
            inside = (os.path.join(folder, name) for name in reversed(folders))
            waiting += [path for path in inside if not os.path.islink(path)]


def _read_folder(path, wanted, bad):
    def inside(full):
        return os.path.relpath(full, path).replace(os.sep, "/")

    def refuse(full, why):
        if bad is None:
            raise UserError(f"{layout.as_text(full)} {why}")
        bad.add(f"{layout.as_text(inside(full))} {why}")

    def unreadable(error):
        why = "a link to nothing" if os.path.islink(error.filename) else error.strerror
        refuse(error.filename, f"cannot be read: {why}")

    for folder, folders, files in walk(path, unreadable):
        for linked in filter(os.path.islink, (os.path.join(folder, name) for name in folders)):
            # Not followed, since links can run in circles; but never passed over in silence.
            if wanted(f"{inside(linked)}/any.jpg"):
                refuse(linked, "is a link to a folder, and those are not followed")
        for file in sorted(files):
            full = os.path.join(folder, file)
            name = inside(full)
            if not wanted(name):
                continue
            try:
                info = os.stat(full)
                if not stat.S_ISREG(info.st_mode):
                    refuse(full, "is not a plain file")
                elif info.st_size > MAX_FILE_BYTES:
                    refuse(full, f"is too large: {info.st_size / 2**20:,.0f} MB")
                else:
                    with open(full, "rb") as stream:
                        content = stream.read()
                    yield name, content
            except OSError as error:
                unreadable(error)


def _read_zip(path, wanted, budget):
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            kind = stat.S_IFMT(entry.external_attr >> 16)
            odd = kind not in (0, stat.S_IFREG, stat.S_IFDIR)
            name = budget.admit(entry.filename, entry.file_size, is_link=odd)
            if name.endswith("/") or not wanted(name):
                continue
            # zipfile stops at the declared size and checks the CRC, so a lie ends as BadZipFile.
            yield name, archive.read(entry)


def _read_tar(path, wanted, budget):
    # The stream mode ("r|*") takes ten times as long for many small files; this moves ahead, too.
    with tarfile.open(path, "r:*") as archive:
        stream = archive.fileobj
        for entry in archive:
            if entry.name in ("", "."):
                continue
            link = not (entry.isfile() or entry.isdir())
            name = budget.admit(entry.name, entry.size, is_link=link)
            if not entry.isfile() or entry.issparse() or not wanted(name):
                continue
            stream.seek(entry.offset_data)  # extractfile() would take half as long again in all
            content = stream.read(entry.size)
            if len(content) != entry.size:
                raise EOFError(f"{entry.name} has {len(content)} of {entry.size} bytes")
            yield name, content
        _check_end(stream, archive.offset)


def _check_end(stream, end):
    """tarfile takes a cut or damaged header for the end; the real one is marked by a zero block."""
    stream.seek(end)
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise EOFError("it has no end mark")
    for _ in range(64):  # what follows is padding; reading it makes gzip check its own sum
        if not stream.read(1 << 20):
            return
    raise EOFError("megabytes follow its end mark")
