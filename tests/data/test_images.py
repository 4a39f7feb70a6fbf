"""Every kind of image file is seen as a person would see it, or refused by name."""

import io

import numpy as np
import pytest
from PIL import Image

from realfake_lib.data import images
from realfake_lib.data.images import BatchDecoder, decode, encode_jpeg, load_image, resize
from realfake_lib.errors import BadFiles, UserError

from .conftest import picture

RED = (200, 30, 40)


def saved(path, image, **options):
    image.save(path, **options)
    return path


def red(mode, size=(16, 16)):
    image = Image.new("RGB", size, RED)
    return image.quantize(4) if mode == "P" else image.convert(mode)


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.png", "RGB"), ("a.png", "RGBA"), ("a.png", "P"), ("a.jpg", "CMYK"), ("a.webp", "RGB"),
     ("a.bmp", "RGB"), ("a.tif", "RGB"), ("a.gif", "P"), ("a.ppm", "RGB")],
)  # fmt: skip
def test_every_colour_mode_becomes_rgb(tmp_path, name, mode):
    pixels = load_image(saved(tmp_path / name, red(mode)))
    assert pixels.shape == (16, 16, 3) and pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - RED).max() <= 6


@pytest.mark.parametrize("mode", ["L", "1", "LA"])
def test_grey_becomes_three_equal_channels(tmp_path, mode):
    pixels = load_image(saved(tmp_path / "a.png", red(mode)))
    assert (pixels == pixels[..., :1]).all()


def test_transparent_pixels_are_seen_on_white(tmp_path):
    assert (load_image(saved(tmp_path / "a.png", Image.new("RGBA", (9, 9)))) == 255).all()
    palette = Image.new("P", (9, 9), 0)
    assert (load_image(saved(tmp_path / "p.png", palette, transparency=0)) == 255).all()


def test_sixteen_bit_grey_keeps_its_brightness(tmp_path):
    image = Image.fromarray(np.full((9, 9), 257 * 100, np.uint16))
    assert (load_image(saved(tmp_path / "a.png", image)) == 100).all()


@pytest.mark.parametrize(("dtype", "word"), [(np.int32, "32-bit"), (np.float32, "floating")])
def test_pixels_without_a_known_white_are_refused(tmp_path, dtype, word):
    image = Image.fromarray(np.full((9, 9), 70_000, dtype))
    with pytest.raises(UserError, match=word):
        load_image(saved(tmp_path / "a.tif", image))


def test_exif_rotation_is_undone(tmp_path):
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, :16] = 255  # white on the left; turned by 90° clockwise, it is on top
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path / "a.jpg", Image.fromarray(pixels), exif=exif)
    upright = load_image(path)
    assert upright.shape == (32, 16, 3)
    assert upright[:12].min() > 240 and upright[20:].max() < 15


def test_a_phones_multi_picture_file_is_one_photograph(tmp_path):
    path = saved(
        tmp_path / "a.jpg", red("RGB"), format="MPO", save_all=True, append_images=[red("RGB")]
    )
    assert load_image(path).shape == (16, 16, 3)


def animation(path):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])


BAD = {
    "missing.jpg": (lambda path: None, "does not exist"),
    "empty.jpg": (lambda path: path.write_bytes(b""), "empty"),
    "text.jpg": (lambda path: path.write_text("not an image"), "not an image"),
    "folder.jpg": (lambda path: path.mkdir(), "is a folder"),
    "cut.jpg": (lambda path: path.write_bytes(picture(1)[:-40]), "damaged or cut off"),
    "cut.png": (lambda path: path.write_bytes(png()[:-40]), "damaged or cut off"),
    "header.jpg": (lambda path: path.write_bytes(picture(1)[:30]), "not an image|damaged"),
    "film.gif": (animation, "animated"),
    "film.png": (animation, "animated"),
    "film.webp": (animation, "animated"),
    "dot.png": (lambda path: Image.new("RGB", (1, 1)).save(path), "too small: 1×1"),
    "thin.png": (lambda path: Image.new("RGB", (500, 2)).save(path), "too small: 500×2"),
    "huge.png": (
        lambda path: Image.new("1", (20_000, 20_000)).save(path),
        "too large",
    ),
}


