"""The demo set, made on the spot: real photographs against a real generator, in seconds.

REAL images are 32×32 crops of the two photographs that scikit-learn installs with itself, at four
scales. FAKE images are other crops passed through a small convolutional autoencoder that is trained
then and there. Both are saved with the same JPEG settings, and at every scale of each photograph as
many of each class are taken from every band of file sizes, so that size and colour give nothing
away. Test images come from other vertical stripes of the photographs than training images. A few
files occur twice, within and across the parts, as in CIFAKE.

It stands in for CIFAKE in tests and where there is no network. Its ``object_class`` is the number
of photograph and scale (0 to 7, or -1), so that the same tables are made, and has nothing to do
with CIFAR-10's object classes.
"""

import functools
import hashlib
import io
import itertools
import os
import tarfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from realfake_lib import progress, settings
from realfake_lib.data import store
from realfake_lib.data.images import encode_jpeg
from realfake_lib.settings import CLASS_NAMES, FAKE, REAL

N_TRAIN, N_TEST = 2000, 500
SIZE = 32
SCALES = (1.0, 0.7, 0.5, 0.3)
STRIPES = {"train": (0, 2, 4), "test": (1, 3)}
"""Which fifths of a photograph's width each part's images come from."""

_PHOTOS = ("china.jpg", "flower.jpg")
SCENE_NAMES = tuple(
    f"{Path(photo).stem} ×{scale:g}" for photo, scale in itertools.product(_PHOTOS, SCALES)
)
"""What ``object_class`` stands for in the demo set: photograph and scale."""

_TRAINING_CROPS = 5000
_CANDIDATES = 4  # crops drawn for each that is kept, to choose from by file size
_BANDS = 6  # of file size, at every scale of each photograph
_MIN_CONTRAST = 12.0  # a crop of plain sky holds nothing to tell the classes by
_DUPLICATES = {"train": 6, "test": 2, "across": 4}  # pairs, all FAKE as in CIFAKE


@functools.cache
def recipe_fingerprint():
    """Fingerprint of the demo set, known without making it: of this code and the photographs."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for photo in _PHOTOS:
        digest.update(_photo_bytes(photo))
    return digest.hexdigest()


def archive():
    """Path of the demo set as a tar of JPEG files in CIFAKE's layout, made if it is not there."""
    path = settings.cache_dir() / "demo" / f"demo-{recipe_fingerprint()[:16]}.tar"
    if path.is_file():
        return path
    with store.lock("demo"), store.writing():
        if not path.is_file():
            progress.report("Making the demo set")
            made = _make_files(N_TRAIN, N_TEST, seed=0)
            with settings.atomic_file(path) as unfinished:
                _write_tar(unfinished, made)
                os.utime(unfinished, (0, 0))  # old enough for the memo to trust it at once
    return path


