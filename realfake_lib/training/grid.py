"""The comparison grid: many small trainings with equal budgets, run in parallel, resumable.

Cells that share a seed start from the same order of images, so settings are compared in pairs.
They run through joblib in processes of this machine, or on the workers of a Dask cluster.
"""

import contextlib
import functools
import json
import os
import re
import threading
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf
from joblib import Parallel, delayed

from realfake_lib import cluster as clusters
from realfake_lib import data, models, progress, settings, training
from realfake_lib.errors import UserError
from realfake_lib.models import cost
from realfake_lib.settings import REAL
from realfake_lib.training.checkpoints import digest, model_digest
from realfake_lib.training.loop import environment_digest

BASELINE = "baseline"

STRATEGIES = {
    "schedule": {"constant rate": {"schedule": "constant"}},
    "augmentation": {
        "flip": {"augment": "flip"},
        "flip and crop": {"augment": "flip_crop"},
        "zoom": {"augment": "zoom"},
        "as the original": {"augment": "original"},
    },
    "data pruning": {"easy images pruned": {"data_pruning": 0.5}},
    "batch size": {"batch 32": {"batch_size": 32}, "batch 256": {"batch_size": 256}},
}
"""What the report compares, for :func:`plan`: factor to setting to the fields it changes."""

OPTIMISERS = {
    "Adam": {"optimizer": "adam", "weight_decay": 0.0},
    "AdamW": {"optimizer": "adamw", "weight_decay": 0.02},
    "SGD": {"optimizer": "sgd", "weight_decay": 0.0},
    "Muon": {"optimizer": "muon", "weight_decay": 0.02},
}
"""Optimisers of :func:`optimiser_rates` by name: the recipe's fields that make each."""

RATES = "optimiser and rate"
"""The factor of :func:`optimiser_rates`."""

MEASURES = ("accuracy", "unseen_auroc", "unseen_recall", "false_positive_rate")
"""Measures of a cell that :meth:`GridResult.summary` averages."""


@dataclass(frozen=True)
class Cell:
    """One training: the ``factor`` that it changes, :data:`BASELINE` where none, and to what."""

    factor: str
    setting: str
    network: str
    recipe: training.Recipe
    seed: int


