"""Every kind of image file is seen as a person would see it, or refused by name."""

import io
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from realfake_lib.data import containers, decoding
from realfake_lib.data.images import decode, decode_all, encode_jpeg, load_image, resize
from realfake_lib.errors import BadFiles, UserError

from . import fuzz_images
from .conftest import picture

RED = (200, 30, 40)


def saved(path, image, **options):
    if path.suffix == ".heic":
        pillow_heif.from_pillow(image).save(path, **options)
    else:
        image.save(path, **options)
    return path


def in_bytes(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def red(mode, size=(16, 16)):
    image = Image.new("RGB", size, RED)
    if mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        return ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
    return image.quantize(4) if mode == "P" else image.convert(mode)


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.png", "RGB"), ("a.png", "RGBA"), ("a.png", "P"), ("a.jpg", "CMYK"), ("a.webp", "RGB"),
     ("a.bmp", "RGB"), ("a.tif", "RGB"), ("a.gif", "P"), ("a.ppm", "RGB"), ("a.avif", "RGB"),
     ("a.heic", "RGB"), ("a.heic", "RGBA"), ("a.tif", "LAB"), ("a.tif", "CMYK")],
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


def raw_png(bits, colours, row, transparent):
    """A PNG of 8 equal rows with a transparent colour."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 8, 8, bits, colours, 0, 0, 0)),
        (b"tRNS", transparent),
        (b"IDAT", zlib.compress((b"\0" + row) * 8)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


@pytest.mark.parametrize(
    ("bits", "colours", "row", "transparent"),
    [
        (1, 0, b"\xff", b"\0\1"),
        (2, 0, b"\x55\x55", b"\0\1"),
        (4, 0, b"\x55" * 4, b"\0\5"),
        (8, 0, b"\x55" * 8, b"\0\x55"),
        (16, 0, b"\1\2" * 8, b"\1\2"),
        (8, 2, b"\1" * 24, b"\0\1" * 3),
        (16, 2, b"\1\0" * 24, b"\1\0" * 3),
    ],
)
def test_a_transparent_colour_is_white_whatever_its_bits(bits, colours, row, transparent):
    assert (decode(raw_png(bits, colours, row, transparent), "a.png") == 255).all()
    opaque = decode(raw_png(bits, colours, row, b"\0" * len(transparent)), "a.png")
    assert (opaque < 255).all() or bits == 1


@pytest.mark.parametrize("value", [200, 70_000])
@pytest.mark.parametrize(("dtype", "word"), [(np.int32, "32-bit"), (np.float32, "floating")])
def test_pixels_without_a_known_white_are_refused(tmp_path, dtype, word, value):
    image = Image.fromarray(np.full((9, 9), value, dtype))
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


def test_of_several_images_in_a_heic_the_one_that_viewers_show_is_taken():
    several = pillow_heif.HeifFile()
    for colour in ("red", "lime", "blue"):
        several.add_from_pillow(Image.new("RGB", (64, 64), colour))
    buffer = io.BytesIO()
    several.save(buffer, primary_index=1, quality=90)
    assert decode(buffer.getvalue(), "a.heic")[5, 5].argmax() == 1


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
    monkeypatch.setattr(decoding, "MAX_PIXELS", 200)
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


def decoded(names, contents, size=None, bad=None):
    return np.stack([*decode_all(zip(names, contents, strict=True), bad or BadFiles("x"), size)])


def test_files_decoded_together_have_the_pixels_that_pillow_gives():
    contents = [picture(seed) for seed in range(50)]
    pillows = [np.asarray(Image.open(io.BytesIO(content))) for content in contents]
    assert (decoded(map(str, range(50)), contents) == pillows).all()


def test_a_file_of_many_that_is_cut_off_is_named():
    bad = BadFiles("x")
    decoded(["good.jpg", "bad.jpg"], [picture(0), picture(1)[:-40]], bad=bad)
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
    with pytest.raises(UserError, match="x: b is 32×32 pixels, not"):
        decoded(["a", "b"], contents)
    assert decoded(["a", "b"], contents, 16).shape == (2, 16, 16, 3)


def test_images_that_are_not_square_need_image_size():
    wide = encode_jpeg(np.zeros((16, 32, 3), np.uint8))
    with pytest.raises(UserError, match="not square"):
        decoded(["a"], [wide])


def exif_block(*entries, thumbnail=b""):
    """EXIF with entries of (tag, type, count, value of 4 bytes), and a thumbnail behind them."""
    body = b"".join(
        struct.pack("<HHL", *entry[:3]) + entry[3].ljust(4, b"\0") for entry in sorted(entries)
    )
    return (
        b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + bytes(4) + thumbnail
    )


def scene(size=(48, 32), seed=0):
    low = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), np.uint8)
    return Image.fromarray(low).resize(size, Image.Resampling.BICUBIC)


ODD_EXIF = {
    "a negative size": (0x0100, 9, 1, struct.pack("<l", -5)),
    "a number too large for its kind": (0x0103, 4, 1, struct.pack("<L", 70_000)),
    "a place behind the end": (0x011A, 10, 1, struct.pack("<L", 2**31)),
    "an unknown kind of value": (0x010E, 99, 7, b"abcd"),
    "more values than the file has": (0x010F, 2, 2**32 - 1, b"abcd"),
}


@pytest.mark.parametrize("odd", ODD_EXIF)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_odd_metadata_do_not_keep_a_picture_from_being_read_upright(kind, odd):
    upside_down = (0x0112, 3, 1, struct.pack("<H", 3))
    plain = in_bytes(scene(), kind)
    content = in_bytes(scene(), kind, exif=exif_block(upside_down, ODD_EXIF[odd]))
    assert (decode(content, "x") == decode(plain, "x")[::-1, ::-1]).all()


def test_the_thumbnail_in_a_photographs_metadata_is_not_taken_for_the_photograph():
    thumbnail = in_bytes(scene((16, 16), 1), "JPEG")
    contents = [
        in_bytes(scene((32, 32), seed), "JPEG", exif=exif_block(thumbnail=thumbnail))
        for seed in range(4)
    ]
    for seed, pixels in enumerate(decoded("abcd", contents)):
        plain = in_bytes(scene((32, 32), seed), "JPEG")
        assert (pixels == np.asarray(Image.open(io.BytesIO(plain)))).all()


def chunk(kind, body):
    return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))


NOISE = np.random.default_rng(0).integers(0, 256, 1_500_000, np.uint8).tobytes()
TEXT = b"node " * 600_000
PNG_CHUNKS = {
    "a long text": chunk(b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(TEXT)),
    "a text in the old form": chunk(b"zTXt", b"workflow\0\0" + zlib.compress(TEXT)),
    "a profile that is none": chunk(b"iCCP", b"p\0\0" + zlib.compress(NOISE)),
    "a profile that does not unpack": chunk(b"iCCP", b"p\0\0" + NOISE[:99]),
    "a text that turns the picture": chunk(
        b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation='3'/>"
    ),
}


@pytest.mark.parametrize("what", PNG_CHUNKS)
@pytest.mark.parametrize("place", ["before the pixels", "behind them"])
def test_text_in_a_png_changes_nothing(what, place):
    plain = in_bytes(scene(), "PNG")
    at = 33 if place == "before the pixels" else -12
    content = plain[:at] + PNG_CHUNKS[what] + plain[at:]
    assert (decode(content, "x") == np.asarray(scene())).all()


@pytest.mark.parametrize(
    "extra", [b"\xff\xfe\x00\x08hello!", b"\xff\xe1\x00\x0fExif\0\0broken!", b"\xff\xed\x00\x04ab"]
)
def test_metadata_in_a_jpeg_change_nothing(extra):
    plain = picture(0)
    assert (decode(plain[:2] + extra + plain[2:], "x") == decode(plain, "x")).all()


def display_p3():
    """A profile like sRGB's, with the primaries of Display P3."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    primaries = {
        b"rXYZ": (0.51512, 0.2412, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.1571, 0.06657, 0.78407),
    }
    (count,) = struct.unpack_from(">L", profile, 128)
    for at in range(132, 132 + 12 * count, 12):
        tag, place, _ = struct.unpack_from(">4sLL", profile, at)
        if tag in primaries:
            numbers = [round(value * 65536) for value in primaries[tag]]
            struct.pack_into(">3l", profile, place + 8, *numbers)
    return bytes(profile)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_a_colour_profile_is_heeded(kind):
    lossless = {"WEBP": {"lossless": True}, "AVIF": {"quality": 100}, "JPEG": {"quality": 95}}
    image = Image.new("RGB", (32, 32), (200, 60, 60))
    content = in_bytes(image, kind, icc_profile=display_p3(), **lossless.get(kind, {}))
    shown = decode(content, "x")[8, 8].astype(int)
    assert np.abs(shown - [218, 42, 52]).max() <= 4  # by the matrix in CSS Color 4
    with_alpha = image.convert("RGBA")
    with_alpha.putpixel((0, 0), (0, 0, 0, 0))
    if kind in ("PNG", "WEBP", "TIFF"):
        content = in_bytes(with_alpha, kind, icc_profile=display_p3(), **lossless.get(kind, {}))
        pixels = decode(content, "x")
        assert (pixels[0, 0] == 255).all() and np.abs(pixels[8, 8] - [218, 42, 52]).max() <= 4


