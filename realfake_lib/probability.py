"""From logits to probabilities: the one place where the sign and the temperature are applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def p_fake(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Probability of FAKE, ``sigmoid(-logits / temperature)``.

    Parameters
    ----------
    logits : (...) float array
        Logits for REAL.
    temperature : float above 0
        Of temperature scaling; 1 changes nothing.

    Returns
    -------
    (...) float64 array in [0, 1]
    """
    import numpy as np

    with np.errstate(over="ignore"):  # exp gives infinity, and the probability is 0
        return 1 / (1 + np.exp(np.asarray(logits, "float64") / temperature))
