"""Make the long trainings that the repository keeps, one after the other.

Each training that is not in ``experiments/trainings`` yet is run, or carried on where a kill left
it, and kept there when it is done. The best and the fast network come after the deep ones, which
teach them.
"""

import argparse
from pathlib import Path

from realfake_lib import data
from realfake_lib.evaluation import transfer_study
from realfake_lib.models import transfer
from realfake_lib.report import provenance
from realfake_lib.training import distillation, kept

ROOT = Path(__file__).resolve().parent.parent
CHECKPOINTS = ROOT / "build" / "trainings"
DEEP, FAST, BACKBONE = "deep_cnn", "folded_small", "efficientnet_lite0"
CUT = "block5c_add"
"""Last layer of the backbone that is used."""
KINDS = ("deep", "best", "fast", "backbone")
SEEDS = (0, 1, 2, 3, 4)
OF_FAST = 3
"""How many of the deep networks teach the fast one; all of them teach the best."""


def main(kinds=KINDS, seeds=SEEDS):
    """Train and keep what is missing."""
    dataset = data.load("cifake")
    task = (dataset, data.make_splits(dataset, seed=0))
    folder = kept.folder()
    origin = {"commit": provenance.git_state(ROOT)["commit"], "machine": machine()}
    if {"deep", "best", "fast"} & set(kinds):
        deep = [train_deep(seed, task, folder, origin).model for seed in SEEDS]
    if "best" in kinds:
        lesson = distillation.Lesson(*task, tuple(deep), notes=CHECKPOINTS)
        for seed in seeds:
            train_taught(DEEP, lesson, "best_full", seed, "best", folder, origin)
    if "fast" in kinds:
        lesson = distillation.Lesson(*task, tuple(deep[:OF_FAST]), notes=CHECKPOINTS)
        train_taught(FAST, lesson, "fast_full", 0, "fast", folder, origin)
    if "backbone" in kinds:
        train_backbone(task, folder, origin)


def train_deep(seed, task, folder, origin):
    """One seed of the deep network, untaught."""
    arguments = (DEEP, *task, "deep_full", seed)
    fit = kept.fit(*arguments, "deep", folder, checkpoint_dir=CHECKPOINTS)
    report(f"{DEEP}, seed {seed}", fit)
    if not fit.origin:
        kept.keep(fit, folder, "deep", seed, kept.identity(*arguments), **origin)
    return fit


def train_taught(network, lesson, recipe, seed, label, folder, origin):
    """A network that learns from the deep ones what they say of each training picture."""
    arguments = (network, lesson, recipe, seed)
    fit = distillation.fit(*arguments, label, folder, checkpoint_dir=CHECKPOINTS)
    report(f"{network}, taught, seed {seed}", fit)
    if not fit.origin:
        kept.keep(fit, folder, label, seed, distillation.identity(*arguments), **origin)


def train_backbone(task, folder, origin):
    """A backbone with ImageNet weights, every layer trained further on all training images."""
    weights = transfer.find_weights(BACKBONE, CUT).path
    network = transfer_study.thawed_backbone(BACKBONE, weights, CUT, stem_stride=1)
    label = f"{BACKBONE}_finetuned"
    arguments = (network, *task, "fine_tune_full", 0)
    fit = kept.fit(*arguments, label, folder, checkpoint_dir=CHECKPOINTS)
    report(label, fit)
    if not fit.origin:
        kept.keep(fit, folder, label, 0, kept.identity(*arguments), **origin)


def report(name, fit):
    """Say how a training ended."""
    accuracy = fit.history["val_accuracy"].iloc[-1]
    print(
        f"{name}: {accuracy:.2%} of validation images, {fit.seconds:.0f} s; {fit.reason}",
        flush=True,
    )


def machine():
    """Processor and cores, in words: times of different machines cannot be compared."""
    hardware = provenance.hardware()
    return f"{hardware['processor']}, {hardware['cores']} cores"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="train_kept.py", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS, metavar="KIND")
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS, help="of the best network")
    options = parser.parse_args()
    main(options.only, options.seeds)
