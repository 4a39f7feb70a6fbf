"""Detectors as ONNX files: checked before anything in them is trusted, and run without TensorFlow.

:mod:`realfake_lib.models.export` writes these files. ONNX Runtime starts in a fraction of the time
that TensorFlow takes to be imported, so verdicts on a few images come from here.
"""

import hashlib
import os
from pathlib import Path

import numpy as np

from realfake_lib import model_metadata, parallel
from realfake_lib.errors import UserError

INPUT, OUTPUT = "pixels", "logit"

OPERATORS = frozenset(
    """Add AveragePool BatchNormalization Cast Clip Concat Conv Div Exp Flatten Gather Gemm
    GlobalAveragePool GlobalMaxPool HardSigmoid HardSwish Identity MatMul Max MaxPool Min Mul Neg
    Pad ReduceMax ReduceMean Relu Reshape Resize Shape Sigmoid Slice Sqrt Squeeze Sub Tanh Transpose
    Unsqueeze""".split()
)
"""Operators of the ONNX standard that a file may hold: those that this library's networks come to.
None of them repeats, branches, reads files or runs code that comes with the file."""

DOMAINS = ("", "ai.onnx")
"""Names of the standard's own operator set. Any other set would be somebody's extension."""


class OnnxNetwork:
    """A detector's network in ONNX Runtime, from the content of a file; it can be pickled.

    ``name`` stands in messages.
    """

    def __init__(self, content, name="the network"):
        self._content, self._name = content, name
        self._session = session(content, name)
        self.image_size = self._session.get_inputs()[0].shape[1]

    def __reduce__(self):
        return OnnxNetwork, (self._content, self._name)

    def logits(self, images, indices=None, batch_size=64):
        """Logits for REAL of (n, h, w, 3) uint8 images, or of those at ``indices``, in order.

        Every core computes a batch of its own; may be called from several threads, too. Pixels
        scaled to [0, 1] would give wrong verdicts, so they are a ValueError.
        """
        if images.dtype != np.uint8:
            raise ValueError(f"pixels are uint8, 0 to 255, not {images.dtype}")
        count = len(images) if indices is None else len(indices)
        logits = np.empty(count, np.float32)

        def score(start):
            window = slice(start, start + batch_size)
            chosen = images[window] if indices is None else images[indices[window]]
            logits[window] = self._run(np.ascontiguousarray(chosen))[:, 0]

        list(parallel.each(score, range(0, count, batch_size)))
        return logits

    def _run(self, pixels):
        try:
            (found,) = self._session.run([OUTPUT], {INPUT: pixels})
        except Exception as error:  # ONNX Runtime has a class for each of its errors
            raise UserError(
                f"{self._name} cannot be computed: {error}", model_metadata.AGAIN
            ) from None
        # ONNX Runtime takes the shapes that a file declares for a hint.
        if found.shape != (len(pixels), 1):
            raise UserError(
                f"{self._name} does not give one logit for each image.", model_metadata.AGAIN
            )
        return found


def load(path):
    """Load a network that :func:`realfake_lib.models.export.to_onnx` wrote, without TensorFlow.

    Gives the OnnxNetwork and what the JSON file says. Before ONNX Runtime sees the file, its hash
    is compared with the one in the JSON file beside it, and what it holds with :data:`OPERATORS`;
    all that is wrong with it is a UserError.
    """
    path = Path(path)
    meta = model_metadata.read(path)
    if not model_metadata.describes_onnx(meta):
        raise UserError(
            f"{model_metadata.path_of(path)} does not describe an ONNX file.",
            f"Export it again: realfake export --model FILE.keras --output {path.name}",
        )
    content = path.read_bytes()
    model_metadata.check_hash(path, hashlib.sha256(content).hexdigest(), meta["onnx"].get("sha256"))
    refuse_foreign(content, path)
    # The very bytes that were checked, so that no other file can take their place meanwhile.
    return OnnxNetwork(content, path), meta


def session(content, name):
    """Start ONNX Runtime on the processor."""
    # From version 1.32 on it would report its use to its maker, and write a device id into HOME.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; they are told here
    # One thread a batch and several batches at once: threads that share a batch spend half of
    # their time in waiting for each other.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a class for each of its errors
        raise UserError(
            f"ONNX Runtime {onnxruntime.__version__} cannot read {name}: {error}",
            model_metadata.AGAIN,
        ) from None


def refuse_foreign(content, name, hint=model_metadata.AGAIN):
    """Raise UserError unless ``content`` is a network of standard operators, all weights in it."""
    import onnx

    try:
        model = onnx.load_from_string(content)
    except Exception as error:  # protobuf's own
        raise UserError(f"{name} is no ONNX file: {error}", hint) from None
    graph = model.graph
    foreign = set(_foreign(model, onnx))
    if foreign:
        what = ", ".join(sorted(foreign))
        raise UserError(f"{name} holds {what}, which this library does not load.", hint)
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    sides = [dim.dim_value for value in inputs for dim in value.type.tensor_type.shape.dim[1:2]]
    wanted = [interface(side) for side in sides]
    if len(wanted) != 1 or [(value, *graph.output) for value in inputs] != wanted:
        raise UserError(
            f"{name} does not take square uint8 images as {INPUT!r} and give one {OUTPUT!r}.",
            hint,
        )


def interface(side):
    """What goes in, square images of ``side`` pixels, and what comes out, as ONNX describes it."""
    import onnx

    make = onnx.helper.make_tensor_value_info
    taken = make(INPUT, onnx.TensorProto.UINT8, ("n", side, side, 3))
    return taken, make(OUTPUT, onnx.TensorProto.FLOAT, ("n", 1))


def _foreign(model, onnx):
    """What a file holds that no network of this library has."""
    attributes = [attribute for node in model.graph.node for attribute in node.attribute]
    tensors = [*model.graph.initializer, *(one for a in attributes for one in (a.t, *a.tensors))]
    if any(one.data_location == one.EXTERNAL or one.external_data for one in tensors):
        yield "weights in other files"
    if model.graph.sparse_initializer or model.functions or model.training_info:
        yield "more than one plain graph"
    for used in model.opset_import:
        if used.domain not in DOMAINS:
            yield f"operators of {used.domain!r}"
    for node in model.graph.node:
        if node.domain not in DOMAINS or node.op_type not in OPERATORS:
            yield f"{node.domain}.{node.op_type}".lstrip(".")
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            yield f"{node.op_type} with a graph inside"
