"""Reaching a Dask cluster, with words instead of stack traces where it cannot be reached."""

import re

from realfake_lib import extras
from realfake_lib.errors import UserError

VARIABLE = "REALFAKE_CLUSTER"
"""Environment variable with a scheduler's address. Where a training ran changes no result, so it is
no parameter of a stage and no part of its key."""

TIMEOUT = 5.0
"""Seconds to wait for the scheduler, and then for a first worker."""

_ADDRESS = re.compile(r"(tcp|tls)://[^/\s]+:\d+/?")
_START = (
    "Start one with `dask scheduler`, and on each machine `dask worker ADDRESS --nworkers auto "
    "--nthreads 1`; both come with the extra cluster."
)

_SAME = "Install the same version, from the same checkout and requirements.lock, on every machine"


def connect(address, timeout=TIMEOUT):
    """Connect to the scheduler of a Dask cluster, which has to have a worker.

    ``address`` is such as ``"tcp://127.0.0.1:8786"``, ``timeout`` the seconds to wait for the
    scheduler, and then for a first worker. Gives a ``distributed.Client``, which closes the
    connection as a context manager.
    """
    if not _ADDRESS.fullmatch(str(address)):
        raise UserError(
            f"--cluster {address}: this is no address of a Dask scheduler",
            "It looks like tcp://127.0.0.1:8786.",
        )
    with extras.needed_for("--cluster"):
        from distributed import Client  # a second of imports that few runs need
        from distributed import TimeoutError as TooLong

    try:
        client = Client(address, timeout=timeout, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"--cluster {address}: no Dask scheduler can be reached there ({reason})", _START
        ) from None
    try:
        client.wait_for_workers(1, timeout=timeout)
    except TooLong:
        client.close()
        raise UserError(f"--cluster {address}: the cluster has no workers", _START) from None
    return client


def check_workers(client, code):
    """Raise UserError unless ``code()`` gives on each worker what it gives here.

    It tells by what code and which versions a result would come about.
    """
    here = code()
    for worker, there in client.run(code, on_error="return").items():
        if isinstance(there, Exception):  # such as the import of a library that is not there
            raise UserError(
                f"the worker {worker} cannot run this project's code: {there}", f"{_SAME}."
            )
        if there != here:
            raise UserError(
                f"the worker {worker} has another version of the code or of its packages",
                f"{_SAME}, and restart its workers.",
            )
