"""The key of a stage: a hash over everything that its results follow from, and why it changed.

Of the library only the code counts that a notebook reaches, one top-level definition at a time, so
that an edit to one plot function runs only the stages that draw that plot. The code is read, never
imported. What counts:

- definitions that the notebook names, and those that they name, through imports of every form,
  also inside functions and through re-exports, those below ``if TYPE_CHECKING`` among them: what
  a package imports only when it is used;
- of a class all of it;
- statements that do something when a reached module is imported, and functions with a decorator
  that may do something, e.g. enter them into a registry;
- the whole module where a use cannot be resolved: a module passed as a value, ``import *``, a
  module imported under a name that is computed.

Comments, docstrings and layout do not count.
"""

import ast
import functools
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from realfake_lib import settings
from realfake_lib.code_hash import drop_docstrings
from realfake_lib.report.plan import read_notebook

PACKAGE = "realfake_lib"

# Decorators known to return the function or class without entering it anywhere.
_HARMLESS = {
    "cache",
    "cached_property",
    "classmethod",
    "contextmanager",
    "dataclass",
    "function",
    "lru_cache",
    "needed_for",
    "property",
    "staticmethod",
    "styled",
    "wraps",
}
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class StageKey:
    """Key of a stage and what it is made of.

    Attributes
    ----------
    key : str
        SHA-256 as 64 hexadecimal digits.
    parts : dict
        ``code``, ``data``, ``lock``: hashes; ``parameters``: values; ``library``: hash of each
        reached definition; ``inputs``: key of each input; ``files``: hash of each folder of the
        user's own that the stage declares.
    """

    key: str
    parts: dict


def stage_keys(plan, data_fingerprint, package=None):
    """Keys of all stages of a plan.

    Parameters
    ----------
    plan : realfake_lib.report.plan.Plan
    data_fingerprint : str
    package : path, optional
        Folder of the library's code; by default the checkout's, else the installed one.

    Returns
    -------
    dict of str to StageKey
    """
    if package is None:
        package = plan.root / PACKAGE
        if not package.is_dir():
            package = Path(__file__).resolve().parent.parent
    library = Library(package)
    lock = _file_hash(plan.root / "requirements.lock")
    keys = {}
    for stage in plan.stages.values():
        code = notebook_code(stage.notebook)
        # The data count by content: the same files under another path change nothing.
        parameters = {name: value for name, value in stage.parameters.items() if name != "data"}
        parts = {
            "code": _hash(code),
            "parameters": parameters,
            "library": library.reached(code),
            "inputs": {name: keys[name].key for name in stage.inputs},
            "files": {kind: _files_hash(kind) for kind in stage.files},
            "data": data_fingerprint,
            "lock": lock,
        }
        keys[stage.name] = StageKey(_hash(json.dumps(parts, sort_keys=True)), parts)
    return keys


def reasons(old, new):
    """What changed between the parts of two keys, in words; empty if nothing did.

    Parameters
    ----------
    old, new : dict
        :attr:`StageKey.parts`.

    Returns
    -------
    list of str
    """
    found = []
    if old["code"] != new["code"]:
        found.append("code of the notebook changed")
    for name, value in new["parameters"].items():
        before = old["parameters"].get(name)
        if name not in old["parameters"]:
            found.append(f"parameter {name} is new")
        elif before != value:
            found.append(f"parameter {name} changed {before} → {value}")
    found += [f"parameter {name} is gone" for name in old["parameters"].keys() - new["parameters"]]
    found += _library_reasons(old["library"], new["library"], alone=not found)
    if old["data"] != new["data"]:
        found.append("data changed")
    if old["lock"] != new["lock"]:
        found.append("requirements.lock changed")
    for kind, content in new["files"].items():
        if old["files"].get(kind) != content:
            place = "experiments/" if kind == "experiments" else f"REALFAKE_{kind.upper()}"
            found.append(f"the files in {place} changed")
    for name in new["inputs"].keys() | old["inputs"].keys():
        if name not in old["inputs"] or name not in new["inputs"]:
            found.append(f"input {name} was {'added' if name in new['inputs'] else 'removed'}")
        elif old["inputs"][name] != new["inputs"][name]:
            found.append(f"input {name} ran again")
    return found


def _library_reasons(old, new, alone):
    changed = [label for label in new if label in old and old[label] != new[label]]
    if not changed and alone:  # reached or left without an edit to anything that was reached before
        changed = sorted(old.keys() ^ new.keys())
    shown = [f"{label} changed" for label in changed[:3]]
    return shown + ([f"{len(changed) - 3} more definitions changed"] if len(changed) > 3 else [])


def notebook_code(path):
    """Code cells of a notebook as one Python text, without what only IPython understands."""
    cells = [cell["source"] for cell in read_notebook(path)["cells"] if cell["cell_type"] == "code"]
    lines = "\n\n".join(cells).splitlines()
    return "\n".join("pass" if line.lstrip()[:1] in ("%", "!") else line for line in lines)


