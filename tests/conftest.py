"""Fixtures shared by all tests: a private cache, the demo set, and CIFAKE where it can be had."""

import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.fixture(scope="session")
def demo():
    """The embedded demo set, small; made once and kept in the cache."""
    from realfake_lib import data

    return data.load("demo")


@pytest.fixture(scope="session")
def cifake():
    """The whole of CIFAKE, or a skip that says what is missing."""
    from realfake_lib import data, settings

    if not settings.env("REALFAKE_DATA"):
        pytest.skip("needs CIFAKE: set REALFAKE_DATA to its archive or folder")
    return data.load("cifake", allow_download=False)
