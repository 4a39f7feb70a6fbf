"""ONNX files of detectors: what is wrong with one is said, and none needs TensorFlow."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from realfake_lib import model_metadata, onnx_files
from realfake_lib.errors import UserError


def value(kind, *shape, name="pixels"):
    return helper.make_tensor_value_info(name, kind, shape)


def network(side=16, **changes):
    """A network that takes the mean of all pixels for the logit, as an ONNX model.

    It is made here without the library, as a stranger's would be.
    """
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Reshape", ["mean", "shape"], ["logit"]),
    ]
    parts = {
        "nodes": nodes,
        "name": "mean",
        "inputs": [
            helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", side, side, 3])
        ],
        "outputs": [helper.make_tensor_value_info("logit", TensorProto.FLOAT, ["n", 1])],
        "initializer": [numpy_helper.from_array(np.array([-1, 1]), "shape")],
    }
    graph = helper.make_graph(**{**parts, **changes})
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write(path, model, **meta):
    """Write a model with a description that fits, as somebody hostile would, too."""
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    described = {"sha256": model_metadata.sha256(path)}
    model_metadata.write(path, {"schema": model_metadata.SCHEMA, "onnx": described} | meta)
    return path


@pytest.fixture
def saved(tmp_path):
    return write(tmp_path / "mean.onnx", network(), threshold=0.4)


def test_a_network_gives_its_logits_in_any_batches(saved):
    loaded, meta = onnx_files.load(saved)
    images = np.random.default_rng(0).integers(0, 256, (7, 16, 16, 3), np.uint8)
    expected = images.mean((1, 2, 3))
    assert loaded.image_size == 16 and meta["threshold"] == 0.4
    np.testing.assert_allclose(loaded.logits(images, batch_size=3), expected, rtol=1e-5)
    np.testing.assert_allclose(loaded.logits(images, np.array([5, 0])), expected[[5, 0]], rtol=1e-5)


def test_scaled_pixels_are_an_error_and_no_verdict(saved):
    with pytest.raises(ValueError, match="uint8"):
        onnx_files.load(saved)[0].logits(np.zeros((1, 16, 16, 3), np.float32))


def test_a_changed_or_truncated_file_is_refused(saved):
    saved.write_bytes(saved.read_bytes()[:-5])
    with pytest.raises(UserError, match="changed, or cut off"):
        onnx_files.load(saved)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="No model file .*nothing.onnx"):
        onnx_files.load(tmp_path / "nothing.onnx")


def test_a_file_without_a_description_is_not_trusted(saved):
    model_metadata.path_of(saved).unlink()
    with pytest.raises(UserError, match="has no mean.json"):
        onnx_files.load(saved)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("threshold", value) for value in (None, "x", float("nan"), 2)],
        *[("temperature", value) for value in (0, -1, "nan", True, float("inf"))],
        *[("uncertain_band", value) for value in (5, [0.1], [0.9, 0.1], ["a", "b"])],
        *[("unseen", value) for value in ([1], {"ddpm": 1}, {"ddpm": {"fake_recall": "x"}})],
        *[("bands", {rate: [0.1, 0.9]}) for rate in ("abc", "0.10", "2.0")],
        *[("held_out", value) for value in ({"x": 1}, [1], {"all.equalised": {"auroc": 0.8}})],
        ("data", 5),
        ("trained_on", "CIFAKE"),
        ("image_size", "32"),
    ],
)
def test_a_description_that_no_verdict_can_be_made_with_is_refused(saved, name, value):
    described = saved.with_suffix(".json")
    described.write_text(json.dumps(json.loads(described.read_text()) | {name: value}))
    with pytest.raises(UserError, match=f"{described.name} gives {name} as"):
        onnx_files.load(saved)


def test_a_description_of_the_keras_form_alone_is_not_enough(saved):
    model_metadata.write(saved, {"schema": model_metadata.SCHEMA})
    with pytest.raises(UserError, match="does not describe an ONNX file"):
        onnx_files.load(saved)


def elsewhere():
    """A network whose weights are said to lie in another file."""
    model = network()
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../secret")
    return model


def hidden_elsewhere():
    """The same, within a constant in the middle of the network."""
    tensor = numpy_helper.from_array(np.array([-1, 1]))
    tensor.external_data.add(key="location", value="secret")
    model = network()
    model.graph.node.insert(0, helper.make_node("Identity", ["pixels"], ["x"], value=tensor))
    return model


def with_loop():
    body = helper.make_graph([], "body", [], [])
    return network(nodes=[helper.make_node("Loop", ["pixels"], ["logit"], body=body)])


def graph_in_a_known_operator():
    body = helper.make_graph([], "body", [], [])
    return network(nodes=[helper.make_node("Identity", ["pixels"], ["logit"], body=body)])


def of_a_foreign_domain():
    node = helper.make_node("Relu", ["pixels"], ["logit"], domain="com.example")
    return network(nodes=[node])


def with_foreign_operators_declared():
    model = network()
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    return model


def with_function():
    model = network()
    model.functions.add(name="Relu", domain="com.example")
    return model


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (elsewhere, "weights in other files"),
        (hidden_elsewhere, "weights in other files"),
        (with_loop, "Loop"),
        (graph_in_a_known_operator, "Identity with a graph inside"),
        (of_a_foreign_domain, "com.example.Relu"),
        (with_foreign_operators_declared, "operators of 'com.example'"),
        (with_function, "more than one plain graph"),
    ],
)
def test_a_file_that_brings_more_than_standard_operators_is_refused(tmp_path, make, words):
    path = write(tmp_path / "bad.onnx", make())
    with pytest.raises(UserError, match=f"{words}.*does not load"):
        onnx_files.load(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": [value(TensorProto.FLOAT, "n", 16, 16, 3)]},
        {"inputs": [value(TensorProto.UINT8, "n", 16, 8, 3)]},
        {"inputs": [value(TensorProto.UINT8, "n", 3, 16, 16)]},
        {"inputs": [value(TensorProto.UINT8, "n", "h", "w", 3)]},
        {"inputs": [value(TensorProto.UINT8, "n", 16, 16, 3, name="x")]},
        {"inputs": []},
        {"outputs": [value(TensorProto.FLOAT, "n", 2, name="logit")]},
        {"outputs": [value(TensorProto.FLOAT, "n", 1, name="p")]},
    ],
)
def test_a_network_of_another_kind_is_refused(tmp_path, changes):
    path = write(tmp_path / "other.onnx", network(**changes))
    with pytest.raises(UserError, match="does not take square uint8 images"):
        onnx_files.load(path)


def test_a_file_that_is_no_onnx_is_refused(tmp_path):
    with pytest.raises(UserError, match="is no ONNX file"):
        onnx_files.load(write(tmp_path / "not.onnx", b"not an ONNX file"))


def test_a_file_that_onnx_runtime_cannot_read_is_named(tmp_path):
    model = network()
    model.graph.node[1].input[0] = "nowhere"
    with pytest.raises(UserError, match="cannot read .*broken.onnx"):
        onnx_files.load(write(tmp_path / "broken.onnx", model))


@pytest.mark.parametrize(
    ("shape", "words"), [([1, 1], "cannot be computed"), ([1, -1], "one logit for each image")]
)
def test_a_file_that_does_not_compute_what_it_declares_is_named(tmp_path, shape, words):
    weights = [numpy_helper.from_array(np.array(shape), "shape")]
    loaded, _ = onnx_files.load(write(tmp_path / "odd.onnx", network(initializer=weights)))
    with pytest.raises(UserError, match=f"odd.onnx .*{words}"):
        loaded.logits(np.zeros((5, 16, 16, 3), np.uint8))


def test_external_data_is_found_by_the_format_itself(tmp_path):
    assert onnx.external_data_helper.uses_external_data(elsewhere().graph.initializer[0])


def test_the_command_line_imports_neither_onnx_nor_its_runtime():
    code = (
        "import sys, realfake_lib.cli, realfake_lib.prediction\n"
        "print(sorted({'onnx', 'onnxruntime', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
