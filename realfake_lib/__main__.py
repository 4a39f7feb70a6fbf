"""The program ``realfake``, also ``python -m realfake_lib``."""

from realfake_lib import environment


def main():
    """Entry point of ``realfake``: nothing is imported before it is settled from where."""
    environment.own_packages_first()
    from realfake_lib import cli

    cli.main()


if __name__ == "__main__":
    main()
