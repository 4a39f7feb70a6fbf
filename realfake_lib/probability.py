"""From logits to probabilities: in the library, sign and temperature are applied here only."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def p_fake(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Probability of FAKE, ``sigmoid(-logits / temperature)``, as float64 in [0, 1].

    ``logits`` are for REAL, of any shape; a ``temperature`` of 1 changes nothing.
    """
    import numpy as np

    with np.errstate(over="ignore"):  # exp gives infinity, and the probability is 0
        return 1 / (1 + np.exp(np.asarray(logits, "float64") / temperature))
