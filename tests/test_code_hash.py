"""Code counts by what it does."""

import importlib.util

import pytest

from realfake_lib.code_hash import code_hash

CODE = '''
"""A module."""


def add(a, b):
    """Add."""
    return a + b  # at last
'''


@pytest.fixture
def hash_of(tmp_path):
    def hashed(code):
        path = tmp_path / f"code{len(list(tmp_path.iterdir()))}.py"
        path.write_text(code)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return code_hash(module)

    return hashed


@pytest.mark.parametrize(
    ("old", "new"), [("Add.", "Sum."), ("  # at last", ""), ("\n\n\n", "\n\n")]
)
def test_comments_docstrings_and_layout_do_not_count(old, new, hash_of):
    assert old in CODE and hash_of(CODE.replace(old, new)) == hash_of(CODE)


def test_everything_else_does(hash_of):
    assert hash_of(CODE.replace("a + b", "a - b")) != hash_of(CODE)
