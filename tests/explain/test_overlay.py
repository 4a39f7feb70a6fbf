"""Overlays: the colour seen is the map's, and an empty map leaves no tint."""

import matplotlib
import numpy as np
import pytest
from PIL import Image

from realfake_lib.explain import overlay

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3)).astype(np.uint8)
MAPS = np.random.default_rng(1).random((2, 4, 5)).astype(np.float32)


def test_at_full_opacity_it_is_the_coloured_map():
    expected = np.rint(255 * matplotlib.colormaps["inferno"](MAPS)[..., :3])
    np.testing.assert_array_equal(overlay(IMAGES, MAPS, alpha=1), expected)


def test_at_no_opacity_it_is_the_image_in_grey():
    grey = overlay(IMAGES, MAPS, alpha=0)
    assert grey.dtype == np.uint8
    assert (grey == grey[..., :1]).all()
    pillow = np.stack([Image.fromarray(image).convert("L") for image in IMAGES])
    np.testing.assert_allclose(grey[..., 0], pillow, atol=1)


def test_lightness_rises_with_the_map_so_that_it_reads_without_colours():
    ramp = np.linspace(0, 1, 256, dtype=np.float32)[None]
    coloured = overlay(np.zeros((1, 256, 3)), ramp, alpha=1).astype(float)
    lightness = (coloured @ [0.2126, 0.7152, 0.0722])[0]
    assert (np.diff(lightness) > -1).all()
    assert lightness[-1] - lightness[0] > 200


def test_an_empty_map_leaves_the_image_without_a_tint():
    maps = np.stack([np.zeros_like(MAPS[0]), MAPS[1]])
    out = overlay(IMAGES, maps)
    np.testing.assert_array_equal(out[0], overlay(IMAGES, MAPS, alpha=0)[0])
    assert not (out[1] == out[1][..., :1]).all()


def test_one_image_goes_as_well_as_many():
    np.testing.assert_array_equal(overlay(IMAGES[1], MAPS[1]), overlay(IMAGES, MAPS)[1])


@pytest.mark.parametrize(("images", "maps"), [(IMAGES, MAPS[:, :3]), (IMAGES[..., :1], MAPS)])
def test_what_does_not_fit_is_refused(images, maps):
    with pytest.raises(ValueError, match="belong"):
        overlay(images, maps)
