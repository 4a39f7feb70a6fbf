"""Train and publish the detector for images of ordinary size (about an hour on two cores).

Needs the panel and the pool: `realfake data fetch panel`, `realfake data fetch pool`. Writes
``real_size.onnx`` and its description, and the scores of held-out sources for the report.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from realfake_lib import model_metadata, probability, settings
from realfake_lib.data import panel
from realfake_lib.evaluation import held_out
from realfake_lib.models import export, texture
from realfake_lib.report import model_card, provenance
from realfake_lib.settings import REAL
from realfake_lib.training import real_size

ROOT = Path(__file__).resolve().parent.parent


def main(repeats=2, seed=0):
    """Measure, select, fit and write."""
    collections = {name: panel.load(name) for name in panel.VARIABLES}
    statistics = real_size.measure(collections, seed=seed)
    delivered = real_size.deliveries(collections["panel"], seed)
    statistics = dataclasses.replace(statistics, scored=statistics.scored | delivered)
    table = statistics.table
    outcome = real_size.nested(statistics, repeats, seed)
    scores = np.concatenate([outcome.scores[name] for name in held_out.CONDITIONS])
    slope, intercept = held_out.calibrate(table, scores)

    p_fake = {
        name: probability.p_fake(slope * each + intercept, 1.0)
        for name, each in outcome.scores.items()
    }
    sizes = [each.table[["original_width", "original_height"]] for each in collections.values()]
    held = pd.concat(
        [table, pd.concat(sizes, ignore_index=True), states(collections, seed)], axis=1
    )
    kept = ROOT / "experiments" / "real_size.npz"
    held_out.write(kept, held, outcome.fold, p_fake)
    held, fold, p_fake = held_out.read(kept)
    point = held_out.operating_point(table, [p_fake[name] for name in held_out.CONDITIONS])
    votes = [gamma for chosen in outcome.chosen for gamma in chosen]
    gamma = max(set(votes), key=votes.count)
    model = real_size.fit(statistics.train, table, gamma, seed)
    network = real_size.network(model, slope, intercept)
    grouped = table.groupby(["label", "family", "source", "repository"], sort=True)
    commits = {
        one: each.table.groupby("repository")["commit"].first() for one, each in collections.items()
    }
    sources = [
        {"source": source, "class": settings.CLASS_NAMES[label], "family": family,
         "repository": repository, "commit": commits[some["collection"].iloc[0]][repository],
         "n": len(some)}
        for (label, family, source, repository), some in grouped
    ]  # fmt: skip
    meta = {
        "schema": model_metadata.SCHEMA,
        **point.meta(),
        "image_size": texture.SIDE,
        "sides": [128, None],
        "several_views": True,
        "data": f"crops of real size from {table['source'].nunique()} sources",
        "trained_on": {
            "n": len(table),
            "photographs": int((table["label"] == REAL).sum()),
            "stages": list(texture.STAGES),
            "landmarks": len(model[1].components_),
            "gamma": gamma,
            "alpha": real_size.ALPHA,
            "contents": real_size.CONTENTS,
            "folds": held_out.FOLDS,
            "seed": seed,
            "commit": provenance.git_state(ROOT)["commit"],
        },
        "held_out": held_out.figures(held, fold, p_fake),
        "sources": sources,
    }
    target = ROOT / "realfake_lib" / "detectors" / "real_size.onnx"
    written = export.to_onnx(network, target, meta)
    card = model_card.render(written, target.stem)
    target.with_suffix(".md").write_text(card, encoding="utf-8")
    print(written["onnx"], votes, written["held_out"])


def states(collections, seed):
    """Whether each crop is unfit, (n,) bool by condition; False where it is not delivered so."""
    every = (*held_out.CONDITIONS, *held_out.DELIVERIES)
    found = [
        held_out.unfit(each, every if name == "panel" else held_out.CONDITIONS, seed)
        for name, each in collections.items()
    ]
    together = pd.concat([pd.DataFrame(each) for each in found], ignore_index=True)
    return together.eq(True).add_prefix("unfit_")


if __name__ == "__main__":
    main()
