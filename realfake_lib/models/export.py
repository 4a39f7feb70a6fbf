"""A detector as an ONNX file, for people without TensorFlow, proved equal before it is kept."""

import hashlib
import logging
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import tensorflow as tf

from realfake_lib import data, model_metadata, onnx_files
from realfake_lib.errors import UserError
from realfake_lib.onnx_files import INPUT, OUTPUT, OnnxNetwork
from realfake_lib.settings import atomic_file

OPSET = 17
"""Version of the ONNX standard's operators: read by every ONNX Runtime from 1.12 (2022) on."""

TOLERANCE = 1e-3
"""Largest difference between a logit of the file and one of Keras. It moves a probability by a
quarter of it at most."""


_WORTH_IT = 256  # weights of a convolution; fewer are not worth two more nodes


def to_onnx(model, path, meta):
    """Write a network as ONNX, and what a reader must know about it beside it.

    The file takes ``pixels``, (n, image_size, image_size, 3) uint8 in [0, 255] for any n, and gives
    ``logit``, (n, 1) float32, for REAL. Pixels are uint8 and nothing else because somebody who
    scales them to [0, 1] first should get an error, not a verdict. The same weights give the same
    bytes.

    ``meta`` is what :func:`realfake_lib.models.load` returned with the model. The result is what
    the JSON file beside it says: ``meta``, and ``onnx``, which holds hash, size, opset, input and
    output, the largest difference from Keras's logits, and on how many images. A UserError says
    where the network cannot be exported, or not so that its logits stay within :data:`TOLERANCE`;
    nothing is written then.
    """
    path = Path(path)
    if path.suffix != ".onnx":
        raise UserError(f"Cannot export a model as {path}.", "The name must end in .onnx.")
    content = to_bytes(model)
    onnx_files.refuse_foreign(content, f"{model.name} as ONNX", hint=None)
    network = OnnxNetwork(content, path)
    images = probes(model.input_shape[1])
    difference = largest_difference(model, network, images)
    if not difference <= TOLERANCE:
        raise UserError(
            f"{model.name} as ONNX gives logits that differ from Keras's by {difference:.2g}, "
            f"more than {TOLERANCE:.0e}; nothing was written."
        )
    bare = {key: value for key, value in meta.items() if key != "onnx"}
    written = bare | {
        "onnx": {
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "opset": OPSET,
            "input": f"{INPUT}: uint8 (n, {network.image_size}, {network.image_size}, 3), 0 to 255",
            "output": f"{OUTPUT}: float32 (n, 1), for REAL",
            "max_abs_difference": difference,
            "compared_on": len(images),
        }
    }
    # At no moment does the description tell of an ONNX file that is not the one beside it.
    model_metadata.write(path, bare)
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)
    model_metadata.write(path, written)
    return written


def to_bytes(model):
    """A network as the content of an ONNX file; see :func:`to_onnx`."""
    import onnx
    import tf2onnx.convert

    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8, name=INPUT)]
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)  # the rest is for its developers
    # Names hold its counter, so the same network would have another file, and hash, each time.
    tf2onnx.utils.INTERNAL_NAME = 1
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        draft = os.path.join(folder, "draft.onnx")
        options = {"input_signature": signature, "opset_version": OPSET}
        model.export(draft, format="onnx", verbose=False, **options)
        exported = onnx.load(draft)
    graph = exported.graph
    graph.ClearField("doc_string")
    names = {graph.input[0].name: INPUT, graph.output[0].name: OUTPUT}
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    taken, given = onnx_files.interface(model.input_shape[1])
    graph.input[0].CopyFrom(taken)
    graph.output[0].CopyFrom(given)
    standard = [used for used in exported.opset_import if used.domain in onnx_files.DOMAINS]
    del exported.opset_import[:]
    exported.opset_import.extend(standard)
    _store_as_bytes(exported)
    return exported.SerializeToString(deterministic=True)


def _store_as_bytes(exported):
    """Store a convolution's weights as int8 where no channel has more than 255 even levels.

    They are the same numbers: two nodes make float32 of them, once, when the file is loaded.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph, made = exported.graph, []
    for tensor in [one for one in graph.initializer if len(one.dims) == 4]:
        weights = numpy_helper.to_array(tensor).astype(np.float64)
        if weights.size < _WORTH_IT:
            continue
        step = np.abs(weights).max(axis=(1, 2, 3), keepdims=True) / 127
        levels = np.round(weights / np.maximum(step, np.finfo(np.float32).tiny))
        if np.abs(levels * step - weights).max() > 1e-6 * np.abs(weights).max():
            continue
        name = tensor.name
        graph.initializer.remove(tensor)
        parts = {"levels": levels.astype(np.int8), "step": step.astype(np.float32)}
        graph.initializer.extend(
            numpy_helper.from_array(value, f"{name}_{part}") for part, value in parts.items()
        )
        made.append(
            helper.make_node("Cast", [f"{name}_levels"], [f"{name}_float"], to=TensorProto.FLOAT)
        )
        made.append(helper.make_node("Mul", [f"{name}_float", f"{name}_step"], [name]))
    nodes = [*made, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def largest_difference(model, network, images):
    """Largest absolute difference between the logits of Keras and of an ONNX file."""
    expected = np.asarray(model(images.astype("float32"), training=False))[:, 0]
    # In two batches of different sizes, since a file may be asked for any.
    found = network.logits(images, batch_size=len(images) - 1)
    return float(np.abs(found.astype("float64") - expected).max())


def probes(image_size, n=64):
    """Images to compare two forms of a network on, the same in each call.

    ``n`` of noise, ``n`` views of photographs, one black and one white: (2 n + 2, h, w, 3) uint8.
    """
    from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images
    dice = np.random.default_rng(0)
    shape = (image_size, image_size, 3)
    views = []
    for number in range(n):
        photograph = photographs[number % len(photographs)]
        side = int(dice.integers(32, min(photograph.shape[:2]) + 1))
        top, left = (int(dice.integers(0, length - side + 1)) for length in photograph.shape[:2])
        views.append(data.resize(photograph[top : top + side, left : left + side], image_size))
    noise = dice.integers(0, 256, (n, *shape), np.uint8)
    black, white = np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)
    return np.concatenate([noise, np.stack([*views, black, white])])
