"""The one exception that stands for a user's mistake, and bad files gathered into one of it."""


class UserError(Exception):
    """A mistake in the input or the settings, told without a stack trace.

    The command line prints ``message`` (and ``hint`` below it) and ends with exit code 2.

    Parameters
    ----------
    message : str
        What is wrong; names the file or the setting.
    hint : str, optional
        What to do about it.
    """

    exit_code = 2

    def __init__(self, message, hint=None):
        super().__init__(message if hint is None else f"{message}\n{hint}")
        self.message = message
        self.hint = hint


class BadFiles:
    """Gathers what is wrong with single files, so that one message can tell all of it.

    Parameters
    ----------
    where : path-like
        Folder or archive that holds the files.
    """

    SHOWN = 20
    """Files that the message names; of the others it gives the number."""

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
        shown = [f"  {line}" for line in sorted(self.lines)[: self.SHOWN]]
        if count > self.SHOWN:
            shown.append(f"  … and {count - self.SHOWN:,} more")
        files = "1 file" if count == 1 else f"{count:,} files"
        raise UserError(
            "\n".join([f"{self.where} holds {files} that cannot be used:", *shown]),
            "Repair or remove what is named; nothing was kept.",
        )
