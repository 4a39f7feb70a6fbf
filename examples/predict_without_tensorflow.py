"""Verdicts from NumPy, Pillow and ONNX Runtime alone: ... MODEL.onnx PICTURE [PICTURE ...]"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

model, *pictures = map(Path, sys.argv[1:])
meta = json.loads(model.with_suffix(".json").read_text())
session = onnxruntime.InferenceSession(model)
size = meta["image_size"]

for path in pictures:
    picture = ImageOps.exif_transpose(Image.open(path)).convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")  # shows through where it is transparent
    picture = Image.alpha_composite(white, picture).convert("RGB")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.crop((left, top, left + side, top + side))
    pixels = np.asarray(square.resize((size, size), Image.Resampling.BICUBIC))  # uint8, 0 to 255
    (logit,) = session.run(None, {"pixels": pixels[None]})
    p_fake = 1 / (1 + math.exp(logit.item() / meta["temperature"]))
    low, high = meta["uncertain_band"]
    verdict = "FAKE" if p_fake >= meta["threshold"] else "REAL"
    print(f"{p_fake:.6f} {verdict}{' (uncertain)' * (low < p_fake < high)} {path}")
