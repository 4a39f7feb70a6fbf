"""Verdicts on one's own pictures: what is found, what is said, and what bad input gets."""

import csv
import io
import json
import os
import re
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import realfake_lib
from realfake_lib import (
    cli,
    console,
    detector,
    listing,
    model_metadata,
    models,
    prediction,
    progress,
)
from realfake_lib.data import panel_fetch
from realfake_lib.errors import UserError


def realfake_predict(*paths, **options):
    """Run ``realfake predict``: the finished command, with exit_code, stdout and stderr."""
    arguments = ["predict", *map(str, paths)]
    for name, value in options.items():
        name = f"--{name.replace('_', '-')}"
        arguments += [name] if value is True else [name, str(value)]
    result = CliRunner().invoke(cli.app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def as_json(*paths, **options):
    """What ``realfake predict --json`` prints."""
    result = realfake_predict(*paths, json=True, **options)
    assert result.stdout, result.stderr
    return json.loads(result.stdout)


def refusal(*paths, **options):
    """What ``realfake predict`` says of a mistake."""
    result = realfake_predict(*paths, **options)
    assert result.exit_code == 2 and not result.stdout
    return result.stderr


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


def shaded(width, height, low, high):
    """A picture that grows brighter from top to bottom, (height, width, 3) uint8."""
    rows = np.linspace(low, high, height).astype("uint8")
    return np.broadcast_to(rows[:, None, None], (height, width, 3)).copy()


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "deeper").mkdir(parents=True)
    Image.fromarray(shaded(40, 30, 215, 255)).save(folder / "bright.png")
    Image.fromarray(shaded(16, 16, 0, 40)).save(folder / "deeper" / "dark.jpg")
    return folder


# --- from Python --------------------------------------------------------------------------------


def test_verdicts_follow_the_model_and_keep_the_order_of_the_files(detector_file, pictures):
    bright, dark = realfake_lib.predict(pictures, detector_file)
    assert (Path(bright.path).name, Path(dark.path).name) == ("bright.png", "dark.jpg")
    assert (bright.verdict, dark.verdict) == ("REAL", "FAKE")
    assert (bright.width, bright.height) == (40, 30)
    assert bright.p_fake < 0.01 < 0.99 < dark.p_fake and not bright.error


def test_images_come_as_files_folders_arrays_or_from_pillow(detector_file, pictures):
    loaded = realfake_lib.load_detector(detector_file)
    white = shaded(40, 40, 215, 255)
    clear = Image.fromarray(np.dstack([shaded(20, 30, 0, 0), shaded(20, 30, 0, 40)[..., :1]]))
    # White shows through.
    images = [str(pictures / "bright.png"), white, clear, pictures / "deeper", white[:, :20]]
    found = realfake_lib.predict(images, loaded)
    assert [one.verdict for one in found] == ["REAL", "REAL", "REAL", "FAKE", "REAL"]
    assert [bool(one.path) for one in found] == [True, False, False, True, False]
    assert (found[2].width, found[2].height) == (20, 30)
    (alone,) = realfake_lib.predict(white, loaded)
    assert alone == realfake_lib.predict(Image.fromarray(white), loaded)[0] == found[1]


def test_a_pillow_image_that_is_cut_off_ends_nothing(detector_file, pictures):
    content = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(content, "JPEG")
    cut = Image.open(io.BytesIO(content.getvalue()[:1500]))
    bad, good = realfake_lib.predict([cut, pictures / "bright.png"], detector_file)
    assert "damaged or cut off" in bad.error and bad.p_fake is None and good.verdict == "REAL"


@pytest.mark.parametrize("image", [b"GIF89a", io.BytesIO(b"GIF89a"), [io.BytesIO()]])
def test_bytes_and_open_files_are_told_to_go_through_pillow(detector_file, image):
    with pytest.raises(ValueError, match=r"PIL\.Image\.open"):
        realfake_lib.predict(image, detector_file)


def test_nothing_to_judge_and_no_batch_are_errors(detector_file):
    with pytest.raises(ValueError, match="not NoneType"):
        realfake_lib.predict(None, detector_file)
    with pytest.raises(ValueError, match="at least 1"):
        realfake_lib.predict([], detector_file, batch_size=0)


