"""Make the pretrained checkpoints of the repository, one after the other.

Each training that is not in ``experiments/trainings`` yet is run, or carried on where a kill left
it, and saved there when it is done. The detector and the fast network come after the networks
trained on hard labels: they are distilled from them.
"""

import argparse
from pathlib import Path

from realfake_lib import data
from realfake_lib.evaluation import transfer_study
from realfake_lib.models import transfer
from realfake_lib.report import provenance
from realfake_lib.training import pretrained
from realfake_lib.training.distillation import SoftLabels

ROOT = Path(__file__).resolve().parent.parent
CHECKPOINTS = ROOT / "build" / "trainings"
DETECTOR, FAST, BACKBONE = "deep_cnn", "folded_small", "efficientnet_lite0"
CUT = "block5c_add"
"""Last layer of the backbone that is used."""
KINDS = ("hard_labels", "detector", "fast", "robust", "defended", "backbone")
SEEDS = (0, 1, 2, 3, 4)
OF_FAST = 3
"""Networks of the teacher ensemble of the fast one; the detector has all of them."""


def main(kinds=KINDS, seeds=SEEDS):
    """Train and keep what is missing."""
    dataset = data.load("cifake")
    task = (dataset, data.make_splits(dataset, seed=0))
    if set(KINDS[:-1]) & set(kinds):
        ensemble = tuple(
            kept("hard_labels", DETECTOR, *task, "hard_labels", seed).model for seed in SEEDS
        )
    if "detector" in kinds:
        for seed in seeds:
            distil("detector", DETECTOR, SoftLabels(*task, ensemble, cache=CHECKPOINTS), seed)
    if "fast" in kinds:
        distil("fast", FAST, SoftLabels(*task, ensemble[:OF_FAST], cache=CHECKPOINTS), 0)
    if {"robust", "defended"} & set(kinds):  # the detector, trained further
        soft = SoftLabels(*task, ensemble, cache=CHECKPOINTS)
        start = distil("detector", DETECTOR, soft, 0).model
        if "robust" in kinds:  # on corrupted images
            distil("robust", start, soft, 0, recipe="robust")
        if "defended" in kinds:  # on attacked images
            kept("defended", start, *task, "adversarial", 0)
    if "backbone" in kinds:  # with ImageNet weights, every layer trained further on all images
        weights = transfer.find_weights(BACKBONE, CUT)
        network = transfer_study.unfrozen_backbone(BACKBONE, weights, CUT, stem_stride=1)
        kept(f"{BACKBONE}_finetuned", network, *task, "fine_tune_full", 0)


def distil(label, network, soft, seed, recipe="distilled"):
    """A network trained on the soft labels of an ensemble."""
    arguments = (network, soft.named, soft.splits, recipe, seed)
    return kept(label, *arguments, relabelled=lambda: soft.relabelled)


def kept(label, *arguments, **options):
    """A training, from its checkpoint or else run here and then kept as one; a FitResult."""
    folder, seed = pretrained.folder(), arguments[-1]
    fit = pretrained.fit(*arguments, label, folder, checkpoint_dir=CHECKPOINTS, **options)
    report(f"{label}, seed {seed}", fit)
    if not fit.origin:
        origin = {"commit": provenance.git_state(ROOT)["commit"], "machine": machine()}
        pretrained.save(fit, folder, label, seed, pretrained.identity(*arguments), **origin)
    return fit


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
    parser = argparse.ArgumentParser(prog="pretrain.py", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS, metavar="KIND")
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS, help="of the detector")
    options = parser.parse_args()
    main(options.only, options.seeds)
