"""Verdicts on one's own pictures: what is found, what is said, and what bad input gets."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realfake_lib import models, predict
from realfake_lib.errors import UserError


@pytest.fixture(scope="module")
def detector_file(tmp_path_factory):
    """A network that calls bright pictures REAL and dark ones FAKE, saved as the library does."""
    import keras

    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    x = keras.layers.Conv2D(1, 3, padding="same", kernel_initializer="ones", name="conv")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    logit = keras.layers.Dense(1, kernel_initializer="ones", dtype="float32", name="logit")(x)
    path = tmp_path_factory.mktemp("detector") / "bright.keras"
    meta = {
        "image_size": 16,
        "temperature": 2.0,
        "threshold": 0.6,
        "uncertain_band": [0.4, 0.8],
        "data": "CIFAKE",
        "unseen": {"ddpm": {"fake_recall": 0.02}, "sngan": {"fake_recall": 0.05}},
    }
    models.save(keras.Model(inputs, logit), path, meta)
    return path


@pytest.fixture(scope="module")
def onnx_file(detector_file, tmp_path_factory):
    """The same detector as ONNX, in a folder of its own."""
    from realfake_lib.models import export

    path = tmp_path_factory.mktemp("portable") / "bright.onnx"
    model, meta = models.load(detector_file)
    export.to_onnx(model, path, meta)
    return path


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "deeper").mkdir(parents=True)
    Image.new("RGB", (40, 30), "white").save(folder / "bright.png")
    Image.new("RGB", (16, 16), "black").save(folder / "deeper" / "dark.jpg")
    (folder / "notes.txt").write_text("not a picture")
    return folder


def test_verdicts_follow_the_model_and_keep_the_order_of_the_files(detector_file, pictures):
    detector = predict.load_detector(detector_file)
    table = predict.predict(detector, predict.find_images([pictures])[0])
    assert [path.rsplit("/", 1)[1] for path in table["path"]] == ["bright.png", "dark.jpg"]
    assert list(table["verdict"]) == ["REAL", "FAKE"]
    assert (table["width"][0], table["height"][0]) == (40, 30)
    assert table["p_fake"][0] < 0.01 < 0.99 < table["p_fake"][1]


def test_temperature_divides_the_logit(detector_file, pictures):
    detector = predict.load_detector(detector_file)
    image = np.full((1, 16, 16, 3), 130, "uint8")
    logit = float(np.asarray(detector.model(image.astype("float32")))[0, 0])
    assert detector.p_fake(image)[0] == pytest.approx(1 / (1 + np.exp(logit / 2.0)), rel=1e-5)


@pytest.mark.parametrize(
    ("p_fake", "verdict"),
    [
        (0.1, "REAL"),
        (0.4, "REAL"),
        (0.5, "REAL (uncertain)"),
        (0.6, "FAKE (uncertain)"),
        (0.8, "FAKE"),
        (0.9, "FAKE"),
    ],
)
def test_verdict_uses_the_calibrated_threshold_and_names_uncertainty(p_fake, verdict, tmp_path):
    detector = predict.Detector(None, tmp_path, 16, 1.0, 0.6, (0.4, 0.8))
    assert detector.verdict(p_fake) == verdict


def test_results_do_not_depend_on_the_batch_size(detector_file, pictures):
    for number in range(5):
        Image.new("RGB", (20, 20), (number * 50,) * 3).save(pictures / f"grey{number}.png")
    detector = predict.load_detector(detector_file)
    files, _ = predict.find_images([pictures])
    one, many = (predict.predict(detector, files, batch_size=size) for size in (2, 64))
    np.testing.assert_allclose(one["p_fake"], many["p_fake"], rtol=1e-5)


def test_progress_counts_every_file(detector_file, pictures, tmp_path, monkeypatch):
    (pictures / "cut.jpg").write_bytes(b"\xff\xd8")
    monkeypatch.setenv(predict.progress.VARIABLE, str(tmp_path / "lines"))
    detector = predict.load_detector(detector_file)
    predict.predict(detector, predict.find_images([pictures])[0], batch_size=2)
    told = [json.loads(line) for line in (tmp_path / "lines").read_text().splitlines()]
    assert told[-1]["total"] == 3 and told[0]["message"] == "Looking at the pictures"


def test_an_unreadable_picture_gets_a_row_and_exit_code_2(detector_file, pictures, capsys):
    (pictures / "broken.png").write_bytes(b"\x89PNG no more")
    code = predict.command([pictures], model=detector_file, json_output=True)
    record = json.loads(capsys.readouterr().out)
    broken = next(row for row in record["results"] if row["path"].endswith("broken.png"))
    assert code == 2
    # The path stands in its own column; the error does not repeat it.
    assert broken["p_fake"] is None and broken["error"].startswith("is not an image")
    assert sum(row["error"] == "" for row in record["results"]) == 2


def test_json_carries_threshold_and_caveat(detector_file, pictures, capsys):
    assert predict.command([pictures], model=detector_file, json_output=True) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["threshold"] == 0.6
    assert "2% to 5%" in record["caveat"] and "CIFAKE" in record["caveat"]


def test_table_and_csv_and_explanations_are_written(detector_file, pictures, tmp_path, capsys):
    csv, folder = tmp_path / "out" / "v.csv", tmp_path / "why"
    assert predict.command([pictures], model=detector_file, csv=csv, explain=folder) == 0
    out = capsys.readouterr().out
    assert "bright.png" in out and "FAKE" in out and "40×30" in out
    assert csv.read_text().startswith("path,p_fake,verdict")
    assert {path.name for path in folder.rglob("*.png")} == {"bright.png.png", "dark.jpg.png"}
    with Image.open(next(folder.rglob("dark.jpg.png"))) as picture:
        assert picture.width == 2 * picture.height >= 512


def test_explanations_are_named_after_the_paths_given(
    detector_file, pictures, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (16, 16), "white").save(pictures / "deeper" / "bright.png")
    (pictures / "cut.jpg").write_bytes(b"\xff\xd8")
    predict.command(["pictures"], model=detector_file, explain="why", json_output=True)
    results = json.loads(capsys.readouterr().out)["results"]
    assert {row["path"]: row["explanation"] for row in results} == {
        "pictures/bright.png": "why/pictures/bright.png.png",
        "pictures/cut.jpg": "",
        "pictures/deeper/bright.png": "why/pictures/deeper/bright.png.png",
        "pictures/deeper/dark.jpg": "why/pictures/deeper/dark.jpg.png",
    }
    assert all(Path(row["explanation"]).is_file() for row in results if row["explanation"])


def test_explanations_of_an_earlier_run_are_replaced_and_never_judged(
    detector_file, pictures, tmp_path
):
    why = pictures / "why"
    predict.command([pictures], model=detector_file, explain=why)
    (pictures / "bright.png").unlink()
    predict.command([pictures], model=detector_file, explain=why)
    assert [path.name for path in why.rglob("*.png")] == ["dark.jpg.png"]
    assert len(predict.find_images([pictures])[0]) == 1


def test_a_folder_of_other_things_is_never_filled_with_explanations(detector_file, pictures):
    before = sorted(pictures.rglob("*"))
    with pytest.raises(UserError, match="--explain .* is not empty"):
        predict.command([pictures], model=detector_file, explain=pictures)
    assert sorted(pictures.rglob("*")) == before


def test_an_onnx_file_gives_the_verdicts_of_its_keras_file(detector_file, onnx_file, pictures):
    for number in range(5):
        Image.new("RGB", (20, 20), (number * 50,) * 3).save(pictures / f"grey{number}.png")
    files, _ = predict.find_images([pictures])
    ours, theirs = (
        predict.predict(predict.load_detector(file), files, batch_size=3)
        for file in (detector_file, onnx_file)
    )
    np.testing.assert_allclose(theirs.pop("p_fake"), ours.pop("p_fake"), atol=1e-5, rtol=0)
    assert theirs.equals(ours)


def test_everything_that_is_known_of_a_detector_comes_with_its_onnx_file(detector_file, onnx_file):
    ours, theirs = predict.load_detector(detector_file), predict.load_detector(onnx_file)
    for fact in ("image_size", "temperature", "threshold", "uncertain_band"):
        assert getattr(theirs, fact) == getattr(ours, fact)
    assert predict.caveat(theirs) == predict.caveat(ours)


def test_explanations_need_the_keras_file(onnx_file, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(predict.console, "import_tensorflow", None)
    with pytest.raises(UserError, match="--explain needs .*bright.onnx has none"):
        predict.command([pictures], model=onnx_file, explain=tmp_path / "why")
    assert not (tmp_path / "why").exists()


@pytest.fixture
def trained(detector_file, onnx_file, tmp_path, monkeypatch):
    """A project whose report holds two detectors, "best" as ONNX, too."""
    folder = tmp_path / "project" / "reports" / "models"
    folder.mkdir(parents=True)
    for name in ("best", "compact_cnn"):
        for source in (detector_file, detector_file.with_suffix(".json")):
            shutil.copy(source, folder / f"{name}{source.suffix}")
    for suffix in (".onnx", ".json"):  # the description of both forms
        shutil.copy(onnx_file.with_suffix(suffix), folder / f"best{suffix}")
    monkeypatch.setattr(predict.settings, "project_root", lambda: tmp_path / "project")
    return folder


def test_the_best_detector_is_taken_where_none_is_named_and_else_the_compact_one(trained):
    assert predict.find_model() == trained / "best.keras"
    (trained / "best.keras").unlink()
    assert predict.find_model() == trained / "compact_cnn.keras"
    assert predict.find_model("compact_cnn") == trained / "compact_cnn.keras"
    with pytest.raises(UserError, match="No trained detector 'fast' found"):
        predict.find_model("fast")


def used(capsys, *arguments, **options):
    predict.command(*arguments, json_output=True, **options)
    return Path(json.loads(capsys.readouterr().out)["model"])


def test_the_form_that_starts_sooner_is_taken_unless_another_is_needed(
    trained, pictures, tmp_path, capsys
):
    assert used(capsys, [pictures]) == trained / "best.onnx"
    assert used(capsys, [pictures], model="best") == trained / "best.onnx"
    assert used(capsys, [pictures], model=trained / "best.keras") == trained / "best.keras"
    assert used(capsys, [pictures], explain=tmp_path / "why") == trained / "best.keras"
    assert used(capsys, [pictures], model="compact_cnn") == trained / "compact_cnn.keras"


def test_an_onnx_file_that_an_earlier_detector_left_is_not_taken(trained, pictures, capsys):
    shutil.copy(trained / "best.onnx", trained / "compact_cnn.onnx")
    assert used(capsys, [pictures], model="compact_cnn").suffix == ".keras"


def test_the_committed_detector_says_what_it_was_trained_on():
    detector = predict.load_detector()
    words = predict.caveat(detector)
    assert "Trained on CIFAKE at 32×32" in words and "never measured" in words
    assert "generators that it never saw" in words and "DEMO" not in words


def test_own_threshold_moves_the_verdict_and_drops_the_band(detector_file, pictures, capsys):
    predict.command([pictures], model=detector_file, threshold=0.0, json_output=True)
    record = json.loads(capsys.readouterr().out)
    assert {row["verdict"] for row in record["results"]} == {"FAKE"}


def test_folders_are_searched_deeply_only_when_asked(pictures):
    assert len(predict.find_images([pictures], recursive=True)[0]) == 2
    assert len(predict.find_images([pictures], recursive=False)[0]) == 1


def test_what_is_left_out_of_a_folder_is_counted_and_said(detector_file, pictures, capsys):
    for name in ("a.heic", "b.HEIC", "LICENSE", ".hidden.jpg", "Thumbs.db"):
        (pictures / name).write_bytes(b"x")
    (pictures / "again").symlink_to(pictures / "deeper")
    Image.new("L", (16, 16)).save(pictures / "scan.ppm")
    files, left_out = predict.find_images([pictures])
    assert [file.name for file in files] == ["bright.png", "dark.jpg", "scan.ppm"]
    assert left_out == {".heic": 2, ".txt": 1, "without suffix": 1, "linked folder(s)": 1}
    predict.command([pictures], model=detector_file, json_output=True)
    printed = capsys.readouterr()
    assert json.loads(printed.out)["left_out"][".heic"] == 2
    assert "left out 5 files of no kind read here: 2 .heic, 1 .txt" in printed.err


def test_a_folder_of_other_kinds_only_says_which(tmp_path):
    (tmp_path / "a.heic").touch()
    with pytest.raises(UserError, match=r"No images in .* \(1 \.heic\)"):
        predict.find_images([tmp_path])


def test_a_link_to_nothing_gets_a_row(detector_file, pictures):
    (pictures / "gone.jpg").symlink_to("nowhere")
    table = predict.predict(
        predict.load_detector(detector_file), predict.find_images([pictures])[0]
    )
    assert list(table["error"]) == ["", "", "is a link to nothing"]


def test_a_name_that_is_no_text_can_be_printed(detector_file, pictures, capsys):
    (pictures / "bright.png").rename(pictures / os.fsdecode(b"caf\xe9.png"))
    assert predict.command([pictures], model=detector_file, csv=pictures / "t.csv") == 0
    assert "caf\ufffd.png" in capsys.readouterr().out


def test_a_file_named_twice_is_scored_once(pictures):
    assert len(predict.find_images([pictures, pictures / "bright.png"])[0]) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(paths=["nowhere.jpg"]), "nowhere.jpg"),
        (dict(paths=["."], recursive=False), "No images"),
        (dict(paths=["pictures"], threshold=1.5), "--threshold"),
        (dict(paths=["pictures"], batch_size=0), "--batch-size"),
        (dict(paths=["pictures"], model="no_such"), "no_such"),
        (dict(paths=["pictures"], model="gone.keras"), "gone.keras"),
        (dict(paths=["pictures"], model="gone.onnx"), "gone.onnx"),
        (dict(paths=["pictures"], csv="pictures"), "--csv pictures is a folder"),
        (dict(paths=["pictures"], csv="pictures/bright.png"), "name of a picture"),
        (dict(paths=["pictures"], explain="pictures/bright.png"), "--explain .* not a folder"),
    ],
)
def test_mistakes_are_named_before_tensorflow_is_imported(
    arguments, message, pictures, monkeypatch
):
    monkeypatch.chdir(pictures.parent)
    monkeypatch.setattr(predict.console, "import_tensorflow", None)
    with pytest.raises(UserError, match=message):
        predict.command(**arguments)
