"""What a file's C2PA manifest says, and whether its signature holds; needs the C2PA library."""

import contextlib
import functools
import json
import re

from realfake_lib import settings
from realfake_lib.errors import UserError
from realfake_lib.provenance.statement import Statement, short, source_type

INSTALL = 'pip install "realfake-lib[provenance]"'

_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----")
_UNTRUSTED = "signingCredential.untrusted"
_OFFLINE = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}


def trust_anchors() -> str:
    """Certificates, in PEM, of those whose signatures are trusted, as ``REALFAKE_C2PA_TRUST`` says.

    ``""`` where that variable names no file. Raises UserError if its file cannot be read or holds
    anything else.
    """
    given = settings.env("REALFAKE_C2PA_TRUST")
    if given is None:
        return ""
    import ssl  # slow to import, and few have such a file

    try:
        text = settings.user_path(given).read_text(encoding="utf-8")
        found = "\n".join(_CERTIFICATE.findall(text))  # between comments, in a published list
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=found)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise UserError(
            f"REALFAKE_C2PA_TRUST: {given} cannot be read as certificates in PEM: {error}"
        ) from error
    return found


def from_manifest(stream, anchors):
    """Statement of the manifest in a file that holds one; ``stream`` is the open file."""
    try:
        return _statement(_manifests(stream, anchors))
    except ImportError:
        words = f"manifest that only the C2PA library can read: {INSTALL}"
        return Statement("C2PA", "unusable", words, "not checked")
    except Exception as error:  # the library is told of a file's damage in many ways
        words = f"manifest that is damaged: {short(error)}"
        return Statement("C2PA", "unusable", words, "invalid")


@functools.lru_cache(maxsize=1)
def _context(anchors):
    import c2pa

    trust = {"trust": {"trust_anchors": anchors}} if anchors else {}
    return c2pa.Context(c2pa.Settings.from_dict(_OFFLINE | trust))


def _manifests(stream, anchors):
    import c2pa

    stream.seek(0)
    with contextlib.closing(c2pa.Reader(None, stream, context=_context(anchors))) as reader:
        return json.loads(reader.json())


def _statement(store):
    state = store["validation_state"].lower()
    manifest = store["manifests"][store["active_manifest"]]
    if state not in ("valid", "trusted"):
        codes = _failures(store)
        why = ", ".join(sorted(codes - {_UNTRUSTED} or codes)) or "it does not verify"
        return Statement("C2PA", "unusable", short(f"manifest that fails: {why}"), "invalid")
    terms, untrusted = _source_types(store, store["active_manifest"], {})
    state = "valid" if untrusted else state
    kinds = {kind for _, kind in terms}
    kind = next((one for one in ("partly_ai", "ai", "camera") if one in kinds), "other")
    if {"ai", "camera"} <= kinds:
        kind = "partly_ai"
    said = sorted({term for term, _ in terms}) or ["no digitalSourceType"]
    facts = [short(", ".join(said)), f"made with {_generator(manifest)}"]
    signer = manifest.get("signature_info") or {}
    name = signer.get("issuer") or signer.get("common_name") or "nobody named"
    facts.append(f"signed by {short(name)}")
    return Statement("C2PA", kind, ", ".join(facts), state)


def _generator(manifest):
    (info, *_) = manifest.get("claim_generator_info") or [{}]
    return short(info.get("name") or manifest.get("claim_generator") or "an unnamed program")


def _source_types(store, label, known):
    """Terms of a manifest's actions and of what it was made from, and if any of it is untrusted.

    A file that was edited says in its first manifest that it was opened; how it came about stands
    in that of its ingredient. Of what is only a part of the image, AI makes the image partly AI.
    ``known`` holds the answers for manifests by label: many may have the same ingredient.
    """
    manifest = store["manifests"].get(label)
    if manifest is None or label in known:
        return known.get(label, (set(), False))
    known[label] = set(), False  # should it be an ingredient of its own
    found = {
        term
        for assertion in manifest.get("assertions", ())
        if assertion["label"].startswith("c2pa.actions")
        for action in assertion["data"]["actions"]
        if (term := source_type(action.get("digitalSourceType", "")))
    }
    untrusted = False
    for ingredient in manifest.get("ingredients", ()):
        failures = _failures(ingredient)
        if failures - {_UNTRUSTED}:  # the signer of the whole found it invalid, and said so
            continue
        terms, below = _source_types(store, ingredient.get("active_manifest"), known)
        if ingredient.get("relationship") != "parentOf":
            terms = {(term, "partly_ai" if kind == "ai" else "other") for term, kind in terms}
        found |= terms
        untrusted = untrusted or below or (bool(terms) and _UNTRUSTED in failures)
    known[label] = found, untrusted
    return known[label]


def _failures(record):
    """Codes of what failed in the validation of a file or of an ingredient."""
    results = (record.get("validation_results") or {}).get("activeManifest") or {}
    failures = [*(record.get("validation_status") or ()), *results.get("failure", ())]
    return {failure["code"] for failure in failures}
