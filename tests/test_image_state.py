"""States of an image in which a score is worth nothing."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

import realfake_lib
from realfake_lib import data, image_state
from realfake_lib.data import images

PHOTOGRAPH = "flower.jpg"


@pytest.fixture(scope="module")
def photograph():
    """A photograph of 427×640 pixels that scikit-learn brings."""
    from sklearn.datasets import load_sample_image

    return load_sample_image(PHOTOGRAPH)


def as_jpeg(image, quality):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    return images.decode(stream.getvalue(), "it")


def enlarged(image, factor, kernel=Image.Resampling.BICUBIC):
    size = [side * factor for side in image.shape[1::-1]]
    return np.array(Image.fromarray(image).resize(size, kernel))


@pytest.mark.parametrize("quality", [95, 60, 40])
def test_a_photograph_is_judged_at_every_usual_quality(photograph, quality):
    assert image_state.reasons(as_jpeg(photograph, quality)) == ()


@pytest.mark.parametrize("factor", [4, 8])
@pytest.mark.parametrize("kernel", [Image.Resampling.BILINEAR, Image.Resampling.LANCZOS])
def test_an_enlarged_image_is_not_judged(photograph, factor, kernel):
    reasons = image_state.reasons(enlarged(photograph[100:300, 200:400], factor, kernel))
    assert any("enlarged" in reason for reason in reasons)


@pytest.mark.parametrize("size", [(640, 300), (80, 1500)])
def test_an_image_stretched_in_one_direction_is_not_judged(photograph, size):
    crop = photograph[100:400, 200:280]
    stretched = np.array(Image.fromarray(crop).resize(size, Image.Resampling.BICUBIC))
    assert not any("enlarged" in reason for reason in image_state.reasons(crop))
    assert any("enlarged" in reason for reason in image_state.reasons(stretched))


MADE = {
    "disc": lambda draw: draw.ellipse((8, 8, 24, 24), "red"),
    "text": lambda draw: draw.text((2, 10), "Hello", "black"),
    "ramp": lambda draw: [draw.line((x, 0, x, 31), (8 * x,) * 3) for x in range(32)],
}


@pytest.mark.parametrize("name", MADE)
def test_an_image_of_32_pixels_that_is_no_photograph_is_not_judged(name):
    image = Image.new("RGB", (32, 32), "white")
    MADE[name](ImageDraw.Draw(image))
    (found,) = realfake_lib.predict(np.array(image))
    assert found.verdict == "can't tell" and found.detector == "detector"


def test_of_cifakes_own_images_hardly_one_is_refused(cifake):
    rows = data.make_splits(cifake).val[::10]
    refused = [bool(image_state.reasons(image)) for image in cifake.images[rows]]
    assert np.mean(refused) < 0.005


@pytest.mark.parametrize("start", [0, 3])
def test_an_image_of_blocks_is_not_judged_wherever_their_grid_begins(photograph, start):
    ruined = as_jpeg(photograph, 3)[start:, start:]
    assert any("blocks" in reason for reason in image_state.reasons(ruined))


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_an_image_of_one_colour_is_not_judged(grey):
    (reason,) = image_state.reasons(np.full((200, 300, 3), grey, np.uint8))
    assert "one colour" in reason


@pytest.mark.parametrize("side", [32, 128, 512])
def test_noise_is_not_judged_even_by_a_detector_of_small_images(side):
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    for own in (True, False):
        (reason,) = image_state.reasons(noise, at_own_resolution=own)
        assert "noise" in reason


def test_what_enlarging_did_is_not_looked_for_in_an_image_reduced_to_a_detectors_size(photograph):
    ruined = enlarged(as_jpeg(photograph, 3), 4)
    assert image_state.reasons(ruined) and not image_state.reasons(ruined, at_own_resolution=False)


@pytest.mark.parametrize("quality", [95, 60])
def test_a_page_of_text_is_not_judged(quality):
    page = Image.new("RGB", (600, 800), "white")
    for top in range(20, 780, 16):
        ImageDraw.Draw(page).text((20, top), "The quick brown fox jumps over the lazy dog. " * 2, 0)
    (reason,) = image_state.reasons(as_jpeg(np.array(page), quality))
    assert "document" in reason


def test_the_share_of_one_shade_counts_its_neighbours():
    assert image_state.flat(np.array([[10.0, 11, 12, 200]])) == 0.75


def test_steps_of_a_ramp_are_half_as_high_as_steps_over_two():
    ramp = np.add.outer(*[np.arange(64, dtype=np.float32)] * 2)
    assert image_state.detail(ramp) == pytest.approx(0.5)


def test_steps_at_the_edges_of_blocks_are_compared_with_the_others():
    columns = np.cumsum([3.0 if at % 8 == 0 else 1.0 for at in range(1, 81)])
    luma = columns[:, None] + columns[None]
    assert image_state.blocks(luma) == pytest.approx(3.0)
