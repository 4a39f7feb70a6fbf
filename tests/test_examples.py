"""The example without TensorFlow gives what ``realfake predict`` gives."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import realfake_lib
from realfake_lib import detector

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "predict_without_tensorflow.py"
MODELS = sorted(
    path
    for path in (ROOT / "realfake_lib" / "detectors").glob("*.onnx")
    if not detector.load_detector(path).several_views
)


@pytest.fixture
def pictures(tmp_path):
    """Wide, tall, small, grey, palette, turned and 16-bit pictures."""
    dice = np.random.default_rng(0)
    made = []
    for name, shape in (
        ("wide.png", (61, 97, 3)),
        ("tall.jpg", (80, 33, 3)),
        ("s.png", (32, 32, 3)),
    ):
        low = dice.integers(0, 256, (8, 8, 3), np.uint8)
        picture = Image.fromarray(low).resize(shape[1::-1], Image.Resampling.BICUBIC)
        noise = dice.normal(0, 12, shape)
        picture = Image.fromarray((np.asarray(picture) + noise).clip(0, 255).astype(np.uint8))
        picture.save(tmp_path / name)
        made.append(tmp_path / name)
    picture.convert("L").save(tmp_path / "grey.png")
    picture.convert("P").save(tmp_path / "palette.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.open(made[0]).save(tmp_path / "turned.jpg", exif=turned)
    deep = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "sixteen_bits.png")
    others = ("grey.png", "palette.png", "turned.jpg", "sixteen_bits.png")
    return [*made, *(tmp_path / name for name in others)]


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_the_example_gives_the_probabilities_of_realfake_predict(model, pictures):
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), str(model), *map(str, pictures)],
        capture_output=True,
        text=True,
        check=True,
    )
    used = detector.load_detector(model)
    expected = realfake_lib.predict(pictures, used)
    assert len(expected) == len(pictures) == len(done.stdout.splitlines())
    for line, row in zip(done.stdout.splitlines(), expected, strict=True):
        p_fake, verdict, path = re.fullmatch(r"(\S+) (.*) (/\S+)", line).groups()
        # By the probability alone: it leaves the image's state, e.g. its size, to its user.
        assert path == row.path and verdict == used.verdict(row.p_fake)
        assert float(p_fake) == pytest.approx(row.p_fake, abs=1e-6)


def test_the_example_refuses_a_detector_of_several_views(pictures):
    model = detector.find_model("real_size")
    command = [sys.executable, str(EXAMPLE), str(model), str(pictures[0])]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and "several squares" in done.stderr and not done.stdout


def test_the_example_imports_nothing_but_the_light_parts_of_the_library():
    imported = set(re.findall(r"^(?:import|from) (\w+)", EXAMPLE.read_text(), re.M))
    assert imported - set(sys.stdlib_module_names) == {"onnxruntime", "realfake_lib"}
    look = "import sys, realfake_lib.data as d; d.load_image; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
