"""Data, model, metric and report code behind the real-or-AI-generated report.

Importing this package does no work and does not import TensorFlow; the subpackages do what their
names say: ``data``, ``models``, ``training``, ``evaluation``, ``robustness``, ``explain``,
``plots`` and ``report``.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("realfake-lib")
except PackageNotFoundError:  # a checkout on sys.path that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