@pytest.mark.parametrize(
    "image", [np.zeros((32, 0, 3), "uint8"), np.zeros((3, 3, 3), "uint8"), Image.new("RGB", (0, 5))]
)
def test_what_comes_from_memory_is_refused_like_a_file(detector_file, image):
    (found,) = realfake_lib.predict(image, detector_file)
    assert "too small" in found.error and not found.verdict


def test_an_animation_from_pillow_is_refused_and_a_frame_of_it_is_taken(detector_file):
    content = io.BytesIO()
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    frames[0].save(content, "GIF", save_all=True, append_images=frames[1:])
    film = Image.open(content)
    all_of_it, frame = realfake_lib.predict([film, film.copy()], detector_file)
    assert "animated" in all_of_it.error and frame.verdict


@pytest.mark.parametrize("array", [np.zeros((8, 8, 3)), np.zeros((8, 8), "uint8")])
def test_an_array_that_is_no_image_is_an_error_and_no_verdict(detector_file, array):
    with pytest.raises(ValueError, match="uint8"):
        realfake_lib.predict(array, detector_file)


def test_explanations_need_files(detector_file, tmp_path):
    with pytest.raises(ValueError, match="give paths"):
        realfake_lib.predict(np.zeros((16, 16, 3), "uint8"), detector_file, explain=tmp_path)


def test_temperature_divides_the_logit(detector_file):
    loaded = realfake_lib.load_detector(detector_file)
    image = np.full((1, 16, 16, 3), 130, "uint8")
    logit = float(np.asarray(loaded.model(image.astype("float32")))[0, 0])
    assert loaded.p_fake(image)[0] == pytest.approx(1 / (1 + np.exp(logit / 2.0)), rel=1e-5)


@pytest.mark.parametrize(
    ("p_fake", "verdict"),
    [
        (0.1, "REAL"),
        (0.4, "REAL"),
        (0.5, "can't tell"),
        (0.6, "can't tell"),
        (0.8, "FAKE"),
        (0.9, "FAKE"),
    ],
)
def test_there_is_no_verdict_inside_the_uncertain_band(p_fake, verdict, tmp_path):
    made = detector.Detector(None, tmp_path, 16, 1.0, 0.6, (0.4, 0.8))
    assert made.verdict(p_fake) == verdict


def test_results_do_not_depend_on_the_batch_size(detector_file, pictures):
    for number in range(5):
        Image.new("RGB", (20, 20), (number * 50,) * 3).save(pictures / f"grey{number}.png")
    loaded = realfake_lib.load_detector(detector_file)
    one, many = (
        [found.p_fake for found in realfake_lib.predict(pictures, loaded, batch_size=size)]
        for size in (2, 64)
    )
    assert len(one) == 7
    np.testing.assert_allclose(one, many, rtol=1e-5)


def test_progress_counts_every_file(detector_file, pictures, tmp_path, monkeypatch):
    (pictures / "cut.jpg").write_bytes(b"\xff\xd8")
    monkeypatch.setenv(progress.VARIABLE, str(tmp_path / "lines"))
    realfake_lib.predict(pictures, detector_file, batch_size=2)
    told = [json.loads(line) for line in (tmp_path / "lines").read_text().splitlines()]
    assert told[-1]["total"] == 3 and told[0]["message"] == "Predicting"


def test_a_link_to_nothing_gets_a_record(detector_file, pictures):
    (pictures / "gone.jpg").symlink_to("nowhere")
    found = realfake_lib.predict(pictures, detector_file)
    assert [one.error for one in found] == ["", "", "is a link to nothing"]
    assert found[2].p_fake is None and found[2].verdict == ""


def test_one_bad_path_costs_the_others_no_verdict(onnx_file, pictures):
    (pictures / "gone.jpg").symlink_to("nowhere")
    bad = [pictures / "gone.jpg", pictures / "missing.jpg", pictures / ("x" * 300)]
    done = realfake_predict(pictures / "bright.png", *bad, model=onnx_file, json=True)
    good, *others = json.loads(done.stdout)["results"]
    assert done.exit_code == 2 and good["verdict"] == "REAL"
    assert [one["error"] for one in others] == [
        "is a link to nothing",
        "does not exist",
        "cannot be read: File name too long",
    ]


