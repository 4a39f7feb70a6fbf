"""The report: stages, their keys, running them, and rendering what they found.

Notebooks need :func:`stage` only. Importing this package loads neither TensorFlow nor papermill.
"""

from realfake_lib.report.stage import stage

__all__ = ["stage"]
