"""Model files: what is saved comes back, and what is wrong with a file is said."""

import json
import time
import zipfile

import keras
import numpy as np
import pytest

from realfake_lib import model_metadata, models
from realfake_lib.errors import UserError

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype("float32")


@pytest.fixture
def saved(tmp_path):
    model = models.build("tiny_cnn")
    path = tmp_path / "tiny.keras"
    models.save(model, path, {"threshold": 0.4, "temperature": 1.5})
    return model, path


@pytest.mark.parametrize("network", ["tiny_cnn", "baseline_cnn", "deep_cnn"])
def test_the_same_model_gives_the_same_bytes_whenever_it_is_saved(tmp_path, network):
    model = models.build(network)
    again = models.build(network)
    again.set_weights(model.get_weights())
    models.save(model, tmp_path / "a.keras")
    time.sleep(2.1)  # a zip file tells times to two seconds
    models.save(again, tmp_path / "b.keras")
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    read, _ = models.load(tmp_path / "b.keras")
    np.testing.assert_array_equal(read(PIXELS), model(PIXELS))


def change(path, **entries):
    file = model_metadata.path_of(path)
    file.write_text(json.dumps(json.loads(file.read_text()) | entries))


def rewrite(path, edit):
    """Change a model file's configuration, hash and all, as somebody hostile would."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    edit(config)
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    change(path, sha256=model_metadata.sha256(path))


def test_a_saved_model_gives_the_same_logits_and_what_was_said_about_it(saved):
    model, path = saved
    loaded, meta = models.load(path)
    assert np.array_equal(loaded(PIXELS), model(PIXELS))
    assert meta["threshold"] == 0.4 and meta["temperature"] == 1.5
    assert meta["image_size"] == 32 and meta["classes"] == ["FAKE", "REAL"]
    assert meta["parameters"] == model.count_params()


@pytest.mark.parametrize("name", models.available())
def test_every_network_survives_a_file(name, tmp_path):
    model = models.build(name)
    models.save(model, tmp_path / "m.keras")
    assert np.array_equal(models.load(tmp_path / "m.keras")[0](PIXELS), model(PIXELS))


def test_a_loaded_model_is_float32_and_can_be_trained(saved):
    loaded, _ = models.load(saved[1])
    assert {layer.compute_dtype for layer in loaded.layers} == {"float32"}
    assert loaded.trainable_weights


def test_saving_leaves_nothing_but_the_two_files(saved):
    assert sorted(p.name for p in saved[1].parent.iterdir()) == ["tiny.json", "tiny.keras"]


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(UserError, match="must end in .keras"):
        models.save(models.build("tiny_cnn"), tmp_path / "model.h5")


def test_a_layer_that_could_not_be_loaded_is_not_saved(tmp_path):
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, keras.layers.GaussianNoise(0.1)(inputs))
    with pytest.raises(ValueError, match="GaussianNoise"):
        models.save(model, tmp_path / "m.keras")
    assert not list(tmp_path.iterdir())


def test_a_model_of_mixed_precision_is_not_saved(tmp_path):
    inputs = keras.Input((32, 32, 3))
    layer = keras.layers.Conv2D(2, 3, dtype="mixed_bfloat16")
    with pytest.raises(ValueError, match="float32"):
        models.save(keras.Model(inputs, layer(inputs)), tmp_path / "m.keras")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="nothing.keras"):
        models.load(tmp_path / "nothing.keras")


def test_a_model_without_its_metadata_is_not_trusted(saved):
    model_metadata.path_of(saved[1]).unlink()
    with pytest.raises(UserError, match="no tiny.json"):
        models.load(saved[1])


@pytest.mark.parametrize("content", ["{", "[]", ""])
def test_metadata_that_are_not_json_is_named(saved, content):
    model_metadata.path_of(saved[1]).write_text(content)
    with pytest.raises(UserError, match="tiny.json"):
        models.load(saved[1])


def test_a_file_of_another_schema_is_refused(saved):
    change(saved[1], schema=99)
    with pytest.raises(UserError, match="schema 99"):
        models.load(saved[1])


def test_a_changed_or_truncated_file_is_refused(saved):
    saved[1].write_bytes(saved[1].read_bytes()[:-100])
    with pytest.raises(UserError, match="changed, or cut off"):
        models.load(saved[1])


def test_a_file_that_is_no_archive_is_refused(saved):
    saved[1].write_bytes(b"no archive")
    change(saved[1], sha256=model_metadata.sha256(saved[1]))
    with pytest.raises(UserError, match="no Keras model file"):
        models.load(saved[1])


@pytest.mark.parametrize(
    "layer",
    [
        {"module": "keras.layers", "class_name": "Lambda"},
        {"module": "os", "class_name": "Dense"},
    ],
)
def test_a_file_that_brings_code_is_refused(saved, layer):
    rewrite(saved[1], lambda config: config["config"]["layers"][1].update(layer))
    with pytest.raises(UserError, match="does not load"):
        models.load(saved[1])


def test_a_file_that_keras_cannot_read_says_which_version_wrote_it(saved):
    rewrite(saved[1], lambda config: config["config"]["layers"][2]["config"].update(filters="x"))
    change(saved[1], keras="9.9")
    with pytest.raises(UserError, match="written by Keras 9.9"):
        models.load(saved[1])