def test_a_path_that_cannot_be_looked_at_gets_a_record(onnx_file, pictures, monkeypatch):
    def forbidden(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    loaded = realfake_lib.load_detector(onnx_file)
    monkeypatch.setattr(os, "stat", forbidden)
    (found,) = realfake_lib.predict([pictures / "bright.png"], loaded)
    assert found.error == "cannot be read: Permission denied"


def test_an_onnx_file_gives_the_verdicts_of_its_keras_file(detector_file, onnx_file, pictures):
    for number in range(5):
        Image.new("RGB", (20, 20), (number * 50,) * 3).save(pictures / f"grey{number}.png")
    ours, theirs = (
        realfake_lib.predict(pictures, file, batch_size=3) for file in (detector_file, onnx_file)
    )
    for one, other in zip(ours, theirs, strict=True):
        assert one.p_fake == pytest.approx(other.p_fake, abs=1e-5)
        assert replace(one, p_fake=other.p_fake) == other


def test_everything_that_is_known_of_a_detector_comes_with_its_onnx_file(detector_file, onnx_file):
    ours, theirs = map(realfake_lib.load_detector, (detector_file, onnx_file))
    for fact in ("image_size", "temperature", "threshold", "uncertain_band"):
        assert getattr(theirs, fact) == getattr(ours, fact)
    assert theirs.caveat() == ours.caveat()
    assert ours.has_gradients and not theirs.has_gradients


def test_an_onnx_file_explains_nothing(onnx_file, pictures, tmp_path):
    for given in (onnx_file, realfake_lib.load_detector(onnx_file)):
        with pytest.raises(UserError, match="need.* the gradients of .*bright.onnx has none"):
            realfake_lib.predict(pictures, given, explain=tmp_path / "why")
    assert not (tmp_path / "why").exists()


def test_the_published_detector_says_what_it_was_trained_on():
    words = realfake_lib.load_detector().caveat()
    assert "Trained on CIFAKE at 32×32 pixels, and measured there alone" in words
    assert "unseen generators" in words and "DEMO" not in words


# --- what a score is worth ----------------------------------------------------------------------


def textured(width, height, least=0):
    """A picture of soft noise, as no detector refuses to judge, (height, width, 3) uint8."""
    noise = np.random.default_rng(0).normal(128, 120, (height, width, 3))
    soft = (
        noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1) + np.roll(noise, (1, 1), (0, 1))
    ) / 4
    return (least + np.clip(soft, 0, 255) / 255 * (255 - least)).astype("uint8")


@pytest.fixture
def by_size(onnx_file):
    """A detector for images of 16 to 32 pixels, and one that judges several views from 64 on."""
    network = realfake_lib.load_detector(onnx_file)
    small = replace(network, path=Path("small.onnx"), sides=(16, 32))
    return small, replace(network, path=Path("large.onnx"), sides=(64, None), several_views=True)


@pytest.mark.parametrize(
    ("size", "name"),
    [((16, 16), "small"), ((20, 32), "small"), ((64, 80), "large")],
)
def test_each_image_gets_the_detector_that_was_measured_on_its_size(by_size, size, name):
    (found,) = realfake_lib.predict(textured(*size, least=180), by_size)
    assert found.detector == name and not found.reasons
    assert found.verdict == "REAL" and found.p_fake < 0.4


def test_an_image_of_a_size_that_none_was_measured_on_gets_no_score(by_size, tmp_path, monkeypatch):
    Image.fromarray(textured(33, 63)).save(tmp_path / "odd.png")
    (strip,) = realfake_lib.predict(textured(200, 32), by_size)
    assert strip.verdict == "can't tell" and strip.p_fake is None
    (found,) = realfake_lib.predict(tmp_path, by_size)
    assert found.verdict == "can't tell" and found.p_fake is None and not found.detector
    words = "images of this size: small for at least 16×16, large for at least 64×64"
    assert words in found.reasons[0] and (found.width, found.height) == (33, 63)
    monkeypatch.setattr(detector, "load_published", lambda gradients: by_size)
    told = as_json(tmp_path)
    assert told["detectors"] == {} and told["results"][0]["p_fake"] is None
    table = realfake_predict(tmp_path).stdout
    assert "33×63" in table and "can't tell" in table and "Trained on" not in table