def _hash(text):
    return hashlib.sha256(text.encode()).hexdigest()


def _file_hash(path):
    return _hash(path.read_text("utf-8")) if path.is_file() else "none"


def _files_hash(kind):
    """Hash of the names and sizes of the files that a user gives, e.g. of ``weights``.

    What was downloaded does not count: a stage that fetches its files would change its own key.
    """
    if kind == "experiments":
        return _own_files_hash(settings.experiments_dir())
    folders = [settings.env(f"REALFAKE_{kind.upper()}")]
    if data := settings.env("REALFAKE_DATA"):
        folders.append(Path(data) / kind)
    found = {
        (path.name, path.stat().st_size)
        for folder in filter(None, folders)
        for given in [settings.user_path(folder)]
        for path in ([given] if given.is_file() else given.glob("*"))  # archives, too
        if path.is_file()
    }
    return _hash(json.dumps(sorted(found)))


def _own_files_hash(folder):
    """Hash of the content of a folder of the project: a checkpoint has the size of another."""
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder else []
    return _hash(json.dumps([[p.name, hashlib.sha256(p.read_bytes()).hexdigest()] for p in files]))


# --- the code that a notebook reaches -----------------------------------------------------------


@dataclass
class _Piece:
    """A part of a module that counts, or does not count, as one."""

    label: str
    module: str
    nodes: list = field(default_factory=list)

    @functools.cached_property
    def hash(self):
        return _hash("\n".join(map(ast.dump, self.nodes)))[:16]

    @functools.cached_property
    def uses(self):
        return _Uses(self.nodes)


@dataclass
class _Module:
    """A parsed module: its definitions by name, its imports, and what it does when imported."""

    name: str
    label: str
    is_package: bool
    pieces: dict = field(default_factory=dict)
    imports: dict = field(default_factory=dict)
    offered: dict = field(default_factory=dict)  # names that a package imports when they are used
    top: _Piece = None
    decorated: list = field(default_factory=list)  # pieces with what decorates them
    whole: _Piece = None

    @property
    def package(self):
        return self.name if self.is_package else self.name.rpartition(".")[0]


