"""ONNX files: equal to Keras, the same bytes each time, and nothing written that is not."""

import json

import keras
import numpy as np
import onnx
import pytest

from realfake_lib import model_metadata, models, onnx_files
from realfake_lib.errors import UserError
from realfake_lib.models import export, texture, transfer

META = {"schema": model_metadata.SCHEMA, "temperature": 1.5}


@pytest.fixture(scope="module")
def tiny():
    return models.build("tiny_cnn", 16)


@pytest.mark.parametrize("name", models.available())
def test_every_network_gives_the_same_logits_as_onnx(name, tmp_path):
    model = models.build(name)
    for layer in model.layers:  # averages as after training; fresh ones would hide half a BatchNorm
        if isinstance(layer, keras.layers.BatchNormalization):
            dice = np.random.default_rng(0)
            layer.set_weights([dice.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    path = tmp_path / "m.onnx"
    written = export.to_onnx(model, path, META)
    network, meta = onnx_files.load(path)
    assert meta == written and meta["temperature"] == 1.5
    pixels = np.random.default_rng(1).integers(0, 256, (5, 32, 32, 3), np.uint8)
    expected = np.asarray(model(pixels.astype("float32")))[:, 0]
    np.testing.assert_allclose(network.logits(pixels), expected, atol=export.TOLERANCE, rtol=0)
    assert 0 <= meta["onnx"]["max_abs_difference"] <= export.TOLERANCE


def test_a_pre_trained_backbone_can_be_exported(tmp_path):
    model = transfer.build("mobilenet", "conv_pw_3_relu", 32, weights=None)
    export.to_onnx(model, tmp_path / "m.onnx", META)
    assert onnx_files.load(tmp_path / "m.onnx")[0].image_size == 32


def test_the_same_network_gives_the_same_bytes(tiny):
    assert export.to_bytes(tiny) == export.to_bytes(tiny)


def test_two_builds_of_a_network_differ_in_their_weights_alone(tiny):
    first, second = (onnx.load_from_string(export.to_bytes(m)) for m in (tiny, copy_of(tiny)))
    assert first == second


def copy_of(model):
    copy = models.build(model.name, model.input_shape[1])
    copy.set_weights(model.get_weights())
    return copy


@pytest.mark.parametrize("rounded", [False, True])
def test_weights_of_few_levels_are_stored_as_bytes_and_are_the_same_numbers(rounded, tmp_path):
    model = models.build("depthwise_cnn", 16)
    if rounded:
        texture.round_kernels(model)
    written = export.to_onnx(model, tmp_path / "m.onnx", META)
    graph = onnx.load(tmp_path / "m.onnx").graph
    stored = {t.data_type for t in graph.initializer if len(t.dims) == 4 and np.prod(t.dims) > 255}
    assert (onnx.TensorProto.FLOAT in stored) is not rounded
    assert (onnx.TensorProto.INT8 in stored) is rounded
    assert written["onnx"]["max_abs_difference"] <= export.TOLERANCE
    assert (written["onnx"]["bytes"] < 2 * model.count_params()) is rounded
    onnx_files.load(tmp_path / "m.onnx")


def test_the_description_tells_what_goes_in_and_what_comes_out(tiny, tmp_path):
    path = tmp_path / "tiny.onnx"
    written = export.to_onnx(tiny, path, META)["onnx"]
    assert json.loads((tmp_path / "tiny.json").read_text())["onnx"] == written
    assert written["input"] == "pixels: uint8 (n, 16, 16, 3), 0 to 255"
    assert written["sha256"] == model_metadata.sha256(path)
    assert written["bytes"] == path.stat().st_size
    assert onnx.load(path).opset_import[0].version == written["opset"] == export.OPSET


def test_an_export_beside_the_model_leaves_it_loadable(tiny, tmp_path):
    models.save(tiny, tmp_path / "tiny.keras", {"threshold": 0.4})
    export.to_onnx(tiny, tmp_path / "tiny.onnx", models.load(tmp_path / "tiny.keras")[1])
    meta = models.load(tmp_path / "tiny.keras")[1]
    assert meta["threshold"] == 0.4 and onnx_files.load(tmp_path / "tiny.onnx")[1] == meta


def test_a_new_model_disowns_the_onnx_file_of_the_old_one(tiny, tmp_path):
    models.save(tiny, tmp_path / "tiny.keras")
    export.to_onnx(tiny, tmp_path / "tiny.onnx", models.load(tmp_path / "tiny.keras")[1])
    models.save(models.build("tiny_cnn", 16), tmp_path / "tiny.keras")
    with pytest.raises(UserError, match="does not describe an ONNX file"):
        onnx_files.load(tmp_path / "tiny.onnx")


def test_a_file_that_differs_from_keras_is_not_kept(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "largest_difference", lambda *_: 2e-3)
    with pytest.raises(UserError, match="differ from Keras's by 0.002"):
        export.to_onnx(tiny, tmp_path / "tiny.onnx", META)
    assert not list(tmp_path.iterdir())


def test_a_difference_that_is_not_a_number_is_a_difference(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "largest_difference", lambda *_: float("nan"))
    with pytest.raises(UserError, match="nothing was written"):
        export.to_onnx(tiny, tmp_path / "tiny.onnx", META)


def test_differences_between_two_networks_are_found(tiny):
    other = onnx_files.OnnxNetwork(export.to_bytes(models.build("tiny_cnn", 16)))
    assert export.largest_difference(tiny, other, export.probes(16, 4)) > export.TOLERANCE


def test_another_suffix_is_refused(tiny, tmp_path):
    with pytest.raises(UserError, match="must end in .onnx"):
        export.to_onnx(tiny, tmp_path / "tiny.pb", META)


def test_probes_are_noise_photographs_and_extremes():
    pictures = export.probes(16, 8)
    assert pictures.shape == (18, 16, 16, 3) and pictures.dtype == np.uint8
    assert np.array_equal(pictures, export.probes(16, 8))
    # Neighbouring pixels of a photograph are alike, those of noise are not.
    steps = np.abs(np.diff(pictures.astype(float), axis=2)).mean((1, 2, 3))
    assert steps[:8].min() > 2 * steps[8:16].max()
    assert pictures[-2].max() == 0 and pictures[-1].min() == 255
