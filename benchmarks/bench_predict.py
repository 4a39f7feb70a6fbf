"""From a folder of JPEG files to a table of verdicts: `realfake predict` against plain Keras.

Whole processes, imports included, that take turns, so that whatever else the machine does hits
both. It still takes from the wall clock of each; so their processor time stands beside it.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from realfake_lib import data, detector

PIPELINE = Path(__file__).with_name("keras_pipeline.py")
TARGET = 2.0
"""How many times faster than Keras's pipeline, for each detector."""

RATE = 2000
"""Images a second that the detector named ``fast`` is to reach."""


def commands(folder, name, output):
    """The two programs for one detector, by name."""
    keras_file = detector.find_model(name, keras=True)
    image_size = str(detector.load_detector(name).image_size)
    ours = [sys.executable, "-m", "realfake_lib.cli", "predict", folder, "--model", name]
    return {
        "realfake": [*ours, "--csv", output],
        "Keras": [sys.executable, PIPELINE, folder, keras_file, image_size, output],
    }


def measure(command):
    """Seconds of wall clock and of processor time that one process takes."""
    with tempfile.TemporaryFile() as said:  # TensorFlow says much
        begun = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said) as process:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - begun
        if process.returncode:
            said.seek(0)
            raise SystemExit(said.read().decode("utf-8", "replace"))
    return seconds, used.ru_utime + used.ru_stime


def compare(folder, names, rounds=3):
    """Measure both programs with each detector, in turns.

    Parameters
    ----------
    folder : path-like
        Holds the images.
    names : sequence of str
        Detectors.
    rounds : int

    Returns
    -------
    pandas.DataFrame
        Index: detector and program. Least ``seconds`` of wall clock and ``cpu_seconds`` over the
        rounds, ``images_per_second`` of wall clock, and how many times as much Keras's pipeline
        takes, ``speedup`` and ``cpu_speedup``.
    """
    rows = []
    with tempfile.TemporaryDirectory() as outputs:
        output = Path(outputs, "verdicts.csv")
        for name in names:
            for _ in range(rounds):
                for program, command in commands(folder, name, output).items():
                    rows.append((name, program, *measure(command), _rows(output)))
    columns = ["detector", "program", "seconds", "cpu_seconds", "images"]
    table = pd.DataFrame(rows, columns=columns).groupby(columns[:2], sort=False).min()
    table["images_per_second"] = table.pop("images") / table.seconds
    for column, speedup in (("seconds", "speedup"), ("cpu_seconds", "cpu_speedup")):
        keras = table[column].xs("Keras", level="program")
        table[speedup] = keras.loc[table.index.get_level_values(0)].to_numpy() / table[column]
    return table


def _rows(file):
    with open(file, newline="", encoding="utf-8") as stream:
        return sum(1 for _ in csv.reader(stream)) - 1


def write_images(folder, count):
    """Write test images of CIFAKE, or of the demo data, as JPEG files of CIFAKE's settings."""
    dataset = data.load("auto", allow_download=False)
    rows = np.resize(data.make_splits(dataset).test, count)
    for number, row in enumerate(rows):
        content = data.images.encode_jpeg(dataset.images[row])
        Path(folder, f"{number:06d}.jpg").write_bytes(content)
    return dataset.name


def main(arguments=None):
    """Print the table; with ``--json FILE``, write it too."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks predict", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--images", type=int, default=10_000, help="how many")
    parser.add_argument("--folder", type=Path, help="images of your own instead")
    parser.add_argument("--detectors", nargs="+", default=["detector", "fast"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the table to this file, too")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as made:
        source = options.folder or write_images(made, options.images)
        table = compare(options.folder or made, options.detectors, options.rounds)
    load = os.getloadavg()[0]
    print(f"{source}, {os.cpu_count()} cores, load {load:.1f}, best of {options.rounds} rounds:\n")
    print(table.round(2).to_string())
    ours = table.xs("realfake", level="program")
    words = ", ".join(f"{name} {value:.1f}" for name, value in ours.speedup.items())
    print(f"\nTimes faster than Keras's pipeline: {words} (target: {TARGET:.0f} or more)")
    if "fast" in ours.index:
        rate = ours.images_per_second["fast"]
        print(f"fast: {rate:,.0f} images a second (target: {RATE:,} or more)")
    if options.json:
        rows = table.reset_index().to_json(orient="records", indent=1)
        options.json.write_text(rows + "\n", encoding="utf-8")
    return table
