"""The one exception that stands for a user's mistake rather than a fault of this library."""


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
