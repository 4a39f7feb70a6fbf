"""Muon for convolutional networks."""

from math import prod, sqrt

import keras
from keras import ops


class Muon(keras.optimizers.Muon):
    """Muon that orthogonalises the updates of convolution kernels, too.

    Keras's own takes matrices only. Here a kernel (height, width, inputs, outputs) is treated as
    the matrix (height·width·inputs, outputs), as in airbench (K. Jordan et al., 2024,
    https://kellerjordan.github.io/posts/muon/). All else goes to AdamW. Updates are scaled to the
    size of AdamW's (`rms_rate`; J. Liu et al., 2025, arXiv 2502.16982), so that one learning rate
    serves both; weight decay is decoupled, of convolution kernels only.
    """

    LEAST_ROWS = 64
    """Kernels with fewer weights per output channel are left to AdamW."""

    def __init__(self, learning_rate=1e-3, weight_decay=0.0, **options):
        options.setdefault("adam_weight_decay", 0.0)
        super().__init__(learning_rate, weight_decay=weight_decay, **options)

    def _should_use_adamw(self, variable):
        shape = variable.shape
        return len(shape) != 4 or prod(shape[:3]) < self.LEAST_ROWS

    def _muon_update_step(self, gradient, variable, lr, m):
        self.assign_add(m, ops.add(gradient, m * (self.momentum - 1)))
        direction = ops.add(gradient, self.momentum * m) if self.nesterov else m
        rows, columns = prod(variable.shape[:3]), variable.shape[3]
        matrix = ops.reshape(direction, (rows, columns))
        update = self.zeropower_via_newtonschulz5(matrix, self.ns_steps)
        scale = 1.0 if self.rms_rate is None else self.rms_rate * sqrt(max(rows, columns))
        self.assign_sub(variable, lr * scale * ops.reshape(update, variable.shape))
