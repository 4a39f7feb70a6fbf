"""Published figures: each has a source, and a malformed entry is named."""

import pytest
import yaml

from realfake_lib.errors import UserError
from realfake_lib.report.published import published


def test_every_published_figure_has_a_source():
    entries = published()
    assert entries["cifake_paper"]["accuracy"] == 0.9298
    assert f"{entries['original_report']['figures']['val_accuracy'][0]:pct}" == "79.7\u00a0%"
    assert all(entry["source"] and entry["title"] for entry in entries.values())


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"title": "x", "accuracy": 0.9}, "needs a title and a source"),
        ({"title": "x", "source": "y", "accuracy": 97.7}, "between 0 and 1"),
        ({"title": "x", "source": "y", "acuracy": 0.9}, "unknown field 'acuracy'"),
        ({"title": "x", "source": "y", "params": "many"}, "params must be of type int"),
        ({"title": "x", "source": "y", "figures": {"a": "b"}}, "figures.a must be numbers"),
        ("x", "needs a title and a source"),
    ],
)
def test_a_malformed_published_figure_is_named(tmp_path, entry, found):
    path = tmp_path / "published.yml"
    path.write_text(yaml.safe_dump({"someone": entry}))
    with pytest.raises(UserError, match="someone") as caught:
        published(path)
    assert found in str(caught.value)


def test_published_figures_must_be_a_mapping(tmp_path):
    path = tmp_path / "published.yml"
    path.write_text("- a\n- b\n")
    with pytest.raises(UserError, match="mapping"):
        published(path)
