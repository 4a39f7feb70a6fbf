"""Damage image files in many ways and see that the reader gives pixels or words, and nothing else.

``python -m tests.data.fuzz_images --files 20000`` from the top folder. The number of a file and the
seed make the same file wherever the same libraries are. Files are read in a process of its own, so
that a decoder that crashes, hangs or takes too much memory is counted, too. Exit code 1 if anything
escaped.
"""

import argparse
import io
import os
import resource
import selectors
import struct
import subprocess
import sys
import time
import zlib
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageCms, PngImagePlugin

ROOT = Path(__file__).resolve().parents[2]

SECONDS = 30
"""A file that takes longer hangs."""

MEMORY = 2 * 2**30
"""Bytes that the process may take at most."""

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6" hdrgm:Version="1.0"/></x>'


def sources():
    """Whole files of every kind and form, by name."""
    dice = np.random.default_rng(0)
    low = Image.fromarray(dice.integers(0, 256, (5, 6, 3), np.uint8))
    rgb = low.resize((48, 40), Image.Resampling.BICUBIC)
    rgba = rgb.copy()
    rgba.putalpha(rgb.convert("L"))
    grey, palette, bits = rgb.convert("L"), rgb.quantize(16), rgb.convert("1")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x011A] = 6, "Maker", 72.0
    exif.get_ifd(0x8769)[0x9003] = "2026:01:01 00:00:00"
    exif = exif.tobytes()
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # A gamma of its own, so that there is something to convert.
    icc = icc.replace(b"para\0\0\0\0\0\3\0\0\0\2\x66", b"para\0\0\0\0\0\3\0\0\0\1\xcc")
    text = PngImagePlugin.PngInfo()
    text.add_itxt("workflow", "node " * 99, zip=True)
    text.add_text("parameters", "steps " * 20, zip=True)
    meta = {"exif": exif, "icc_profile": icc}
    told = {**meta, "xmp": XMP}

    def film():
        return {"save_all": True, "append_images": [rgb.rotate(90)]}

    made = {
        "jpeg": (rgb, "JPEG", {}),
        "jpeg with metadata": (rgb, "JPEG", {**told, "comment": b"hello"}),
        "jpeg progressive": (rgb, "JPEG", {"progressive": True, **meta}),
        "jpeg grey": (grey, "JPEG", {"restart_marker_blocks": 2}),
        "jpeg cmyk": (rgb.convert("CMYK"), "JPEG", {}),
        "jpeg of a phone": (rgb, "MPO", {**film(), **meta}),
        "png": (rgb, "PNG", {}),
        "png with metadata": (rgb, "PNG", {**meta, "pnginfo": text}),
        "png transparent": (rgba, "PNG", {"icc_profile": icc}),
        "png palette": (palette, "PNG", {"transparency": 3}),
        "png deep": (deep, "PNG", {}),
        "png bits": (bits, "PNG", {}),
        "png animated": (rgb, "PNG", film()),
        "webp": (rgb, "WEBP", told),
        "webp lossless": (rgba, "WEBP", {"lossless": True}),
        "webp animated": (rgba, "WEBP", film()),
        "avif": (rgb, "AVIF", told),
        "avif transparent": (rgba, "AVIF", {"subsampling": "4:4:4"}),
        "avif animated": (rgb, "AVIF", film()),
        "heic": (rgb, "HEIF", {"exif": exif, "icc_profile": icc, "xmp": XMP}),
        "heic transparent": (rgba, "HEIF", {}),
        "gif": (palette, "GIF", {"transparency": 3, "interlace": True, "comment": b"hello"}),
        "gif animated": (palette, "GIF", {"save_all": True, "append_images": [palette.rotate(90)]}),
        "tiff": (rgb, "TIFF", {"icc_profile": icc, "exif": exif}),
        "tiff big": (rgb, "TIFF", {"big_tiff": True, "compression": "tiff_adobe_deflate"}),
        "tiff lzw": (rgba, "TIFF", {"compression": "tiff_lzw"}),
        "tiff packbits": (palette, "TIFF", {"compression": "packbits"}),
        "tiff jpeg": (rgb, "TIFF", {"compression": "jpeg"}),
        "tiff fax": (bits, "TIFF", {"compression": "group4"}),
        "tiff tiled": (rgb, "TIFF", {"tiffinfo": {322: 16, 323: 16}, "compression": "tiff_lzw"}),
        "tiff deep": (deep, "TIFF", {}),
        "tiff pages": (rgb, "TIFF", film()),
        "bmp": (rgb, "BMP", {}),
        "bmp palette": (palette, "BMP", {}),
        "ppm": (rgb, "PPM", {}),
    }
    files = {}
    for name, (image, kind, options) in made.items():
        buffer = io.BytesIO()
        if kind == "HEIF":
            pillow_heif.from_pillow(image).save(buffer, **options)
        else:
            image.copy().save(buffer, kind, **options)  # saving leaves settings behind
        files[name] = buffer.getvalue()
    return files


