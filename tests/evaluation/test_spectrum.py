"""The spectrum finds detail at the frequency where it is, and misses it where it was taken away."""

import numpy as np
import pytest
from scipy.ndimage import shift

from realfake_lib.evaluation import spectrum


@pytest.fixture
def stripes():
    """Four images of vertical stripes, 3/8 cycles per pixel."""
    wave = 128 + 60 * np.cos(2 * np.pi * 0.375 * np.arange(32))
    return np.broadcast_to(wave[None, None, :, None], (4, 32, 32, 3)).astype("float32")


def test_stripes_show_at_their_own_frequency(stripes):
    power = spectrum.radial_power(stripes)
    assert power.loc[power["power"].idxmax(), "frequency"] == pytest.approx(0.375, abs=0.02)


def test_a_flat_image_has_no_power_at_all():
    flat = np.full((2, 32, 32, 3), 77, "uint8")
    assert spectrum.radial_power(flat)["power"].to_numpy() == pytest.approx(0, abs=1e-3)
    assert spectrum.high_frequency_power(flat) == pytest.approx(0, abs=1e-3)


def test_a_shift_by_half_a_pixel_takes_fine_detail_and_a_mirror_image_does_not(stripes):
    before = spectrum.high_frequency_power(stripes)
    moved = shift(stripes, (0, 0, 0.5, 0), order=1, mode="nearest")
    assert spectrum.high_frequency_power(moved).mean() < 0.5 * before.mean()
    assert spectrum.high_frequency_power(stripes[:, :, ::-1]) == pytest.approx(before, rel=1e-4)


def test_the_power_does_not_depend_on_how_many_pixels_there_are():
    noise = np.random.default_rng(0).normal(128, 20, (40, 64, 64, 3))
    small, large = noise[:, :32, :32], noise
    powers = [spectrum.high_frequency_power(images).mean() for images in (small, large)]
    assert powers[0] / powers[1] == pytest.approx(1, abs=0.1)