@pytest.mark.parametrize("url", ["https://example.org/a.jpg", "http://example.org"])
def test_a_web_address_is_told_to_be_downloaded(url):
    assert "Download the image" in refusal(url)


def test_a_detector_that_is_named_says_that_it_was_not_made_for_the_size(by_size):
    (found,) = realfake_lib.predict(textured(64, 80), by_size[0])
    assert found.verdict == "can't tell"
    assert found.reasons[0] == "small was measured on images of at least 16×16 pixels only"


def test_parts_that_contradict_each_other_give_no_verdict(by_size):
    image = textured(640, 64) // 8 + np.linspace(0, 220, 640, dtype="uint8")[:, None]
    narrow = replace(by_size[1], uncertain_band=(0.3, 0.301))
    (found,) = realfake_lib.predict(image, narrow)
    assert found.verdict == "can't tell"
    assert found.reasons == ("parts of it contradict each other",)
    (found,) = realfake_lib.predict(image, narrow.with_threshold(0.3))  # somebody's own
    assert found.verdict in ("FAKE", "REAL") and not found.reasons


def test_the_reason_is_said_in_the_table_and_in_the_json(by_size, onnx_file, tmp_path, monkeypatch):
    Image.new("RGB", (80, 80), "white").save(tmp_path / "white.png")
    monkeypatch.setattr(detector, "load_published", lambda gradients: by_size)
    words = "it shows next to nothing: one colour"
    assert f"because {words}" in realfake_predict(tmp_path).stdout
    (row,) = as_json(tmp_path)["results"]
    assert row["reasons"] == [words] and row["verdict"] == "can't tell" and row["p_fake"] < 0.01
    realfake_predict(tmp_path, csv=tmp_path / "t.csv")
    (row,) = csv.DictReader((tmp_path / "t.csv").read_text("utf-8").splitlines())
    assert row["reasons"] == words


def test_only_detectors_that_judged_something_are_told_of(by_size, tmp_path, monkeypatch):
    Image.fromarray(textured(80, 80)).save(tmp_path / "noise.png")
    monkeypatch.setattr(detector, "load_published", lambda gradients: by_size)
    assert list(as_json(tmp_path)["detectors"]) == ["large"]


def test_a_table_does_not_take_the_place_of_an_image(pictures, onnx_file):
    image = pictures / "bright.png"
    image.rename(pictures / "bright")
    link = pictures / "table.csv"
    link.symlink_to(pictures / "bright")
    for table in (pictures / "bright", link):
        assert "is one of the images" in refusal(pictures / "bright", model=onnx_file, csv=table)
    assert Image.open(pictures / "bright").size == (40, 30)


def test_a_false_positive_rate_sets_both_ends_of_the_band(by_size):
    rates = {"0.01": [0.2, 0.9], "0.05": [0.4, 0.7], "0.2": [0.6, 0.5]}
    known = replace(by_size[1], meta={"bands": rates})
    assert known.with_false_positive_rate(None) is known
    for fpr, band in ((0.01, (0.2, 0.9)), (0.05, (0.4, 0.7)), (0.1, (0.4, 0.7)), (0.2, (0.5, 0.5))):
        made = known.with_false_positive_rate(fpr)
        assert made.uncertain_band == band and made.threshold == band[1]
    for fpr in (0, 1, -0.1, float("nan")):
        with pytest.raises(UserError, match="between 0 and 1"):
            known.with_false_positive_rate(fpr)
    for fpr in (0.001, 0.3):
        with pytest.raises(UserError, match="rates of 0.01 to 0.2"):
            known.with_false_positive_rate(fpr)
    with pytest.raises(UserError, match="no record of false positives"):
        by_size[0].with_false_positive_rate(0.05)


def test_images_whose_detector_has_no_gradients_are_judged_and_not_explained(
    by_size, detector_file, tmp_path, monkeypatch
):
    for side in (16, 80):
        Image.fromarray(textured(side, side)).save(tmp_path / f"of{side}.png")
    keras = replace(realfake_lib.load_detector(detector_file), sides=(16, 32))
    monkeypatch.setattr(detector, "load_published", lambda gradients: (keras, by_size[1]))
    done = realfake_predict(tmp_path, explain=tmp_path / "why", json=True)
    found = {Path(row["path"]).name: row for row in json.loads(done.stdout)["results"]}
    assert done.exit_code == 0 and "not explained: 1" in done.stderr
    assert found["of16.png"]["explanation"] and not found["of80.png"]["explanation"]
    assert found["of80.png"]["p_fake"] is not None