def damaged(number, seed, files):
    """Kind and bytes of a file, which depend on its number and the seed alone."""
    dice = np.random.default_rng([seed, number])
    name = list(files)[number % len(files)]
    content = bytearray(files[name])
    for _ in range(int(dice.choice([1, 1, 2, 3, 6]))):
        if len(content) < 40:
            break
        WAYS[dice.integers(len(WAYS))](content, dice, files)
    if name.startswith("png") and dice.random() < 0.7:
        _correct_sums(content)
    return name, bytes(content)


def _correct_sums(content):
    """Of a PNG's chunks, or nothing behind a wrong one would ever be looked at."""
    for start, end in _parts(content):
        if end <= len(content):
            struct.pack_into(">L", content, end - 4, zlib.crc32(content[start + 4 : end - 4]))


def _flip_bits(content, dice, _):
    for at in dice.integers(0, len(content), dice.choice([1, 4, 30])):
        content[at] ^= 1 << dice.integers(8)


def _odd_bytes(content, dice, _):
    for at in dice.integers(0, len(content), dice.choice([1, 3])):
        content[at] = dice.choice([0, 1, 0x7F, 0x80, 0xFE, 0xFF])


def _insert(content, dice, _):
    at = dice.integers(0, len(content) + 1)
    content[at:at] = dice.bytes(dice.choice([1, 2, 16, 500]))


def _cut(content, dice, _):
    del content[dice.integers(8, len(content)) :]


def _remove(content, dice, _):
    at = dice.integers(2, len(content))
    del content[at : at + dice.choice([1, 4, 60])]


def _odd_number(content, dice, _):
    """Where a length, a count or a size may stand: most headers are near the beginning."""
    form = str(dice.choice(["<H", ">H", "<L", ">L", "<Q"]))
    reach = min(len(content), int(dice.choice([40, 200, 10**9]))) - struct.calcsize(form)
    top = 256 ** struct.calcsize(form) - 1
    number = dice.choice([0, 1, 8, 4097, 50_000, 65_535, 2**24, 2**31 - 1, 2**31, 2**32 - 1, top])
    struct.pack_into(form, content, dice.integers(0, max(1, reach)), min(int(number), top))


def _repeat_part(content, dice, _):
    """Double a chunk, segment or box, or remove it."""
    parts = _parts(content)
    start, end = parts[dice.integers(len(parts))]
    part = bytes(content[start:end])
    if dice.random() < 0.3:
        del content[start:end]
    else:
        at = parts[dice.integers(len(parts))][0]
        content[at:at] = part * int(dice.choice([1, 1, 2, 200]))