@dataclass(frozen=True)
class GridResult:
    """Outcome of the grid.

    Attributes
    ----------
    frame : DataFrame
        A row a cell, in the order of the plan: factor, setting, network, optimizer, learning_rate,
        seed, parameters, flops (forward, one image), images_seen, seconds (of training), accuracy
        (test), val_accuracy (last epoch).
    labels, val_labels : (n_test,) and (n_val,) int8 arrays
    logits, val_logits : (cells, n_test) and (cells, n_val) float32 arrays
        Logits for REAL.
    unseen_logits : dict of str to (cells, m) float32 array
        The same for the FAKE images of generators that no cell trained on; empty without them.
    """

    frame: pd.DataFrame
    labels: np.ndarray
    val_labels: np.ndarray
    logits: np.ndarray
    val_logits: np.ndarray
    unseen_logits: dict = field(default_factory=dict)

    @property
    def correct(self):
        """Whether each test image was classified correctly at ``p_fake`` = 0.5, (cells, n_test)."""
        return (self.logits > 0) == (self.labels == REAL)

    def by_setting(self, values=None):
        """Rows of a (cells, …) array, :attr:`correct` by default, by setting, each (seeds, …)."""
        values = self.correct if values is None else values
        groups = self.frame.groupby("setting", sort=False)
        return {setting: values[rows.sort_values("seed").index] for setting, rows in groups}

    def summary(self, frame=None):
        """One row a setting of :attr:`frame`, or of a frame with more measures of each cell.

        Returns
        -------
        DataFrame
            factor, setting, key (in the names of metrics), parameters, flops, seconds (mean), and
            the mean over the seeds of each of :data:`MEASURES` that is there, with ``…_sd``,
            ``…_lowest`` and ``…_highest``.
        """
        frame = self.frame if frame is None else frame
        groups = frame.groupby(["factor", "setting"], sort=False)
        ends = {"": "mean", "_sd": "std", "_lowest": "min", "_highest": "max"}
        parts = [
            groups[[name for name in MEASURES if name in frame]].agg(how).add_suffix(end)
            for end, how in ends.items()
        ]
        costs = {"parameters": "first", "flops": "first", "seconds": "mean"}
        table = pd.concat([*parts, groups.agg(costs)], axis=1)
        table["key"] = [metric_name(*setting) for setting in table.index]
        return table.reset_index()

    def rates(self):
        """Rows of :attr:`frame` of optimiser × learning rate, the baseline's among them.

        The column ``optimiser`` has the optimiser's name of :data:`OPTIMISERS`.
        """
        chosen = self.frame[self.frame["factor"].isin([BASELINE, RATES])]
        names = {fields["optimizer"]: name for name, fields in OPTIMISERS.items()}
        return chosen.assign(optimiser=chosen["optimizer"].map(names))

    def best_rates(self):
        """Each optimiser at its best learning rate, chosen on validation images.

        Returns
        -------
        DataFrame
            A row an optimiser that was tried at several rates: optimiser, learning_rate, setting,
            val_accuracy and accuracy (means over the seeds), at_the_edge (bool: it is the lowest
            or the highest rate tried, so a better one may lie beyond).
        """
        groups = self.rates().groupby(["optimiser", "learning_rate", "setting"], sort=False)
        means = groups[["val_accuracy", "accuracy"]].mean().reset_index()
        tried = means.groupby("optimiser", sort=False)["learning_rate"]
        rate = means["learning_rate"]
        means["at_the_edge"] = (rate == tried.transform("min")) | (rate == tried.transform("max"))
        several = means[tried.transform("size") > 1]
        best = several.groupby("optimiser", sort=False)["val_accuracy"].idxmax()
        return means.loc[best].reset_index(drop=True)


def metric_name(factor, setting):
    """A setting in a metric's name: ``("batch size", "batch 32")`` → ``batch_size.batch_32``."""
    return ".".join(re.sub(r"\W+", "_", word) for word in (factor, setting))


def optimiser_rates(rates, recipe):
    """Every optimiser at every one of its learning rates, as a factor for :func:`plan`.

    Optimisers step by different rules, so one rate for all would compare the rate, not them.

    Parameters
    ----------
    rates : dict of str to list of float
        Optimiser, by its name in :data:`OPTIMISERS`, to its learning rates.
    recipe : Recipe
        The baseline's; the cell that is the baseline itself is left out.

    Returns
    -------
    dict of str to dict of str to dict
        :data:`RATES` to setting, e.g. ``"SGD, 0.01"``, to the recipe's fields; empty without rates.

    Raises
    ------
    UserError
        If an optimiser is unknown or a rate is no positive number.
    """
    options = {}
    for name, values in rates.items():
        if name not in OPTIMISERS:
            raise UserError(f"rates: unknown optimiser {name!r}", f"Known: {', '.join(OPTIMISERS)}")
        for rate in values:
            if not isinstance(rate, int | float) or not rate > 0:
                raise UserError(f"rates: {name} has {rate!r}; a learning rate is a positive number")
            changes = OPTIMISERS[name] | {"learning_rate": float(rate)}
            if recipe.replace(**changes) != recipe:
                options[f"{name}, {rate:g}"] = changes
    return {RATES: options} if options else {}


def plan(network, recipe, networks=(), strategies=None, seeds=(0, 1, 2)):
    """Cells that each change one thing of a baseline.

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
        If a setting occurs twice.
    """
    settings = [(BASELINE, network, network, recipe)]
    settings += [("network", name, name, recipe) for name in networks if name != network]
    for factor, options in (strategies or {}).items():
        for setting, changes in options.items():
            settings.append((factor, setting, network, recipe.replace(**changes)))
    names = [setting for _, setting, _, _ in settings]
    if len(set(names)) < len(names):
        raise ValueError(f"settings must have different names: {names}")
    return [Cell(*setting, seed) for setting in settings for seed in seeds]


