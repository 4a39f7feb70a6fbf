"""The faster arithmetic is measured once, and only where the processor could profit."""

import json

import pytest

from realfake_lib.training import precision


@pytest.fixture(autouse=True)
def private_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("REALFAKE_CACHE", str(tmp_path))


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.5, "mixed_bfloat16"), (0.95, "float32"), (3.0, "float32")]
)
def test_bfloat16_must_be_clearly_faster(monkeypatch, seconds, expected):
    monkeypatch.setattr(precision, "_has_bfloat16", lambda: True)
    times = {"float32": 1.0, "mixed_bfloat16": seconds}
    monkeypatch.setattr(precision, "_measure", lambda: times)
    assert precision.best_precision() == expected


def test_the_answer_is_remembered(monkeypatch, tmp_path):
    monkeypatch.setattr(precision, "_has_bfloat16", lambda: True)
    monkeypatch.setattr(precision, "_measure", lambda: {"float32": 1.0, "mixed_bfloat16": 0.5})
    precision.best_precision()
    monkeypatch.setattr(precision, "_measure", lambda: pytest.fail("measured again"))
    assert precision.best_precision() == "mixed_bfloat16"
    (path,) = (tmp_path / "precision").glob("*.json")
    path.write_text("{}")
    monkeypatch.setattr(precision, "_has_bfloat16", lambda: False)
    assert precision.best_precision() == "float32"
    assert json.loads(path.read_text())["seconds"] == {}


def test_both_arithmetics_are_timed():
    times = precision._measure(rounds=1)
    assert set(times) == {"float32", "mixed_bfloat16"} and min(times.values()) > 0


def test_an_unreadable_cpuinfo_means_no_bfloat16(monkeypatch):
    monkeypatch.setattr(
        precision.Path, "read_text", lambda *_, **__: (_ for _ in ()).throw(OSError())
    )
    assert precision._cpuinfo() == ""
