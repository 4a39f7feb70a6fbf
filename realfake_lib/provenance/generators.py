"""The marks of image generators: their names as a file's software, and their parameters."""

import json
import re

from realfake_lib.provenance.statement import Statement, short

_NAMES = (
    "Adobe Firefly", "Bing Image Creator", "Black Forest Labs", "ChatGPT", "ComfyUI", "DALL-E",
    "DALL·E", "DiffusionBee", "Draw Things", "Easy Diffusion", "Fooocus", "Google Gemini",
    "Ideogram", "Ideogram AI", "InvokeAI", "Leonardo.Ai", "Midjourney", "Mochi Diffusion",
    "NovelAI", "OpenAI", "RuinedFooocus", "Stability AI", "Stable Diffusion",
    "Stable Diffusion web UI", "stable-diffusion-webui", "StableSwarmUI", "SwarmUI",
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
    """Whether a graph of ComfyUI generates what it saves; some only scale or describe a photograph.

    Civitai puts notes of its own beside the nodes.
    """
    nodes = {key: one for key, one in json_object(text).items() if isinstance(one, dict)}
    given = {key: one.get("inputs") for key, one in nodes.items() if "class_type" in one}
    given = {key: inputs for key, inputs in given.items() if isinstance(inputs, dict)}
    reached = [key for key, inputs in given.items() if "filename_prefix" in inputs] or list(given)
    for key in reached:  # which grows
        links = (one[0] for one in given[key].values() if isinstance(one, list) and one)
        reached += [
            to for to in dict.fromkeys(map(str, links)) if to in given and to not in reached
        ]
    return any({"seed", "noise_seed", "prompt"} & given[key].keys() for key in reached)


_SWITCHED_OFF = (2, 4)
"""Modes of a node of ComfyUI that is muted or bypassed."""


def _is_comfy_workflow(text):
    graph = json_object(text)
    nodes = graph.get("nodes") if "links" in graph else None
    nodes = nodes if isinstance(nodes, list) else ()
    active = [
        one for one in nodes if isinstance(one, dict) and one.get("mode") not in _SWITCHED_OFF
    ]
    return any(re.search("(?<!re)sampler", str(one.get("type")).lower()) for one in active)


def _is_dream(text):
    return all(re.search(rf" -{option} ?\d", text) for option in "sSWH")


def _is_midjourney(text):
    return bool(re.search(rf"Job ID: {_UUID}\s*$", text))


_FORMS = (
    ("parameters", "Stable Diffusion web UI", _is_web_ui),
    ("parameters", "SwarmUI", _has("sui_image_params")),
    ("parameters", "Fooocus", _has("base_model", "sampler", "seed")),
    ("parameters", "mflux or Pollinations", _has("prompt", "model", "seed")),
    ("parameters", "ComfyUI", _is_comfy_prompt),
    ("prompt", "ComfyUI", _is_comfy_prompt),
    ("workflow", "ComfyUI", _is_comfy_workflow),
    ("description", "Midjourney", _is_midjourney),
    ("invokeai_metadata", "InvokeAI", _has("app_version")),
    ("invokeai_metadata", "InvokeAI", _has("positive_prompt", "seed")),
    ("sd-metadata", "InvokeAI", _has("app_id", "image")),
    ("dream", "InvokeAI", _is_dream),
    ("comment", "NovelAI", _has("sampler", "seed", "steps", "uc")),
    ("use_stable_diffusion_model", "Easy Diffusion", lambda text: text.strip() not in ("", "None")),
)
"""Name of a text in lower case, the program that writes it, and whether a text has its form."""

TEXTS = {name for name, _, _ in _FORMS}
"""Names of the texts, in lower case, that may hold parameters."""


def from_parameters(name, text):
    """Statements of a text with a name, such as those of a PNG, that has a generator's form."""
    programs = {program for known, program, has in _FORMS if known == name and has(text)}
    return [Statement("parameters", "ai", f"as {program} writes them") for program in programs]
