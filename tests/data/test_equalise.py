"""Equalised images say nothing of their origin, and are the same whenever they are made."""

import io

import numpy as np
import pytest
from PIL import Image
from small_panel import make_panel, scene

from realfake_lib.data import equalise, panel
from realfake_lib.data.equalise import CONDITIONS, Condition, encoded

SIZE = {"original_size": (320, 288)}


def opened(content):
    return Image.open(io.BytesIO(content))


def test_as_found_changes_nothing():
    image = scene(1)
    assert np.array_equal(equalise.equalise(image, "a", "as_found"), image)


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_name_and_a_seed_give_the_same_image_every_time(name):
    image = scene(1, 256, 256)
    first = encoded(image, "fake/a", name, **SIZE)
    encoded(image, "fake/b", name, **SIZE)  # what comes between changes nothing
    assert encoded(image, "fake/a", name, **SIZE) == first
    if name != "as_found":
        assert encoded(image, "fake/b", name, **SIZE) != first
        assert encoded(image, "fake/a", name, **SIZE, seed=1) != first


@pytest.mark.parametrize("name", [name for name in CONDITIONS if name != "as_found"])
def test_crops_come_out_in_one_form_whatever_they_were(name):
    forms = set()
    for quality in (None, 75, 95):
        image = scene(2, 256, 256)
        if quality:
            image = np.asarray(opened(equalise.encode_jpeg(image, quality)))
        file = opened(encoded(image, "x", name, **SIZE))
        tables = getattr(file, "quantization", None)
        forms.add((file.format, file.size, str(tables)))
    assert len(forms) == 1


def test_the_square_is_the_same_in_all_conditions():
    image = scene(3, 256, 256)
    places = []
    for name in ("equalised", "web", "webp"):
        delivered = equalise.equalise(image, "x", name, original_size=(256, 256)).astype(int)
        assert delivered.shape == (224, 224, 3)
        offsets = [(y, x) for y in range(33) for x in range(33)]
        error = [np.abs(image[y : y + 224, x : x + 224] - delivered).mean() for y, x in offsets]
        places.append(offsets[int(np.argmin(error))])
    assert len(set(places)) == 1


def test_every_place_on_the_grid_of_blocks_is_as_likely():
    rows, columns = np.mgrid[:256, :256].astype(np.uint8) % 8
    image = np.stack([rows, columns, rows], axis=-1)
    seen = np.zeros((8, 8), int)
    for number in range(6400):
        top, left = equalise._draws(f"image {number}", 0)[:2]
        cut = equalise._off_the_grid(image, 224, top, left)
        assert cut.shape == (224, 224, 3)
        seen[cut[0, 0, 0], cut[0, 0, 1]] += 1
    assert 60 < seen.min() and seen.max() < 145  # 100 each; these are four standard deviations


def test_qualities_are_drawn_over_the_whole_range():
    image = scene(4, 64, 64)
    tables = {opened(encoded(image, f"{n}", "equalised")).quantization[0][0] for n in range(300)}
    known = {opened(equalise.encode_jpeg(image, q)).quantization[0][0] for q in range(70, 96)}
    assert tables == known


@pytest.mark.parametrize(
    "name, longest, side",
    [("web", 500, 224), ("web", 768, 224), ("web", 1536, 112), ("web_hard", 2048, 56),
     ("web_hard", 300, 224), ("equalised", 4096, 224)],
)  # fmt: skip
def test_a_crop_shrinks_as_the_whole_image_would(name, longest, side):
    for size in ((longest, longest // 2), (longest // 2, longest)):
        delivered = equalise.equalise(scene(5, 256, 256), "x", name, original_size=size)
        assert delivered.shape == (side, side, 3)


def test_a_whole_image_keeps_its_shape_but_for_the_cut_that_moves_the_grid():
    whole = Condition("whole", "jpeg", (60, 60), 400, crop=None)
    delivered = equalise.equalise(scene(6, 800, 600), "x", whole)
    assert 395 <= delivered.shape[1] <= 400 and 295 <= delivered.shape[0] <= 300
    as_it_is = equalise.equalise(scene(6, 320, 288), "x", Condition("whole", "webp", crop=None))
    assert as_it_is.shape == (281, 313, 3)


def test_a_screenshot_is_smaller_and_without_loss():
    shots = [opened(encoded(scene(7, 256, 256), f"{n}", "screenshot")) for n in range(20)]
    assert {shot.format for shot in shots} == {"PNG"}
    widths = [shot.size[0] for shot in shots]
    assert 112 <= min(widths) < 150 and 180 < max(widths) <= 213


@pytest.mark.parametrize("side", [15, 30])
def test_small_images_are_cut_as_far_as_the_grid_asks(side):
    assert equalise.equalise(scene(8, side, side + 1), "x").shape == (side - 7, side - 7, 3)


def test_an_image_too_small_is_refused():
    with pytest.raises(ValueError, match="14×40 pixels is too small"):
        equalise.equalise(scene(8, 14, 40), "x")


def test_crops_of_a_panel_use_the_size_of_their_originals_and_do_not_depend_on_order(tmp_path):
    rows, _ = make_panel(tmp_path)
    found = panel.read(tmp_path)
    one_by_one = [equalise.of_panel(found, [row], "web")[0] for row in (5, 2, 9)]
    together = equalise.of_panel(found, [9, 2, 5], "web")[::-1]
    assert all(np.array_equal(*pair) for pair in zip(one_by_one, together, strict=True))
    found.table.loc[9, ["original_width"]] = 1536
    assert equalise.of_panel(found, [9], "web")[0].shape == (112, 112, 3)
    # A crop made again as WebP is the same image.
    file = tmp_path / rows[9]["file"]
    Image.open(file).save(file.with_suffix(".webp"), lossless=True)
    found.table.loc[9, "file"] = found.table.loc[9, "file"].replace(".jpg", ".webp")
    found.table.loc[9, "original_width"] = 320
    again = equalise.of_panel(found, [9], "web")[0]
    assert np.array_equal(again, one_by_one[2])


def test_bytes_are_given_where_the_file_is_measured(tmp_path):
    make_panel(tmp_path, 1)
    found = panel.read(tmp_path)
    (content,) = equalise.of_panel(found, [0], "webp", function=encoded)
    assert opened(content).format == "WEBP"
