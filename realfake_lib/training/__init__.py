"""Training: named recipes, one resumable loop, augmentation, frozen features and fine-tuning."""

from realfake_lib import keras_setup  # before any import of Keras
from realfake_lib.training import augment, features
from realfake_lib.training.features import fit_frozen, fit_head
from realfake_lib.training.loop import FitResult, fine_tune, fit, prepared, set_seed
from realfake_lib.training.precision import best_precision
from realfake_lib.training.predict import predict_logits
from realfake_lib.training.recipes import LEAST_STEPS, RECIPES, Recipe, get_recipe
