"""Names that a package takes from its modules when they are first used.

Reading one image, or ``realfake --help``, must not import all that a report needs.
"""

import importlib


def exports(package, homes):
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package that offers names of its modules.

    ``package`` is its ``__name__``; ``homes`` gives for each module the names that it defines, with
    spaces between them.
    """
    home = {name: module for module, names in homes.items() for name in names.split()}

    def __getattr__(name):
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{home[name]}"), name)

    def __dir__():
        return sorted(home)

    return __getattr__, __dir__, sorted(home)
