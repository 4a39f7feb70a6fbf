"""Which arithmetic trains faster on this machine: measured once, then remembered."""

import hashlib
import json
import platform
import time
from pathlib import Path

import keras
import tensorflow as tf
from filelock import FileLock

from realfake_lib import settings

_GAIN = 1.15
"""bfloat16 must be faster by this factor: below it, float32's exactness is worth more."""


def best_precision():
    """The faster arithmetic for training a small CNN here: ``"float32"`` or ``"mixed_bfloat16"``.

    A processor without bfloat16 instructions emulates them, several times slower than float32, so
    a few training steps are timed (about 3 s); the answer is cached for this machine.
    """
    identity = f"{_processor()}|{tf.__version__}|{keras.__version__}"
    name = hashlib.sha256(identity.encode()).hexdigest()[:16]
    path = settings.cache_dir() / "precision" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    # Trainings side by side must agree, so the second waits for the first one's answer.
    with FileLock(path.with_suffix(".lock")):
        try:
            return json.loads(path.read_text(encoding="utf-8"))["precision"]
        except (OSError, ValueError, KeyError):
            seconds = _measure() if _has_bfloat16() else {}
        faster = seconds and seconds["float32"] > _GAIN * seconds["mixed_bfloat16"]
        precision = "mixed_bfloat16" if faster else "float32"
        with settings.atomic_file(path) as temporary:
            written = {"precision": precision, "seconds": seconds, "machine": identity}
            temporary.write_text(json.dumps(written), encoding="utf-8")
        return precision


def _measure(rounds=3):
    """Best time of a training step in each arithmetic, the two taking turns, in seconds."""
    from realfake_lib.models import build
    from realfake_lib.training.copies import training_copy
    from realfake_lib.training.loop import make_step
    from realfake_lib.training.recipes import Recipe

    recipe = Recipe(batch_size=128)
    pixels = tf.random.stateless_uniform((128, 32, 32, 3), (0, 0), 0, 255)
    labels = tf.cast(tf.range(128) % 2, tf.float32)
    ones, rates = tf.ones(128), tf.constant([1e-3])
    steps = {}
    for precision in ("float32", "mixed_bfloat16"):
        copy = training_copy(build("compact_cnn"), precision)
        step = make_step(copy, recipe.make_optimizer(), recipe)
        step(pixels, labels, ones, rates)  # the first call compiles
        steps[precision] = step
    seconds = dict.fromkeys(steps, float("inf"))
    for _ in range(rounds):
        for precision, step in steps.items():
            started = time.perf_counter()
            step(pixels, labels, ones, rates)[0].numpy()
            seconds[precision] = min(seconds[precision], time.perf_counter() - started)
    return seconds


def _cpuinfo():
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:  # not Linux
        return ""


def _processor():
    lines = [line for line in _cpuinfo().splitlines() if line.startswith("model name")]
    accelerators = [device.name for device in tf.config.list_physical_devices("GPU")]
    return f"{platform.machine()} {platform.processor()} {lines[:1]} {len(lines)} {accelerators}"


def _has_bfloat16():
    """Whether measuring is worth while: without the instructions, one step can take seconds."""
    if tf.config.list_physical_devices("GPU"):
        return True
    return any(flag in _cpuinfo() for flag in ("avx512_bf16", "amx_bf16"))
