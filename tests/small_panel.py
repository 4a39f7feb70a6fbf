"""A small panel of originals and crops in the layout of the real one, for tests."""

import csv
import hashlib
import io

import numpy as np
import pandas as pd
from PIL import Image

SOURCES = {  # name to label, family, format of the originals
    "ldm one": ("FAKE", "ldm", "PNG"),
    "gpt": ("FAKE", "gpt", "WEBP"),
    "phone": ("REAL", "real", "JPEG"),
    "camera": ("REAL", "real", "JPEG"),
}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def scene(seed, width=320, height=288):
    """Pixels of a smooth scene with some noise, (height, width, 3) uint8."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 10, 3), np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float32)
    return (smooth + rng.normal(0, 4, smooth.shape)).clip(0, 255).astype(np.uint8)


def encoded(pixels, kind, **options):
    stream = io.BytesIO()
    options = {"JPEG": {"quality": 88}, "WEBP": {"lossless": True}}.get(kind, {}) | options
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def make_panel(folder, per_source=3):
    """Write crops and manifest; the rows, and the originals by ``repository/commit/path``."""
    rows, originals = [], {}
    for at, (source, (label, family, kind)) in enumerate(SOURCES.items()):
        for number in range(per_source):
            pixels = scene([at, number])
            original = encoded(pixels, kind)
            x, y = 16 * (number % 3), 16 * (at % 2)
            crop = Image.open(io.BytesIO(original)).convert("RGB").crop((x, y, x + 256, y + 256))
            suffix, how = (".jpg", "JPEG") if kind == "JPEG" else (".webp", "WEBP")
            file = f"{label.lower()}/{source}/{number:04d}{suffix}"
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(encoded(np.asarray(crop), how))
            path = f"images of {source}/{number}:{kind}#1.{kind.lower()}"
            originals[f"someone/{family}/{COMMIT}/{path}"] = original
            rows.append(
                {
                    "file": file,
                    "label": label,
                    "family": family,
                    "source": source,
                    "repository": f"someone/{family}",
                    "commit": COMMIT,
                    "path": path,
                    "original_format": kind,
                    "original_width": pixels.shape[1],
                    "original_height": pixels.shape[0],
                    "crop_x": x,
                    "crop_y": y,
                    "crop_size": 256,
                    "licence": "none",
                    "original_sha256": hashlib.sha256(original).hexdigest(),
                }
            )
    write_manifest(folder, rows)
    return rows, originals


def write_manifest(folder, rows):
    with open(folder / "manifest.csv", "w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def table_of(*sources):
    """A table from (label, family, source, repository, n)."""
    rows = [
        (f"{source}/{i}", label, family, source, repository, "panel")
        for label, family, source, repository, n in sources
        for i in range(n)
    ]
    columns = ["file", "label", "family", "source", "repository", "collection"]
    return pd.DataFrame(rows, columns=columns).astype({"label": np.int8})
