"""Names that a package takes from its modules when they are first used.

Reading one image, or ``realfake --help``, must not import all that a report needs.
"""

import ast
import importlib
from pathlib import Path


def exports(package, file):
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package that offers names of its modules.

    These are what its ``__init__``, the file ``file``, imports under ``if TYPE_CHECKING``, where
    people and programs that read the code find them, too.
    """
    body = ast.parse(Path(file).read_text(encoding="utf-8")).body
    imports = [line for block in body if isinstance(block, ast.If) for line in block.body]
    home = {alias.name: line.module for line in imports for alias in line.names}

    def __getattr__(name):
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(home[name]), name)

    def __dir__():
        return sorted(home)

    return __getattr__, __dir__, sorted(home)
