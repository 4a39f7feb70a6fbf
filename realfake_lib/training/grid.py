"""The comparison grid: many small trainings with equal budgets, run in parallel, resumable.

A cell is one network trained by one recipe with one seed. Cells that share a seed start from
the same order of images, so settings are compared in pairs. Cells run through joblib: in processes
of this machine by default, on a cluster inside ``joblib.parallel_config(backend="dask")``.
"""

import functools
import json
import os
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf
from joblib import Parallel, delayed

from realfake_lib import models, progress, settings, training
from realfake_lib.models import cost
from realfake_lib.settings import REAL
from realfake_lib.training.checkpoints import digest, model_digest
from realfake_lib.training.loop import surroundings

BASELINE = "baseline"

STRATEGIES = {
    "learning rate": {
        "rate 0.0003": {"learning_rate": 3e-4},
        "rate 0.003": {"learning_rate": 3e-3},
        "constant rate": {"schedule": "constant"},
    },
    "optimiser": {
        "AdamW": {"optimizer": "adamw", "weight_decay": 0.02},
        "Muon": {"optimizer": "muon", "weight_decay": 0.02, "learning_rate": 4e-3},
        # Plain SGD needs a rate of its own; the adaptive ones' would hardly move it.
        "SGD": {"optimizer": "sgd", "learning_rate": 0.02},
    },
    "augmentation": {
        "flip": {"augment": "flip"},
        "flip and crop": {"augment": "flip_crop"},
        "zoom": {"augment": "zoom"},
        "as the original": {"augment": "original"},
    },
    "effort": {"easy images left out": {"prune": 0.5}},
    "batch size": {"batch 32": {"batch_size": 32}, "batch 256": {"batch_size": 256}},
}
"""What the report compares, for :func:`plan`: factor to setting to the fields it changes."""


@dataclass(frozen=True)
class Cell:
    """One training of the grid.

    Attributes
    ----------
    factor : str
        What this cell changes, e.g. ``"optimiser"``; ``"baseline"`` where it changes nothing.
    setting : str
        What it changes that to, e.g. ``"sgd"``.
    network : str
        Name of the network, see ``models.available()``.
    recipe : Recipe
    seed : int
    """

    factor: str
    setting: str
    network: str
    recipe: training.Recipe
    seed: int


@dataclass(frozen=True)
class GridResult:
    """What the grid found.

    Attributes
    ----------
    frame : pandas.DataFrame
        A row a cell, in the order of the plan: factor, setting, network, seed, parameters, flops
        (forward, one image), images_seen, seconds (of training), accuracy (test), val_accuracy
        (last epoch).
    correct : (cells, n_test) bool array
        Whether each test image was classified correctly at ``p_fake`` = 0.5.
    """

    frame: pd.DataFrame
    correct: np.ndarray

    def by_setting(self):
        """``correct`` by setting, each (seeds, n_test), as ``evaluation.comparison`` takes it."""
        groups = self.frame.groupby("setting", sort=False)
        return {setting: self.correct[rows.sort_values("seed").index] for setting, rows in groups}

    def summary(self):
        """One row a setting, with mean and standard deviation over seeds."""
        groups = self.frame.groupby(["factor", "setting"], sort=False)
        return groups.agg(
            accuracy=("accuracy", "mean"),
            sd=("accuracy", "std"),
            lowest=("accuracy", "min"),
            highest=("accuracy", "max"),
            seeds=("seed", "size"),
            parameters=("parameters", "first"),
            flops=("flops", "first"),
            seconds=("seconds", "mean"),
        ).reset_index()


def metric_name(factor, setting):
    """A setting in a metric's name: ``("batch size", "batch 32")`` → ``batch_size.batch_32``."""
    return ".".join(re.sub(r"\W+", "_", word) for word in (factor, setting))


def plan(network, recipe, networks=(), strategies=None, seeds=(0, 1, 2)):
    """Cells that change one thing at a time from a baseline.

    Parameters
    ----------
    network : str
        The baseline's network, on which all strategies are tried.
    recipe : Recipe
        The baseline's recipe, by which all networks are trained.
    networks : sequence of str
        Other networks; the baseline's own is skipped.
    strategies : dict of str to dict of str to dict
        Factor to setting to the recipe's fields that it changes, e.g.
        ``{"batch size": {"batch 32": {"batch_size": 32}}}``.
    seeds : sequence of int

    Returns
    -------
    list of Cell

    Raises
    ------
    ValueError
        If a setting occurs twice or changes nothing.
    """
    settings = [(BASELINE, network, network, recipe)]
    settings += [("network", name, name, recipe) for name in networks if name != network]
    for factor, options in (strategies or {}).items():
        for setting, changes in options.items():
            changed = recipe.replace(**changes)
            if changed == recipe:
                raise ValueError(f"{factor}, {setting}: this is the baseline's own setting")
            settings.append((factor, setting, network, changed))
    names = [setting for _, setting, _, _ in settings]
    if len(set(names)) < len(names):
        raise ValueError(f"settings must have different names: {names}")
    return [Cell(*setting, seed) for setting in settings for seed in seeds]


