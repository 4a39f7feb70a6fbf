"""What ends a command in words: a user's mistake, bad files gathered into one, a failed stage."""

from pathlib import Path

from realfake_lib import settings


class UserError(Exception):
    """A mistake in the input or the settings, told without a stack trace.

    ``message`` says what is wrong and names the file or the setting, ``hint`` what to do about it.
    The command line prints both and ends with exit code 2.
    """

    exit_code = 2

    def __init__(self, message, hint=None):
        super().__init__(message if hint is None else f"{message}\n{hint}")
        self.message = message
        self.hint = hint


class StageFailed(Exception):
    """A stage did not succeed; the run ends with exit code 1."""

    exit_code = 1

    def __init__(self, stage, error, cell=None, notebook=None, log=None):
        where = f", cell {cell}" if cell else ""
        lines = [f"{stage}{where}: {error}"]
        lines += [f"  notebook: {notebook}"] if notebook else []
        lines += [f"  output of the process: {log}"] if log else []
        super().__init__("\n".join(lines))
        self.stage = stage


class BadFiles:
    """Gathers what is wrong with single files of ``where``, so that one message can tell all of it.

    Should the message be too short for a list of them all, that is written into the cache.
    """

    SHOWN = 20
    """Files that the message names; where there are more, it says in which file all are listed."""

    def __init__(self, where):
        self.where = where
        self.lines = []

    def add(self, line):
        """Note one file: ``line`` begins with its name and says what is wrong with it."""
        self.lines.append(line)

    def check(self):
        """Raise UserError if there were any."""
        if not self.lines:
            return
        count = len(self.lines)
        lines = sorted(self.lines)
        written = count > self.SHOWN and self._write(lines)
        shown = [f"  {line}" for line in (lines[: self.SHOWN] if written else lines)]
        if written:
            shown.append(f"  … and {count - self.SHOWN:,} more; all are listed in {written}")
        files = "1 file" if count == 1 else f"{count:,} files"
        raise UserError(
            "\n".join([f"{self.where} holds {files} that cannot be used:", *shown]),
            "Repair or remove what is named; nothing was kept.",
        )

    def _write(self, lines):
        """Path of the file that lists them all, or None where none can be written."""
        folder = settings.cache_dir() / "bad_files"
        path = folder / f"{Path(self.where).resolve().name or 'files'}.txt"
        try:
            with settings.atomic_file(path) as file:
                file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        except OSError:
            return None
        return path
