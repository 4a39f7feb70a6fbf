"""Where images come from, what is known about them, and how they reach a network."""

from typing import TYPE_CHECKING

from realfake_lib.lazy import exports

if TYPE_CHECKING:  # imported when they are first used
    from realfake_lib.data.dataset import (
        DataIdentity,
        ImageDataset,
        describe,
        fingerprint_of,
        load,
    )
    from realfake_lib.data.duplicate_counts import Duplicates, duplicates
    from realfake_lib.data.fingerprint import CIFAKE_TREES
    from realfake_lib.data.generators import UnseenGenerators, load_unseen
    from realfake_lib.data.images import load_image, resize
    from realfake_lib.data.input import batches
    from realfake_lib.data.panel import Panel
    from realfake_lib.data.panel_fetch import fetch_panel
    from realfake_lib.data.sources import VerifyReport, fetch_cifake, verify
    from realfake_lib.data.splits import Splits, check_enough, make_splits

__getattr__, __dir__, __all__ = exports(__name__, __file__)