@pytest.mark.parametrize("what", ["sRGB itself", "broken", "of another kind"])
def test_a_profile_that_says_nothing_changes_nothing(what):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    icc = {"sRGB itself": srgb, "broken": display_p3()[:200], "of another kind": lab}[what]
    content = in_bytes(scene(), "PNG", icc_profile=icc)
    assert (decode(content, "x") == np.asarray(scene())).all()


def test_conversion_in_bands_gives_what_conversion_at_once_gives(monkeypatch):
    image = scene((61, 97)).convert("RGBA")
    image.putalpha(scene((61, 97), 1).convert("L"))
    content = in_bytes(image, "PNG", icc_profile=display_p3())
    at_once = [decode(content, "x", size) for size in (None, 16)]
    monkeypatch.setattr(decoding, "_BAND", 200)
    for size, expected in zip((None, 16), at_once, strict=True):
        assert (decode(content, "x", size) == expected).all()


def test_grey_with_white_at_zero_is_not_seen_as_a_negative(tmp_path):
    image = Image.fromarray(np.full((9, 9), 257 * 100, np.uint16))
    image.save(tmp_path / "a.tif", tiffinfo={262: 0})
    content = bytearray((tmp_path / "a.tif").read_bytes())
    at = content.index(struct.pack("<HHL", 262, 3, 1)) + 8
    content[at : at + 2] = bytes(2)
    assert (decode(bytes(content), "x") == 155).all()


