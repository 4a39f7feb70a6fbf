"""What was tried: networks and recipes judged on the validation split, in a file that stays."""

import json
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import yaml

from realfake_lib import models, settings, training
from realfake_lib.errors import UserError
from realfake_lib.evaluation.metrics import wilson
from realfake_lib.models import cost
from realfake_lib.training import costs, loop, pretrained


@dataclass(frozen=True)
class Trial:
    """One training that answers one question.

    ``plan`` is what :func:`realfake_lib.models.networks.stack` reads; ``against`` names the trial
    that this one is compared with; ``n_train`` images make a trial cheap, None takes all. An
    ``attacked`` trial's network is attacked, by PGD-10.
    """

    name: str
    question: str
    plan: str
    recipe: training.Recipe = field(default_factory=training.Recipe)
    against: str | None = None
    seed: int = 0
    n_train: int | None = None
    attacked: bool = False

    def network(self, image_size):
        """The network with fresh weights."""
        return models.build("stack", image_size, plan=self.plan)


ATTACKED_AT, ATTACKED = (0, 1, 2, 4, 8), 2000
"""Grey levels of the attack on a trial's network, and validation images."""


def read(path):
    """Trials from a YAML file; a field or name missing, unknown or there twice is a UserError."""
    trials = []
    for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["trials"]:
        try:
            recipe = training.Recipe().replace(**entry.pop("recipe", {}))
            trials.append(Trial(**entry, recipe=recipe))
        except TypeError as error:
            raise UserError(f"{path}: a trial cannot be read: {error}") from None
    names = [trial.name for trial in trials]
    if len(set(names)) < len(names):
        raise UserError(f"{path}: two trials have one name.")
    for trial in trials:
        if trial.against is not None and trial.against not in names:
            raise UserError(f"{path}: {trial.name!r} is against {trial.against!r}: no such trial.")
    return trials


def run(trials, dataset, splits, results, checkpoint_dir=None, **origin):
    """Run the trials whose outcome is not in ``results``, a JSON file, yet; their names.

    Each outcome is written there when it is known, with ``origin``, e.g. the commit.
    """
    known = json.loads(results.read_text(encoding="utf-8")) if results.is_file() else {}
    ran = []
    for trial in trials:
        part = _part(splits, trial.n_train)
        key = pretrained.identity(trial.network, dataset, part, trial.recipe, trial.seed)
        before = known.get(trial.name, {})
        if before.get("key") == key and bool(before.get("attacked")) >= trial.attacked:
            continue
        outcome = _outcome(trial, dataset, part, checkpoint_dir)
        known[trial.name] = {"key": key} | outcome | origin
        with settings.atomic_file(results) as temporary:
            temporary.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
        ran.append(trial.name)
    return ran


def _part(splits, n_train):
    """The splits with a fixed random choice of training images; a smaller one lies in a larger."""
    if n_train is None:
        return splits
    order = np.random.default_rng(0).permutation(splits.train)
    return replace(splits, train=np.sort(order[:n_train]))


def _outcome(trial, dataset, splits, checkpoint_dir):
    fit = training.fit(
        *(trial.network, dataset, splits, trial.recipe, trial.seed, checkpoint_dir), label="trial"
    )
    attacked = {}
    if trial.attacked:
        arguments = fit.model, dataset, splits.val
        attacked = {f"{e}": loop.attacked_accuracy(*arguments, e, ATTACKED) for e in ATTACKED_AT}
    images = np.asarray(dataset.images)
    logits = training.predict_logits(fit.model, images, splits.val)
    mirrored = training.predict_logits(fit.model, images[:, :, ::-1], splits.val)
    real = np.asarray(dataset.labels)[splits.val] > 0
    return {
        "plan": trial.plan,
        "val_accuracy": float(np.mean((logits > 0) == real)),
        "val_accuracy_flips": float(np.mean((logits + mirrored > 0) == real)),
        "val_loss": float(fit.history["val_loss"].iloc[-1]),
        "val_curve": [float(value) for value in fit.history["val_accuracy"]],
        "n": len(splits.val),
        "n_train": len(splits.train),
        "parameters": cost.parameters(fit.model),
        "flops": cost.flops(fit.model),
        "training_pflop": float(costs.of_fits({"": fit})["training_pflop"].iloc[0]),
        "seconds": fit.seconds,
        "precision": fit.precision,
        "attacked": attacked,
    }


def table(trials, results):
    """What was tried, what it gave and what it cost, from the file ``results`` of :func:`run`.

    Returns
    -------
    pandas.DataFrame
        Index: the trial's name, in the order of ``trials``. Columns ``question``, ``network``,
        ``images`` (trained on), ``val_accuracy``, ``val_accuracy_tta`` (with horizontal-flip TTA),
        ``gain`` (over the trial it is compared with), ``cost`` (training operations as a multiple
        of that trial's), ``parameters``, ``training_pflop`` and ``seconds`` of training.
    """
    known = pd.DataFrame.from_dict(json.loads(results.read_text(encoding="utf-8")), "index")
    asked = pd.DataFrame(map(vars, trials)).set_index("name").rename_axis("trial")
    asked = asked[asked.index.isin(known.index)]
    found = known.loc[asked.index]
    base = known.reindex(asked["against"]).set_index(asked.index)
    found = found.rename(columns={"n_train": "images", "val_accuracy_flips": "val_accuracy_tta"})
    gain = found["val_accuracy"] - base["val_accuracy"]
    times = found["training_pflop"] / base["training_pflop"]
    table = (
        asked[["question"]].assign(network=asked["plan"]).join(found.assign(gain=gain, cost=times))
    )
    results = ["val_accuracy", "val_accuracy_tta", "gain", "cost", "parameters", "training_pflop"]
    return table[["question", "network", "images", *results, "seconds"]]


def accuracy_under_attack(trials, results):
    """Accuracy of the attacked trials' networks over epsilon, by method of adversarial training.

    Returns
    -------
    pandas.DataFrame
        Columns ``method``; ``trained`` (largest epsilon in training, grey levels; 0 for the
        control, which stands beside each method); ``epsilon`` of PGD-10 (0: no attack);
        ``accuracy``, ``ci_low`` and ``ci_high`` (95 % Wilson interval) on ``n`` validation images.
        No rows where no outcome is known.
    """
    known = json.loads(results.read_text(encoding="utf-8"))
    done = [trial for trial in trials if trial.attacked and trial.name in known]
    methods = {method: None for trial in done if (method := _method(trial.recipe))}
    rows = []
    for method in methods:
        for trial in done:
            if _method(trial.recipe) not in (None, method):
                continue
            n = min(ATTACKED, known[trial.name]["n"])
            for epsilon, accuracy in known[trial.name]["attacked"].items():
                low, high = wilson(round(accuracy * n), n)
                row = {"method": method, "trained": trial.recipe.adversarial_epsilon}
                found = {"accuracy": accuracy, "ci_low": low, "ci_high": high, "n": n}
                rows.append(row | {"epsilon": float(epsilon)} | found)
    columns = ["method", "trained", "epsilon", "accuracy", "ci_low", "ci_high", "n"]
    return pd.DataFrame(rows, columns=columns)


def _method(recipe):
    """The words for a recipe's adversarial training, None where there is none."""
    if not recipe.adversarial_epsilon:
        return None
    if recipe.trades:
        return "TRADES"
    return "FGSM" if recipe.adversarial_steps == 1 else f"PGD-{recipe.adversarial_steps}"
