"""Verdicts from a detector's ONNX file, without TensorFlow: ... MODEL.onnx IMAGE [IMAGE ...]"""

import json
import math
import os
import sys
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when ONNX Runtime is imported
import onnxruntime  # noqa: E402

from realfake_lib.data import load_image  # noqa: E402
from realfake_lib.errors import UserError  # noqa: E402

model, *images = map(Path, sys.argv[1:])
meta = json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))
if meta.get("several_views"):
    sys.exit(f"{model} judges several squares of an image: realfake predict cuts them")
session = onnxruntime.InferenceSession(model)

for path in images:
    # Upright, on white, 8 bits, sRGB, the central square: what the network was trained on.
    try:
        pixels = load_image(path, meta["image_size"])  # (size, size, 3), uint8, 0 to 255
    except UserError as error:
        print(error, file=sys.stderr)
        continue
    (logit,) = session.run(None, {"pixels": pixels[None]})
    p_fake = 1 / (1 + math.exp(logit.item() / meta["temperature"]))
    low, high = meta["uncertain_band"]
    verdict = "FAKE" if p_fake >= meta["threshold"] else "REAL"
    if low < p_fake < high:
        verdict = "can't tell"
    print(f"{p_fake:.6f} {verdict} {path}")

print(f"{model.stem} reduces images to {meta['image_size']} pixels.", file=sys.stderr)
print("realfake predict says of which images its verdict means nothing.", file=sys.stderr)
