"""Make the images that the README shows and judges, from CIFAKE's test set.

Of each class and object class the first test image is taken, in the order of the files' names.
``docs/images/real_and_fake.jpg`` shows all of them; ``examples/images`` holds those of two object
classes as files.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from realfake_lib import data
from realfake_lib.plots.style import CLASS_COLOURS
from realfake_lib.settings import CLASS_NAMES, FAKE, OBJECT_CLASSES, REAL

ROOT = Path(__file__).resolve().parent.parent
SIDE, GAP, MARGIN = 74, 4, 84
JUDGED = ("dog", "ship")


def first_images(dataset):
    """The first test image of each label and object class."""
    test = dataset.index[dataset.index["split"] == "test"].sort_values("key")
    rows = test.groupby(["label", "object_class"]).head(1)
    pairs = zip(rows["label"], rows["object_class"], rows.index, strict=True)
    return {(label, OBJECT_CLASSES[kind]): dataset.images[i] for label, kind, i in pairs}


def board(images):
    """REAL above FAKE, an object class a column."""
    step = SIDE + GAP
    size = (MARGIN + step * len(OBJECT_CLASSES), 2 * step + 2 * GAP)
    canvas = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(20)
    for row, label in enumerate((REAL, FAKE)):
        top = GAP + row * step
        place = (MARGIN - 14, top + SIDE // 2)
        draw.text(place, CLASS_NAMES[label], CLASS_COLOURS[label], font, anchor="rm")
        for column, kind in enumerate(OBJECT_CLASSES):
            image = Image.fromarray(np.asarray(images[label, kind]))
            enlarged = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            canvas.paste(enlarged, (MARGIN + column * step, top))
    return canvas


if __name__ == "__main__":
    images = first_images(data.load("cifake"))
    (ROOT / "docs" / "images").mkdir(exist_ok=True)
    board(images).save(ROOT / "docs" / "images" / "real_and_fake.jpg", quality=92)
    (ROOT / "examples" / "images").mkdir(exist_ok=True)
    for (label, kind), image in images.items():
        if kind in JUDGED:
            file = f"{CLASS_NAMES[label].lower()}_{kind}.png"
            Image.fromarray(np.asarray(image)).save(ROOT / "examples" / "images" / file)