def tiff_of(*pages, inside=(), made_by=b"II*\0"):
    """A TIFF whose pages, lists of (tag, value), hold no pixels; the first has ``inside`` in it."""
    content, after = bytearray(made_by + bytes(4)), 4
    below = []
    for page in inside:
        below.append(len(content))
        content += _ifd(page) + bytes(4)
    for number, page in enumerate(pages):
        tags = [*page, *((330, place) for place in below if number == 0)]
        struct.pack_into("<L", content, after, len(content))
        content += _ifd(tags)
        after = len(content)
        content += bytes(4)
    return bytes(content) + bytes(64)


def _ifd(tags):
    entries = (struct.pack("<HHLL", tag, 4, 1, value) for tag, value in tags)
    return struct.pack("<H", len(tags)) + b"".join(entries)


RAW = {
    "NEF": tiff_of([(254, 1), (262, 2)], inside=[[(254, 0), (262, 32803)]]),
    "DNG": tiff_of([(254, 1), (262, 2), (50706, 0x00000401)]),
    "preview without a mark": tiff_of([(262, 2)], inside=[[(262, 34892)]]),
    "unknown maker": tiff_of([(254, 1), (262, 6)], inside=[[(254, 0), (262, 1)]]),
    "CR2": b"II*\0\x10\0\0\0CR\2\0" + bytes(64),
    "CR3": b"\0\0\0\x18ftypcrx " + bytes(64),
    "ORF": b"IIRO\x08\0\0\0" + bytes(64),
    "RAF": b"FUJIFILMCCD-RAW 0201" + bytes(64),
}


@pytest.mark.parametrize("maker", RAW)
def test_a_cameras_raw_file_is_refused_by_name_whatever_its_suffix(maker, tmp_path):
    (tmp_path / "holiday.tif").write_bytes(RAW[maker])
    with pytest.raises(UserError, match="holiday.tif is a camera's raw file"):
        load_image(tmp_path / "holiday.tif")


def test_a_tiff_with_a_smaller_copy_of_its_picture_is_one_picture(tmp_path):
    small = scene((24, 16))
    scene().save(tmp_path / "a.tif", save_all=True, append_images=[small])
    with pytest.raises(UserError, match="several pages"):
        load_image(tmp_path / "a.tif")
    small.encoderinfo = {"tiffinfo": {254: 1}}
    scene().save(tmp_path / "a.tif", save_all=True, append_images=[small])
    assert (load_image(tmp_path / "a.tif") == np.asarray(scene())).all()


@pytest.mark.parametrize(
    "error",
    [struct.error("ushort format requires"), RuntimeError("dav1d"), SyntaxError(), KeyError(34),
     ZeroDivisionError("/"), AttributeError("x"), RecursionError("deep"), UnicodeError("\udcff")],
)  # fmt: skip
def test_whatever_a_decoder_raises_is_told_of_the_file(error, monkeypatch, tmp_path):
    def fail(self):
        raise error

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", fail)
    path = saved(tmp_path / "a.png", red("RGB"))
    with pytest.raises(UserError, match=r"a\.png is damaged or cut off: \S") as caught:
        load_image(path)
    caught.value.message.encode()