def run(
    cells,
    dataset,
    splits,
    checkpoint_dir,
    jobs=None,
    n_val=1000,
    n_test=None,
    unseen=None,
    cluster=None,
):
    """Train and test every cell.

    Each cell keeps its own checkpoint and, once tested, its outcome: a killed run resumes, and a
    finished one is read back without building a network.

    Parameters
    ----------
    cells : list of Cell
    dataset : ImageDataset
    splits : Splits
        ``train`` is used in full; ``val`` and ``test`` are scored.
    checkpoint_dir : path
        Workers of a cluster use the same path; if it is no shared folder, a killed training starts
        again.
    jobs : int, optional
        Processes that train, by default one a CPU core. With 1, all stays in this process.
    n_val, n_test : int, optional
        Take only so many validation and test images; None takes all.
    unseen : dict of str to (m, h, w, 3) uint8 array, optional
        FAKE images of other generators; resized to the data set's size.
    cluster : str, optional
        Address of a Dask scheduler, e.g. ``"tcp://127.0.0.1:8786"``, whose workers train in place
        of this machine; by default that in ``REALFAKE_CLUSTER``.

    Returns
    -------
    GridResult

    Raises
    ------
    UserError
        If the scheduler cannot be reached, has no workers, or they run other code.
    """
    images = _only_what_is_used(dataset, splits, n_val, n_test, unseen or {})
    known, splits, test, tiles = images
    # Measured here, once: several processes measuring at the same time would mislead each other.
    precision = training.best_precision()
    cells = [
        replace(cell, recipe=cell.recipe.replace(precision=precision))
        if cell.recipe.precision == "auto"
        else cell
        for cell in cells
    ]
    made_by = digest(
        [known.fingerprint, test.fingerprint, *environment_digest()],
        *(splits.train, splits.val, list(tiles), *tiles.values()),
    )
    # A worker of a cluster stands in another folder.
    folder = Path(checkpoint_dir).resolve()
    costs, tasks, files, outcomes = [], [], [], []
    for cell in cells:
        model, weights, cost_of = _fresh(cell.network, cell.seed, dataset.image_size)
        key = digest(repr(cell.recipe), model, cell.seed, made_by)
        costs.append(cost_of)
        tasks.append((cell, weights, folder))
        files.append(folder / f"logits_{cell.network}-{key[:16]}.npz")
        outcomes.append(_read_outcome(files[-1]))
    # The longest first, so that no process is left with a large network at the end.
    waiting = [i for i, outcome in enumerate(outcomes) if outcome is None]
    waiting.sort(key=lambda i: -costs[i]["flops"] * cells[i].recipe.epochs)
    tasks = [tasks[i] for i in waiting]
    cluster = cluster or settings.env(clusters.VARIABLE)
    if cluster is None:
        found = _in_parallel(_train_and_test, [(*task, images) for task in tasks], jobs)
    else:
        found = _on_cluster(tasks, images, cluster)
    found = progress.track(found, "comparison", len(waiting), "trainings", every=0)
    for i, outcome in zip(waiting, found, strict=True):
        outcomes[i] = measured, logits = outcome
        with settings.atomic_file(files[i]) as temporary:
            np.savez(temporary, measured=np.array(json.dumps(measured)), **logits)
    rows = [
        {name: getattr(cell, name) for name in ("factor", "setting", "network", "seed")}
        | {name: getattr(cell.recipe, name) for name in ("optimizer", "learning_rate")}
        | cost_of
        | measured
        for cell, cost_of, (measured, _) in zip(cells, costs, outcomes, strict=True)
    ]
    logits = {name: np.stack([found[name] for _, found in outcomes]) for name in outcomes[0][1]}
    return GridResult(
        frame=pd.DataFrame(rows),
        labels=test.labels,
        val_labels=known.labels[splits.val],
        logits=logits.pop("test"),
        val_logits=logits.pop("val"),
        unseen_logits={name.removeprefix("unseen "): of_one for name, of_one in logits.items()},
    )


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