def test_a_detector_of_views_is_evaluated_on_images_at_their_own_size(by_size, tmp_path, caplog):
    for name, low, high in (("REAL/phone", 180, 255), ("FAKE/gan", 0, 80)):
        (tmp_path / "own" / name).mkdir(parents=True)
        for at in range(4):
            pixels = np.clip(textured(90 + at, 70), low, high)
            Image.fromarray(pixels).save(tmp_path / "own" / name / f"{at}.png")
    (tmp_path / "own" / "FAKE" / "gan" / "broken.png").write_bytes(b"no image")
    Image.fromarray(textured(80, 80)).save(tmp_path / "own" / "neither.png")
    found = realfake_lib.evaluate(by_size[1], tmp_path / "own")
    assert (found.data, found.part, found.n) == ("own", "all", 8)
    assert found.measures["auroc"].value == 1 and "2 files are not scored" in caplog.text
    assert re.search("not scored: .*broken.png: ", caplog.text)
    assert [(one["class"], one["source"], one["n"]) for one in found.sources] == [
        ("FAKE", "gan", 4), ("REAL", "phone", 4),
    ]  # fmt: skip


def test_verdicts_are_counted_below_the_table(by_size):
    def found(verdict, error=""):
        return prediction.Prediction("x", verdict=verdict, p_fake=0.5, error=error)

    shown = [found(one) for one in ("REAL", "FAKE", "can't tell", "REAL")]
    shown.append(found("", error="cannot be read"))
    assert "\n\n1 FAKE, 2 REAL, 1 can't tell, 1 not read\n\n" in listing.as_table([], shown)
    assert "1 FAKE" not in listing.as_table([], shown[1:2])


def test_a_detector_says_of_how_many_files_it_was_trained_on(
    by_size, tmp_path, caplog, monkeypatch
):
    folder = tmp_path / "own" / "REAL"
    folder.mkdir(parents=True)
    for at in range(3):
        Image.fromarray(textured(90 + at, 70)).save(folder / f"{at}.png")
    seen = {model_metadata.sha256(folder / f"{at}.png") for at in (0, 2)}
    assert len(panel_fetch.originals()) > 10_000 and not seen & panel_fetch.originals()
    monkeypatch.setattr(panel_fetch, "originals", lambda: seen)
    published = replace(by_size[1], meta=by_size[1].meta | {"sources": []})
    realfake_lib.evaluate(published, tmp_path / "own")
    assert f"{published.name} was trained on crops of 2 of these files" in caplog.text
    caplog.clear()
    realfake_lib.evaluate(by_size[1], tmp_path / "own")
    assert "was trained on" not in caplog.text


