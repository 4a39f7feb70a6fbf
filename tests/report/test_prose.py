"""Metric references in Markdown: what they turn into, and what they refuse."""

import pytest

from realfake_lib.errors import UserError
from realfake_lib.report import prose

METRICS = {
    "profile": "smoke",
    "data": {"name": "my_own_set", "n": 1200, "is_demo": True},
    "provenance": {"git": {"commit": "abc"}, "seed": 0},
    "metrics": {
        "training.compact_cnn.test.accuracy": {
            "value": 0.969,
            "ci": [0.9661, 0.9714],
            "n": 20000,
            "seed": 3,
        },
        "training.compact_cnn.test.auroc": {"value": 0.9955, "ci": [0.9947, 0.9962]},
        "training.compact_cnn.test": {"value": 7},
        "training.compact_cnn.real.recall": {"value": 0.9},
        "training.baseline_cnn.accuracy": {"value": 0.842},
        "training.precision": {"value": "mixed_bfloat16"},
        "training.seconds": {"value": 3725.0},
        "training.fast": {"value": True},
    },
}
TARGETS = {
    ("fig", "training", "curves"): ("Figure 2", "fig-training-curves"),
    ("table", "preprocessing", "per_class"): ("Table 1", "table-preprocessing-per-class"),
    ("chapter", "training", None): ("Chapter 2", "training"),
}


def fill(text, targets=TARGETS):
    filler = prose.Prose(METRICS, targets)
    filled = filler.markdown(text, "02_training.ipynb, cell 3", "training")
    return prose.reveal(filled, escape=False).replace(prose.NBSP, " ")


def refusal(text):
    with pytest.raises(UserError) as caught:
        fill(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ training.compact_cnn.test.accuracy | pct }}", "96.9 %"),
        ("{{ training.compact_cnn.test.accuracy | pct(2) }}", "96.90 %"),
        ("{{ training.compact_cnn.test.accuracy | pct_ci }}", "96.9 % (96.6 to 97.1 %)"),
        ("{{ training.compact_cnn.test.accuracy | ci }}", "96.6 to 97.1 %"),
        ("{{ training.compact_cnn.test.auroc | num }}", "0.996"),
        ("{{ training.compact_cnn.test.auroc | num_ci(2) }}", "1.00 (0.99 to 1.00)"),
        ("{{ training.compact_cnn.test.auroc | ci(percent=false) }}", "0.995 to 0.996"),
        ("{{ training.compact_cnn.test.accuracy | points(0.9298) }}", "+3.9 points"),
        ("{{ (training.baseline_cnn.accuracy - 0.9298) | points }}", "−8.8 points"),
        ("{{ 0.00001 | points }}", "0.0 points"),
        ("{{ -0.00001 | num(1) }}", "0.0"),
        ("{{ 119999.6 | int }}", "120,000"),
        ("{{ -1234.5678 | num(1) }}", "−1,234.6"),
        ("{{ 288001 | short }}, {{ 21665664 | short }}, {{ 12 | short }}", "288 k, 21.7 M, 12"),
        ("{{ training.seconds | duration }}", "1 h 02 min"),
        ("{{ 3.14159 | duration }}, {{ 59.7 | duration }}", "3.1 s, 1 min"),
        ("{{ 42 | duration }}, {{ 250 | duration }}", "42 s, 4 min 10 s"),
        ("{{ 'nan' | float | pct }}", "not defined"),
    ],
)
def test_a_filter_formats_a_metric(text, expected):
    if "float" in text:
        assert prose.pct(float("nan")) == expected
        assert prose.num(float("-inf")) == "−∞"
    else:
        assert fill(text) == expected


def test_a_name_may_be_a_value_and_the_beginning_of_longer_names():
    assert fill("{{ training.compact_cnn.test }}") == "7"
    assert fill("{{ training.compact_cnn.test.auroc | num(4) }}") == "0.9955"


def test_any_word_may_be_part_of_a_name_though_numbers_have_an_attribute_of_that_name():
    assert fill("{{ training.compact_cnn.real.recall | pct(0) }}") == "90 %"


def test_a_metric_tells_its_particulars():
    text = "{{ training.compact_cnn.test.accuracy.%s }}"
    assert [fill(text % word) for word in ("n", "seed", "low", "high")] == [
        "20,000",
        "3",
        "0.9661",
        "0.9714",
    ]


def test_values_without_a_filter_read_as_words_and_numbers():
    assert fill("{{ training.precision }} {{ training.fast }}") == "mixed_bfloat16 yes"
    assert fill("{{ data.n }} {{ 0.12345 }} {{ -0.5 }}") == "1,200 0.1235 −0.5"
    assert fill("{{ published.original_report.figures.comparison_accuracy }}") == "0.59, 0.64"


def test_metrics_compare_and_compute_in_conditions():
    a, b = "training.compact_cnn.test.accuracy", "training.baseline_cnn.accuracy"
    assert fill(f"{{% if {a} > {b} and {a} >= 0.9 and data.is_demo %}}better{{% endif %}}") == (
        "better"
    )
    assert fill(f"{{% if {a} == {b} or not training.fast %}}x{{% else %}}y{{% endif %}}") == "y"
    assert fill(f"{{{{ (1 - {a}) | pct }}}} {{{{ ({a} / {b}) | num(2) }}}}") == "3.1 % 1.15"
    assert fill(f"{{{{ -{a} | num(1) }}}} {{{{ {a} | round(2) }}}} {{{{ {a} | abs }}}}") == (
        "−1.0 0.97 0.969"
    )
    assert fill("{{ 'mixed' in training.precision }}") == "no"


