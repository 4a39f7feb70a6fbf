"""The code itself as an input: what it does, without how it is laid out or explained."""

import ast
import hashlib
import inspect
import textwrap


def drop_docstrings(tree):
    """Take the docstrings of a module, its classes and its functions out of its syntax tree."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(tree):
        if isinstance(node, kinds) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]


def code_hash(*pieces):
    """SHA-256 over the code of modules, classes or functions, without comments and docstrings."""
    sha = hashlib.sha256()
    for piece in pieces:
        tree = ast.parse(textwrap.dedent(inspect.getsource(piece)))
        drop_docstrings(tree)
        sha.update(ast.dump(tree).encode())
    return sha.hexdigest()