def _make_files(n_train, n_test, seed):
    """Name to JPEG bytes, e.g. ``"train/FAKE/0000 (3).jpg"``."""
    rng = np.random.default_rng([seed, 4])
    decode = _train_autoencoder(_crops(rng, "train", _TRAINING_CROPS)[0], seed)
    made = {}
    for split, n in (("train", n_train), ("test", n_test)):
        drawn = {}
        for label in (FAKE, REAL):
            crops, scenes = _crops(rng, split, n // 2 * _CANDIDATES)
            pixels = decode(crops) if label == FAKE else crops
            drawn[label] = ([encode_jpeg(image) for image in pixels], scenes)
        for label, chosen in _match_sizes(rng, drawn, n).items():
            contents, scenes = drawn[label]
            for number, at in enumerate(chosen):
                name = _file_name(number, scenes[at])
                made[f"{split}/{CLASS_NAMES[label]}/{name}"] = contents[at]
    return _with_duplicates(made)


def _file_name(number, scene):
    if number % 20 == 19:
        return f"{number:04d}-unknown.jpg"
    return f"{number:04d}.jpg" if scene == 0 else f"{number:04d} ({scene + 1}).jpg"


def _photo_bytes(name):
    # find_spec does not import scikit-learn, which takes seconds.
    (folder,) = find_spec("sklearn").submodule_search_locations
    return Path(folder, "datasets", "images", name).read_bytes()


def _views(split):
    """Number of photograph and scale, and pixels, of each stripe that a part's images come from."""
    for number, (name, scale) in enumerate(itertools.product(_PHOTOS, SCALES)):
        photo = Image.open(io.BytesIO(_photo_bytes(name))).convert("RGB")
        size = (round(photo.width * scale), round(photo.height * scale))
        pixels = np.asarray(photo.resize(size, Image.Resampling.LANCZOS))
        for stripe in STRIPES[split]:
            yield number, pixels[:, size[0] * stripe // 5 : size[0] * (stripe + 1) // 5]


def _crops(rng, split, n):
    """``(n, 32, 32, 3)`` uint8 crops and the number of photograph and scale of each."""
    views = list(_views(split))
    crops, scenes, seen = np.empty((n, SIZE, SIZE, 3), np.uint8), np.empty(n, np.int64), set()
    while len(seen) < n:
        view = rng.integers(len(views))
        scene, pixels = views[view]
        top = rng.integers(pixels.shape[0] - SIZE + 1)
        left = rng.integers(pixels.shape[1] - SIZE + 1)
        patch = pixels[top : top + SIZE, left : left + SIZE]
        if (view, top, left) not in seen and patch.std() >= _MIN_CONTRAST:
            crops[len(seen)], scenes[len(seen)] = patch, scene
            seen.add((view, top, left))
    return crops, scenes


def _train_autoencoder(crops, seed):
    """Train on uint8 crops; return a function from uint8 crops to their uint8 reconstructions.

    Every source of chance has its own seed, so nothing of the caller's global state is touched.
    """
    from realfake_lib import console

    console.import_tensorflow()  # without its own lines: nobody asked for TensorFlow here
    from realfake_lib.keras_setup import keras

    weights = iter(range(seed * 100, seed * 100 + 100))

    def layer(kind, filters, kernel, name, **options):
        return getattr(keras.layers, kind)(
            filters, kernel, padding="same", name=name, dtype="float32",
            kernel_initializer=keras.initializers.HeUniform(seed=next(weights)), **options,
        )  # fmt: skip

    inputs = keras.Input((SIZE, SIZE, 3), name="crop", dtype="float32")
    x = layer("Conv2D", 32, 4, "down", strides=2, activation="relu")(inputs)
    x = layer("Conv2D", 2, 3, "code")(x)
    x = layer("Conv2D", 32, 3, "decode", activation="relu")(x)
    x = layer("Conv2DTranspose", 3, 4, "up", strides=2)(x)
    model = keras.Model(inputs, x, name="demo_autoencoder")
    model.compile(keras.optimizers.Adam(2e-3), loss="mae", jit_compile=False)
    scaled = crops.astype(np.float32) / 127.5 - 1
    model.fit(scaled, scaled, batch_size=64, epochs=3, shuffle=False, verbose=0)

    def decode(crops):
        rebuilt = model.predict(crops.astype(np.float32) / 127.5 - 1, batch_size=250, verbose=0)
        return np.clip(np.round((rebuilt + 1) * 127.5), 0, 255).astype(np.uint8)

    return decode


def _match_sizes(rng, drawn, n):
    """Choose candidates so that both classes have as many in each scene and band of file sizes."""
    sizes = {label: np.array([len(content) for content in drawn[label][0]]) for label in drawn}
    edges = np.quantile(np.concatenate(list(sizes.values())), np.linspace(0, 1, _BANDS + 1)[1:-1])
    cells = {label: drawn[label][1] * _BANDS + np.digitize(sizes[label], edges) for label in drawn}
    counts = [np.bincount(cells[label], minlength=_BANDS * 8) for label in (FAKE, REAL)]
    common = np.minimum(*counts)
    # Cumulated and rounded, the shares of the cells add up to n / 2 exactly.
    share = min(1.0, (n // 2) / common.sum())
    kept = np.diff(np.round(np.cumsum(common) * share).astype(np.int64), prepend=0)
    chosen = {}
    for label in (FAKE, REAL):
        pool = [
            rng.permutation(np.flatnonzero(cells[label] == cell))[:count]
            for cell, count in enumerate(kept)
        ]
        chosen[label] = rng.permutation(np.concatenate(pool))
    return chosen


def _with_duplicates(made):
    fakes = {
        split: [name for name in made if name.startswith(f"{split}/FAKE/")]
        for split in ("train", "test")
    }
    for split in ("train", "test"):
        for pair in range(_DUPLICATES[split]):
            made[fakes[split][-1 - pair]] = made[fakes[split][pair]]
    for pair in range(_DUPLICATES["across"]):
        made[fakes["test"][20 + pair]] = made[fakes["train"][20 + pair]]
    return made


def _write_tar(path, made):
    with tarfile.open(path, "w") as tar:
        for name in sorted(made):
            entry = tarfile.TarInfo(name)
            entry.size = len(made[name])
            tar.addfile(entry, io.BytesIO(made[name]))
