"""Published figures: each has a source, and says what its name says."""

import numbers

from realfake_lib.report.published import published

SHARES = ("accuracy", "auroc", "sd")
FIELDS = {"title", "source", *SHARES, "params", "seconds", "note", "figures"}


def test_every_published_figure_has_a_source():
    entries = published()
    assert entries["cifake_paper"]["accuracy"] == 0.9298
    assert f"{entries['original_report']['figures']['val_accuracy'][0]:pct}" == "79.7\u00a0%"
    assert all(entry["source"] and entry["title"] for entry in entries.values())


def test_every_published_figure_is_a_number_of_its_kind():
    for name, entry in published().items():
        assert set(entry) <= FIELDS, name
        assert all(0 <= entry[field] <= 1 for field in SHARES if field in entry), name
        assert float(entry.get("params", 0)).is_integer(), name
        for value in entry.get("figures", {}).values():
            for one in value if isinstance(value, list) else [value]:
                assert isinstance(one, numbers.Real | list), name
