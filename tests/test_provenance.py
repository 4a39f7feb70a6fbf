"""What files say of themselves: true marks are recognised, names alone count for nothing."""

import csv
import io
import json
import os
import random
import socket
import struct
import sys
import time
import tracemalloc
import zlib
from dataclasses import replace

import numpy as np
import pillow_heif
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import IFDRational
from test_predict import as_json, realfake_predict

import realfake_lib
from realfake_lib import provenance
from realfake_lib.errors import UserError
from realfake_lib.provenance import credentials

MIMES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "TIFF": "image/tiff"}
MIMES |= {"AVIF": "image/avif", "HEIF": "image/heic"}


# --- files --------------------------------------------------------------------------------------


def file(kind, **metadata):
    """Bytes of a small photograph of a kind."""
    rng = np.random.default_rng(0)
    photograph = Image.fromarray(rng.integers(0, 255, (48, 48, 3), "uint8"))
    content = io.BytesIO()
    if kind == "HEIF":
        pillow_heif.from_pillow(photograph).save(content, **metadata)
    else:
        photograph.save(content, kind, **metadata)
    return content.getvalue()


def png(compressed=False, **texts):
    """A PNG with texts."""
    info = PngInfo()
    for name, text in texts.items():
        info.add_text(name, text, zip=compressed)
    return file("PNG", pnginfo=info)


def exif(**values):
    """EXIF of tags by their names."""
    block = Image.Exif()
    places = {"ImageDescription": 270, "Make": 271, "Model": 272, "Software": 305, "Artist": 315}
    inner = {"ExposureTime": 0x829A, "FNumber": 0x829D, "ISO": 0x8827, "FocalLength": 0x920A}
    inner |= {"UserComment": 0x9286}
    for name, value in values.items():
        if name in places:
            block[places[name]] = value
        else:
            block.get_ifd(0x8769)[inner[name]] = value
    return block.tobytes()


CAMERA = dict(Make="Canon", Model="Canon EOS R5", ISO=400)
CAMERA |= dict(ExposureTime=IFDRational(1, 250), FNumber=IFDRational(28, 10))
TERMS = "http://cv.iptc.org/newscodes/digitalsourcetype/"
XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" {attributes}>{elements}
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


def xmp(elements="", attributes=""):
    return XMP.format(elements=elements, attributes=attributes).encode()


def png_xmp(packet):
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", packet.decode())
    return file("PNG", pnginfo=info)


WEB_UI = """a lighthouse, {cloudy} sky
Negative prompt: people
Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 12, Size: 512x512, Model hash: 6ce0161689"""
UNICODE = b"UNICODE\0" + WEB_UI.encode("utf-16-be")
GRAPH = json.dumps({"3": {"class_type": "KSampler", "inputs": {"seed": 5}}})
WORKFLOW = json.dumps({"nodes": [{"id": 1, "type": "KSampler"}], "links": [], "version": 0.4})
SCALED = json.dumps({"1": {"class_type": "ImageScale", "inputs": {"width": 512}}})
CIVITAI = b"UNICODE\0" + json.dumps(json.loads(GRAPH) | {"extra": {}}).encode("utf-16-le")
PROMPTED = json.dumps({"prompt": "a cat", "model": "flux", "seed": 42}).encode()
JOB = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
SWARM = json.dumps({"sui_image_params": {"prompt": "a cat", "steps": 20}})
INVOKE = json.dumps({"app_version": "5.4.0", "positive_prompt": "a cat", "seed": 1})
NOVEL = json.dumps({"steps": 28, "sampler": "k_euler", "seed": 1, "uc": "bad"})
FOOOCUS = json.dumps({"prompt": "a cat", "base_model": "jugger", "sampler": "dpmpp", "seed": "1"})
TYPE = "Iptc4xmpExt:DigitalSourceType"


@pytest.fixture(scope="module")
def signer():
    pytest.importorskip("c2pa", reason="needs the extra provenance")
    from content_credentials import Signer

    return Signer()


def signed(signer, kind, term, **options):
    from content_credentials import created

    return signer.sign(file(kind), MIMES[kind], created(term), **options)


