"""One sentence where a package is missing that an extra of this library brings.

``pip install realfake-lib`` brings what verdicts need; the extra ``report`` brings TensorFlow and
all else that training, evaluation and the report need, ``cluster`` what a Dask cluster needs.
"""

import contextlib

from realfake_lib.errors import UserError

_EXTRAS = {"dask": "cluster", "distributed": "cluster"}


@contextlib.contextmanager
def needed_for(what):
    """Turn an import that fails into the command that installs what is missing.

    A context manager, and a decorator for functions that import what they need when called.
    ``what`` is the subject of the sentence, e.g. ``"train"``. It is a UserError in place of
    ModuleNotFoundError, unless a module of this library itself is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "realfake_lib"):
            raise
        extra = _EXTRAS.get(package, "report")
        raise UserError(
            f"{what} needs the extra {extra} ({package} is not installed): "
            f'pip install "realfake-lib[{extra}]"'
        ) from None
