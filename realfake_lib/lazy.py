"""Names that a package takes from its modules when they are first used.

Reading one image, or ``realfake --help``, must not import all that a report needs.
"""

import importlib


def exports(package, homes):
    """What a package's ``__init__`` needs to offer names of its modules without importing them.

    Parameters
    ----------
    package : str
        The package's ``__name__``.
    homes : dict of str to str
        Module to the names that it defines, with spaces between them.

    Returns
    -------
    tuple
        ``__getattr__``, ``__dir__`` and ``__all__`` for the package.
    """
    home = {name: module for module, names in homes.items() for name in names.split()}

    def __getattr__(name):
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{home[name]}"), name)

    def __dir__():
        return sorted(home)

    return __getattr__, __dir__, sorted(home)
