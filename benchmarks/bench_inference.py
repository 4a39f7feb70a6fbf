"""Images per second of the trained detectors on one core, by ONNX Runtime and by Keras.

Each detector in a folder is measured from pixels in memory to logits, in a process of its own that
may use one core only and computes in one thread. What else the machine does takes from the wall
clock, so the rate for each second of processor time stands beside it.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
ENGINES = {"onnx": ".onnx", "keras": ".keras"}
BATCHES = (1, 16, 64, 256)
TARGET = 4000
"""Images a second that the detector named ``fast`` is to reach on one core."""


def compare(files, batches=BATCHES, rounds=5, seconds=0.5, core=None):
    """Measure model files, each in a process of its own.

    Parameters
    ----------
    files : sequence of Path
        ``.onnx`` and ``.keras`` files.
    batches : sequence of int
        Images at a time.
    rounds : int
    seconds : float
        Least duration of a round.
    core : int, optional
        Which core; by default the last that this process may use.

    Returns
    -------
    pandas.DataFrame
        Index: model, engine and batch. ``min``, ``median`` and ``max`` images a second of wall
        clock over the rounds, and the median ``per_cpu_second``.
    """
    rows = []
    for file in files:
        asked = {"batches": list(batches), "rounds": rounds, "seconds": seconds, "core": core}
        worker = [sys.executable, "-m", "benchmarks.bench_inference", "--worker"]
        command = [*worker, json.dumps(asked), str(Path(file).absolute())]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
        engine = next(name for name, suffix in ENGINES.items() if suffix == Path(file).suffix)
        found = json.loads(done.stdout.splitlines()[-1])
        rows += [{"model": Path(file).stem, "engine": engine, **row} for row in found]
    return pd.DataFrame(rows).set_index(["model", "engine", "batch"])


def measure(file, batches, rounds, seconds, core):
    """Rates of one model file in this process, which is tied to one core for good.

    Returns
    -------
    list of dict
    """
    if hasattr(os, "sched_setaffinity"):  # before any library counts the cores
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0)) if core is None else core})
    import numpy as np

    image_size, score = _scorer(file)
    # Speed does not depend on what the images show.
    dice = np.random.default_rng(0)
    images = dice.integers(0, 256, (max(batches), image_size, image_size, 3), np.uint8)
    rows = []
    for batch in batches:
        score(images[:batch])  # the first call prepares
        rates = [_rates(score, images[:batch], seconds) for _ in range(rounds)]
        wall, cpu = (pd.Series(one) for one in zip(*rates, strict=True))
        spread = {"min": wall.min(), "median": wall.median(), "max": wall.max()}
        rows.append({"batch": batch, **spread, "per_cpu_second": cpu.median()})
    return rows


def _scorer(file):
    """Side of the images, and a function of images that computes in one thread."""
    if file.suffix == ".onnx":
        from realfake_lib import onnx_files

        network, _ = onnx_files.load(file)
        return network.image_size, network.logits
    from realfake_lib import console

    console.import_tensorflow()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from realfake_lib import models, training

    model, _ = models.load(file)
    return model.input_shape[1], lambda images: training.predict_logits(model, images)


def _rates(score, images, seconds):
    """Images for each second of wall clock and of processor time, over at least ``seconds``."""
    wall, cpu = time.perf_counter(), time.process_time()
    for number in itertools.count(1):
        score(images)
        spent = time.perf_counter() - wall
        if spent >= seconds:
            return number * len(images) / spent, number * len(images) / (time.process_time() - cpu)


def model_files(folder):
    """The model files in a folder that can be measured, by name."""
    found = (path for path in Path(folder).iterdir() if path.suffix in ENGINES.values())
    return sorted(found, key=lambda path: (path.stem, list(ENGINES.values()).index(path.suffix)))


def main(arguments=None):
    """Print the table; with ``--json FILE``, write it too."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks inference", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--models", type=Path, default=ROOT / "realfake_lib" / "detectors")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES, help="images at a time")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="least duration of a round")
    parser.add_argument("--core", type=int, help="which core; by default the last one")
    parser.add_argument("--json", type=Path, help="write the table to this file, too")
    options = parser.parse_args(arguments)
    from realfake_lib.report import provenance

    files = model_files(options.models)
    if not files:
        raise SystemExit(f"{options.models} holds no detector")
    table = compare(files, options.batches, options.rounds, options.seconds, options.core)
    machine = provenance.hardware()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    where = f"one core of {machine['cores']}, {machine['processor']}, load {load:.1f}"
    print(f"Images a second on {where};")
    print(f"{options.rounds} rounds of at least {options.seconds} s, in one thread:\n")
    print(table.round(0).astype(int).to_string())
    if "fast" in table.index:
        best = table.loc["fast"].max()
        print(
            f"\nfast: {best['median']:,.0f} images a second, {best['per_cpu_second']:,.0f} a "
            f"second of processor time alone (target: {TARGET:,} or more)"
        )
    if options.json:
        rows = table.reset_index().to_json(orient="records", indent=1)
        options.json.write_text(rows + "\n", encoding="utf-8")
    return table


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        print(json.dumps(measure(Path(sys.argv[3]), **json.loads(sys.argv[2]))))
    else:
        main()