def test_lists_and_groups_can_be_walked_through():
    text = "{{ published.original_report.figures.val_accuracy | max | pct }}"
    assert fill(text) == "87.8 %"
    assert fill("{{ published.original_report.figures.confusion_matrix[0][0] | int }}") == "10,000"
    assert fill("{{ training | length }}: {% for name in training %}{{ name }} {% endfor %}") == (
        "5: compact_cnn baseline_cnn precision seconds fast "
    )
    assert fill("{{ training['baseline_cnn'].accuracy | pct }}") == "84.2 %"


def test_the_run_itself_can_be_quoted():
    assert fill("{{ profile }} {{ provenance.git.commit }} {{ provenance.seed }}") == "smoke abc 0"


def test_a_missing_metric_is_named_with_notebook_cell_and_neighbours():
    message = refusal("{{ training.compact_cnn.tset.accuracy | pct }}")
    assert "02_training.ipynb, cell 3" in message
    assert "training.compact_cnn.tset.accuracy" in message
    assert "training.compact_cnn.test.accuracy" in message.partition("Nearest:")[2]


@pytest.mark.parametrize(
    "text",
    [
        "{{ training.nothing }}",
        "{{ training.nothing | pct }}",
        "{{ training.nothing | round }}",
        "{{ 1 - training.nothing.at.all }}",
        "{{ training.baseline_cnn.accuracy > training.nothing }}",
        "{% if training.nothing %}x{% endif %}",
        "{% for x in training.nothing %}{% endfor %}",
        "{{ training.nothing['x'] | num }}",
        "{{ training.nothing() }}",
    ],
)
def test_a_missing_metric_fails_however_it_is_used(text):
    assert "no metric is named training.nothing" in refusal(text)


def test_a_stage_that_is_missing_as_a_whole_is_named():
    assert "no metric is named grad_cam.deletion" in refusal("{{ grad_cam.deletion | num }}")


def test_a_group_of_metrics_is_not_a_metric():
    assert "training.baseline_cnn is a group of metrics" in refusal(
        "{{ training.baseline_cnn | pct }}"
    )
    assert "training.baseline_cnn.accuracy" in refusal("{{ training.baseline_cnn | pct }}")


def test_an_interval_that_was_not_given_is_an_error():
    assert "training.baseline_cnn.accuracy has no interval" in refusal(
        "{{ training.baseline_cnn.accuracy | pct_ci }}"
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{{ training.precision | pct }}", "'mixed_bfloat16' is not a number"),
        ("{{ training.seconds | percent }}", "No filter named 'percent'"),
        ("one\n{% if %}", "line 2"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ training.__class__ }}", "training.__class__"),
        ("{{ fig('curvs') }}", "Nearest: curves"),
        ("{{ chapter('grad_cam') }}", "names nothing in the report"),
    ],
)
def test_a_mistake_in_a_reference_is_told_in_words(text, found):
    message = refusal(text)
    assert found in message
    assert message.startswith("02_training.ipynb, cell 3")


def test_whether_a_metric_exists_can_be_asked():
    assert fill("{% if training.nothing.at.all is defined %}a{% else %}b{% endif %}") == "b"
    assert fill("{% if training.baseline_cnn.accuracy is defined %}a{% endif %}") == "a"
    assert fill("{{ training.nothing | default('–') }}") == "–"
    assert (
        fill("{{ stage_has('training.baseline_cnn') }} {{ stage_has('baseline_cnn') }}")
        == "yes yes"
    )
    assert fill("{{ stage_has('training.seed') }}") == "no"


def test_figures_tables_and_chapters_are_referred_to_by_number():
    assert fill("{{ fig('curves') }}") == '<a class="xref" href="#fig-training-curves">Figure 2</a>'
    assert ">Table 1<" in fill("{{ table('preprocessing.per_class') }}")
    assert 'href="#training"' in fill("{{ chapter('training') }}")


def test_before_a_run_any_reference_is_taken_as_good():
    assert fill("{{ fig('x') }} {{ table('y') }} {{ chapter('z') }}", None) == (
        "Figure Table Chapter"
    )


def test_a_value_is_not_taken_for_markup():
    filled = prose.Prose({"data": {"name": "<b>a_b_c* & 'd'"}}).markdown("{{ data.name }}", "here")
    assert not set("<_*&") & set(filled)
    assert prose.reveal(filled) == "&lt;b&gt;a_b_c* &amp; &#x27;d&#x27;"
    assert prose.reveal(filled, escape=False) == "<b>a_b_c* & 'd'"


def test_a_tag_on_a_line_of_its_own_leaves_no_gap_in_a_table():
    text = "| a |\n|---|\n{% if data.is_demo %}\n| b |\n{% endif %}\n| c |\n"
    assert fill(text) == "| a |\n|---|\n| b |\n| c |\n"


def test_a_tag_within_a_line_keeps_the_words_apart():
    assert fill("one {% if data.is_demo %}two{% endif %}\nthree") == "one two\nthree"


def test_text_for_alt_holds_plain_words():
    filler = prose.Prose(METRICS, TARGETS)
    text = filler.text("{{ fig('curves') }}: {{ data.name }} < 2", "here", "training")
    assert text == "Figure 2: my_own_set < 2"
    assert filler.text("2 < 3", "here") == "2 < 3"


def test_a_tile_holds_label_value_and_detail():
    tile = fill("{{ tile('Accuracy', training.baseline_cnn.accuracy | pct, 'a < b') }}")
    assert "Accuracy" in tile and "84.2 %" in tile and "a &lt; b" in tile


def test_the_names_in_a_text_are_found_without_filling_it():
    text = "{{ training.x | pct }} {% if data.is_demo %}{{ fig('y') }}{% endif %}"
    assert prose.top_level_names(text) == {"training", "data", "fig"}
    with pytest.raises(UserError, match="line 1"):
        prose.top_level_names("{{ x | nothing }}")
