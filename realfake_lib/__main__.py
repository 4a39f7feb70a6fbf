"""The program ``realfake``, also ``python -m realfake_lib``."""

import os
import signal


def _end(number, frame):
    os._exit(130)


def main():
    """Entry point of ``realfake``: nothing is imported before it is settled from where."""
    for number in (signal.SIGINT, signal.SIGTERM):  # until there is something to be kept
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end)
    from realfake_lib import environment

    environment.own_packages_first()
    from realfake_lib import cli

    cli.main()


if __name__ == "__main__":
    main()
