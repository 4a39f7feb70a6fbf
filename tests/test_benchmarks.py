"""The benchmarks: chosen by name, and the detectors' speed measured on one core."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import bench_attacks, bench_inference, bench_predict, bench_training_time

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "realfake_lib" / "detectors"


def test_an_unknown_benchmark_is_named():
    command = [sys.executable, "-m", "benchmarks", "inptu"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "no benchmark 'inptu'. Known: input" in done.stderr


@pytest.fixture
def folder(tmp_path):
    """One committed detector, under the name that has a target."""
    name = next(MODELS.glob("*.onnx")).stem
    for suffix in (".onnx", ".json"):
        shutil.copy(MODELS / f"{name}{suffix}", tmp_path / f"fast{suffix}")
    return tmp_path


def test_the_speed_of_a_detector_is_measured_in_several_batches_and_rounds(folder, capsys):
    options = "--batches 1 8 --rounds 2 --seconds 0.05".split()
    table = bench_inference.main(
        ["--models", str(folder), *options, "--json", str(folder / "speed.out")]
    )
    assert list(table.index) == [("fast", "onnx", 1), ("fast", "onnx", 8)]
    assert (table["min"] > 0).all() and (table["min"] <= table["median"]).all()
    assert (table["median"] <= table["max"]).all() and (table["per_cpu_second"] > 0).all()
    printed = capsys.readouterr().out
    assert "one core of" in printed and "target: 4,000 or more" in printed
    assert len(json.loads((folder / "speed.out").read_text())) == 2


def test_every_form_of_every_detector_is_found():
    found = [path.name for path in bench_inference.model_files(MODELS)]
    assert found == [
        f"{name}{suffix}"
        for name in sorted({path.stem for path in MODELS.glob("*.onnx")})
        for suffix in (".onnx", ".keras")
        if (MODELS / f"{name}{suffix}").is_file()
    ]
    assert {"detector.keras", "detector.onnx", "real_size.onnx"} <= set(found)


def test_a_folder_without_detectors_is_named(tmp_path):
    with pytest.raises(SystemExit, match="holds no detector"):
        bench_inference.main(["--models", str(tmp_path)])


def test_predict_runs_against_keras_in_whole_processes(tmp_path, capsys):
    images = tmp_path / "images"
    images.mkdir()
    for number in range(3):
        Image.new("RGB", (32, 32), (number * 90,) * 3).save(images / f"{number}.jpg")
    options = ["--folder", images, "--detectors", "fast", "--rounds", 1]
    table = bench_predict.main([*map(str, options), "--json", str(tmp_path / "speed.json")])
    assert list(table.index) == [("fast", "realfake"), ("fast", "Keras")]
    assert (table["seconds"] > 0).all() and (table["cpu_seconds"] > 0).all()
    assert table["images_per_second"]["fast", "Keras"] == pytest.approx(
        3 / table["seconds"]["fast", "Keras"]
    )
    printed = capsys.readouterr().out
    assert "Times faster than Keras's pipeline: fast" in printed and "2,000 or more" in printed
    assert len(json.loads((tmp_path / "speed.json").read_text())) == 2


def test_a_program_that_fails_in_a_benchmark_says_why():
    with pytest.raises(SystemExit, match="ZeroDivisionError"):
        bench_predict.measure([sys.executable, "-c", "1 / 0"])


def test_every_race_has_a_network_and_a_recipe():
    from realfake_lib import models, training

    for target, network, recipe, whose in bench_training_time.TARGETS.values():
        assert 0.5 < target < 1 and whose
        assert network in models.available() and training.get_recipe(recipe)


def test_a_race_says_what_it_reached_and_whether_that_was_enough(demo, monkeypatch, capsys):
    from realfake_lib import data, training

    quick = training.Recipe(epochs=1, batch_size=32)
    races = {"one": (0.01, "tiny_cnn", quick, "nobody"), "two": (1.1, "tiny_cnn", quick, "nobody")}
    monkeypatch.setattr(bench_training_time, "TARGETS", races)
    monkeypatch.setattr(data, "load", lambda _: demo)
    bench_training_time.main(["one", "two"])
    printed = capsys.readouterr().out
    assert "1.00% reached" in printed and "110.00% MISSED" in printed


def test_a_race_that_is_none_is_refused(capsys):
    with pytest.raises(SystemExit):
        bench_training_time.main(["marathon"])
    assert "known: sprint, long" in capsys.readouterr().err


def test_attacks_of_the_same_strength_are_measured_against_foolbox(capsys, tmp_path):
    model = MODELS / "fast.keras"
    options = f"--model {model} --data demo --images 12 --steps 2 --rounds 1 --epsilons 2".split()
    table = bench_attacks.main([*options, "--json", str(tmp_path / "speed.json")])
    names = ["realfake_lib", "realfake_lib, stopping early", "foolbox"]
    assert [name for _, name in table.index][:3] == names
    assert (table["images_per_second"] > 0).all()
    # Random starts differ: one image of twelve may.
    assert np.ptp(table["accuracy"]) <= 1 / 12 + 1e-9
    printed = capsys.readouterr().out
    assert "epsilon 2/255, than foolbox:" in printed and "target: 3 or more" in printed
    assert len(json.loads((tmp_path / "speed.json").read_text())) == len(table)
