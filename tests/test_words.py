"""The field's words: wordings that nothing which people read uses, with what to say instead."""

import json
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

INSTEAD = {
    r"(un)?taught|teachers|lessons?": "distilled from, teacher ensemble, trained on hard labels",
    r"mirror(ed)? (images?|pictures?)|asked (twice|about)": "test-time augmentation",
    r"(a |like )coins?( toss(es)?)?|coin toss(es)?": "chance level, AUROC 0.5",
    r"pictures?": "image, photograph",
    r"twins?": "duplicates",
    r"fakes found|(photographs )?accus\w+|call(s|ed)? (\S+ ){0,3}fake|false alarms?": (
        "recall, false positives, predicted FAKE"
    ),
    r"opponents?": "attacker",
    r"be had": "available",
    r"kept trainings?|look in": "pretrained checkpoints, weights_dir",
    r"seed (network|cnn)": "baseline, baseline_cnn",
    r"softened": "soft labels",
}
"""Regular expression of a wording → the field's. An underscore counts as a space."""

READ = {
    tokenize.NAME,
    tokenize.STRING,
    tokenize.COMMENT,
    getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING),
}

WORDINGS = [(re.compile(rf"\b({old})\b", re.I), new) for old, new in INSTEAD.items()]

KINDS = ("*.py", "*.md", "*.j2", "*.yml", "*.js", "*.ipynb")
FOLDERS = ("realfake_lib", "notebooks", "docs", "scripts", "benchmarks", "examples", "experiments")
FILES = sorted(
    {path for folder in FOLDERS for kind in KINDS for path in (ROOT / folder).rglob(kind)}
    | {ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile")}
    | {ROOT / name for name in ("report.yml", "environment.yml", "CITATION.cff", "pyproject.toml")}
)


def found(text):
    """Every such wording in a text, with its line and what to say instead."""
    for line in text.replace("_", " ").splitlines():
        for wording, instead in WORDINGS:
            for match in wording.finditer(line):
                yield f"{match[0]!r} in {line.strip()[:80]!r}: say {instead}"


def text_of(path):
    """What people read of a file: of code its names, strings and comments."""
    if path.suffix == ".py":
        with tokenize.open(path) as stream:
            tokens = [t for t in tokenize.generate_tokens(stream.readline) if t.type in READ]
        # A name of several words, SoftLabels, is read as these words.
        text = "\n".join(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", token.string) for token in tokens)
        return re.sub(r"(?<=\S )[\"']\n[fr]?[\"']", "", text)  # a text in two pieces is one
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    # What a change log quotes has the name that it had.
    return re.sub("`[^`\n]+`", "", text) if path.name == "CHANGELOG.md" else text


# The names that people give to folders.
ALLOWED = {"realfake_lib/data/layout.py": ["picture"]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_people_read_uses_the_words_of_the_field(path):
    text = text_of(path)
    for allowed in ALLOWED.get(path.relative_to(ROOT).as_posix(), ()):
        text = text.replace(allowed, "")
    assert list(found(text)) == []


@pytest.mark.parametrize("text", ["no better than a coin toss", "its twin", "n_called_fake"])
def test_a_wording_is_found_in_prose_and_names(text):
    assert list(found(text))


def test_a_wording_is_found_across_two_pieces_of_a_text(tmp_path):
    code = tmp_path / "some.py"
    code.write_text('say = (\n    f"{names} could not be "\n    f"had here"\n)\n')
    assert list(found(text_of(code)))
