"""Images per second: the original report's input pipeline against this library's.

Both feed the same augmentation (rotation by 15°, shifts by a tenth, flips) of the same images, and
then train the same network (``baseline_cnn``) on it, taking turns, so that whatever else the
machine does hits both. The original's is Keras's ``ImageDataGenerator`` with ``Model.fit`` and
batches of 32; it is measured reading JPEG files from folders, as its notebook did, and from memory,
to its advantage.
"""

import argparse
import contextlib
import io
import itertools
import os
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import tensorflow as tf  # noqa: E402
from keras.src.legacy.preprocessing.image import ImageDataGenerator  # noqa: E402
from PIL import Image  # noqa: E402

from realfake_lib import data, models, training  # noqa: E402
from realfake_lib.settings import CLASS_NAMES  # noqa: E402
from realfake_lib.training.copies import training_copy  # noqa: E402
from realfake_lib.training.loop import GATHER, make_step  # noqa: E402

BATCH = 32
LARGE_BATCH = 256
TARGET = 4.0
ORIGINAL = "original, from files"


def original_network():
    """The original's: ``baseline_cnn`` with the scaling outside and a sigmoid at the end."""
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    network.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return network


def original_generator():
    """The original's augmentation."""
    return ImageDataGenerator(
        rescale=1 / 255,
        rotation_range=15,
        width_shift_range=0.1,
        height_shift_range=0.1,
        horizontal_flip=True,
    )


def original_pipeline(batches):
    """A function that trains the original's way on every batch once."""
    network = original_network()

    def train():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras's advice about workers
            network.fit(batches, epochs=1, verbose=0)

    return train


def original_input(batches):
    """A function that makes the original's batches once, and trains on none."""

    def read():
        for number in range(len(batches)):
            batches[number]

    return read


def _library_batches(images, labels, epochs):
    return data.batches(
        images,
        labels,
        batch_size=GATHER,
        shuffle=True,
        epoch=next(epochs),
        augment=training.augment.policy("original"),
    )


def library_input(images, labels):
    """A function that makes this library's batches once, and trains on none."""
    epochs = itertools.count()

    def read():
        for pixels, _ in _library_batches(images, labels, epochs):
            pixels.numpy()

    return read


def library_training(images, labels, precision, batch_size=BATCH):
    """A function that trains this library's way on every image once."""
    recipe = training.RECIPES["baseline_original"].replace(
        precision=precision, batch_size=batch_size
    )
    copy = training_copy(models.build("baseline_cnn"), precision)
    step = make_step(copy, recipe.make_optimizer(), recipe)
    epochs = itertools.count()
    ones, rates = tf.ones(GATHER), tf.constant(recipe.rates(0, 1, GATHER // batch_size))

    def train():
        for batch in _library_batches(images, labels, epochs):
            step(*batch, ones, rates)[0].numpy()

    return train


def write_folders(images, labels, folder):
    """Write JPEG files as CIFAKE has them, a folder a class."""
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = Path(folder, CLASS_NAMES[label], f"{number}.jpg")
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path, quality=75)


def compare(images, labels, rounds=3):
    """Measure all pipelines in turns.

    Parameters
    ----------
    images : (n, 32, 32, 3) uint8 array
        ``n`` a multiple of 1,024.
    labels : (n,) int array
    rounds : int

    Returns
    -------
    pandas.DataFrame
        Index: what is measured ("input" or "training") and the pipeline. ``images_per_second`` (of
        the fastest round, wall clock), ``cpu_ms_per_image`` and ``speedup`` over the original
        reading files.
    """
    with tempfile.TemporaryDirectory() as folder:
        write_folders(images, labels, folder)
        generator = original_generator()
        with contextlib.redirect_stdout(io.StringIO()):  # "Found … images"
            files = generator.flow_from_directory(
                folder, target_size=(32, 32), batch_size=BATCH, class_mode="binary"
            )
        memory = generator.flow(images, labels, batch_size=BATCH)
        pipelines = {
            ("input", ORIGINAL): original_input(files),
            ("input", "original, from memory"): original_input(memory),
            ("input", "realfake_lib"): library_input(images, labels),
            ("training", ORIGINAL): original_pipeline(files),
            ("training", "original, from memory"): original_pipeline(memory),
            ("training", "realfake_lib, float32"): library_training(images, labels, "float32"),
        }
        if training.best_precision() == "mixed_bfloat16":
            for size in (BATCH, LARGE_BATCH):
                name = "realfake_lib, mixed_bfloat16" + f", batch {size}" * (size != BATCH)
                faster = library_training(images, labels, "mixed_bfloat16", size)
                pipelines["training", name] = faster
        for work in pipelines.values():  # the first pass compiles
            work()
        wall = dict.fromkeys(pipelines, np.inf)
        cpu = dict.fromkeys(pipelines, np.inf)
        for _ in range(rounds):
            for name, work in pipelines.items():
                clock, used = time.perf_counter(), time.process_time()
                work()
                wall[name] = min(wall[name], time.perf_counter() - clock)
                cpu[name] = min(cpu[name], time.process_time() - used)
    table = pd.DataFrame(
        {
            "images_per_second": {name: len(images) / value for name, value in wall.items()},
            "cpu_ms_per_image": {name: 1e3 * value / len(images) for name, value in cpu.items()},
        }
    ).rename_axis(["measured", "pipeline"])
    original = table.images_per_second.xs(ORIGINAL, level="pipeline")
    measured = table.index.get_level_values("measured")
    table["speedup"] = table.images_per_second / original.loc[measured].to_numpy()
    return table


def main(arguments=None):
    """Print the table; with ``--json FILE``, write it too."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks input", description=__doc__)
    parser.add_argument("--images", type=int, default=4096, help="how many, in steps of 1024")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the table to this file, too")
    options = parser.parse_args(arguments)
    count = max(GATHER, options.images // GATHER * GATHER)
    dice = np.random.default_rng(0)
    # Speed does not depend on what the images show, so none need be at hand.
    images = dice.integers(0, 256, (count, 32, 32, 3), np.uint8)
    table = compare(images, np.arange(count) % 2, options.rounds)
    print(f"baseline_cnn, batches of {BATCH}, {count:,} images, best of {options.rounds} rounds:\n")
    print(table.round({"images_per_second": 0, "cpu_ms_per_image": 3, "speedup": 2}).to_string())
    best = table.speedup.groupby(level="measured").max()
    words = ", ".join(f"{what} {value:.1f}" for what, value in best.items())
    print(f"\nSpeed-up: {words} (target: {TARGET:.0f} or more)")
    if options.json:
        rows = table.reset_index().to_json(orient="records", indent=1)
        options.json.write_text(rows + "\n", encoding="utf-8")
    return table
