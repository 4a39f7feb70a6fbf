"""Which images an epoch trains on, at what weight and size: effort where something is to learn."""

import numpy as np

from realfake_lib.data.input import epoch_order

LEAST_SIDE = 8
"""Smallest window, in pixels: below it pooling leaves nothing to convolve."""


class Curriculum:
    """The course of one training: which images an epoch has, and at what size.

    From the second epoch on, an image whose last loss was below the mean is left out with
    probability ``recipe.data_pruning``; those that stay count for ``1 / (1 - data_pruning)``, so
    that the expected gradient is that of all images (InfoBatch: Qin et al., ICLR 2024, arXiv
    2303.04947). Nothing is left out where less than a batch would stay. Early epochs may see random
    windows (progressive size: Tan and Le, EfficientNetV2, ICML 2021).

    ``losses`` (float32, each training image's last loss, infinite before) is all the state.
    """

    def __init__(self, recipe, rows, image_size, seed):
        self.recipe = recipe
        self.rows = np.asarray(rows)
        self.image_size = image_size
        self.seed = seed
        self.losses = np.full(len(self.rows), np.inf, np.float32)

    def side(self, epoch):
        """Side of the images in an epoch, in pixels."""
        early = epoch < self.recipe.crop_share * self.recipe.epochs
        windows = max(LEAST_SIDE, round(self.recipe.crop_size * self.image_size))
        return min(windows, self.image_size) if early else self.image_size

    def epoch(self, epoch):
        """Positions in ``rows`` in training order, (m,) int, and their weights, (m,) float32."""
        order = epoch_order(len(self.rows), True, self.seed, epoch)
        weights = np.ones(len(order), np.float32)
        prune = self.recipe.data_pruning
        if not prune or epoch == 0 or epoch >= self.recipe.data_pruning_share * self.recipe.epochs:
            return order, weights
        seen = np.isfinite(self.losses)  # an image that fell into a dropped batch was not
        easy = self.losses[order] < self.losses[seen].mean()
        dice = np.random.default_rng([self.seed, epoch, 5])
        weights[easy] = 1 / (1 - prune)
        kept = ~(easy & (dice.random(len(order)) < prune))
        if np.count_nonzero(kept) < min(self.recipe.batch_size, len(order)):
            return order, np.ones(len(order), np.float32)
        return order[kept], weights[kept]

    def note(self, positions, losses):
        """Remember the losses of images that were just trained on."""
        self.losses[positions] = losses
