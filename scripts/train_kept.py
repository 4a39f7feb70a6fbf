"""Make the long trainings that the repository keeps, one after the other.

Each training that is not in ``experiments/trainings`` yet is run, or carried on where a kill left
it, and kept there when it is done. The fast network comes after the best: it learns from them.
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
BEST, FAST, BACKBONE = "deep_cnn", "folded_small", "mobilenet"
KINDS = ("best", "fast", "backbone")
SEEDS = (0, 1, 2, 3, 4)
TEACHERS = 3
"""How many of the best teach the fast network."""


def main(kinds=KINDS, seeds=SEEDS):
    """Train and keep what is missing."""
    dataset = data.load("cifake")
    task = (dataset, data.make_splits(dataset, seed=0))
    folder = kept.folder()
    origin = {"commit": provenance.git_state(ROOT)["commit"], "machine": machine()}
    if "best" in kinds or "fast" in kinds:
        best = [train_best(seed, task, folder, origin) for seed in seeds]
    if "fast" in kinds:
        train_fast([fit.model for fit in best[:TEACHERS]], task, folder, origin)
    if "backbone" in kinds:
        train_backbone(task, folder, origin)


def train_best(seed, task, folder, origin):
    """One seed of the best network."""
    arguments = (BEST, *task, "best_full", seed)
    fit = kept.fit(*arguments, "best", folder, checkpoint_dir=CHECKPOINTS)
    report(f"{BEST}, seed {seed}", fit)
    if not fit.origin:
        kept.keep(fit, folder, "best", seed, kept.identity(*arguments), **origin)
    return fit


def train_fast(teachers, task, folder, origin):
    """The fast network, taught by the best."""
    arguments = (FAST, *task, "fast_full", 0)
    fit = distillation.fit(*arguments, "fast", teachers, look_in=folder, checkpoint_dir=CHECKPOINTS)
    report(f"{FAST}, taught", fit)
    if not fit.origin:
        key = distillation.identity(*arguments, teachers)
        kept.keep(fit, folder, "fast", 0, key, **origin)


def train_backbone(task, folder, origin):
    """ImageNet's MobileNet, all of it trained further on all training images."""
    weights = transfer.find_weights(BACKBONE).path
    network = transfer_study.thawed_backbone(BACKBONE, weights, stem_stride=1)
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