def opened(signer, original):
    """A file that was opened in an editor and saved."""
    action = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["0"]}}
    return signer.sign(original, "image/jpeg", action, ingredients=[("parentOf", original)])


MARKED = {
    "c2pa.jpg": (lambda s: signed(s, "JPEG", "trainedAlgorithmicMedia"), "ai"),
    "c2pa.png": (lambda s: signed(s, "PNG", "compositeWithTrainedAlgorithmicMedia"), "partly_ai"),
    "c2pa.webp": (lambda s: signed(s, "WEBP", "digitalCapture"), "camera"),
    "c2pa.tif": (lambda s: signed(s, "TIFF", "digitalCreation"), "other"),
    "c2pa.heic": (lambda s: signed(s, "HEIF", "trainedAlgorithmicMedia"), "ai"),
    "edited.jpg": (lambda s: opened(s, signed(s, "JPEG", "trainedAlgorithmicMedia")), "ai"),
    "attribute.jpg": (
        file("JPEG", xmp=xmp(attributes=f'{TYPE}="{TERMS}trainedAlgorithmicMedia"')),
        "ai",
    ),
    "element.png": (png_xmp(xmp(f"<{TYPE}>{TERMS}compositeSynthetic</{TYPE}>")), "partly_ai"),
    "resource.webp": (
        file("WEBP", xmp=xmp(f'<{TYPE} rdf:resource="{TERMS}digitalCapture"/>')),
        "camera",
    ),
    "term.tif": (
        file("TIFF", tiffinfo={700: xmp(f"<{TYPE}>trainedAlgorithmicMedia</{TYPE}>")}),
        "ai",
    ),
    "xmp.avif": (file("AVIF", xmp=xmp(f'<{TYPE} rdf:resource="{TERMS}screenCapture"/>')), "other"),
    "label.png": (png_xmp(xmp('<TC260:AIGC>{"Label":"1"}</TC260:AIGC>')), "ai"),
    "drawthings.png": (png_xmp(xmp("<xmp:CreatorTool>Draw Things</xmp:CreatorTool>")), "ai"),
    "webui.png": (png(parameters=WEB_UI), "ai"),
    "webui_unicode.png": (png(parameters=f"灯台\n{WEB_UI}"), "ai"),
    "webui.jpg": (file("JPEG", exif=exif(UserComment=UNICODE)), "ai"),
    "webui.webp": (file("WEBP", exif=exif(UserComment=b"ASCII\0\0\0" + WEB_UI.encode())), "ai"),
    "comfy.png": (png(prompt=GRAPH, workflow=WORKFLOW), "ai"),
    "comfy.webp": (file("WEBP", exif=exif(Make=f"workflow:{WORKFLOW}", Model="x")), "ai"),
    "comfy_prompt.webp": (file("WEBP", exif=exif(Model=f"prompt:{GRAPH}")), "ai"),
    "swarm.png": (png(compressed=True, parameters=SWARM), "ai"),
    "invoke.png": (png(invokeai_metadata=INVOKE), "ai"),
    "invoke_old.png": (
        png(**{"sd-metadata": '{"app_id": "invoke-ai/InvokeAI", "image": {}}'}),
        "ai",
    ),
    "dream.png": (png(Dream='"a cat" -s 50 -S 123 -W 512 -H 512 -C 7.5 -A k_lms'), "ai"),
    "novel.png": (png(Software="NovelAI", Comment=NOVEL), "ai"),
    "novel_comment.png": (png(Comment=NOVEL), "ai"),
    "fooocus.jpg": (file("JPEG", exif=exif(Software="Fooocus v2.5.5", UserComment=FOOOCUS)), "ai"),
    "mflux.jpg": (file("JPEG", exif=exif(UserComment=b"ASCII\0\0\0" + PROMPTED)), "ai"),
    "civitai.jpg": (file("JPEG", exif=exif(UserComment=CIVITAI)), "ai"),
    "midjourney.png": (png(Description=f"a cat --ar 3:2 --v 6.1 Job ID: {JOB}"), "ai"),
    "openai.jpg": (file("JPEG", exif=exif(Make="OpenAI", Model="GPT-4o")), "ai"),
    "easy.png": (png(use_stable_diffusion_model="sd-v1-4", seed="1"), "ai"),
    "firefly.jpg": (file("JPEG", exif=exif(Software="Adobe Firefly 3.0")), "ai"),
    "flux.jpg": (file("JPEG", exif=exif(Software="AI generated;txt2img;flux", Make="X")), "ai"),
    "camera.jpg": (file("JPEG", exif=exif(**CAMERA)), "camera"),
    "camera.heic": (file("HEIF", exif=exif(**CAMERA)), "camera"),
    "camera.png": (file("PNG", exif=exif(**CAMERA)), "camera"),
}
"""Files with a true mark and the kind of what they say; a function makes what is to be signed."""


