"""Where images come from, what is known about them, and how they reach a network."""

from realfake_lib.data.cleaning import Duplicates, duplicates
from realfake_lib.data.dataset import (
    DataIdentity,
    ImageDataset,
    describe,
    fingerprint_of,
    load,
)
from realfake_lib.data.fingerprint import CIFAKE_TREES
from realfake_lib.data.generators import UnseenGenerators, load_unseen
from realfake_lib.data.images import load_image, resize
from realfake_lib.data.input import batches
from realfake_lib.data.shortcuts import shortcut_auroc
from realfake_lib.data.sources import fetch_cifake
from realfake_lib.data.splits import Splits, make_splits
from realfake_lib.data.verification import VerifyReport, verify

__all__ = [
    "CIFAKE_TREES",
    "DataIdentity",
    "Duplicates",
    "ImageDataset",
    "Splits",
    "UnseenGenerators",
    "VerifyReport",
    "batches",
    "describe",
    "duplicates",
    "fetch_cifake",
    "fingerprint_of",
    "load",
    "load_image",
    "load_unseen",
    "make_splits",
    "resize",
    "shortcut_auroc",
    "verify",
]
