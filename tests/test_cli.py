"""The command line: what reaches the library, and what a mistake, a failure and Ctrl-C end with."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from realfake_lib import cli, console, data, models, settings, training, workflows
from realfake_lib.detector import Detector
from realfake_lib.errors import UserError
from realfake_lib.report import pdf, run
from realfake_lib.report import plan as planning
from realfake_lib.report.terminal import Terminal


def realfake(*arguments):
    """Run the command line; exit code, output and error output."""
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def called(monkeypatch):
    """Calls of the report's functions, by name: their keyword arguments."""
    calls = {}

    def note(name, result=None):
        def function(*args, **kwargs):
            calls[name] = kwargs
            return result

        return function

    monkeypatch.setattr(run, "run", note("run"))
    monkeypatch.setattr(run, "render", note("render"))
    monkeypatch.setattr(run, "status", note("status", ("plan", ["state"])))
    monkeypatch.setattr(Terminal, "status", lambda self, *shown: calls.update(shown=shown))
    return calls


def ends_with(monkeypatch, error):
    def fail(**_):
        raise error

    monkeypatch.setattr(run, "run", fail)
    return realfake("report", "run")


def test_help_and_the_report_package_need_no_tensorflow():
    code = (
        "import sys, realfake_lib.cli, realfake_lib.report.run, realfake_lib.data\n"
        "print(sorted({'tensorflow', 'papermill'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_module_is_a_program_that_prints_help():
    done = subprocess.run(
        [sys.executable, "-m", "realfake_lib.cli", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0
    for command in ("report", "data", "train", "evaluate", "export", "predict"):
        assert command in done.stdout


def test_an_unknown_option_ends_with_exit_code_2():
    assert realfake("report", "run", "--stagse", "x").exit_code == 2


def test_the_entry_point_takes_an_ordinary_kill_for_ctrl_c(monkeypatch):
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(sys, "argv", ["realfake", "--help"])
    try:
        with pytest.raises(SystemExit):
            cli.main()
        assert signal.getsignal(signal.SIGTERM) is cli._stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# --- exit codes ---------------------------------------------------------------------------------


def test_a_users_mistake_ends_with_2_and_its_words(monkeypatch):
    result = ends_with(monkeypatch, UserError("report.yml: unknown stage 'x'", "Known: a, b."))
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr == "realfake: report.yml: unknown stage 'x'\nKnown: a, b.\n"


def test_a_failed_stage_ends_with_1(monkeypatch):
    assert ends_with(monkeypatch, run.StageFailed("training", "boom")).exit_code == 1


def test_ctrl_c_ends_with_130_and_says_what_is_kept(monkeypatch):
    result = ends_with(monkeypatch, KeyboardInterrupt())
    assert result.exit_code == 130
    assert "stopped; finished stages, epochs and downloads are kept" in result.stderr


def test_a_full_disk_ends_with_2_in_words(monkeypatch):
    result = ends_with(monkeypatch, OSError(28, "No space left on device", "/x"))
    assert result.exit_code == 2 and "/x: No space left" in result.stderr


@pytest.mark.parametrize("number", [errno.EIO, errno.EFBIG, errno.ESTALE, errno.EACCES])
def test_whatever_the_system_refuses_ends_with_2(monkeypatch, number):
    error = OSError(number, os.strerror(number))
    assert f"writing: {os.strerror(number)}" in ends_with(monkeypatch, error).stderr


def test_a_fault_of_the_library_is_not_hidden(monkeypatch):
    with pytest.raises(TypeError, match="a fault"):
        ends_with(monkeypatch, TypeError("a fault"))


def test_ctrl_c_that_a_c_library_takes_for_a_failed_import_ends_with_130(monkeypatch):
    monkeypatch.setattr(cli, "_stopped", True)
    assert ends_with(monkeypatch, ImportError("numpy failed")).exit_code == 130


def test_a_message_cannot_steer_the_terminal(monkeypatch):
    result = ends_with(monkeypatch, UserError("no \x1b[31mfile\u202e"))
    assert result.stderr == "realfake: no \\x1b[31mfile\\u202e\n"


def test_a_full_standard_error_and_a_deleted_folder_cost_no_exit_code(tmp_path):
    words = [sys.executable, "-m", "realfake_lib", "predict", str(tmp_path / "nosuch")]
    with open("/dev/full", "w") as full:
        assert subprocess.run(words, stderr=full, check=False).returncode == 2
    (tmp_path / "here").mkdir()
    command = f'cd {tmp_path / "here"} && rmdir ../here && exec "$@"'
    done = subprocess.run(
        ["sh", "-c", command, "sh", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "No such file or folder" in done.stderr, done.stderr


# --- report -------------------------------------------------------------------------------------


def test_report_run_hands_every_option_on(called):
    options = (
        "--profile smoke --data demo --seed 3 --jobs 2 --stage a --stage b --set a.k=1 --force "
        "--cluster tcp://127.0.0.1:8786"
    )
    assert realfake("report", "run", *options.split()).exit_code == 0
    assert called["run"] == {
        "profile": "smoke",
        "data": "demo",
        "seed": 3,
        "jobs": 2,
        "stages": ("a", "b"),
        "force": True,
        "changes": ("a.k=1",),
        "cluster": "tcp://127.0.0.1:8786",
    }


def test_report_status_and_render(called):
    assert realfake("report", "status", "--profile", "full").exit_code == 0
    assert called["status"]["profile"] == "full" and called["shown"] == ("plan", ["state"])
    assert realfake("report", "render", "--profile", "smoke").exit_code == 0
    assert called["render"]["profile"] == "smoke"


def test_report_pdf_prints_the_page_of_the_profile(monkeypatch, tmp_path):
    page = tmp_path / "smoke" / "report.html"
    monkeypatch.setattr(planning, "load", lambda profile: SimpleNamespace(page=page))
    monkeypatch.setattr(pdf, "to_pdf", lambda page, out: f"{page.name} as {out}")
    result = realfake("report", "pdf", "--profile", "smoke")
    assert result.stdout == f"PDF: report.html as {tmp_path / 'smoke' / 'report.pdf'}\n"


# --- data ---------------------------------------------------------------------------------------


def test_data_fetch_prints_where_the_archive_lies(monkeypatch):
    monkeypatch.setattr(data, "fetch_cifake", lambda: Path("cache/cifake.tar.gz"))
    assert "cache/cifake.tar.gz" in realfake("data", "fetch").stdout


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (False, 2)])
def test_data_verify_ends_with_2_where_files_differ(monkeypatch, ok, code):
    class Outcome(SimpleNamespace):
        def __str__(self):
            return "what was found"

    monkeypatch.setattr(data, "verify", lambda asked: Outcome(ok=ok), raising=False)
    result = realfake("data", "verify")
    assert result.exit_code == code and "what was found" in result.stdout


@pytest.fixture
def tiny(monkeypatch):
    """A data set of 40 grey pictures, bright ones REAL, with what the library makes of it."""
    labels = np.arange(40) % 2
    index = pd.DataFrame(
        {
            "key": [f"{k}.jpg" for k in range(40)],
            "split": ["train"] * 30 + ["test"] * 10,
            "label": labels.astype("int8"),
            "object_class": np.int8(-1),
            "blob": [f"{k:040x}" for k in range(40)],
            "file_size": np.int32(100),
            "group": np.arange(40, dtype="int32"),
        }
    )
    images = (
        np.full((40, 16, 16, 3), 60, "uint8") + (labels * 120).astype("uint8")[:, None, None, None]
    )
    dataset = data.ImageDataset(
        images=images,
        index=index,
        name="tiny",
        fingerprint="f1",
        source="made in a test",
        is_demo=False,
        notices=("Take care.",),
    )
    monkeypatch.setattr(data, "load", lambda asked, image_size=None, one_class=False: dataset)
    return dataset


def test_data_info_describes_the_data(tiny):
    printed = realfake("data", "info").stdout
    for text in ("tiny: 40 images of 16 pixels", "made in a test", "Take care.", "FAKE"):
        assert text in printed


# --- models -------------------------------------------------------------------------------------


def test_train_saves_a_detector_with_its_operating_point(tiny, monkeypatch, tmp_path):
    asked, saved = {}, {}

    def fit(model, dataset, splits, recipe, seed, checkpoint_dir):
        asked.update(model=model, recipe=recipe, seed=seed, checkpoint_dir=checkpoint_dir)
        return SimpleNamespace(model="network", history=pd.DataFrame({"val_accuracy": [0.5, 0.75]}))

    monkeypatch.setattr(settings, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setattr(training, "fit", fit)
    monkeypatch.setattr(
        training, "predict_logits", lambda model, images, rows: images[rows].mean((1, 2, 3)) - 120
    )
    monkeypatch.setattr(models, "save", lambda model, path, meta: saved.update(meta))
    output = tmp_path / "new" / "detector.keras"
    result = realfake(
        "train", "--output", output, "--model", "baseline_cnn", "--epochs", 2, "--seed", 4
    )
    assert result.exit_code == 0, result.stderr
    assert "validation accuracy 75.0%" in result.stdout and output.parent.is_dir()
    assert asked["model"] == "baseline_cnn" and asked["recipe"].epochs == 2 and asked["seed"] == 4
    # A network that flattens its features cannot train on windows, and the command names no recipe.
    assert asked["recipe"].crop_size == 1
    assert asked["checkpoint_dir"] == tmp_path / "cache" / "training"
    assert 0 < saved["threshold"] < 1 and saved["temperature"] > 0
    assert saved["trained_on"]["data"] == "tiny" and saved["trained_on"]["epochs"] == 2


def test_train_refuses_a_bad_output_before_it_trains(tmp_path):
    assert "end in .keras" in realfake("train", "--output", tmp_path / "x.h5").stderr
    (tmp_path / "x.keras").touch()
    result = realfake("train", "--output", tmp_path / "x.keras")
    assert result.exit_code == 2 and "exists" in result.stderr
    (tmp_path / "y.json").touch()  # would be replaced by what says what the model is
    assert "y.json exists" in realfake("train", "--output", tmp_path / "y.keras").stderr
    result = realfake("train", "--output", tmp_path / "x.keras" / "y.keras")
    assert result.exit_code == 2 and "x.keras is not a folder" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--image-size", 8], "image_size is 8"),
        (["--data", "nowhere"], "nowhere does not exist"),
        (["--epochs", 0], "--epochs"),
        (["--batch-size", 0], "--batch-size"),
        (["--n-train", 1], "--n-train"),
        (["--seed", -1], "--seed"),
    ],
)
def test_train_finds_mistakes_before_tensorflow_is_imported(
    arguments, message, tmp_path, monkeypatch
):
    monkeypatch.setattr(console, "import_tensorflow", None)
    result = realfake("train", "--output", tmp_path / "x.keras", *arguments)
    assert result.exit_code == 2 and message in result.stderr


def test_train_names_an_unknown_network_before_it_loads_data(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "load", None)
    result = realfake("train", "--output", tmp_path / "x.keras", "--model", "vgg")
    assert result.exit_code == 2 and "--model vgg" in result.stderr
    assert "compact_cnn" in result.stderr


def own_folder(folder, counts, size=16):
    """A folder of flat pictures: so many of each class."""
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for k in range(count):
            level = k + 1 if name.startswith("FAKE") else 255 - k
            Image.new("RGB", (size, size), (level, level, level)).save(folder / name / f"{k}.png")
    return folder


@pytest.fixture
def untrained(monkeypatch, tmp_path):
    """No training takes place, and the cache is the test's own."""
    monkeypatch.setenv("REALFAKE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(training, "fit", None)


@pytest.mark.parametrize(
    ("counts", "size", "message"),
    [
        ({"REAL": 40, "FAKE": 3}, 16, "too few FAKE images: 2 to train on and 0"),
        ({"REAL": 4, "FAKE": 40}, 16, "too few REAL images"),
        ({"REAL": 40, "FAKE": 40}, 8, "the networks need at least 16"),
        ({"REAL": 40}, 16, "holds only REAL images"),
    ],
)
def test_train_refuses_what_cannot_be_trained_on(untrained, tmp_path, counts, size, message):
    folder = own_folder(tmp_path / "own", counts, size)
    result = realfake("train", "--output", tmp_path / "x.keras", "--data", folder)
    assert result.exit_code == 2 and message in result.stderr
    assert "val_fraction" not in result.stderr and not (tmp_path / "x.keras").exists()


def test_ten_images_of_each_class_are_enough_to_begin_a_training(untrained, tmp_path):
    folder = own_folder(tmp_path / "own", {"REAL": 10, "FAKE": 10})
    with pytest.raises(TypeError):  # the training itself, which is switched off
        realfake("train", "--output", tmp_path / "x.keras", "--data", folder)


def test_train_names_every_bad_file_at_once(untrained, tmp_path):
    folder = own_folder(tmp_path / "own", {"REAL": 20, "FAKE": 20})
    for k in range(25):
        (folder / "REAL" / f"bad{k:02d}.jpg").write_bytes(b"no picture")
    result = realfake("train", "--output", tmp_path / "x.keras", "--data", folder)
    assert result.exit_code == 2
    assert "own holds 25 files that cannot be used:" in result.stderr
    assert result.stderr.count("is not an image") == 20 and "and 5 more" in result.stderr


@pytest.fixture
def detector(monkeypatch):
    """A detector that calls dark images FAKE."""

    class ByBrightness(Detector):
        def p_fake(self, images, rows):
            return 1 - images[rows].mean((1, 2, 3)) / 255

    found = ByBrightness(None, Path("some.keras"), 16, meta={})
    monkeypatch.setattr(workflows, "find_model", Path)
    monkeypatch.setattr(workflows, "load_detector", lambda path: found)
    return found


def test_evaluate_scores_the_test_part_or_everything(tiny, detector):
    printed = realfake("evaluate", "--model", "some.keras").stdout
    assert "on 10 images of tiny (test)" in printed and "auroc" in printed
    result = realfake("evaluate", "--model", "some.keras", "--part", "all", "--json")
    content = json.loads(result.stdout)
    assert content["n"] == 40 and content["measures"]["accuracy"]["value"] == 1.0
    assert len(content["measures"]["auroc"]["ci"]) == 2
    assert content["verdicts"] == {
        "FAKE": {"FAKE": 20, "REAL": 0, "can't tell": 0},
        "REAL": {"FAKE": 0, "REAL": 20, "can't tell": 0},
    }


def test_evaluate_says_of_how_many_images_predict_can_tell(tiny, detector, monkeypatch):
    doubtful = replace(detector, uncertain_band=(0.3, 1.0))
    monkeypatch.setattr(workflows, "load_detector", lambda path: doubtful)
    asked = ("evaluate", "--model", "some.keras", "--part", "all")
    counts = json.loads(realfake(*asked, "--json").stdout)["verdicts"]
    assert counts["FAKE"] == {"FAKE": 0, "REAL": 0, "can't tell": 20}
    assert counts["REAL"] == {"FAKE": 0, "REAL": 20, "can't tell": 0}
    printed = realfake(*asked).stdout
    assert re.search(
        r"predict says +FAKE +REAL +can't tell\nof FAKE +0 +0 +20\nof REAL +0 +20 +0\n", printed
    )
    printed = realfake(*asked, "--threshold", "0.5").stdout
    assert re.search(r"\nof FAKE +20 +0 +0\n", printed)


def test_evaluate_says_that_predict_can_tell_nothing_of_resized_images(
    untrained, detector, monkeypatch, tmp_path
):
    small = replace(detector, image_size=32, sides=(32, 32))
    monkeypatch.setattr(workflows, "load_detector", lambda path: small)
    for side, told in ((32, 40), (64, 0)):
        folder = own_folder(tmp_path / str(side), {"REAL": 20, "FAKE": 20}, side)
        asked = ("evaluate", "--model", "some.keras", "--data", folder, "--part", "all")
        result = realfake(*asked, "--json")
        counts = json.loads(result.stdout)["verdicts"].values()
        assert sum(each["FAKE"] + each["REAL"] for each in counts) == told
        assert ("was measured on images of 32×32 pixels only" in result.stderr) == (told == 0)


def test_evaluate_says_what_its_choice_of_images_means(tiny, detector):
    assert "--part all scores all" in realfake("evaluate", "--model", "some.keras").stderr
    detector.meta["fingerprint"] = tiny.fingerprint
    assert "--part all" not in realfake("evaluate", "--model", "some.keras").stderr
    everything = realfake("evaluate", "--model", "some.keras", "--part", "all")
    assert "the figures are too good" in everything.stderr


def test_evaluate_refuses_an_unknown_part():
    result = realfake("evaluate", "--model", "x", "--part", "train")
    assert result.exit_code == 2 and "test or all" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threshold", "5"], "--threshold is 5.0"),
        (["--threshold", "nan"], "--threshold is nan"),
        (["--model", "gone.keras"], "No model file gone.keras"),
        (["--model", "no_such"], "no_such"),
        (["--data", "nowhere"], "nowhere does not exist"),
        (["--seed", -1], "--seed"),
    ],
)
def test_evaluate_finds_mistakes_before_tensorflow_is_imported(arguments, message, monkeypatch):
    monkeypatch.setattr(console, "import_tensorflow", None)
    result = realfake("evaluate", "--model", "fast", *arguments)
    assert result.exit_code == 2 and message in result.stderr


@pytest.mark.parametrize(
    ("name", "measure", "value"), [("FAKE", "recall", 1.0), ("REAL", "false_positive_rate", 0.0)]
)
def test_evaluate_takes_one_class_alone(untrained, detector, tmp_path, name, measure, value):
    folder = own_folder(tmp_path / "own", {name: 30})
    asked = ("evaluate", "--model", "some.keras", "--data", folder)
    content = json.loads(realfake(*asked, "--json").stdout)
    assert content["n"] == 30 and set(content["measures"]) == {measure}
    assert content["measures"][measure]["value"] == value
    low, high = content["measures"][measure]["ci"]
    assert 0 <= low <= value <= high <= 1 and high - low > 0.05
    printed = realfake(*asked).stdout
    assert f"all are {name}; accuracy, AUROC and the rest need both classes" in printed
    assert re.findall(r"(?m)^of (\w+)  ", printed) == [name]  # no row of a class without images
    assert json.loads(realfake(*asked, "--part", "test", "--json").stdout)["n"] == 6


def test_evaluate_takes_folders_in_a_class_for_sources(untrained, detector, tmp_path):
    names = {"FAKE": ("gan", "diffusion"), "REAL": ("phone", "camera")}
    counts = {f"{name}/{source}": 15 for name in names for source in names[name]}
    folder = own_folder(tmp_path / "own", counts)
    for number in range(15):  # a source that the detector takes for fakes
        Image.new("RGB", (16, 16), (0, 0, number % 3)).save(folder / f"REAL/phone/{number}.png")
    asked = ("evaluate", "--model", "some.keras", "--data", folder, "--part", "all")
    content = json.loads(realfake(*asked, "--json").stdout)
    rows = {source["source"]: source for source in content["sources"]}
    assert list(rows) == ["diffusion", "gan", "camera", "phone"]
    assert {name: row["predicted_fake"] for name, row in rows.items()} == {
        "diffusion": 1, "gan": 1, "camera": 0, "phone": 1,
    }  # fmt: skip
    assert rows["camera"]["n"] == 15 and rows["camera"]["class"] == "REAL"
    assert rows["camera"]["auroc"] == 1 and rows["phone"]["auroc"] < 0.1
    low, high = content["measures"]["accuracy"]["ci"]
    assert high - low >= 0.4  # over two sources a class, not over 60 images
    printed = realfake(*asked).stdout
    assert rows["phone"]["verdicts"] == {"FAKE": 15, "REAL": 0, "can't tell": 0}
    assert re.search(r"REAL +15 +0 +0  1\.0000 \(0\.\d+–1\.0000\) .* phone\n", printed)


def test_evaluate_says_where_no_image_is_left_to_score(untrained, detector, tmp_path):
    folder = own_folder(tmp_path / "own", {"REAL": 2, "FAKE": 2})
    result = realfake("evaluate", "--model", "some.keras", "--data", folder)
    assert result.exit_code == 2 and "--part all" in result.stderr


def test_a_folder_of_one_class_is_given_by_the_folder_above(untrained, detector, tmp_path):
    folder = own_folder(tmp_path / "own", {"FAKE": 30})
    result = realfake("evaluate", "--model", "some.keras", "--data", folder / "FAKE")
    assert result.exit_code == 2 and f"Give the folder above it: {folder}." in result.stderr


def test_the_version_is_told():
    assert re.fullmatch(r"realfake \d+\.\d+\.\d+\n", realfake("--version").stdout)


def test_what_a_reader_of_a_score_must_know_is_said(tiny, detector):
    result = realfake("evaluate", "--model", "some.keras", "--json")
    assert result.stderr.startswith("note: Take care.\n") and json.loads(result.stdout)


def test_export_writes_an_onnx_file_and_says_how_near_it_is(tmp_path):
    models.save(models.build("tiny_cnn", 16), tmp_path / "tiny.keras", {"threshold": 0.4})
    output = tmp_path / "new" / "tiny.onnx"
    asked = ("export", "--model", tmp_path / "tiny.keras", "--output", output)
    result = realfake(*asked)
    assert result.exit_code == 0 and "pixels: uint8 (n, 16, 16, 3)" in result.stdout
    assert json.loads(output.with_suffix(".json").read_text())["threshold"] == 0.4
    again = realfake(*asked)
    assert again.exit_code == 2 and "tiny.onnx exists" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "gone.keras", "--output", "x.onnx"], "No model file gone.keras"),
        (["--model", "some.onnx", "--output", "x.onnx"], "is an ONNX file already"),
        (["--output", "x.pb"], "must end in .onnx"),
        (["--output", "taken.onnx"], "taken.json exists"),
        (["--output", "some.onnx/x.onnx"], "is not a folder"),
    ],
)
def test_export_finds_mistakes_before_tensorflow_is_imported(
    arguments, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some.onnx").touch()
    (tmp_path / "taken.json").touch()
    monkeypatch.setattr(console, "import_tensorflow", None)
    result = realfake("export", *arguments)
    assert result.exit_code == 2 and message in result.stderr


def test_jobs_must_be_at_least_one(called):
    assert realfake("report", "run", "--jobs", 0).exit_code == 2 and not called
