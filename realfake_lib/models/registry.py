"""The networks that can be built by name."""

import inspect

from realfake_lib.errors import UserError
from realfake_lib.models import networks

_BUILDERS = {
    builder.__name__: builder
    for builder in (
        networks.baseline_cnn,
        networks.compact_cnn,
        networks.tiny_cnn,
        networks.resnet_small,
        networks.depthwise_cnn,
        networks.deep_cnn,
        networks.folded_small,
        networks.wide_cnn,
        networks.stack,
    )
}


def available():
    """Names that :func:`build` knows, each with a one-line description."""
    return {name: inspect.getdoc(builder).splitlines()[0] for name, builder in _BUILDERS.items()}


def build(name, image_size=32, **options):
    """Build a network with fresh weights.

    Parameters
    ----------
    name : str
        One of :func:`available`.
    image_size : int
        Side of the square input, in pixels.
    **options
        Passed to the network's own function, e.g. ``dropout=0.3`` for ``"baseline_cnn"``.

    Returns
    -------
    keras.Model
        Functional, flat, float32; pixels (n, image_size, image_size, 3) in [0, 255] to a logit
        for REAL, (n, 1). The weights come from Keras's global generator, so call
        ``training.set_seed`` before.

    Raises
    ------
    UserError
        If the name or an option is unknown, or the images are too small for the network.
    """
    try:
        builder = _BUILDERS[name]
    except (KeyError, TypeError):
        raise UserError(
            f"Unknown model {name!r}.", f"Known models: {', '.join(_BUILDERS)}"
        ) from None
    known = list(inspect.signature(builder).parameters)[1:]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise UserError(
            f"Model {name!r} has no option {', '.join(map(repr, unknown))}.",
            f"Its options: {', '.join(known) or 'none'}",
        )
    if not isinstance(image_size, int) or image_size < 16:
        raise UserError(
            f"image_size is {image_size!r}; model {name!r} needs a whole number of 16 or more."
        )
    return builder(image_size, **options)
