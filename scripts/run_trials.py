"""Run the trials of ``experiments/trials.yml`` that have no outcome yet.

run_trials.py [NAME ...]
"""

import sys
from pathlib import Path

from realfake_lib import data
from realfake_lib.errors import UserError
from realfake_lib.report import provenance
from realfake_lib.training import trials

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "experiments"


def main(names):
    """Run all of them, or those of these names."""
    known = trials.read(FOLDER / "trials.yml")
    unknown = set(names) - {trial.name for trial in known}
    if unknown:
        raise UserError(f"No such trial: {', '.join(sorted(unknown))}.")
    chosen = [trial for trial in known if not names or trial.name in names]
    dataset = data.load("cifake")
    ran = trials.run(
        chosen,
        dataset,
        data.make_splits(dataset, seed=0),
        FOLDER / "results.json",
        ROOT / "build" / "trials",
        commit=provenance.git_state(ROOT)["commit"],
    )
    print(f"ran: {', '.join(ran) or 'none, all outcomes are there'}")
    table = trials.table(known, FOLDER / "results.json")
    print(
        table[["val_accuracy", "val_accuracy_tta", "gain", "cost", "seconds"]].round(4).to_string()
    )


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
