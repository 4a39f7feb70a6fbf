"""Networks by name: build one, count its cost, save it, load it.

Every network takes pixels as they are decoded, (n, h, w, 3) in [0, 255], scales them inside, and
ends in one float32 logit for REAL, from a layer named ``"logit"``.
"""

from realfake_lib import keras_setup  # before any import of Keras
from realfake_lib.models.cost import flops, parameters
from realfake_lib.models.files import load, save
from realfake_lib.models.networks import available, build

__all__ = ["available", "build", "flops", "load", "parameters", "save"]