def png():
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    Image.fromarray(noise).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_image_is_refused_by_name(tmp_path, name):
    make, message = BAD[name]
    make(tmp_path / name)
    with pytest.raises(UserError, match=message) as caught:
        load_image(tmp_path / name)
    assert name in caught.value.message


def test_an_image_below_pillows_limit_but_above_ours_is_not_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 200)
    with pytest.raises(UserError, match="too large: 16×16"):
        load_image(saved(tmp_path / "a.png", red("RGB")))


def test_a_device_is_not_read():
    with pytest.raises(UserError, match="not a plain file"):
        load_image("/dev/zero")


def test_an_unreadable_file_is_named(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.png", red("RGB"))

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "read_bytes", refuse)
    with pytest.raises(UserError, match="a.png cannot be read: Permission denied"):
        load_image(path)


def test_resizing_takes_the_central_square():
    image = np.zeros((8, 24, 3), np.uint8)
    image[:, 8:16] = 255
    assert (resize(image, 8) == 255).all()


def test_shrinking_averages_fine_texture_away():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    shrunk = resize(np.stack([stripes, stripes]), 16)
    assert shrunk.shape == (2, 16, 16, 3)
    assert np.abs(shrunk.astype(int) - 127).max() < 12


def test_size_brings_any_image_to_a_square(tmp_path):
    assert load_image(saved(tmp_path / "a.png", red("RGB", (50, 20))), 32).shape == (32, 32, 3)


def decoded(decoder, names, contents):
    return np.stack(decoder.finish(decoder.submit(names, contents)))


def test_the_fast_path_gives_the_careful_paths_pixels():
    contents = [picture(seed) for seed in range(50)] + [png()]
    names = [str(at) for at in range(51)]
    with BatchDecoder(BadFiles("x")) as decoder:
        fast = decoded(decoder, names, contents)
        assert len(decoder._plain) == 1
    assert (fast == [decode(content, "x") for content in contents]).all()


def test_the_fast_path_does_not_skip_a_rotation():
    exif = Image.Exif()
    exif[0x0112] = 3
    turned = []
    for seed in range(3):
        buffer = io.BytesIO()
        Image.open(io.BytesIO(picture(seed))).save(buffer, "JPEG", exif=exif)
        turned.append(buffer.getvalue())
    with BatchDecoder(BadFiles("x")) as decoder:
        fast = decoded(decoder, ["a", "b", "c"], turned)
    assert (fast == [decode(content, "x") for content in turned]).all()


def test_a_file_cut_off_behind_a_known_header_is_named():
    bad = BadFiles("x")
    with BatchDecoder(bad) as decoder:
        decoded(decoder, ["good.jpg"], [picture(0)])
        decoder.finish(decoder.submit(["bad.jpg"], [picture(1)[:-40]]))
    with pytest.raises(UserError, match="bad.jpg is damaged"):
        bad.check()


def test_many_bad_files_are_named_up_to_a_number_and_then_counted():
    bad = BadFiles("holiday")
    bad.check()
    for at in range(1023):
        bad.add(f"{at:04d}.jpg is empty")
    with pytest.raises(UserError, match="holiday holds 1,023 files that cannot be used") as caught:
        bad.check()
    assert caught.value.message.count(" is empty") == 20
    assert "0019.jpg" in caught.value.message and "… and 1,003 more" in caught.value.message


def test_images_of_several_sizes_need_image_size():
    contents = [picture(0, 16), picture(1, 32)]
    bad = BadFiles("x")
    with BatchDecoder(bad) as decoder, pytest.raises(UserError, match="x: b is 32×32 pixels, not"):
        decoder.finish(decoder.submit(["a", "b"], contents))
    with BatchDecoder(bad, 16) as decoder:
        assert decoded(decoder, ["a", "b"], contents).shape == (2, 16, 16, 3)


def test_images_that_are_not_square_need_image_size():
    wide = encode_jpeg(np.zeros((16, 32, 3), np.uint8))
    bad = BadFiles("x")
    with BatchDecoder(bad) as decoder, pytest.raises(UserError, match="not square"):
        decoder.finish(decoder.submit(["a"], [wide]))
