"""The marks of image generators: their names as a file's software, and their parameters."""

import json
import re

from realfake_lib.provenance.statement import Statement, short

_NAMES = (
    "Adobe Firefly", "Bing Image Creator", "Black Forest Labs", "ComfyUI", "DALL-E", "DALL·E",
    "DiffusionBee", "Draw Things", "Easy Diffusion", "Fooocus", "Google Gemini", "Ideogram",
    "Ideogram AI", "InvokeAI", "Leonardo.Ai", "Midjourney", "Mochi Diffusion", "NovelAI",
    "RuinedFooocus", "Stable Diffusion", "Stable Diffusion web UI", "stable-diffusion-webui",
    "StableSwarmUI", "SwarmUI",
)  # fmt: skip
_VERSION = r"(?:[ /-]?v?\d[\w.+-]*)?"
_FLUX = r"AI generated;[\w; .-]+"  # of Black Forest Labs' own program
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_GENERATOR = re.compile(rf"(?:{'|'.join(map(re.escape, _NAMES))}){_VERSION}|{_FLUX}", re.I)


def from_software(field, text):
    """A statement if a field that names the program or the maker names a generator, no more."""
    if len(text) > 100 or not _GENERATOR.fullmatch(text.strip()):
        return []
    return [Statement(field, "ai", short(text))]


def json_object(text):
    """The JSON object that a text is, or {}."""
    try:
        found = json.loads(text) if text.lstrip()[:1] == "{" else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _has(*names):
    return lambda text: set(names) <= json_object(text).keys()


def _is_web_ui(text):
    return any(
        line.startswith("Steps: ") and ", Sampler: " in line and ", Seed: " in line
        for line in text.splitlines()
    )


def _is_comfy_prompt(text):
    # Civitai puts notes of its own beside the nodes.
    nodes = json_object(text).values()
    return any(isinstance(one, dict) and {"class_type", "inputs"} <= one.keys() for one in nodes)


def _is_dream(text):
    return all(re.search(rf" -{option} ?\d", text) for option in "sSWH")


def _is_midjourney(text):
    return bool(re.search(rf"Job ID: {_UUID}\s*$", text))


_COMFY = "ComfyUI, which edits photographs too,"
_FORMS = (
    ("parameters", "Stable Diffusion web UI", _is_web_ui),
    ("parameters", "SwarmUI", _has("sui_image_params")),
    ("parameters", "Fooocus", _has("base_model", "sampler", "seed")),
    ("parameters", "mflux or Pollinations", _has("prompt", "model", "seed")),
    ("parameters", _COMFY, _is_comfy_prompt),
    ("prompt", _COMFY, _is_comfy_prompt),
    ("workflow", _COMFY, _has("nodes", "links")),
    ("description", "Midjourney", _is_midjourney),
    ("invokeai_metadata", "InvokeAI", _has("app_version")),
    ("invokeai_metadata", "InvokeAI", _has("positive_prompt", "seed")),
    ("sd-metadata", "InvokeAI", _has("app_id", "image")),
    ("dream", "InvokeAI", _is_dream),
    ("comment", "NovelAI", _has("sampler", "seed", "steps", "uc")),
    ("use_stable_diffusion_model", "Easy Diffusion", bool),
)
"""Name of a text in lower case, the program that writes it, and whether a text has its form."""

TEXTS = {name for name, _, _ in _FORMS}
"""Names of the texts, in lower case, that may hold parameters."""


def from_parameters(name, text):
    """Statements of a text with a name, such as those of a PNG, that has a generator's form."""
    programs = {program for known, program, has in _FORMS if known == name and has(text)}
    return [Statement("parameters", "ai", f"as {program} writes them") for program in programs]
