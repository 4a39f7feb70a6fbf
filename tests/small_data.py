"""Small data sets as somebody has them who tries the report on pictures of their own."""

import numpy as np
from PIL import Image


def write(folder, real, fake, side=32, seed=0):
    """A folder with so many images of each class: soft blobs, the FAKE ones with grain.

    Returns
    -------
    Path
        The folder.
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side] / side
    for name, count in (("REAL", real), ("FAKE", fake)):
        (folder / name).mkdir(parents=True)
        for k in range(count):
            centre, colour = rng.random(2), rng.integers(60, 196, 3)
            blob = np.exp(-((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2) / 0.1)
            grain = rng.normal(0, 12 if name == "FAKE" else 4, (side, side, 3))
            pixels = np.clip(blob[..., None] * colour + 40 + grain, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{k:04d}.png")
    return folder
