"""Backbones: flat, frozen, with the right preprocessing, and weights that are really there."""

import functools
import http.server
import threading
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from realfake_lib import models
from realfake_lib.data import fetch
from realfake_lib.errors import UserError
from realfake_lib.models import flops, transfer

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("float32")


@pytest.fixture(autouse=True)
def no_weights(monkeypatch, tmp_path):
    """No folder of weights, no cache of Keras, no network."""
    monkeypatch.delenv("REALFAKE_WEIGHTS", raising=False)
    monkeypatch.delenv("REALFAKE_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(transfer, "_SITE", "http://127.0.0.1:9")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    path = tmp_path / "weights"
    path.mkdir()
    monkeypatch.setenv("REALFAKE_WEIGHTS", str(path))
    return path


def reference(backbone, last=None, seed=3):
    keras.utils.set_random_seed(seed)
    name = "whole.h5" if last is None else f"{backbone}_imagenet_to_{last}.weights.h5"
    return transfer._reference(backbone, Path(name))


@pytest.mark.parametrize("backbone", transfer.BACKBONES)
def test_a_backbone_is_flat_and_frozen_but_for_its_logit(backbone):
    model = transfer.build(backbone, weights=None)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert [w.path for w in model.trainable_weights] == ["logit/kernel", "logit/bias"]
    assert model(PIXELS).shape == (2, 1) and flops(model) > 0


@pytest.mark.parametrize("backbone", transfer.BACKBONES)
def test_preprocessing_inside_equals_its_own(backbone, folder):
    known = transfer.BACKBONES[backbone]
    bare = reference(backbone)
    bare.save_weights(folder / "all.weights.h5")
    model = transfer.build(backbone, weights=folder / "all.weights.h5")
    if backbone == "efficientnet_lite0":  # not one of Keras
        scaled = (PIXELS - 127) / 128
    else:
        package = {"efficientnetv2b0": "efficientnet_v2"}.get(backbone, backbone)
        scaled = getattr(keras.applications, package).preprocess_input(PIXELS.copy())
    expected = keras.Model(bare.input, bare.get_layer(known.cut_layer).output)(scaled)
    found = keras.Model(model.input, model.get_layer(known.cut_layer).output)(PIXELS)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("backbone", sorted(set(transfer.BACKBONES) - {"efficientnet_lite0"}))
def test_a_file_in_the_format_of_keras_server_is_found_and_loaded(backbone, folder):
    bare, known = reference(backbone), transfer.BACKBONES[backbone]
    with h5py.File(folder / known.file, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, bare)
    model = transfer.build(backbone)
    layer = next(layer for layer in reversed(model.layers[:-1]) if layer.weights)
    for found, expected in zip(
        layer.get_weights(), bare.get_layer(layer.name).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_random_weights_show_in_the_name():
    assert transfer.build("mobilenet", weights=None).name.endswith("_random")


def test_images_are_enlarged_inside_the_model():
    model = transfer.build("mobilenet", "conv_pw_5_relu", input_size=64, weights=None)
    assert model.input_shape == (None, 32, 32, 3)
    assert model.get_layer("conv_pw_5_relu").output.shape == (None, 8, 8, 256)


@pytest.mark.parametrize("backbone", transfer.BACKBONES)
def test_images_that_are_too_small_for_a_backbone_are_enlarged_to_what_it_needs(backbone):
    model = transfer.build(backbone, image_size=16, weights=None)
    assert model.input_shape == (None, 16, 16, 3)
    assert model.get_layer("resize").output.shape == (None, 32, 32, 3)


@pytest.mark.parametrize("backbone", ["mobilenet", "resnet50", "efficientnetv2b0"])
def test_a_stem_of_stride_1_keeps_the_kernels_and_doubles_the_maps(backbone, folder):
    bare = reference(backbone)
    bare.save_weights(folder / "all.weights.h5")
    known = transfer.BACKBONES[backbone]
    usual, fine = (
        transfer.build(backbone, weights=folder / "all.weights.h5", stem_stride=stride)
        for stride in (None, 1)
    )
    for one, other in zip(usual.get_weights(), fine.get_weights(), strict=True):
        if one.shape[-1] != 1:  # but for the logit, which is fresh
            np.testing.assert_array_equal(one, other)
    maps = [model.get_layer(known.cut_layer).output.shape[1] for model in (usual, fine)]
    assert maps[1] == 2 * maps[0]
    assert fine.name.endswith("_stride1")
    assert [w.path for w in fine.trainable_weights] == ["logit/kernel", "logit/bias"]


@pytest.mark.parametrize("backbone", transfer.BACKBONES)
def test_every_backbone_survives_a_file(backbone, tmp_path):
    model = transfer.build(backbone, weights=None)
    models.save(model, tmp_path / "m.keras")
    assert np.array_equal(models.load(tmp_path / "m.keras")[0](PIXELS), model(PIXELS))


def test_another_head_stands_on_the_same_features():
    model = models.build("tiny_cnn")
    ten = transfer.with_head(model, 10)
    assert ten(PIXELS).shape == (2, 10)
    assert all(layer.trainable for layer in ten.layers)
    gap = [keras.Model(m.input, m.get_layer("gap").output)(PIXELS) for m in (model, ten)]
    np.testing.assert_array_equal(*gap)
    assert transfer.with_head(ten)(PIXELS).shape == (2, 1)


def test_a_network_without_pooling_takes_no_other_head():
    with pytest.raises(UserError, match="no layer 'gap'"):
        transfer.with_head(models.build("baseline_cnn"))


def test_a_partial_file_serves_every_cut_up_to_its_end(folder):
    bare = reference("mobilenet", "conv_pw_3")
    bare.save_weights(folder / "mobilenet_imagenet_to_conv_pw_3.weights.h5")
    model = transfer.build("mobilenet", "conv_pw_2_relu")
    assert np.array_equal(model.get_layer("conv_pw_2").kernel, bare.get_layer("conv_pw_2").kernel)
    assert "to_conv_pw_3." in transfer.find_weights("mobilenet", "conv_pw_3_relu").name


def test_a_partial_file_that_ends_too_early_is_said_to(folder):
    path = folder / "mobilenet_imagenet_to_conv_pw_3.weights.h5"
    reference("mobilenet", "conv_pw_3").save_weights(path)
    with pytest.raises(transfer.MissingWeights, match="ends before conv_pw_5_relu"):
        transfer.build("mobilenet", "conv_pw_5_relu")
    with pytest.raises(transfer.MissingWeights, match="before conv_pw_5_relu"):
        transfer.build("mobilenet", "conv_pw_5_relu", weights=path)


def test_weights_lie_beside_the_data_too(tmp_path, monkeypatch):
    monkeypatch.setenv("REALFAKE_DATA", str(tmp_path))
    path = tmp_path / "weights" / "mobilenet_imagenet_to_conv_pw_1.weights.h5"
    path.parent.mkdir()
    reference("mobilenet", "conv_pw_1").save_weights(path)
    assert transfer.find_weights("mobilenet", "conv_pw_1_relu") == path


def test_missing_weights_say_where_they_were_looked_for(folder):
    with pytest.raises(transfer.MissingWeights) as caught:
        transfer.build("vgg16")
    for words in ("vgg16", "block3_pool", str(folder), "download failed"):
        assert words in caught.value.message
    assert "REALFAKE_WEIGHTS" in caught.value.hint


def test_weights_are_found_in_an_archive(tmp_path, monkeypatch):
    name = "mobilenet_imagenet_to_conv_pw_1.weights.h5"
    reference("mobilenet", "conv_pw_1").save_weights(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "own.zip", "w") as archive:
        archive.write(tmp_path / name, f"any folder/{name}")
    monkeypatch.setenv("REALFAKE_WEIGHTS", str(tmp_path / "own.zip"))
    monkeypatch.setenv("REALFAKE_CACHE", str(tmp_path / "cache"))
    found = transfer.find_weights("mobilenet", "conv_pw_1_relu")
    assert found.read_bytes() == (tmp_path / name).read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [("gone", None, "does not exist"), ("a.txt", b"x", "neither a folder nor an archive"),
     ("cut.zip", b"PK", "cut off or damaged")],
)  # fmt: skip
def test_a_setting_that_leads_to_no_weights_is_named(tmp_path, monkeypatch, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    monkeypatch.setenv("REALFAKE_WEIGHTS", str(tmp_path / name))
    with pytest.raises(transfer.MissingWeights, match=f"REALFAKE_WEIGHTS: .*{name} .*{message}"):
        transfer.find_weights("vgg16", allow_download=False)
    # What lies elsewhere is found all the same.
    path = tmp_path / "data" / "weights" / "mobilenet_imagenet_to_conv_pw_1.weights.h5"
    path.parent.mkdir(parents=True)
    reference("mobilenet", "conv_pw_1").save_weights(path)
    monkeypatch.setenv("REALFAKE_DATA", str(tmp_path / "data"))
    assert transfer.find_weights("mobilenet", "conv_pw_1_relu") == path


def test_without_download_no_server_is_asked(monkeypatch):
    monkeypatch.setattr(fetch, "download", lambda *arguments: pytest.fail("asked"))
    with pytest.raises(transfer.MissingWeights):
        transfer.find_weights("resnet50", allow_download=False)


def test_a_download_lands_in_keras_cache_if_it_is_the_right_file(tmp_path, monkeypatch):
    site = tmp_path / "site"
    (site / "mobilenet").mkdir(parents=True)
    name = transfer.BACKBONES["mobilenet"].file
    (site / "mobilenet" / name).write_bytes(b"weights")
    (site / "vgg16").mkdir()
    (site / "vgg16" / transfer.BACKBONES["vgg16"].file).write_bytes(b"other")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=site)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(transfer, "_SITE", f"http://127.0.0.1:{server.server_port}")
    assert transfer.find_weights("mobilenet") == tmp_path / "keras" / "models" / name
    with pytest.raises(transfer.MissingWeights, match="other contents than expected"):
        transfer.find_weights("vgg16")
    assert not (tmp_path / "keras" / "models" / transfer.BACKBONES["vgg16"].file).exists()
    server.shutdown()
    server.server_close()


def test_a_damaged_weights_file_is_named(folder):
    path = folder / transfer.BACKBONES["mobilenet"].file
    path.write_bytes(b"not HDF5")
    with pytest.raises(UserError, match="does not hold the weights of mobilenet"):
        transfer.build("mobilenet")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"backbone": "alexnet"}, "Unknown backbone 'alexnet'"),
        ({"backbone": "vgg16", "cut_layer": "block9"}, "no layer 'block9'"),
        ({"backbone": "vgg16", "input_size": 16}, "needs 32 pixels"),
        ({"backbone": "vgg16", "weights": "/nowhere.h5"}, "No weights file"),
    ],
)
def test_a_wrong_name_layer_size_or_path_is_named(arguments, words):
    with pytest.raises(UserError, match=words):
        transfer.build(**({"weights": None} | arguments))


def test_a_partial_file_named_after_no_layer_is_named(folder):
    (folder / "mobilenet_imagenet_to_nowhere.weights.h5").write_bytes(b"")
    with pytest.raises(UserError, match="no layer 'nowhere'"):
        transfer.find_weights("mobilenet")
