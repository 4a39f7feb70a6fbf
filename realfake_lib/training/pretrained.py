"""Pretrained checkpoints: weights and history of long trainings, found by what made them.

One is used only for the very training asked for: the same network, recipe, data, split and seed.
"""

import dataclasses
import json

import numpy as np
import pandas as pd

from realfake_lib import settings
from realfake_lib.errors import UserError
from realfake_lib.training import loop
from realfake_lib.training.checkpoints import digest, model_digest
from realfake_lib.training.recipes import Recipe, get_recipe


def identity(network, dataset, splits, recipe, seed):
    """SHA-256 over all that a training depends on, but for machine and versions.

    The arguments are those of :func:`realfake_lib.training.fit`.
    """
    model = loop.fresh_model(network, dataset.image_size)
    fields = dataclasses.fields(Recipe)
    recipe = get_recipe(recipe).replace(precision="auto").for_images(len(splits.train))
    # Only what is not at its default: a field that is new must not disown the older checkpoints.
    chosen = {f.name: getattr(recipe, f.name) for f in fields}
    chosen = {f.name: chosen[f.name] for f in fields if chosen[f.name] != f.default}
    rows = np.asarray(splits.train), np.asarray(splits.val)
    return digest(chosen, model_digest(model, weights=False), dataset.fingerprint, *rows, seed)


def folder():
    """The repository's folder of checkpoints, or None without a checkout."""
    experiments = settings.experiments_dir()
    return experiments / "trainings" if experiments else None


def fit(
    network,
    dataset,
    splits,
    recipe,
    seed,
    label,
    weights_dir=None,
    relabelled=None,
    train=True,
    **options,
):
    """The training that a checkpoint holds, or else a training of one's own.

    Parameters
    ----------
    network, dataset, splits, recipe, seed, label, **options
        As for :func:`realfake_lib.training.fit`; the network by name or as a builder.
    weights_dir : Path, optional
        Folder of pretrained checkpoints; None trains.
    relabelled : callable, optional
        Gives the data set to train on in place of ``dataset``, which then only names it.
    train : bool
        Whether to train where there is no checkpoint; else the result is None.
    """
    found = find(network, dataset, splits, recipe, seed, weights_dir, label)
    if found is not None or not train:
        return found
    data = relabelled() if relabelled else dataset
    return loop.fit(network, data, splits, recipe, seed=seed, label=label, **options)


def fit_seeds(
    network, dataset, splits, recipe, seeds, label, weights_dir=None, fallback=None, **options
):
    """Trainings that differ in their seed alone, from checkpoints where there are any.

    Parameters
    ----------
    network, dataset, splits, recipe, label, weights_dir, **options
        As for :func:`fit`.
    seeds : sequence of int
    fallback : (recipe, seeds), optional
        What to train where there is a checkpoint of none of ``seeds``, in place of ``recipe``.
        With it, seeds without a checkpoint are left out where others have one; without it, they
        are trained.

    Returns
    -------
    dict of int to FitResult
        By seed.
    """
    arguments = (network, dataset, splits)
    if fallback is not None:
        found = [s for s in seeds if find(*arguments, recipe, s, weights_dir, label) is not None]
        recipe, seeds = (recipe, found) if found else fallback
    return {seed: fit(*arguments, recipe, seed, label, weights_dir, **options) for seed in seeds}


def notices(trainings, n, stage="training"):
    """Sentences on where trainings come from.

    Parameters
    ----------
    trainings : dict of str to (dict of int to FitResult, dict)
        By label: what :func:`fit_seeds` gave, and what was asked of it: ``recipe`` and
        ``fallback``.
    n : int
        Images that they trained on.
    stage : str
        Whose parameter ``use_pretrained`` decides it.
    """
    loaded = sum(bool(fit.origin) for fits, _ in trainings.values() for fit in fits.values())
    if loaded:
        yield (
            f"Trainings that are pretrained checkpoints from experiments/trainings: {loaded}. "
            f"To train here: SET={stage}.use_pretrained=false"
        )
    for label, (fits, asked) in trainings.items():
        wanted = dataclasses.asdict(get_recipe(asked["recipe"]).for_images(n))
        if any(fit.recipe != wanted for fit in fits.values()):
            recipe, seeds = asked["fallback"]
            yield (
                f"{label}: there is no pretrained checkpoint for these data, so it was trained "
                f"here by the shorter recipe {recipe}, seeds {seeds}."
            )


def path_of(folder, label, seed):
    """File of one checkpoint."""
    return folder / f"{label}-seed{seed}.npz"


def save(fit, folder, label, seed, key, **origin):
    """Write a finished training to ``folder``, its weights in half precision.

    ``key`` is what :func:`identity` gives; ``origin`` is JSON-able: commit, machine and the like.
    """
    meta = {
        "key": key,
        "precision": fit.precision,
        "history": fit.history.to_dict("records"),
        "origin": origin,
    }
    with np.errstate(over="ignore"):
        pairs = [(array.astype(np.float16), array) for array in fit.model.get_weights()]
    # As it is where half precision has no room for a value.
    kept = [half if np.isfinite(half).all() else array for half, array in pairs]
    arrays = {f"w{i:04d}": array for i, array in enumerate(kept)}
    path = path_of(folder, label, seed)
    with settings.atomic_file(path) as temporary:
        np.savez_compressed(temporary, meta=np.array(json.dumps(meta)), **arrays)
    return path


def find(network, dataset, splits, recipe, seed, folder, label):
    """The checkpoint of exactly these arguments, or None; a UserError if its file is damaged."""
    path = folder and path_of(folder, label, seed)
    if not (path and path.is_file()):
        return None
    key = identity(network, dataset, splits, recipe, seed)
    try:
        with np.load(path, allow_pickle=False) as saved:
            meta = json.loads(str(saved["meta"]))
            names = sorted(name for name in saved.files if name[0] == "w")
            weights = [saved[name].astype(np.float32) for name in names]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} cannot be read: {error}", "Get the file again.") from None
    if meta["key"] != key:
        return None
    model = loop.fresh_model(network, dataset.image_size)
    model.set_weights(weights)
    history = pd.DataFrame(meta["history"])
    return loop.FitResult(
        model=model,
        history=history,
        resumed_from=len(history),
        precision=meta["precision"],
        reason=f"taken from {path.name}, not trained here",
        origin=meta["origin"],
        recipe=dataclasses.asdict(get_recipe(recipe).for_images(len(splits.train))),
    )
