"""Make the long trainings that the repository keeps, one after the other: train_kept.py [SEED ...]

Each training that is not in ``experiments/trainings`` yet is run, or carried on where a kill left
it, and kept there when it is done. The fast network is trained last, since it learns from the best.
"""

import sys
from pathlib import Path

from realfake_lib import data
from realfake_lib.report import provenance
from realfake_lib.training import distillation, kept

ROOT = Path(__file__).resolve().parent.parent
CHECKPOINTS = ROOT / "build" / "trainings"
BEST, FAST = "late_cnn", "folded_cnn"
SEEDS = (0, 1, 2, 3, 4)
TEACHERS = 3
"""How many of the best teach the fast network."""


def main(seeds):
    """Train and keep what is missing."""
    dataset = data.load("cifake")
    splits = data.make_splits(dataset, seed=0)
    folder = kept.folder()
    origin = {"commit": provenance.git_state(ROOT)["commit"], "machine": machine()}
    task = (dataset, splits)
    best = {seed: train_best(seed, task, folder, origin) for seed in seeds}
    train_fast([fit.model for fit in list(best.values())[:TEACHERS]], task, folder, origin)


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
    main([int(seed) for seed in sys.argv[1:]] or SEEDS)
