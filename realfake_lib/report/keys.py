"""The key of a stage: a hash over everything that its results follow from, and why it changed.

Of the library those modules count whose names the notebook uses, and in turn those that they use.
They are read, never imported. A package's ``__init__`` passes names on and does not count itself;
comments, docstrings and layout do not count either.
"""

import ast
import functools
import hashlib
import importlib.util
import json
from collections import defaultdict
from pathlib import Path

from realfake_lib import settings
from realfake_lib.code_hash import drop_docstrings
from realfake_lib.report.plan import notebook_code


def key(parts):
    """SHA-256 over the parts of a key, as 64 hexadecimal digits."""
    return _hash(json.dumps(parts, sort_keys=True))


def parts(root, stage, data_fingerprint, inputs):
    """What a stage's key is made of; ``inputs`` are hashes of the results that it reads."""
    package = root / "realfake_lib"
    package = package if package.is_dir() else Path(__file__).resolve().parent.parent
    lock = root / "requirements.lock"
    code = notebook_code(stage.notebook)
    # The data count by content: the same files under another path change nothing.
    parameters = {name: value for name, value in stage.parameters.items() if name != "data"}
    return {
        "code": _hash(code),
        "parameters": json.loads(json.dumps(parameters)),  # as a record gives them back
        "library": reached(code, package),
        "files": dict(map(_files, stage.files)),
        "data": data_fingerprint,
        "lock": file_hash(lock) if lock.is_file() else "none",
        "inputs": inputs,
    }


def reasons(old, new):
    """What changed between the parts of two keys, as a list of words."""
    whole = {"code": "code of the notebook", "data": "data", "lock": "requirements.lock"}
    found = [f"{words} changed" for kind, words in whole.items() if old[kind] != new[kind]]

    def differing(kind):
        before, now = old[kind], new[kind]
        names = sorted(before.keys() | now.keys())
        gone = object()
        names = [name for name in names if before.get(name, gone) != now.get(name, gone)]
        return [(name, before.get(name), now.get(name)) for name in names]

    for name, before, now in differing("parameters"):
        found.append(f"parameter {name} changed {before} → {now}")
    found += [f"the files in {place} changed" for place, *_ in differing("files")]
    for name, before, now in differing("inputs"):
        how = "ran again" if before and now else "was added" if now else "was removed"
        found.append(f"input {name} {how}")
    modules = differing("library")
    # What is reached anew, or no longer, follows from another change where there is one.
    changed = [name for name, before, now in modules if before and now]
    changed = changed or [name for name, *_ in modules if not found]
    found += [f"{name} changed" for name in changed[:3]]
    return found + [f"{len(changed) - 3} more modules changed"] * (len(changed) > 3)


def file_hash(path):
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _hash(text):
    return hashlib.sha256(text.encode()).hexdigest()


def _files(kind):
    """Place of the files that a user gives, e.g. of ``weights``, and a hash of names and sizes.

    What was downloaded does not count: a stage that fetches its files would change its own key.
    The project's own, e.g. ``experiments/attacks``, count by content: one checkpoint has the size
    of another.
    """
    _, own, part = kind.partition("/")
    data, name = settings.env("REALFAKE_DATA"), kind if own else f"REALFAKE_{kind.upper()}"
    places = [settings.env(name), data and f"{data}/{kind}"]
    experiments = settings.experiments_dir()
    found = set()
    for place in filter(None, [experiments and experiments / part] if own else places):
        given = settings.user_path(place)
        files = [given] if given.is_file() else given.rglob("*") if own else given.glob("*")
        for path in filter(Path.is_file, files):  # archives, too
            found.add((path.name, file_hash(path) if own else path.stat().st_size))
    return name, _hash(json.dumps(sorted(found)))


# --- the code that a notebook reaches -----------------------------------------------------------


def reached(code, package):
    """Hash of each module of the package in a folder that a Python text reaches, by path."""
    found, seen = {}, set()
    _, used, unused = _names(code, package.name)
    waiting = [*used, *unused]
    while waiting:
        name = waiting.pop()
        if name in seen or name.partition(".")[0] != package.name:
            continue
        seen.add(name)
        path, dotted, rest = _find(name.split("."), package)
        text = path.read_text("utf-8")
        passes_on = path.stem == "__init__"
        bound, used, unused = _names(text, dotted if passes_on else dotted.rpartition(".")[0])
        if passes_on and rest and rest[0] in bound:
            waiting += [".".join([target, *rest[1:]]) for target in bound[rest[0]]]
            continue
        where = f"{package.name}/{path.relative_to(package).as_posix()}"
        found[where] = _code_hash(text)
        waiting += used
        if not (passes_on and rest):  # or the name is one of its own
            waiting += unused
    return dict(sorted(found.items()))


def _find(parts, package):
    """File of the module that a name begins with, its own name, and what follows it."""
    for end in range(len(parts), 0, -1):
        place = package.joinpath(*parts[1:end])
        for path in (place / "__init__.py", place.with_suffix(".py")):
            if path.is_file():
                return path, ".".join(parts[:end]), parts[end:]
    raise FileNotFoundError(f"{package} is no package")


@functools.cache
def _names(text, package):
    """What the imports of a module bind, and which of that it uses, and does not, in full names."""
    bound, chains = defaultdict(set), set()
    waiting = [_parsed(text)]
    while waiting:
        node = waiting.pop()
        if chain := _chain(node):
            chains.add(chain)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.name if alias.asname else alias.name.partition(".")[0]
                bound[alias.asname or name].add(name)
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            for alias in node.names:
                bound[alias.asname or alias.name].add(f"{base}.{alias.name}")
        else:
            waiting += ast.iter_child_nodes(node)
    used = {".".join([full, *rest]) for name, *rest in chains for full in bound.get(name, ())}
    idle = bound.keys() - {name for name, *_ in chains}  # a module that is imported does something
    return dict(bound), used, {full for name in idle for full in bound[name]}


def _chain(node):
    """``plots.style.colours`` as a tuple of its names, or None for anything else."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else None


@functools.cache
def _parsed(text):
    tree = ast.parse(text)
    drop_docstrings(tree)
    return tree


@functools.cache
def _code_hash(text):
    return _hash(ast.dump(_parsed(text)))[:16]
