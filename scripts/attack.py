"""Measure the worst case of strong attacks on the published detectors, for the report (hours).

What is not in ``experiments/attacks`` yet is measured, or carried on where a kill left it, and kept
there. A result for the first of the images is extended.
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np

from realfake_lib import data, settings
from realfake_lib.models import files
from realfake_lib.report import plan, provenance
from realfake_lib.robustness import worst_case

ROOT = Path(__file__).resolve().parent.parent
PARAMETERS = plan.load(ROOT, "standard").stages["adversarial_robustness"].parameters
EPSILONS = PARAMETERS["worst_epsilons"]
EFFORT, _ = worst_case.efforts(PARAMETERS["worst_effort"])
AT_ONCE = 100
"""Images between two checkpoints."""


def main(labels, seed=0):
    """Measure and keep what is missing."""
    dataset = data.load("cifake")
    splits = data.make_splits(dataset, seed=seed)
    chosen = np.random.default_rng(seed).permutation(splits.test)[: EFFORT.n]
    images, truth = dataset.images[chosen], dataset.labels[chosen]
    for label in labels:
        model, _ = files.load(ROOT / "realfake_lib" / "detectors" / f"{label}.keras")

        def key_of(n, label=label, model=model):
            effort = dataclasses.replace(EFFORT, n=n)
            task = images[:n], truth[:n], EPSILONS[label], effort, seed
            return worst_case.identity(model, *task)

        key = key_of(EFFORT.n)
        kept = worst_case.find(worst_case.folder() / f"{label}.npz", key_of)
        parts = [] if kept is None else [kept]
        parts += [
            part_of(label, key, model, images, truth, start, seed)
            for start in range(0 if kept is None else kept.shape[-1], EFFORT.n, AT_ONCE)
        ]
        found = np.concatenate(parts, axis=-1)
        worst_case.save(
            found, worst_case.folder(), label, key, commit=provenance.git_state(ROOT)["commit"]
        )
        print(f"{label}: {found[-1].mean(axis=-1)} at epsilon {EPSILONS[label]}", flush=True)


def part_of(label, key, model, images, truth, start, seed):
    """The result for some of the images, from its checkpoint or else made now."""
    path = ROOT / "build" / "attacks" / f"{label}-{key[:16]}" / f"{start}.npy"
    if not path.exists():
        rows = np.arange(start, min(start + AT_ONCE, EFFORT.n))
        found = worst_case.standing(
            model, images[rows], truth[rows], EPSILONS[label], EFFORT, seed=seed, indices=rows
        )
        with settings.atomic_file(path) as temporary, open(temporary, "wb") as stream:
            np.save(stream, found)
        print(f"{label}: {rows[-1] + 1} images, {found[-1].mean(axis=-1)}", flush=True)
    return np.load(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="attack.py", description=__doc__)
    parser.add_argument("labels", nargs="*", default=list(EPSILONS), metavar="DETECTOR")
    main(parser.parse_args().labels)
