"""Verdicts on one's own pictures: what is found, what is said, and what bad input gets."""

import json

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
    table = predict.predict(detector, predict.find_images([pictures]))
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
    files = predict.find_images([pictures])
    one, many = (predict.predict(detector, files, batch_size=size) for size in (2, 64))
    np.testing.assert_allclose(one["p_fake"], many["p_fake"], rtol=1e-5)


def test_an_unreadable_picture_gets_a_row_and_exit_code_2(detector_file, pictures, capsys):
    (pictures / "broken.png").write_bytes(b"\x89PNG no more")
    code = predict.command([pictures], model=detector_file, json_output=True)
    record = json.loads(capsys.readouterr().out)
    broken = next(row for row in record["results"] if row["path"].endswith("broken.png"))
    assert code == 2
    assert broken["p_fake"] is None and "broken.png" in broken["error"]
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
    assert {path.name for path in folder.iterdir()} == {"bright.png", "dark.png"}
    with Image.open(folder / "dark.png") as picture:
        assert picture.width == 2 * picture.height >= 512


def test_pictures_of_one_name_do_not_overwrite_each_others_explanation(
    detector_file, pictures, tmp_path
):
    Image.new("RGB", (16, 16), "white").save(pictures / "deeper" / "bright.png")
    predict.command([pictures], model=detector_file, explain=tmp_path / "why")
    assert len(list((tmp_path / "why").iterdir())) == 3


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
    assert len(predict.find_images([pictures], recursive=True)) == 2
    assert len(predict.find_images([pictures], recursive=False)) == 1


def test_a_file_named_twice_is_scored_once(pictures):
    assert len(predict.find_images([pictures, pictures / "bright.png"])) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(paths=["nowhere.jpg"]), "nowhere.jpg"),
        (dict(paths=["."], recursive=False), "No images"),
        (dict(paths=["pictures"], threshold=1.5), "--threshold"),
        (dict(paths=["pictures"], batch_size=0), "--batch-size"),
        (dict(paths=["pictures"], model="no_such"), "no_such"),
        (dict(paths=["pictures"], model="gone.keras"), "gone.keras"),
    ],
)
def test_mistakes_are_named(arguments, message, pictures, monkeypatch):
    monkeypatch.chdir(pictures.parent)
    with pytest.raises(UserError, match=message):
        predict.command(**arguments)