def _odd_length_of_part(content, dice, _):
    parts = _parts(content)
    start, end = parts[dice.integers(len(parts))]
    form, place = (">H", start + 2) if content[:2] == b"\xff\xd8" else (">L", start)
    if content[:4] == b"RIFF":
        form, place = "<L", start + 4
    if place + struct.calcsize(form) <= len(content):
        (length,) = struct.unpack_from(form, content, place)
        top = 256 ** struct.calcsize(form) - 1
        odd = [0, 1, 2, length - 1, length + 1, length * 2, top, top // 2]
        struct.pack_into(form, content, place, int(np.clip(odd[dice.integers(8)], 0, top)))


def _metadata(content, dice, files):
    """Damage what stands in EXIF, a profile or XMP, wherever there is some."""
    starts = (
        b"Exif\0\0",
        b"eXIf",
        b"EXIF",
        b"II*\0",
        b"MM\0*",
        b"acsp",
        b"ICC_PROFILE",
        b"xmpmeta",
    )
    places = [place for start in starts if (place := content.find(start)) >= 0]
    if not places:
        _flip_bits(content, dice, files)
        return
    place = places[dice.integers(len(places))]
    for at in place + dice.integers(0, 200, dice.choice([1, 3, 12])):
        if at < len(content):
            content[at] = dice.integers(256) if dice.random() < 0.5 else dice.choice([0, 255, 128])


def _splice(content, dice, files):
    other = files[list(files)[dice.integers(len(files))]]
    at, start = dice.integers(0, len(content)), dice.integers(0, len(other))
    content[at:] = other[start:]


WAYS = [_flip_bits, _odd_bytes, _insert, _cut, _remove, _odd_number, _odd_number, _repeat_part,
        _odd_length_of_part, _metadata, _metadata, _splice]  # fmt: skip


def _parts(content):
    """Start and end of the parts that a file says it is made of; of others, pieces of 12 bytes."""
    parts, at = [], 0
    if content[:2] == b"\xff\xd8":
        at = 2
        while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != 0xDA:
            end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
            parts.append((at, end))
            at = end
    elif content[:4] == b"\x89PNG":
        at = 8
        while at + 12 <= len(content):
            end = at + 12 + int.from_bytes(content[at : at + 4], "big")
            parts.append((at, end))
            at = end
    elif content[:4] == b"RIFF":
        at = 12
        while at + 8 <= len(content):
            length = int.from_bytes(content[at + 4 : at + 8], "little")
            parts.append((at, at + 8 + length + length % 2))
            at = parts[-1][1]
    elif content[4:8] == b"ftyp":
        _boxes(content, 0, len(content), parts)
    parts = [part for part in parts if part[0] < len(content)]
    return parts or [(at, at + 12) for at in range(8, len(content), 12)] or [(0, len(content))]


def _boxes(content, at, end, parts, depth=0):
    while at + 8 <= end and len(parts) < 500:
        length = int.from_bytes(content[at : at + 4], "big") or end - at
        parts.append((at, at + length))
        inside = {b"meta": 12, b"iprp": 8, b"ipco": 8, b"iinf": 14}.get(
            bytes(content[at + 4 : at + 8])
        )
        if inside and depth < 4:
            _boxes(content, at + inside, min(at + length, end), parts, depth + 1)
        at += max(length, 8)


def outcome(content, size):
    """What the reader makes of one file: "read", "refused", or what escaped."""
    from realfake_lib.data import images
    from realfake_lib.errors import UserError

    try:
        pixels = images.decode(content, "the file", size)
    except UserError as error:
        error.message.encode()
        return "refused" if error.message.startswith("the file ") else repr(error)
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    right = pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
    return "read" if right else f"{pixels.dtype} {pixels.shape}"


def work(seed, start, stop):
    """Read files one after the other; say of each that it begins, and then how it ended."""
    files = sources()
    for number in range(start, stop):
        print(f"{number}\tbegins", flush=True)
        _, content = damaged(number, seed, files)
        found = outcome(content, (None, 32)[number // len(files) % 2])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(f"{number}\t{' '.join(found.split())}\t{peak}", flush=True)


def run(n, seed=0, first=0):
    """Read files ``first`` to ``first + n`` in a process that is started again when it dies.

    Returns
    -------
    counts : dict of Counter
        By kind of file: "read", "refused".
    escaped : list of (number, kind, what)
    peak : int
        Bytes that a process took at most.
    """
    names = list(sources())
    counts, escaped, peak = defaultdict(Counter), [], 0
    at, stop = first, first + n
    while at < stop:
        command = [sys.executable, __file__, "--work", str(seed), str(at), str(stop)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        ) as process:
            number, why = at, "ended"
            for line in _lines(process):
                number, found, *used = line.split("\t")
                number = int(number)
                if used:
                    at, peak = number + 1, max(peak, int(used[0]))
                    kind = names[number % len(names)]
                    counts[kind][found] += 1
                    if found not in ("read", "refused"):
                        escaped.append((number, kind, found))
            if process.poll() is None:
                why = f"hung for {SECONDS} s"
                process.kill()
            if process.wait() or at < stop:
                why = f"{why}, exit code {process.returncode}"
        if at < stop:
            escaped.append((number, names[number % len(names)], why))
            at = number + 1
    return counts, escaped, peak


def _lines(process):
    """Lines that a process prints, until it ends or is silent for too long."""
    waiting, rest = selectors.DefaultSelector(), b""
    waiting.register(process.stdout, selectors.EVENT_READ)
    while waiting.select(SECONDS):
        some = os.read(process.stdout.fileno(), 2**16)
        if not some:
            process.wait()
            return
        *lines, rest = (rest + some).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--keep", type=Path, help="folder for the files that made trouble")
    parser.add_argument("--work", type=int, nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        return work(*given.work)
    started = time.monotonic()
    counts, escaped, peak = run(given.files, given.seed, given.first)
    for kind, found in counts.items():
        print(f"{kind:22} {found.total():6,} files, {found['read']:6,} read, ", end="")
        print(f"{found['refused']:6,} refused")
    for number, kind, what in escaped:
        print(f"ESCAPED {number} ({kind}): {what}")
        if given.keep:
            given.keep.mkdir(parents=True, exist_ok=True)
            (given.keep / f"{number}.bin").write_bytes(damaged(number, given.seed, sources())[1])
    total = sum((found for found in counts.values()), Counter())
    print(
        f"{total.total():,} files, seed {given.seed}, first {given.first}: {total['read']:,} read, "
        f"{total['refused']:,} refused, {len(escaped)} escaped; at most {peak / 2**20:,.0f} MiB "
        f"of memory, {time.monotonic() - started:.0f} s"
    )
    return 1 if escaped or peak > MEMORY else 0


if __name__ == "__main__":
    sys.exit(main())
