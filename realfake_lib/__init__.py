"""Tell real photographs from AI-generated images, and report how far that can be trusted.

``load_detector`` and ``predict`` judge images, ``train`` makes a detector from labelled images, and
``evaluate`` measures one on them. Importing this package does no work and imports neither
TensorFlow nor NumPy. The code behind the report is in the subpackages ``data``, ``models``,
``training``, ``evaluation``, ``robustness``, ``explain``, ``plots`` and ``report``.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from realfake_lib.lazy import exports

if TYPE_CHECKING:  # imported when they are first used
    from realfake_lib.detector import Detector, load_detector
    from realfake_lib.errors import UserError
    from realfake_lib.prediction import Prediction, predict
    from realfake_lib.workflows import Evaluation, evaluate, train

try:
    __version__ = version("realfake-lib")
except PackageNotFoundError:  # a checkout on sys.path that was never installed
    __version__ = "0+unknown"

__getattr__, __dir__, __all__ = exports(__name__, __file__)