@pytest.mark.parametrize(
    ("data", "part", "message"),
    [
        ("auto", None, "--data DIR"),
        ("own", "test", "all images are scored"),
        ("own", None, "class"),
    ],
)
def test_what_a_detector_of_views_cannot_be_evaluated_on(
    by_size, tmp_path, monkeypatch, data, part, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own" / "REAL").mkdir(parents=True)
    Image.fromarray(textured(80, 80)).save(tmp_path / "own" / "neither.png")
    with pytest.raises(UserError, match=message):
        realfake_lib.evaluate(by_size[1], data, part=part)


def test_threshold_and_false_positive_rate_exclude_each_other(onnx_file, pictures):
    assert "give one of them" in refusal(pictures, model=onnx_file, threshold=0.5, fpr=0.05)


# --- which detector -----------------------------------------------------------------------------


@pytest.fixture
def trained(detector_file, onnx_file, tmp_path, monkeypatch):
    """Two published detectors, "detector" as ONNX, too."""
    folder = tmp_path / "detectors"
    folder.mkdir(parents=True)
    for name in ("detector", "fast"):
        for source in (detector_file, detector_file.with_suffix(".json")):
            shutil.copy(source, folder / f"{name}{source.suffix}")
    for suffix in (".onnx", ".json"):  # the description of both forms
        shutil.copy(onnx_file.with_suffix(suffix), folder / f"detector{suffix}")
    monkeypatch.setattr(detector, "FOLDER", folder)
    monkeypatch.setattr(detector.settings, "project_root", lambda: tmp_path / "project")
    return folder


def test_the_detector_is_taken_where_none_is_named_and_no_other_in_its_place(trained):
    assert detector.find_model(keras=True) == trained / "detector.keras"
    for suffix in (".keras", ".onnx"):
        (trained / f"detector{suffix}").unlink()
    assert detector.find_model("fast") == trained / "fast.keras"
    with pytest.raises(UserError, match="No trained detector 'detector' found. Known: fast"):
        detector.find_model()


def test_the_form_that_starts_sooner_is_taken_unless_another_is_needed(trained):
    assert detector.find_model() == trained / "detector.onnx"
    assert detector.find_model("detector") == trained / "detector.onnx"
    assert detector.find_model("detector", keras=True) == trained / "detector.keras"
    assert detector.find_model(trained / "detector.keras") == trained / "detector.keras"
    assert detector.find_model("fast") == trained / "fast.keras"


def test_an_onnx_file_that_an_earlier_detector_left_is_not_taken(trained):
    shutil.copy(trained / "detector.onnx", trained / "fast.onnx")
    assert detector.find_model("fast").suffix == ".keras"


def test_a_detectors_name_means_the_detector_whatever_lies_in_the_folder(
    trained, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "detector").mkdir()
    (tmp_path / "fast").touch()
    for name in ("detector", "fast"):
        assert detector.find_model(name).parent == trained


@pytest.mark.parametrize("path", ["./fast", "some/fast", "fast/"])
def test_a_path_is_no_name_and_ends_as_model_files_do(trained, path):
    with pytest.raises(UserError, match="ends in .keras or .onnx"):
        detector.find_model(path)


# --- realfake predict ---------------------------------------------------------------------------


def test_an_unreadable_image_gets_a_row_and_exit_code_2(detector_file, pictures):
    (pictures / "broken.png").write_bytes(b"\x89PNG no more")
    result = realfake_predict(pictures, model=detector_file, json=True)
    rows = json.loads(result.stdout)["results"]
    broken = next(row for row in rows if row["path"].endswith("broken.png"))
    assert result.exit_code == 2
    # The path stands in its own column; the error does not repeat it.
    assert broken["p_fake"] is None and broken["error"].startswith("is not an image")
    assert sum(row["error"] == "" for row in rows) == 2


def test_json_carries_band_and_caveat(detector_file, pictures):
    result = realfake_predict(pictures, model=detector_file, json=True)
    record = json.loads(result.stdout)
    told = record["detectors"]["bright"]
    assert result.exit_code == 0 and told["uncertain_band"] == [0.4, 0.8]
    assert "2% to 5%" in told["caveat"] and "CIFAKE" in told["caveat"]


def test_table_and_csv_and_explanations_are_written(detector_file, pictures, tmp_path):
    table, folder = tmp_path / "out" / "v.csv", tmp_path / "why"
    result = realfake_predict(pictures, model=detector_file, csv=table, explain=folder)
    assert result.exit_code == 0, result.stderr
    for text in ("bright.png", "FAKE", "40×30"):
        assert text in result.stdout
    rows = list(csv.DictReader(table.read_text("utf-8").splitlines()))
    assert list(rows[0])[:3] == ["path", "p_fake", "verdict"] and len(rows) == 2
    assert Path(rows[1]["explanation"]).is_file() and float(rows[1]["p_fake"]) > 0.99
    assert len(list(folder.glob("*.png"))) == 2
    with Image.open(next(folder.glob("dark-*.png"))) as picture:
        assert picture.width == 2 * picture.height >= 512


@pytest.mark.parametrize("name", ["a\rb.png", "a\nb.png", 'a"b,c.png'])
def test_whatever_a_file_is_called_the_csv_has_a_row_for_it(onnx_file, tmp_path, name):
    Image.new("RGB", (16, 16)).save(tmp_path / name)
    realfake_predict(tmp_path / name, model=onnx_file, csv=tmp_path / "a.csv")
    with open(tmp_path / "a.csv", encoding="utf-8", newline="") as stream:
        header, row = csv.reader(stream)
    assert row[0] == str(tmp_path / name) and len(row) == len(header)


def test_the_csv_lists_every_file_that_could_not_be_read(detector_file, pictures, tmp_path):
    for number in range(300):
        (pictures / f"bad{number:03d}.jpg").write_bytes(b"<html>404</html>")
    result = realfake_predict(pictures, model=detector_file, csv=tmp_path / "v.csv")
    rows = list(csv.DictReader((tmp_path / "v.csv").read_text("utf-8").splitlines()))
    bad = [row for row in rows if row["error"]]
    assert result.exit_code == 2 and len(rows) == 302 and len(bad) == 300
    assert bad[0]["p_fake"] == "" and bad[0]["verdict"] == ""
    assert "300 of 302 images could not be read" in result.stderr


def test_explanations_are_named_after_their_files(detector_file, pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (16, 16), "white").save(pictures / "deeper" / "bright.png")
    (pictures / "cut.jpg").write_bytes(b"\xff\xd8")
    results = as_json("pictures", model=detector_file, explain="why")["results"]
    assert {row["path"]: row["explanation"].rpartition("-")[0] for row in results} == {
        "pictures/bright.png": "why/bright",
        "pictures/cut.jpg": "",
        "pictures/deeper/bright.png": "why/bright",
        "pictures/deeper/dark.jpg": "why/dark",
    }
    assert len({row["explanation"] for row in results}) == 4
    assert all(Path(row["explanation"]).is_file() for row in results if row["explanation"])


def test_explanations_are_never_judged_and_those_of_an_earlier_run_are_replaced(
    detector_file, pictures
):
    for _ in range(2):
        realfake_predict(pictures, model=detector_file, explain=pictures)
    assert len(list(pictures.glob("*.gradcam.png"))) == 2
    assert len(prediction.find_images([pictures])[0]) == 2


def test_explanations_need_the_keras_file(onnx_file, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(console, "import_tensorflow", None)
    words = refusal(pictures, model=onnx_file, explain=tmp_path / "why")
    assert "Grad-CAM needs" in words and "bright.onnx has none" in words
    assert not (tmp_path / "why").exists()


@pytest.fixture
def read_only(monkeypatch):
    """A container without any folder for temporary files."""

    def nothing():
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_get_default_tempdir", nothing)
    monkeypatch.delitem(sys.modules, "tensorflow")


def test_a_verdict_needs_no_temporary_folder(onnx_file, pictures, read_only):
    assert realfake_predict(pictures, model=onnx_file).exit_code == 0


def test_tensorflow_without_a_temporary_folder_gets_one_sentence(
    detector_file, pictures, read_only
):
    (line,) = refusal(pictures, model=detector_file).splitlines()
    assert line.startswith("realfake: No usable temporary directory") and "set TMPDIR" in line


def test_own_threshold_moves_the_verdict_and_drops_the_band(detector_file, pictures):
    results = as_json(pictures, model=detector_file, threshold=0.0)["results"]
    assert {row["verdict"] for row in results} == {"FAKE"}


def test_what_is_left_out_of_a_folder_is_counted_and_said(detector_file, pictures):
    for name in ("a.xcf", "b.XCF", "notes.txt", "LICENSE", ".hidden.jpg", "Thumbs.db"):
        (pictures / name).write_bytes(b"x")
    (pictures / "again").symlink_to(pictures / "deeper")
    Image.new("L", (16, 16)).save(pictures / "scan.ppm")
    files, left_out = prediction.find_images([pictures])
    assert [file.name for file in files] == ["bright.png", "dark.jpg", "scan.ppm"]
    linked = f"linked folder ({pictures / 'again'})"
    assert left_out == {".xcf": 2, ".txt": 1, "without suffix": 1, linked: 1}
    result = realfake_predict(pictures, model=detector_file, json=True)
    assert json.loads(result.stdout)["left_out"][".xcf"] == 2
    assert "left out 5 files and folders: 2 .xcf, 1 .txt" in result.stderr
    assert result.exit_code == 2


def test_what_is_left_out_of_a_folder_is_logged_for_programs(detector_file, pictures, caplog):
    (pictures / "layers.psd").write_bytes(b"8BPS")
    assert len(realfake_lib.predict(pictures, detector_file)) == 2
    assert "left out 1 file or folder: 1 .psd" in caplog.text


def test_one_file_of_an_unread_kind_among_good_ones_makes_the_exit_code_2(detector_file, pictures):
    assert realfake_predict(pictures, model=detector_file).exit_code == 0
    (pictures / "layers.psd").write_bytes(b"8BPS")
    assert realfake_predict(pictures, model=detector_file).exit_code == 2


@pytest.mark.parametrize("top", [".", "pictures"])
def test_a_folder_that_cannot_be_read_makes_the_exit_code_2(
    detector_file, pictures, monkeypatch, top
):
    closed = str(pictures / "deeper")
    scandir = os.scandir

    def guarded(path):
        if os.path.abspath(path) == closed:
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.chdir(pictures.parent)
    monkeypatch.setattr(os, "scandir", guarded)  # root may read everything
    result = realfake_predict(top, model=detector_file)
    assert result.exit_code == 2
    assert f"1 unreadable folder ({os.path.join('pictures', 'deeper')})" in result.stderr
    assert "bright.png" in result.stdout


def test_a_folder_of_other_kinds_only_says_which(tmp_path):
    (tmp_path / "a.xcf").touch()
    with pytest.raises(UserError, match=r"No images in .* \(1 \.xcf\)"):
        prediction.find_images([tmp_path])


def test_a_name_that_is_no_text_can_be_printed(detector_file, pictures):
    (pictures / "bright.png").rename(pictures / os.fsdecode(b"caf\xe9.png"))
    result = realfake_predict(pictures, model=detector_file, csv=pictures / "t.csv")
    assert result.exit_code == 0 and "caf\\xe9.png" in result.stdout


def test_a_file_named_twice_is_scored_once(pictures):
    assert len(prediction.find_images([pictures, pictures / "bright.png"])[0]) == 2


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("nowhere.jpg", {}, "nowhere.jpg"),
        ("", {}, "A path is empty"),
        ("pictures", dict(threshold=1.5), "--threshold"),
        ("pictures", dict(batch_size=0), "--batch-size"),
        ("pictures", dict(model="no_such"), "no_such"),
        ("pictures", dict(model="gone.keras"), "gone.keras"),
        ("pictures", dict(model="gone.onnx"), "gone.onnx"),
        ("pictures", dict(csv="pictures"), "--csv pictures is a folder"),
        ("pictures", dict(csv="pictures/bright.png"), "name of an image"),
        ("pictures", dict(explain="pictures/bright.png"), "is not a folder"),
    ],
)
def test_mistakes_are_named_before_tensorflow_is_imported(
    path, options, message, pictures, monkeypatch
):
    monkeypatch.chdir(pictures.parent)
    monkeypatch.setattr(console, "import_tensorflow", None)
    monkeypatch.setattr(realfake_lib, "load_detector", None, raising=False)
    assert message in refusal(path, **options)


def test_explanations_that_cannot_be_written_cost_no_verdict(
    detector_file, pictures, tmp_path, monkeypatch
):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(prediction._Explanations, "_save", full)
    done = realfake_predict(pictures, model=detector_file, explain=tmp_path / "why")
    assert done.exit_code == 2
    assert "bright.png" in done.stdout and "dark.jpg" in done.stdout
    assert "why is incomplete: No space left on device" in done.stderr
    assert "explanations are in" not in done.stderr


def test_a_table_that_cannot_be_written_costs_no_verdict(onnx_file, pictures):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    done = realfake_predict(pictures, model=onnx_file, csv="/dev/full")
    assert done.exit_code == 2 and "No space left" in done.stderr
    assert "bright.png" in done.stdout and "dark.jpg" in done.stdout


def test_a_name_cannot_steer_the_terminal(onnx_file, tmp_path):
    Image.new("RGB", (16, 16)).save(tmp_path / "\033[2Jtwo\nlines.png")
    done = realfake_predict(tmp_path, model=onnx_file)
    assert "\\x1b[2Jtwo\\nlines.png" in done.stdout and "\033" not in done.stdout
