"""Time to an accuracy: two fixed trainings on CIFAKE, from fresh weights to the test set.

The recipes were chosen on validation images; nothing here is chosen. Needs CIFAKE and a machine
with nothing else to do: a minute for the sprint, which runs unless told otherwise, some ten for the
long race on a processor with bfloat16, an hour on one without.
"""

import argparse
import time

SPRINT, LONG = "sprint", "long"
TARGETS = {
    SPRINT: (0.9298, "folded_small", "sprint", "the best of the CIFAKE paper's 36 networks"),
    LONG: (0.9766, "deep_cnn", "race", "the best from scratch with evidence, 37 min on a T4"),
}
"""Race to accuracy on the test set, network, recipe, and whose accuracy that is."""


def run(name, dataset, splits, seed=0):
    """Train by the recipe of that name and test.

    Returns
    -------
    dict
        ``accuracy`` on the whole test set; ``seconds`` of everything between fresh weights and
        the trained network, compilation and validation included; ``training_seconds`` without
        compilation; ``epochs`` and ``images_per_second``.
    """
    import numpy as np

    from realfake_lib import training
    from realfake_lib.settings import REAL

    begun = time.perf_counter()
    _, network, recipe, _ = TARGETS[name]
    fit = training.fit(network, dataset, splits, recipe, seed=seed, label=name)
    seconds = time.perf_counter() - begun
    logits = training.predict_logits(fit.model, dataset.images, splits.test)
    truth = np.asarray(dataset.labels)[splits.test] == REAL
    return {
        "accuracy": float(np.mean((logits > 0) == truth)),
        "seconds": seconds,
        "training_seconds": fit.seconds,
        "epochs": len(fit.history),
        "images_per_second": fit.images_per_second,
    }


def main(arguments=None):
    """Print one line a race."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks training", description=__doc__)
    parser.add_argument(
        "races", nargs="*", default=[SPRINT], metavar="RACE", help=f"{', '.join(TARGETS)}"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    unknown = set(options.races) - set(TARGETS)
    if unknown:
        parser.error(f"no such race: {', '.join(sorted(unknown))}; known: {', '.join(TARGETS)}")
    from realfake_lib import data
    from realfake_lib.errors import UserError
    from realfake_lib.report import provenance

    try:
        dataset = data.load("cifake")
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
    splits = data.make_splits(dataset, seed=0)
    hardware = provenance.hardware()
    print(f"{hardware['processor']}, {hardware['cores']} cores, {hardware['memory_gib']} GiB")
    for name in options.races:
        target, network, _, whose = TARGETS[name]
        found = run(name, dataset, splits, options.seed)
        verdict = "reached" if found["accuracy"] >= target else "MISSED"
        print(
            f"{name}: {found['accuracy']:.2%} of the test set after {found['seconds']:.0f} s "
            f"({network}, {found['epochs']} epochs, {found['images_per_second']:,.0f} images/s); "
            f"{target:.2%} {verdict}: {whose}",
            flush=True,
        )


if __name__ == "__main__":
    main()