class Library:
    """The code of a package, parsed as far as it was asked for.

    Parameters
    ----------
    folder : path
        The package's folder; its name is the package's name.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self._modules = {}

    def reached(self, code):
        """Hash of every piece of the package that a Python text reaches.

        Parameters
        ----------
        code : str

        Returns
        -------
        dict of str to str
            By label, e.g. ``"realfake_lib/plots.py: training_curves"``, sorted.
        """
        return _Closure(self).run(code)

    def module(self, name):
        """The module of that dotted name, or None where the package has none."""
        if name not in self._modules:
            self._modules[name] = self._parse(name)
        return self._modules[name]

    def under(self, name):
        """Names of all modules of the package ``name``, itself included."""
        base = self.folder.joinpath(*name.split(".")[1:])
        found = []
        for path in sorted(base.rglob("*.py")):
            parts = [self.folder.name, *path.relative_to(self.folder).with_suffix("").parts]
            found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
        return found

    def _parse(self, name):
        package, *rest = name.split(".")
        base = self.folder.joinpath(*rest)
        is_package = (base / "__init__.py").is_file()
        path = base / "__init__.py" if is_package else base.with_suffix(".py")
        if package != self.folder.name or not path.is_file():
            return None
        label = f"{package}/{path.relative_to(self.folder).as_posix()}"
        module = _Module(name, label, is_package)
        tree = ast.parse(path.read_text("utf-8"))
        drop_docstrings(tree)
        body = tree.body
        module.top = _Piece(f"{label}: top level", name)
        module.whole = _Piece(label, name, nodes=body)
        for node in body:
            self._sort_in(module, node)
        return module

    @staticmethod
    def _sort_in(module, node):
        """Put one top-level statement where it belongs."""
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            module.imports.update(_imports([node], module.package))
            return
        if isinstance(node, ast.If) and _last_name(node.test) == "TYPE_CHECKING":
            module.offered.update(_imports(node.body, module.package))  # none of it runs
            return
        if isinstance(node, _DEFINITIONS):
            piece = _add(module, node.name, node)
            module.decorated += [(piece, decorator) for decorator in node.decorator_list]
            return
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {part.id for t in targets for part in ast.walk(t) if isinstance(part, ast.Name)}
            if not any(isinstance(t, (ast.Attribute, ast.Subscript)) for t in targets):
                for name in names:
                    _add(module, name, node)
                return
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return  # a docstring
        # Whatever is left does something on import. Names bound here resolve to all of it.
        module.top.nodes.append(node)
        module.imports.update(_imports(ast.walk(node), module.package))
        for part in ast.walk(node):
            bound = getattr(part, "name", None) if isinstance(part, _DEFINITIONS) else None
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                bound = part.id
            if bound:
                module.pieces.setdefault(bound, module.top)


def _add(module, name, node):
    """Add a definition; one whose name is bound twice counts with both."""
    piece = module.pieces.setdefault(name, _Piece(f"{module.label}: {name}", module.name))
    piece.nodes.append(node)
    return piece


class _Uses:
    """What a piece of code mentions: dotted names, and imports of its own."""

    def __init__(self, nodes):
        self.chains, self.imports, self.dynamic_imports = set(), [], []
        for node in nodes:
            self._visit(node)

    def _visit(self, node):
        if chain := _chain(node):
            # A name that is bound here, e.g. a field of a dataclass, is no use of one.
            if len(chain) > 1 or isinstance(node.ctx, ast.Load):
                self.chains.add(chain)
            return
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            self.imports.append(node)
        elif isinstance(node, ast.Call) and _last_name(node.func) in _IMPORTING:
            name = getattr(node.args[0], "value", None) if node.args else None
            self.dynamic_imports.append(name if isinstance(name, str) else None)
        for child in ast.iter_child_nodes(node):
            self._visit(child)


_IMPORTING = ("import_module", "__import__")


class _Closure:
    """Everything that a text reaches, found piece by piece."""

    def __init__(self, library):
        self.library = library
        self.found = {}  # label → piece
        self.touched = set()  # modules imported
        self.queue = []

    def run(self, code):
        self._follow(_Uses([ast.parse(code)]), {}, None)
        while self.queue:
            piece = self.queue.pop()
            module = self.library.module(piece.module)
            self._follow(piece.uses, module.imports, module)
        return {
            label: self.found[label].hash for label in sorted(self.found) if self.found[label].nodes
        }

    def _reach(self, piece):
        if piece.label not in self.found:
            self.found[piece.label] = piece
            self.queue.append(piece)

    def _follow(self, uses, imports, module):
        """Reach all that ``uses`` mentions in a module."""
        package = module.package if module else PACKAGE
        local = _imports(uses.imports, package)
        for target in local.values():
            self._touch(target[0])
            if target[1] == "*":
                self._reach_whole(target[0])
        imports = {**imports, **local}
        for chain in uses.chains:
            if chain[0] in imports:
                target, name = imports[chain[0]]
                rest = chain[1:] if name is None else (name, *chain[1:])
                self._resolve(target, rest)
            elif module and chain[0] in module.pieces:
                self._reach(module.pieces[chain[0]])
        for name in uses.dynamic_imports:
            for other in [name] if name else self.library.under(package):
                self._reach_whole(other)

    def _resolve(self, target, chain):
        """Reach what ``chain`` means in the module ``target``."""
        module = self.library.module(target)
        if module is None:
            return  # another package
        self._touch(target)
        if not chain:
            self._reach_whole(target)  # the module itself is passed on: anything may be used
            return
        name, rest = chain[0], chain[1:]
        imports = {**module.offered, **module.imports}
        if name in module.pieces:
            self._reach(module.pieces[name])
        elif imports.get(name, (target, name)) != (target, name):
            source, inner = imports[name]
            self._resolve(source, rest if inner is None else (inner, *rest))
        elif self.library.module(f"{target}.{name}"):
            self._resolve(f"{target}.{name}", rest)
        else:
            self._reach_whole(target)  # a module-level __getattr__, import *, globals()

    def _touch(self, name):
        """Importing a module runs its top level, its packages' and its imports'."""
        if name in self.touched:
            return
        self.touched.add(name)
        module = self.library.module(name)
        if module is None:
            return
        parent = name.rpartition(".")[0]
        if parent:
            self._touch(parent)
        self._reach(module.top)
        for piece, decorator in module.decorated:
            if _last_name(decorator) not in _HARMLESS:
                self._reach(piece)
        for source, inner in module.imports.values():
            self._touch(source)
            if inner == "*":
                self._reach_whole(source)
            elif inner:
                self._touch(f"{source}.{inner}")  # if that is a module

    def _reach_whole(self, name):
        module = self.library.module(name)
        if module:
            self._touch(name)
            self._reach(module.whole)


def _imports(nodes, package):
    """Names that import statements bind: name → (module, name in it or None)."""
    bound = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    bound[alias.asname] = (alias.name, None)
                else:
                    top = alias.name.partition(".")[0]
                    bound[top] = (top, None)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                parents = parents[: len(parents) - node.level + 1]
                base = ".".join([*parents, *filter(None, [base])])
            for alias in node.names:
                bound[alias.asname or alias.name] = (base, alias.name)
    return bound


def _chain(node):
    """``plots.style.colours`` as a tuple of its names, or None for anything else."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else None


def _last_name(node):
    """``cache`` of ``@cache``, ``@functools.cache`` and ``@functools.cache()``."""
    while isinstance(node, (ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)