def written(path, content):
    path.write_bytes(content)
    return path


def said(path, content):
    return provenance.read(written(path, content))


@pytest.mark.parametrize("name", MARKED)
def test_a_true_mark_is_recognised(name, tmp_path, request):
    content, kind = MARKED[name]
    if callable(content):
        content = content(request.getfixturevalue("signer"))
    found = said(tmp_path / name, content)
    assert found and {one.kind for one in found} == {kind}


# --- names alone --------------------------------------------------------------------------------

BRANDS = ("Midjourney", "DALL-E", "Stable Diffusion", "Adobe Firefly", "NovelAI", "ComfyUI")
BRANDS += ("Fooocus", "Google Gemini")
ITEM = "<rdf:Alt><rdf:li xml:lang='x-default'>{0}</rdf:li></rdf:Alt>"
CAPTIONS = (
    "<dc:title>{0}</dc:title><dc:description>{0}</dc:description><dc:subject>{0}</dc:subject>"
)
PLACES = {
    "exif": lambda b: file("JPEG", exif=exif(**CAMERA, ImageDescription=b, Artist=b)),
    "xmp": lambda b: file("WEBP", xmp=xmp(CAPTIONS.format(ITEM.format(b)))),
    "text": lambda b: png(Title=b, Description=b, Author=b, Comment=b, Source=b, parameters=b),
    "comment": lambda b: file(
        "JPEG", comment=b, exif=exif(**CAMERA, UserComment=b"ASCII\0\0\0" + b.encode())
    ),
    "name": lambda b: file("TIFF"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("brand", BRANDS)
def test_a_name_in_a_caption_or_a_file_name_counts_for_nothing(brand, place, tmp_path):
    name = f"{brand} {place}.jpg" if place == "name" else "photo.jpg"
    found = said(tmp_path / name, PLACES[place](brand))
    assert {one.kind for one in found} <= {"camera"}
    assert bool(found) == (place in ("exif", "comment"))


SAVED = {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}}
LOADED = {"class_type": "LoadImage", "inputs": {"image": "photo.png"}}
CAPTION = {"class_type": "Florence2Run", "inputs": {"image": ["1", 0], "prompt": "", "seed": 1}}
CAPTIONED = json.dumps({"1": LOADED, "2": CAPTION, "3": SAVED})
BYPASSED = json.dumps({"nodes": [{"type": "KSampler", "mode": 4}], "links": []})
RESAMPLED = json.dumps({"nodes": [{"type": "ImageResampler"}], "links": []})
GENERATED = xmp(f"<{TYPE}>{TERMS}trainedAlgorithmicMedia</{TYPE}>")
OF_ANOTHER = GENERATED.replace(b'rdf:about=""', b'rdf:about="https://example.org/other.png"')
NESTED = GENERATED.decode()[GENERATED.decode().index("<rdf:RDF") :].partition("</x:xmp")[0]


@pytest.mark.parametrize(
    "content",
    [
        png(prompt="Stable Diffusion prompt of the week", workflow="ComfyUI workflow"),
        png(parameters="Steps: walk to the lighthouse, take a photograph"),
        png(prompt='{"subject": "a lighthouse"}', workflow='{"nodes": 3}'),
        png(Software="Adobe Photoshop with Adobe Firefly", Comment='{"seed": 1, "steps": 2}'),
        png(Software="Midjourney prompts are my hobby", Dream="a dream -s 5 of DALL-E"),
        png_xmp(xmp("<dc:title>trainedAlgorithmicMedia</dc:title>")),
        png_xmp(xmp(f"<{TYPE}>made by Midjourney</{TYPE}>")),
        png_xmp(xmp(f"<dc:relation><rdf:Bag><rdf:li><{TYPE}>{TERMS}trainedAlgorithmicMedia"
                    f"</{TYPE}></rdf:li></rdf:Bag></dc:relation>")),
        file("JPEG", exif=exif(ImageDescription=WEB_UI, Software="Lightroom")),
        png(prompt=SCALED, workflow='{"nodes": [{"type": "ImageScale"}], "links": []}'),
        png(prompt=CAPTIONED), png(workflow=BYPASSED), png(workflow=RESAMPLED),
        png(use_stable_diffusion_model="None"),
        png_xmp(OF_ANOTHER), png_xmp(xmp(f"<dc:source>{NESTED}</dc:source>")),
        png(Description=f"Job ID: {JOB}, of the printer", parameters='{"prompt": "?", "model": 1}'),
        file("JPEG", exif=exif(ImageDescription="use_stable_diffusion_model: never")),
        png_xmp(xmp(f"<dc:relation rdf:parseType='Resource'><{TYPE} rdf:resource="
                    f"'{TERMS}trainedAlgorithmicMedia'/></dc:relation>")),
        png_xmp(b"<!DOCTYPE x [<!ENTITY term 'trainedAlgorithmicMedia'>]>"
                + xmp(f"<{TYPE}>{TERMS}&term;</{TYPE}>").split(b"?>", 1)[1]),
        file("JPEG", exif=exif(ImageDescription="prompt:a picture like Midjourney's")),
        file("JPEG"), file("PNG"), file("WEBP"), file("TIFF"), file("AVIF"), file("HEIF"),
        file("GIF"), file("BMP"),
    ],
)  # fmt: skip
def test_what_only_looks_like_a_mark_says_nothing(content, tmp_path):
    assert said(tmp_path / "photo", content) == []


def test_a_camera_is_named_with_its_exposure_and_a_warning(tmp_path):
    (found,) = said(tmp_path / "photo.jpg", MARKED["camera.jpg"][0])
    assert found.text == "Canon EOS R5, 1/250 s, f/2.8, ISO 400 (easily copied)"


@pytest.mark.parametrize("half", [{"Make": "flux"}, {"Model": "flux"}])
def test_a_make_or_a_model_alone_is_no_camera(half, tmp_path):
    assert not said(tmp_path / "photo.jpg", file("JPEG", exif=exif(**half, ISO=400)))


def test_what_says_most_comes_first_and_each_thing_is_said_once(tmp_path):
    found = said(tmp_path / "a.jpg", file("JPEG", exif=exif(**CAMERA), xmp=xmp(
        f"<{TYPE}>{TERMS}trainedAlgorithmicMedia</{TYPE}>")))  # fmt: skip
    assert [one.kind for one in found] == ["ai", "camera"]
    found = said(tmp_path / "a.png", png(prompt=GRAPH, workflow=WORKFLOW))
    assert [one.text for one in found] == ["as ComfyUI writes them"]


# --- C2PA ---------------------------------------------------------------------------------------


def test_a_manifest_names_program_and_signer_and_is_valid_whoever_signed(signer, tmp_path):
    (found,) = said(tmp_path / "a.jpg", signed(signer, "JPEG", "trainedAlgorithmicMedia"))
    expected = "trainedAlgorithmicMedia, made with Test generator, signed by Test Signer Ltd"
    assert found == provenance.Statement("C2PA", "ai", expected, "valid")


def test_a_signer_is_trusted_by_the_users_own_list_only(signer, tmp_path, monkeypatch):
    from content_credentials import Signer

    path = written(tmp_path / "a.jpg", signed(signer, "JPEG", "trainedAlgorithmicMedia"))
    for root, validation in ((signer.root, "trusted"), (Signer().root, "valid")):
        (tmp_path / "list.pem").write_text(f"# Test – list\n{root}", encoding="utf-8")
        monkeypatch.setenv("REALFAKE_C2PA_TRUST", str(tmp_path / "list.pem"))
        (found,) = provenance.read(path, provenance.trust_anchors())
        assert found.validation == validation


@pytest.mark.parametrize(
    "content", ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_trust_list_that_is_none_is_a_mistake_and_no_finding(content, tmp_path, monkeypatch):
    monkeypatch.setenv("REALFAKE_C2PA_TRUST", str(tmp_path / "list.pem"))
    with pytest.raises(UserError, match="REALFAKE_C2PA_TRUST"):
        provenance.trust_anchors()
    (tmp_path / "list.pem").write_text(content)
    with pytest.raises(UserError, match="certificates in PEM"):
        provenance.trust_anchors()


def test_a_manifest_that_was_changed_or_belongs_to_other_pixels_is_no_evidence(signer, tmp_path):
    content = signed(signer, "JPEG", "digitalCapture")
    changed = content.replace(b"digitalCapture", b"digitalCaptura")
    repainted = content[:-40] + bytes([content[-40] ^ 1]) + content[-39:]
    for number, (bad, why) in enumerate(
        ((changed, "assertion.hashedURI.mismatch"), (repainted, "assertion.dataHash.mismatch"))
    ):
        (found,) = said(tmp_path / f"{number}.jpg", bad)
        assert (found.kind, found.validation) == ("unusable", "invalid") and why in found.text


def test_a_manifest_that_fails_by_its_certificate_alone_says_so(tmp_path, monkeypatch):
    codes = [{"code": "signingCredential.untrusted"}]
    store = {
        "validation_state": "Invalid",
        "validation_status": codes,
        "active_manifest": "it",
        "manifests": {"it": {}},
    }
    monkeypatch.setattr(credentials, "_manifests", lambda stream, anchors: store)
    found = credentials.from_manifest(None, "")
    assert found.kind == "unusable" and found.text.endswith("signingCredential.untrusted")


def test_an_ingredient_that_its_editor_found_invalid_says_nothing(signer, tmp_path):
    content = signed(signer, "JPEG", "trainedAlgorithmicMedia")
    forged = content.replace(b"trainedAlgorithmicMedia", b"digitalCapture" + b"_" * 9)
    (found,) = said(tmp_path / "a.jpg", opened(signer, forged))
    assert found.kind == "other" and "no digitalSourceType" in found.text


def test_an_ingredient_of_an_unknown_signer_is_not_trusted_for_its_editors_sake(signer, tmp_path):
    from content_credentials import Signer

    path = written(tmp_path / "a.jpg", opened(signer, signed(Signer(), "JPEG", "digitalCapture")))
    (found,) = provenance.read(path, signer.root)
    assert (found.kind, found.validation) == ("camera", "valid")


@pytest.mark.parametrize("whole", ["digitalCapture", "digitalCreation"])
def test_ai_placed_into_an_image_makes_it_ai_in_part(whole, signer, tmp_path):
    from content_credentials import created

    part = signed(signer, "JPEG", "trainedAlgorithmicMedia")
    placed = {"action": "c2pa.placed", "parameters": {"ingredientIds": ["0"]}}
    content = signer.sign(
        file("JPEG"), "image/jpeg", created(whole), placed, ingredients=[("componentOf", part)]
    )
    (found,) = said(tmp_path / "a.jpg", content)
    assert found.kind == "partly_ai" and found.validation == "valid"


def test_without_the_extra_a_manifest_is_named_as_not_read(signer, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    for kind in MIMES:
        (found,) = said(tmp_path / kind, signed(signer, kind, "trainedAlgorithmicMedia"))
        assert (found.kind, found.validation) == ("unusable", "not checked")
        assert 'pip install "realfake-lib[provenance]"' in found.text


def test_reading_a_manifest_asks_nobody(tmp_path):
    pytest.importorskip("c2pa", reason="needs the extra provenance")
    from content_credentials import Signer

    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        content = signed(
            Signer(ocsp=f"{address}/ocsp"), "JPEG", "digitalCapture", remote=f"{address}/manifest"
        )
        assert address.encode() in content
        (found,) = said(tmp_path / "a.jpg", content)
        server.settimeout(1)
        with pytest.raises(TimeoutError):
            server.accept()
    assert found.validation == "valid"


# --- hostile and broken files -------------------------------------------------------------------


def chunk(kind, data):
    return struct.pack(">L4s", len(data), kind) + data + struct.pack(">L", zlib.crc32(kind + data))


def png_with(*chunks):
    plain = file("PNG")
    return plain[:33] + b"".join(chunks) + plain[33:]


def zipped(size):
    """A deflated stream of so many zeros, made without having them."""
    deflate = zlib.compressobj(9)
    zeros = b"0" * 2**20
    return b"".join(deflate.compress(zeros) for _ in range(size >> 20)) + deflate.flush()


def laughs(encoding="utf-8"):
    entities = "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10))
    text = f"<!DOCTYPE x [<!ENTITY a0 'ha'>{entities}]><x>&a9;</x>"
    return f"<?xml version='1.0' encoding='{encoding}'?>{text}".encode(encoding)


def directory(*entries, next_at=0):
    block = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries))
    return block + b"".join(struct.pack("<HHLL", *entry) for entry in entries) + b"\0" * 4


def segment(marker, data):
    return struct.pack(">HH", marker, 2 + len(data)) + data


def jpeg_with(*segments):
    return b"\xff\xd8" + b"".join(segments) + file("JPEG")[2:]


HOSTILE = {
    "text that unpacks to 256 MB": lambda: png_with(
        chunk(b"zTXt", b"parameters\0\0" + zipped(2**28))
    ),
    "many of these": lambda: png_with(
        *[chunk(b"zTXt", b"parameters\0\0" + zipped(2**26))] * 100
    ),
    "XMP that unpacks to 256 MB": lambda: png_with(
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zipped(2**28))
    ),
    "damaged zip": lambda: png_with(chunk(b"zTXt", b"parameters\0\0" + b"no zip at all")),
    "a mark behind more chunks than any file has": lambda: png_with(
        chunk(b"tEXt", b"x\0") * 2**17, chunk(b"tEXt", b"Software\0NovelAI")
    ),
    "a text of 60 MB": lambda: png_with(chunk(b"tEXt", b"parameters\0" + b"x" * 60_000_000)),
    "deep JSON": lambda: png(prompt='{"a":' * 150_000),
    "deep lists in JSON": lambda: png(prompt='{"a":' + "[" * 500_000),
    "many lines": lambda: png(parameters="Steps: 1, Sampler: \n" * 50_000),
    "entities in entities": lambda: file("WEBP", xmp=laughs()),
    "entities in UTF-16": lambda: file("WEBP", xmp=laughs("utf-16")),
    "deep XML": lambda: file("WEBP", xmp=b"<a>" * 340_000),
    "XML with many pieces": lambda: file(
        "WEBP", xmp=xmp(f"<{TYPE}>" + "a<!---->" * 120_000 + f"</{TYPE}>")
    ),
    "no XML": lambda: file("WEBP", xmp=b"\xff\xfe\0\xd8" * 100),
    "EXIF of values outside": lambda: file("WEBP", exif=directory((271, 2, 500_000, 2**31))),
    "EXIF of huge values": lambda: file(
        "WEBP", exif=directory(*[(271, 2, 800_000, 8)] * 60_000) + b"x" * 100_000
    ),
    "EXIF that refers to itself": lambda: file("WEBP", exif=directory((0x8769, 4, 1, 8))),
    "EXIF of other types": lambda: file(
        "WEBP", exif=directory((271, 4, 1, 7), (0x829A, 2, 4, 7), (305, 12, 1, 0))
    ),
    "EXIF without end": lambda: file("WEBP", exif=b"II*\0\x08\0\0\0\xff\xff"),
    "no EXIF": lambda: jpeg_with(segment(0xFFE1, b"Exif\0\0no TIFF")),
    "fill bytes": lambda: b"\xff\xd8" + b"\xff" * 10_000_000,
    "a million segments": lambda: b"\xff\xd8" + segment(0xFFE1, b"") * 1_000_000,
    "thousands of XMP packets": lambda: jpeg_with(
        *[segment(0xFFE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<a>" * 20_000)] * 1_000
    ),
    "segments of no length": lambda: b"\xff\xd8" + b"\xff\xe1\0\0" * 100_000,
    "boxes without length": lambda: b"\0\0\0\x18ftypavif" + b"\0" * 1_000,
    "tiny boxes": lambda: b"\0\0\0\x18ftypheic" + b"\0" * 12 + b"\0\0\0\x08free" * 300_000,
    "a TIFF of nothing": lambda: b"II*\0\xff\xff\xff\xff",
    "chunks beyond the end": lambda: b"RIFF\xff\xff\xff\xffWEBPEXIF\xff\xff\xff\xff",
    "nothing": lambda: b"",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_says_nothing_and_takes_little(name, tmp_path):
    path = written(tmp_path / "photo", HOSTILE[name]())
    begun = time.monotonic()
    assert provenance.read(path) == []
    assert time.monotonic() - begun < 5
    tracemalloc.start()
    provenance.read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32e6


BOX = b"\0\0\0\x30jumb\0\0\0\x20jumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9bq\3c2pa\0"
MANIFESTS = {
    "JPEG": jpeg_with(*[segment(0xFFEB, b"JP\0\1\0\0\0" + bytes([n]) + BOX) for n in (1, 2)]),
    "PNG": png_with(chunk(b"caBX", BOX)),
    "WEBP": file("WEBP") + struct.pack("<4sL", b"C2PA", len(BOX)) + BOX,
    "TIFF": file("TIFF", tiffinfo={0xCD41: BOX}),
    "HEIF": file("HEIF") + struct.pack(">L", 72) + b"uuid"
    + bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + BOX,
}  # fmt: skip


@pytest.mark.parametrize("kind", MANIFESTS)
def test_a_manifest_is_noticed_where_it_cannot_be_read(kind, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    (found,) = said(tmp_path / kind, MANIFESTS[kind])
    assert (found.kind, found.validation) == ("unusable", "not checked")


def test_what_stands_before_and_after_damage_is_read(tmp_path):
    texts = (b"Software\0NovelAI", b"parameters\0" + WEB_UI.encode())
    good, other = (chunk(b"tEXt", text) for text in texts)
    bad = chunk(b"zTXt", b"parameters\0\0no zip"), chunk(b"eXIf", b"no TIFF")
    assert len(said(tmp_path / "a.png", png_with(good, *bad, other))) == 2
    assert len(said(tmp_path / "b.png", png_with(good, other)[:-100])) == 2


def test_a_damaged_manifest_is_named_and_is_no_evidence(tmp_path):
    pytest.importorskip("c2pa", reason="needs the extra provenance")
    (found,) = said(tmp_path / "a.png", png_with(chunk(b"caBX", b"\0\0\0\x08jumb" + b"x" * 500)))
    assert (found.kind, found.validation) == ("unusable", "invalid") and "damaged" in found.text


def test_ingredients_that_share_ingredients_cost_no_more_than_their_number(monkeypatch):
    manifests = {
        str(n): {"ingredients": [{"relationship": "parentOf", "active_manifest": str(n + 1)}] * 2}
        for n in range(60)
    }
    actions = [{"digitalSourceType": f"{TERMS}trainedAlgorithmicMedia"}]
    manifests["60"] = {
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}],
        "ingredients": [{"relationship": "parentOf", "active_manifest": "0"}],
    }
    store = {"validation_state": "Valid", "active_manifest": "0", "manifests": manifests}
    monkeypatch.setattr(credentials, "_manifests", lambda *_: store)
    assert credentials.from_manifest(None, "").kind == "ai"


def test_no_change_of_a_few_bytes_is_an_error(tmp_path):
    rng = random.Random(0)
    for name, (content, _) in MARKED.items():
        if callable(content):
            continue
        for number in range(20):
            changed = bytearray(content)
            for _ in range(rng.randint(1, 8)):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
            said(tmp_path / f"{number} {name}", bytes(changed[: rng.randrange(len(changed))]))


@pytest.mark.parametrize("name", ["missing.jpg", "", "pipe", "a\0b"])
def test_what_is_no_file_is_named_and_nobody_waits_for_it(name, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="is no file"):
        provenance.read(tmp_path / name)


# --- realfake predict ---------------------------------------------------------------------------


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    written(folder / "a.png", png(parameters=WEB_UI))
    written(folder / "b.png", file("PNG"))
    written(folder / "c.png", file("PNG", exif=exif(**CAMERA)))
    return folder


def test_statements_stand_beside_a_verdict_that_they_do_not_change(photos):
    made, plain, camera = realfake_lib.predict(photos, "detector")
    assert [one.kind for one in made.statements] == ["ai"] and plain.statements == ()
    assert replace(made, path="", statements=()) == replace(plain, path="")
    assert camera.p_fake == plain.p_fake and camera.statements[0].kind == "camera"
    (memory,) = realfake_lib.predict(Image.open(photos / "a.png"), "detector")
    assert memory.statements == ()


def test_json_and_csv_carry_the_statements(photos, tmp_path):
    record = as_json(photos, csv=tmp_path / "v.csv")
    made, plain, _ = record["results"]
    assert made["statements"] == [
        {
            "source": "parameters",
            "kind": "ai",
            "text": "as Stable Diffusion web UI writes them",
            "validation": "",
        }
    ]
    assert plain["statements"] == [] and "proves nothing" in record["caveat_of_statements"]
    rows = list(csv.DictReader((tmp_path / "v.csv").read_text("utf-8").splitlines()))
    words = "says it was made by AI: parameters as Stable Diffusion web UI writes them"
    assert [row["statements"] for row in rows][:2] == [words, ""]


def test_the_table_has_a_line_for_what_a_file_says(photos):
    printed = realfake_predict(photos).stdout.splitlines()
    lines = [line for line in printed if not line.strip().startswith("because")]  # too small
    assert lines[2].strip() == (
        "says it was made by AI: parameters as Stable Diffusion web UI writes them"
    )
    assert lines[3].endswith("b.png") and lines[4].endswith("c.png")
    assert lines[5].strip().startswith("says it is from a camera: EXIF Canon EOS R5, 1/250 s")
    assert "nothing proves nothing" in " ".join(lines[6:])


def test_nothing_that_a_file_says_steers_the_terminal(tmp_path):
    label = json.dumps({"Label": "2 \x1b[2J\x9b31m\nevil"})
    content = png_xmp(xmp(f"<TC260:AIGC>{label}</TC260:AIGC>"))
    (line,) = (
        line
        for line in realfake_predict(written(tmp_path / "a.png", content)).stdout.splitlines()
        if "AIGC label" in line
    )
    assert line.endswith("AIGC label 2 [2J 31m evil")


def test_statements_of_a_file_are_read_without_its_pixels(photos, tmp_path):
    content = (photos / "a.png").read_bytes()
    at = content.index(b"IDAT") + 4
    damaged = content[:at] + b"\xff" * 400 + content[at + 400 :]
    assert said(tmp_path / "damaged.png", damaged)[0].kind == "ai"
    (found,) = realfake_lib.predict(tmp_path / "damaged.png", "detector")
    assert found.error and found.statements == ()


def test_a_trust_list_that_cannot_be_read_is_named_before_any_verdict(photos, monkeypatch):
    monkeypatch.setenv("REALFAKE_C2PA_TRUST", str(photos / "none.pem"))
    result = realfake_predict(photos)
    assert result.exit_code == 2 and "REALFAKE_C2PA_TRUST" in result.stderr and not result.stdout