def _on_cluster(tasks, images, address):
    """Yield the outcomes of the tasks, in their order, from the workers of a Dask cluster.

    Not by joblib's backend for Dask: of a cluster with one worker it would make no use at all.
    """
    if not tasks:
        return
    with clusters.connect(address) as client:
        clusters.check_workers(client, environment_digest)
        # Sent to every worker once and held there, instead of once with every task.
        (held,) = client.scatter([images], broadcast=True)
        futures = [client.submit(_train_on_worker, *task, held, pure=False) for task in tasks]
        for future in futures:
            yield future.result()


_ALONE = threading.Lock()


def _train_on_worker(*task):
    """:func:`_train_and_test` in a Dask worker, with as many threads as the worker has."""
    from distributed import get_worker

    with _ALONE:  # two trainings would share these threads, and their seconds would say nothing
        return _train_and_test(*task, get_worker().state.nthreads)


def _only_what_is_used(dataset, splits, n_val, n_test, unseen):
    """Data and splits to train on, data to test on and unseen fakes, small enough for processes.

    They are two data sets, since a training's checkpoint must not depend on the test images.
    """
    val = _some(splits.val, n_val)
    used = np.concatenate([splits.train, val])
    train, val = np.split(np.arange(len(used)), [len(splits.train)])
    none = train[:0]
    small = replace(
        splits, train=train, val=val, test=none, test_dedup=none, groups=splits.groups[used]
    )
    tiles = {name: data.resize(fakes, dataset.image_size) for name, fakes in unseen.items()}
    return dataset.subset(used), small, dataset.subset(_some(splits.test, n_test)), tiles


def _some(indices, n):
    """A fixed random choice of ``n``; a smaller one lies inside a larger one."""
    return np.sort(np.random.default_rng(0).permutation(indices)[:n])


@functools.cache
def _fresh(network, seed, image_size):
    """Digest of a network with the weights that a training starts from, these, and its cost."""
    training.set_seed(seed)
    model = models.build(network, image_size)
    price = {"parameters": cost.parameters(model), "flops": cost.flops(model)}
    return model_digest(model), model.get_weights(), price


def _read_outcome(file):
    """What :func:`_train_and_test` returned, or None where the cell is not finished."""
    if not file.is_file():
        return None
    with np.load(file, allow_pickle=False) as saved:
        logits = {name: saved[name] for name in saved.files if name != "measured"}
        return json.loads(str(saved["measured"])), logits


def _train_and_test(cell, weights, checkpoint_dir, images, threads):
    """Measured values of one cell, and its logits for the images of each kind by name.

    The weights to start from are handed over: drawn here they could differ, since Dask's own
    threads in a worker draw from the same generator of random numbers.
    """
    if threads is not None:  # in a process of its own
        # The other cores are for the other processes. Once TensorFlow has started it is too late.
        with contextlib.suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        os.environ.pop(progress.VARIABLE, None)  # many trainings' epochs on one line say nothing
        tf.get_logger().setLevel("ERROR")  # it warns that every cell compiles a network of its own

    def network(image_size):
        model = models.build(cell.network, image_size)
        model.set_weights(weights)
        return model

    known, splits, test, tiles = images
    options = {"checkpoint_dir": checkpoint_dir, "label": f"grid_{cell.network}"}
    fit = training.fit(network, known, splits, cell.recipe, seed=cell.seed, **options)
    scored = {"test": test.images} | {f"unseen {name}": fakes for name, fakes in tiles.items()}
    logits = {name: training.predict_logits(fit.model, pixels) for name, pixels in scored.items()}
    logits["val"] = training.predict_logits(fit.model, known.images, splits.val)
    measured = {
        "images_seen": int(fit.history["images"].sum()),
        "seconds": fit.seconds,
        "accuracy": float(np.mean((logits["test"] > 0) == (test.labels == REAL))),
        "val_accuracy": float(fit.history["val_accuracy"].iloc[-1]),
    }
    return measured, logits
