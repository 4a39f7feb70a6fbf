"""Attacks of the Foolbox package on our detectors: minimum-norm and black-box ones.

Foolbox is an extra; without it everything else here works.
"""

import importlib

import numpy as np
import tensorflow as tf

from realfake_lib import progress
from realfake_lib.errors import UserError
from realfake_lib.robustness import detector

DECISION_BASED = (
    "BoundaryAttack",
    "HopSkipJumpAttack",
    "L2BrendelBethgeAttack",
    "LinfinityBrendelBethgeAttack",
)
"""Attacks that walk from an image of the other class towards the one attacked."""


def foolbox_model(model):
    """A detector as Foolbox wants it: pixels in 0..1, two logits, for FAKE and REAL.

    The logits are ``[0, z]``. Their softmax is the sigmoid of ``z``, and their cross-entropy the
    binary one. The range is 0..1 because Foolbox's default step sizes are made for it.

    Parameters
    ----------
    model : keras.Model
        Pixels 0..255 in, one logit for REAL out.

    Returns
    -------
    foolbox.TensorFlowModel

    Raises
    ------
    UserError
        If Foolbox is not installed.
    """
    foolbox = _foolbox()
    compute = detector.forward(model)

    def two_logits(images):
        logits = compute(255 * images)
        return tf.stack([tf.zeros_like(logits), logits], axis=1)

    return foolbox.TensorFlowModel(two_logits, bounds=(0, 1), device="/CPU:0")


def minimum_norm(
    model, images, labels, attack="LInfFMNAttack", *, seed=0, batch_size=128, **options
):
    """How far each image is from one that the detector takes for the other class.

    Parameters
    ----------
    model : keras.Model
    images : (n, h, w, c) array, uint8 or float, 0..255
    labels : (n,) int array
        FAKE = 0, REAL = 1.
    attack : str
        Name of one of Foolbox's minimisation attacks: "LInfFMNAttack", "L2FMNAttack",
        "L2CarliniWagnerAttack", "L2DeepFoolAttack", ...; those in :data:`DECISION_BASED` see
        decisions only (black box).
    seed : int
        Sets the random state of NumPy and TensorFlow, from which Foolbox draws.
    batch_size : int
    **options
        Of the attack, e.g. ``steps=100``.

    Returns
    -------
    attacked : (n, h, w, c) float32 array
        The closest such image that was found, 0..255.
    distances : (n,) float64 array
        In grey levels, in the attack's norm. 0 where the untouched image is wrong already,
        infinite where none was found.

    Raises
    ------
    UserError
        If Foolbox is not installed or has no such minimisation attack, or if the detector gives
        all images the same class, which leaves a decision-based attack nowhere to start.

    References
    ----------
    Rauber et al.: Foolbox Native (2020). Pintor et al.: Fast minimum-norm adversarial attacks
    (2021).
    """
    search = _attack(attack, options)
    clean = detector.as_pixels(images)
    labels = np.asarray(labels)
    detector.signs(labels, len(clean))
    right = detector.is_correct(detector.predict_logits(model, clean), labels)
    target = foolbox_model(model)

    np.random.seed(seed)  # Foolbox draws from both global states
    tf.random.set_seed(seed)
    attacked, distances = clean.copy(), np.zeros(len(clean))
    todo = np.flatnonzero(right)
    parts = [todo[i : i + batch_size] for i in range(0, len(todo), batch_size)]
    for part in progress.track(parts, attack, unit="batches"):
        inputs = tf.constant(clean[part] / 255)
        extra = {}
        if attack in DECISION_BASED:
            starts = _other_class(clean, labels, right, part)
            extra["starting_points"] = tf.constant(starts / 255)
        with np.errstate(all="ignore"):
            _, found, success = search(
                target, inputs, tf.constant(labels[part], tf.int64), epsilons=None, **extra
            )
        success = success.numpy()
        size = np.linalg.norm(
            (found - inputs).numpy().reshape(len(part), -1), ord=search.distance.p, axis=1
        )
        attacked[part[success]] = np.clip(255 * found.numpy()[success], 0, 255)
        distances[part] = np.where(success, 255 * size, np.inf)
    return attacked, distances


def _other_class(images, labels, right, chosen):
    """For each chosen image a rightly classified one of the other class, taken in turn."""
    starts = np.empty_like(images[chosen])
    for row, index in enumerate(chosen):
        others = np.flatnonzero(right & (labels != labels[index]))
        if len(others) == 0:
            raise UserError(
                "no rightly classified image of the other class to start from",
                hint="A decision-based attack needs images of both classes.",
            )
        starts[row] = images[others[row % len(others)]]
    return starts


def _attack(name, options):
    foolbox = _foolbox()
    kind = getattr(foolbox.attacks, name, None)
    minimising = foolbox.attacks.base.MinimizationAttack
    if not (isinstance(kind, type) and issubclass(kind, minimising)):
        raise UserError(
            f"Foolbox has no minimisation attack {name!r}",
            hint="For example: LInfFMNAttack, L2FMNAttack, HopSkipJumpAttack.",
        )
    return kind(**options)


def _foolbox():
    try:
        return importlib.import_module("foolbox")
    except ImportError as error:
        raise UserError(
            "this attack needs the package foolbox, which is not installed",
            hint="Install it with: pip install foolbox",
        ) from error
