"""Can fakes of a family be told at 32×32 pixels without an example of it?

Linear heads on texture statistics are trained on photographs, on fakes of the other families, and
on pseudo-fakes: photographs whose parts no longer fit together. Shiohara and Yamasaki (CVPR 2022)
blend faces with themselves for the same reason: what a head learns from them is no generator's own.
CIFAKE's fakes stay out of it, since they pull the head towards their own trace.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import ndimage
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from realfake_lib.data import generators, images
from realfake_lib.evaluation import held_out
from realfake_lib.models import texture
from realfake_lib.settings import FAKE, REAL

SIDE = 96
"""Side in pixels to which images are enlarged: at 32 the deeper layers would see one position."""

ALPHA = 0.1
"""Strength of ridge regression for each row."""


def averaged(photographs, others, rng):
    """The mean of two photographs, with some of the contrast that it lost."""
    mean = (photographs + others) / 2
    centre = mean.mean(axis=(1, 2, 3), keepdims=True)
    return centre + 1.3 * (mean - centre)


def mixed(photographs, others, rng):
    """One photograph in some places and another elsewhere, with soft borders."""
    there = 1 / (1 + np.exp(-4 * _fields(photographs.shape[:3], 4, rng)[..., None]))
    return there * photographs + (1 - there) * others


def warped(photographs, others, rng):
    """A photograph with its places moved by one or two pixels, smoothly and at random."""
    n, height, width, channels = photographs.shape
    shifts = rng.uniform(0.8, 2, (2, n, 1, 1)) * _fields((2, n, height, width), 2.5, rng)
    found = np.empty_like(photographs)
    for at, (down, right) in enumerate(zip(*shifts, strict=True)):
        places = np.mgrid[:height, :width] + [down, right]
        for channel in range(channels):
            plane = photographs[at, :, :, channel]
            found[at, :, :, channel] = ndimage.map_coordinates(
                plane, places, order=1, mode="reflect"
            )
    return found


KINDS = {"averaged": averaged, "mixed": mixed, "warped": warped}
"""Kinds of pseudo-fakes: (n, h, w, 3) float photographs, others and a NumPy Generator to pixels."""


def _fields(shape, scale, rng):
    """Smooth random fields over the last two axes, each with standard deviation 1."""
    sigma = [0.0] * (len(shape) - 2) + [scale] * 2
    found = ndimage.gaussian_filter(rng.normal(size=shape), sigma, mode="wrap")
    return found / found.std(axis=(-2, -1), keepdims=True)


def pseudo_fakes(photographs, n, seed=0):
    """Make pseudo-fakes of photographs, compressed as CIFAKE is.

    Parameters
    ----------
    photographs : (m, h, w, 3) uint8 array
    n : int
        Of each kind, at most m.
    seed : int

    Returns
    -------
    dict of str to (n, h, w, 3) uint8 array
        By the name in :data:`KINDS`.
    """
    rng = np.random.default_rng(seed)
    n, found = min(n, len(photographs)), {}
    for name, kind in KINDS.items():
        first, second = (photographs[rng.permutation(len(photographs))[:n]] for _ in range(2))
        pixels = kind(first.astype(np.float32), second.astype(np.float32), rng)
        found[name] = generators.compress(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))
    return found


class Extractor:
    """Texture statistics of small images, enlarged to :data:`SIDE` pixels."""

    def __init__(self, weights="imagenet"):
        self._extract = texture.Extractor(texture.statistics(weights=weights, side=SIDE))

    def __call__(self, pixels):
        """(n, d) float32 statistics of (n, h, w, 3) uint8 images."""
        return self._extract(np.stack([images.resize(one, SIDE) for one in pixels]))


@dataclass(frozen=True)
class Known:
    """Statistics from which heads are trained.

    Attributes
    ----------
    photographs : (m, d) array
    pseudo, tiles : dict of str to (n, d) array
        Of pseudo-fakes by kind, and of fakes by generator.
    families : dict of str to str
        Generator to family.
    """

    photographs: np.ndarray = field(repr=False)
    pseudo: dict = field(repr=False)
    tiles: dict = field(repr=False)
    families: dict

    def head(self, without=(), examples=None):
        """A head that has seen all of this but the fakes of some generators.

        ``examples`` are (k, d) statistics of fakes that it learns from in addition: they count as
        much as all other fakes.

        Returns
        -------
        callable
            From (n, d) statistics to scores for FAKE, (n,).
        """
        fakes = self.pseudo | {name: x for name, x in self.tiles.items() if name not in without}
        if examples is not None:
            fakes = fakes | {"examples": examples}
        parts = [(REAL, "photographs", self.photographs)]
        parts += [(FAKE, name, values) for name, values in fakes.items()]
        table = pd.DataFrame(
            [(label, name) for label, name, values in parts for _ in values],
            columns=["label", "source"],
        )
        seen = np.concatenate([values for *_, values in parts])
        weight = held_out.weights(table)
        if examples is not None:
            own = (table["source"] == "examples").to_numpy()
            others = (table["label"] == FAKE).to_numpy() & ~own
            total = weight[own | others].sum()
            for rows in (own, others):
                weight[rows] *= total / 2 / weight[rows].sum()
        model = make_pipeline(StandardScaler(), Ridge(ALPHA * len(seen))).fit(
            seen,
            np.where(table["label"] == REAL, 1.0, -1.0),
            standardscaler__sample_weight=weight,
            ridge__sample_weight=weight,
        )
        return lambda statistics: -model.predict(statistics)

    def without_family(self, family):
        """A head that has seen no fake of a family; of no generator at all for None."""
        left_out = [name for name, of in self.families.items() if family in (of, None)]
        return self.head(left_out)

    def after_examples(self, name, count, score, repeats=3, seed=0):
        """AUROC of a generator after some examples of it, on its other fakes.

        Parameters
        ----------
        name : str
            The generator; heads have seen all the others.
        count : int
            Examples, fewer than it has.
        score : callable
            From a head and the positions of the fakes that are left to their AUROC.
        repeats : int
            Random choices of the examples.
        seed : int

        Returns
        -------
        float
            Mean over the choices.
        """
        values, found = self.tiles[name], []
        for repeat in range(repeats):
            order = np.random.default_rng([seed, repeat]).permutation(len(values))
            head = self.head([name], values[order[:count]])
            found.append(score(head, order[count:]))
        return float(np.mean(found))


def with_detector(scores, predicted_fake):
    """Scores for FAKE, (n,), of a head and a detector together.

    What the detector predicts to be FAKE, (n,) bool, ranks above everything else.
    """
    return np.asarray(scores, float) + 1e6 * np.asarray(predicted_fake)  # heads' lie near ±1