def run(cells, dataset, splits, checkpoint_dir, jobs=None, n_val=1000, n_test=None):
    """Train and test every cell.

    Each cell keeps its own checkpoint and, once tested, its outcome. So a run that was killed
    carries on where it was, and one that finished is read back without building a network.

    Parameters
    ----------
    cells : list of Cell
    dataset : ImageDataset
    splits : Splits
        ``train`` is trained on in full, ``val`` watched, ``test`` scored.
    checkpoint_dir : path
    jobs : int, optional
        Trainings at a time, each in a process of its own; one a CPU core unless given. With 1,
        everything stays in this process.
    n_val, n_test : int, optional
        Take only so many validation and test images, the same for every cell; None takes all.

    Returns
    -------
    GridResult
    """
    known, unknown, splits = _only_what_is_used(dataset, splits, n_val, n_test)
    # Measured here, once: several processes measuring at the same time would mislead each other.
    precision = training.best_precision()
    cells = [_with_precision(cell, precision) for cell in cells]
    files = [_outcome_file(cell, known, unknown, splits, checkpoint_dir) for cell in cells]
    outcomes = [_read_outcome(file) for file in files]
    costs = [_cost(cell.network, dataset.image_size) for cell in cells]
    # The longest first, so that no process is left with a large network at the end.
    waiting = [i for i, outcome in enumerate(outcomes) if outcome is None]
    waiting.sort(key=lambda i: -costs[i]["flops"] * cells[i].recipe.epochs)
    tasks = [(cells[i], known, unknown, splits, files[i]) for i in waiting]
    results = progress.track(
        _in_parallel(_train_and_test, tasks, jobs), "comparison", len(waiting), "trainings", every=0
    )
    for i, outcome in zip(waiting, results, strict=True):
        outcomes[i] = outcome
    rows = []
    for cell, price, (measured, _) in zip(cells, costs, outcomes, strict=True):
        named = {"factor": cell.factor, "setting": cell.setting, "network": cell.network}
        rows.append(named | {"seed": cell.seed} | price | measured)
    return GridResult(pd.DataFrame(rows), np.stack([hits for _, hits in outcomes]))


def _in_parallel(function, tasks, jobs):
    """Yield ``function(*task, threads)`` of each task, in the order of the tasks."""
    if not tasks:
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    jobs = min(jobs or cores, len(tasks))
    threads = max(1, cores // jobs) if jobs > 1 else None
    parallel = Parallel(n_jobs=jobs, return_as="generator", batch_size=1)
    with warnings.catch_warnings():
        # TensorFlow keeps some megabytes of every network that it compiled. joblib replaces a
        # process that has grown by 300 MB, loses nothing by it, and warns.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given")
        yield from parallel(delayed(function)(*task, threads) for task in tasks)


def _only_what_is_used(dataset, splits, n_val, n_test):
    """What the grid trains on and what it is tested on, small enough to hand to processes.

    They are two data sets, since a training's checkpoint must not depend on the test images.
    """
    val = _some(splits.val, n_val)
    used = np.concatenate([splits.train, val])
    train, val = np.split(np.arange(len(used)), [len(splits.train)])
    none = train[:0]
    small = replace(
        splits, train=train, val=val, test=none, test_dedup=none, groups=splits.groups[used]
    )
    return dataset.subset(used), dataset.subset(_some(splits.test, n_test)), small


def _some(indices, n):
    """A fixed random choice of ``n``; a smaller one lies inside a larger one."""
    return np.sort(np.random.default_rng(0).permutation(indices)[:n])


@functools.cache
def _cost(network, image_size):
    model = models.build(network, image_size)
    return {"parameters": cost.parameters(model), "flops": cost.flops(model)}


def _with_precision(cell, precision):
    if cell.recipe.precision != "auto":
        return cell
    return replace(cell, recipe=cell.recipe.replace(precision=precision))


@functools.cache
def _fresh_digest(network, image_size, seed):
    """Of the network and the weights that it starts from."""
    training.set_seed(seed)
    return model_digest(models.build(network, image_size))


def _outcome_file(cell, known, unknown, splits, checkpoint_dir):
    """Where the outcome of a cell is kept: the name holds a hash of all that it depends on."""
    key = digest(
        repr(cell.recipe),
        _fresh_digest(cell.network, known.image_size, cell.seed),
        [known.fingerprint, unknown.fingerprint, cell.seed],
        surroundings(),
        splits.train,
        splits.val,
    )
    return Path(checkpoint_dir) / f"outcome_{cell.network}-{key[:16]}.npz"


def _read_outcome(file):
    """What :func:`_train_and_test` returned, or None where the cell is not finished."""
    if not file.is_file():
        return None
    with np.load(file, allow_pickle=False) as saved:
        return json.loads(str(saved["measured"])), saved["hits"]


def _train_and_test(cell, known, unknown, splits, file, threads):
    """Measured values of one cell, and whether each test image was classified correctly."""
    if threads is not None:  # in a process of its own
        _use_threads(threads)
        os.environ.pop(progress.VARIABLE, None)  # many trainings' epochs on one line say nothing
        tf.get_logger().setLevel("ERROR")  # it warns that every cell compiles a network of its own
    fit = training.fit(
        cell.network,
        known,
        splits,
        cell.recipe,
        seed=cell.seed,
        checkpoint_dir=file.parent,
        label=f"grid_{cell.network}",
    )
    logits = training.predict_logits(fit.model, unknown.images)
    hits = (logits > 0) == (unknown.labels == REAL)
    measured = {
        "images_seen": round(fit.images_per_second * fit.seconds),
        "seconds": fit.seconds,
        "accuracy": float(hits.mean()),
        "val_accuracy": float(fit.history["val_accuracy"].iloc[-1]),
    }
    with settings.atomic_file(file) as temporary:
        np.savez(temporary, measured=np.array(json.dumps(measured)), hits=hits)
    return measured, hits


def _use_threads(threads):
    """Leave the other cores to the other processes; without effect once TensorFlow has started."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        pass
