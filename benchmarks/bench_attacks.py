"""Images per second under PGD: this library's attack against foolbox's and ART's.

All attack the same detector and images with the same number of steps, in batches of the same size,
and take turns, so that whatever else the machine does hits all of them. foolbox and ART get the
detector as their documentation shows it. This library is measured twice: with every step on every
image, and as the report attacks, where an image is left alone once its verdict is wrong. ART is
measured where it is installed (``pip install adversarial-robustness-toolbox``).
"""

import argparse
import json
import os
import time
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import foolbox  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import tensorflow as tf  # noqa: E402

from realfake_lib import data  # noqa: E402
from realfake_lib.models import files  # noqa: E402
from realfake_lib.robustness import attacks, detector  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
BATCH = 256
TARGET = 3.0
OURS, EARLY = "realfake_lib", "realfake_lib, stopping early"


def two_outputs(model):
    """The detector with a logit for FAKE and one for REAL, which other libraries expect."""
    logit = model.output
    fake = keras.layers.Rescaling(0.0)(logit)
    return keras.Model(model.input, keras.layers.Concatenate()([fake, logit]))


def foolboxs(model, epsilon, steps):
    """foolbox's attack as a function of images and labels."""
    network = foolbox.TensorFlowModel(two_outputs(model), bounds=(0, 255), device="/CPU:0")
    attack = foolbox.attacks.LinfPGD(steps=steps, abs_stepsize=2.5 * epsilon / steps)

    def run(images, labels):
        parts = []
        for start in range(0, len(images), BATCH):
            pixels = tf.constant(images[start : start + BATCH], tf.float32)
            truth = tf.constant(labels[start : start + BATCH], tf.int64)
            parts.append(attack(network, pixels, truth, epsilons=epsilon)[1].numpy())
        return np.concatenate(parts)

    return run


def arts(model, epsilon, steps):
    """ART's attack as a function of images and labels."""
    from art.attacks.evasion import ProjectedGradientDescent
    from art.estimators.classification import TensorFlowV2Classifier

    network = TensorFlowV2Classifier(
        two_outputs(model),
        nb_classes=2,
        input_shape=model.input_shape[1:],
        loss_object=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        clip_values=(0, 255),
    )
    attack = ProjectedGradientDescent(
        network,
        eps=epsilon,
        eps_step=2.5 * epsilon / steps,
        max_iter=steps,
        num_random_init=1,
        batch_size=BATCH,
        verbose=False,
    )
    return lambda images, labels: attack.generate(images.astype(np.float32), labels)


def compare(model, images, labels, epsilon, steps, rounds):
    """Measure all libraries that are installed.

    Returns
    -------
    pandas.DataFrame
        By library: images_per_second (median over rounds), accuracy that its attack leaves.
    """

    def ours(early_stop):
        return lambda x, y: attacks.pgd(
            model, x, y, epsilon, steps, early_stop=early_stop, batch_size=BATCH
        )

    runs = {OURS: ours(False), EARLY: ours(True), "foolbox": foolboxs(model, epsilon, steps)}
    if find_spec("art"):
        runs["ART"] = arts(model, epsilon, steps)
    seconds, left = {name: [] for name in runs}, {}
    for run in runs.values():
        run(images[:2], labels[:2])  # what is compiled once
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            attacked = run(images, labels)
            seconds[name].append(time.perf_counter() - start)
            logits = detector.predict_logits(model, attacked)
            left[name] = detector.is_correct(logits, labels).mean()
    table = pd.DataFrame({"images_per_second": len(images) / pd.Series(seconds).map(np.median)})
    return table.assign(accuracy=pd.Series(left))


def main(arguments=None):
    """Measure, print, and return the table."""
    parser = argparse.ArgumentParser(prog="make bench BENCH='attacks …'", description=__doc__)
    parser.add_argument("--model", default=ROOT / "realfake_lib/detectors/detector.keras")
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--data", default="auto")
    parser.add_argument("--epsilons", type=float, nargs="+", default=[1, 4], help="in /255")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the table to this file as well")
    options = parser.parse_args(arguments)

    dataset = data.load(options.data)
    rows = np.random.default_rng(0).permutation(len(dataset.labels))[: options.images]
    images, labels = dataset.images[rows], dataset.labels[rows]
    model, _ = files.load(options.model)
    tables = {
        epsilon: compare(model, images, labels, epsilon, options.steps, options.rounds)
        for epsilon in options.epsilons
    }
    table = pd.concat(tables, names=["epsilon", "library"])
    print(f"PGD-{options.steps} on {len(rows)} images\n")
    print(table.round({"images_per_second": 1, "accuracy": 3}).to_string())
    print(f"\nTimes faster (target: {TARGET:g} or more):")
    for epsilon, part in tables.items():
        rates = part["images_per_second"]
        for name in rates.index.difference([OURS, EARLY]):
            print(
                f"epsilon {epsilon:g}/255, than {name}: {rates[OURS] / rates[name]:.1f} with every "
                f"step, {rates[EARLY] / rates[name]:.1f} stopping early"
            )
    if not find_spec("art"):
        print("ART is not installed: pip install adversarial-robustness-toolbox")
    if options.json:
        options.json.write_text(json.dumps(table.reset_index().to_dict("records")), "utf-8")
    return table


if __name__ == "__main__":
    main()
