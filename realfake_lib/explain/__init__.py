"""Explanations of single verdicts: class activation maps, overlays, and checks of both.

``explain.sanity`` tells whether the maps of a detector mean anything.
"""

from realfake_lib import keras_setup  # before any import of Keras
from realfake_lib.explain.cam import (
    METHODS,
    default_layer,
    empty,
    grad_cam,
    grad_cam_pp,
    layer_cam,
    score_cam,
)
from realfake_lib.explain.overlay import overlay