def test_a_jpeg_too_large_for_the_memory_is_decoded_smaller(monkeypatch):
    content = in_bytes(scene((1024, 768)), "JPEG", quality=95)
    whole = decoding.decode(content, "x", 32)
    monkeypatch.setattr(decoding, "MEMORY", 1024 * 768 * 8 // 3)
    reduced = decoding.decode(content, "x", 32)
    assert reduced[1:] == whole[1:] == (1024, 768)
    assert 0 < np.abs(reduced.pixels.astype(int) - whole.pixels).max() <= 6
    with pytest.raises(UserError, match="x is too large: 1,024×768"):
        decode(content, "x", 500)  # half the size would no longer do
    with pytest.raises(UserError, match="x is too large"):
        decode(in_bytes(scene((1024, 768)), "PNG"), "x", 32)


def test_a_jpeg_of_a_thousand_scans_is_refused_before_it_is_decoded():
    progressive = in_bytes(scene((64, 64)), "JPEG", progressive=True)
    last = progressive[progressive.rindex(b"\xff\xda") : -2]
    assert decode(progressive[:-2] + 20 * last + progressive[-2:], "x").shape == (64, 64, 3)
    with pytest.raises(UserError, match="x comes in more than 100 scans"):
        decode(progressive[:-2] + 1000 * last + progressive[-2:], "x")


def test_an_image_that_a_tiff_names_a_thousand_times_is_looked_at_once(monkeypatch):
    class Page(dict):
        next = 8

    looked = []

    def page(content, at=0):
        looked.append(at)
        return Page({330: (100, 200) * 500} if at == 8 else {})

    monkeypatch.setattr(containers, "_tiff_page", page)
    assert not containers.is_camera_raw(tiff_of())
    assert looked == [0, 8, 100, 200]


def test_a_progressive_jpegs_memory_is_counted(monkeypatch):
    options = {"quality": 95, "subsampling": "4:2:0"}
    plain = in_bytes(scene((640, 640)), "JPEG", **options)
    progressive = in_bytes(scene((640, 640)), "JPEG", progressive=True, **options)
    monkeypatch.setattr(decoding, "MEMORY", 640 * 640 * 8)
    decode(plain, "x")
    with pytest.raises(UserError, match="x is too large"):
        decode(progressive, "x")
    monkeypatch.setattr(decoding, "MEMORY", 640 * 640 * 11)
    decode(progressive, "x")


def test_images_decoded_at_the_same_time_share_one_budget(monkeypatch):
    content = in_bytes(scene((800, 800)), "PNG")
    budget = decoding._Budget(800 * 800 * 8 * 2)
    monkeypatch.setattr(decoding, "_IN_FLIGHT", budget)
    both, most, load = threading.Barrier(2, timeout=20), [], PngImagePlugin.PngImageFile.load

    def watched(self):
        most.append(budget._free)
        both.wait()  # two are let in
        return load(self)

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", watched)
    with ThreadPoolExecutor(8) as pool:
        assert len([*pool.map(lambda _: decode(content, "x", 16), range(8))]) == 8
    assert min(most) == 0 and budget._free == 800 * 800 * 8 * 2


def test_a_phones_heic_is_read_whatever_its_suffix(tmp_path):
    path = saved(tmp_path / "a.heic", scene((64, 48)), quality=95)
    pixels = load_image(path)
    assert np.abs(pixels.astype(int) - np.asarray(scene((64, 48)))).mean() < 6
    (tmp_path / "b.jpg").write_bytes(path.read_bytes())
    assert (load_image(tmp_path / "b.jpg") == pixels).all()


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_cut_download_in_a_new_format_is_refused_by_name(kind, share):
    if kind == "HEIF":
        buffer = io.BytesIO()
        pillow_heif.from_pillow(scene((64, 48))).save(buffer)
        content = buffer.getvalue()
    else:
        content = in_bytes(scene((64, 48)), kind)
    with pytest.raises(UserError, match="x is (damaged|not an image)"):
        decode(content[: int(len(content) * share)], "x")


def test_no_damaged_file_escapes_the_reader():
    counts, escaped, peak = fuzz_images.run(3500, seed=8)
    assert escaped == [] and peak < fuzz_images.MEMORY
    assert sum(found.total() for found in counts.values()) == 3500
    assert all(set(found) <= {"read", "refused"} for found in counts.values())


def test_what_the_fuzzer_starts_from_is_read_unless_it_is_animated():
    for name, content in fuzz_images.sources().items():
        expected = "refused" if "animated" in name or "pages" in name else "read"
        assert fuzz_images.outcome(content, None) == expected, name
