"""What is left out of a text whose values are missing, and what stays."""

import pytest

from realfake_lib.report import prose

METRICS = {
    "data": {"name": "mine"},
    "metrics": {"a.x": {"value": 0.5, "n": 3}, "a.y": {"value": 0.25}, "a.group.z": {"value": 1}},
}


def filled(text):
    filler = prose.Prose(METRICS, {("chapter", "b", None): ("“B”", None)}, strict=False)
    found = prose.reveal(filler.markdown(text, "here", "a"), escape=False)
    return found, list(filler.missing)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("One is {{ a.x }}. Two is {{ a.no }}. Three.", "One is 0.5. Three."),
        ("{{ a.no | pct }} comes first. Then {{ a.x }}.", "Then 0.5."),
        ("It has {{ a.no }}. It has {{ a.x }}. A third: {{ a.y }}.", "A third: 0.25."),
        ("It has\n{{ a.no }}.\nNext,\nin two lines.", "Next,\nin two lines."),
        ("See e.g. Smith for {{ a.no }}. Next.", "Next."),
        ("{{ a.no }} only.", ""),
        ("{{ a.y | pct_ci }} has no interval. Next.", "Next."),
        ("{{ fig('no') }} shows. {{ a.x }} says.", "0.5 says."),
        ("{{ chapter('no') }} shows. {{ chapter('b') }} says.", "“B” says."),
        ("**One {{ a.x }}. Two {{ a.no }}.** Three.", ""),  # half of it would be no emphasis
        ("- one {{ a.x }}\n- two {{ a.no }}\n  goes on\n- three", "- one 0.5\n- three"),
        ("1. one {{ a.no }}. Rest.\n2. two", "1. Rest.\n2. two"),
        ("| a |\n|---|\n| {{ a.x }} |\n| {{ a.no }} |\n", "| a |\n|---|\n| 0.5 |\n"),
        ("Before.\n\n| a |\n|---|\n| {{ a.no }} |\n\nAfter.", "Before.\n\n\nAfter."),
        ("```\n{{ a.no }}\n```\nAfter.", "After."),
        ("## On {{ a.no }}\n\nAfter.", "\nAfter."),
        ("<div>{{ a.no }}</div>\n<div>{{ a.x }}</div>", "<div>0.5</div>"),
        ("One.\n\nTwo {{ a.no }}.\n\nThree.", "One.\n\n\nThree."),
    ],
)
def test_the_smallest_block_around_a_missing_name_goes(text, left):
    found, missing = filled(text)
    assert found.strip("\n") == left.strip("\n") and len(missing) == 1


@pytest.mark.parametrize(
    ("text", "left"),
    [
        # Neither branch stands: nobody knows which is true.
        ("One. {% if a.no > 1 %}Good.{% else %}Bad.{% endif %} Last.", "One. Last."),
        ("One.{% if a.no > 1 %} Good.{% endif %} Last.", "One. Last."),
        ("{% if a.no > 1 %}Good: {{ a.x }}. So be it.{% endif %} Last.", "Last."),
        ("It is {% if a.no > 1 %}good{% else %}bad{% endif %}, I say. Last.", "Last."),
        ("{% if a.no > 1 %}Most{% else %}Few{% endif %} images. Last.", "Last."),
        ("{% if not a.no %}Good.{% endif %} Last.", "Last."),
        ("{% if a.x > 0 and a.no %}Good.{% endif %} Last.", "Last."),
        ("{% if a.x > 1 and a.no %}Good.{% endif %} Last.", "Last."),
        ("{% if a.x < 0 %}A.{% elif a.no %}B.{% else %}C.{% endif %} Last.", "Last."),
        ("{% for z in a.no %}- {{ z }}\n{% endfor %}\n\nLast.", "Last."),
        ("{% for z in a.group %}- {{ z }} {{ a[z].no }}\n{% endfor %}\n\nLast.", "Last."),
        ("| a |\n|---|\n{% if a.no > 0 %}\n| b |\n{% endif %}\n| c |\n", "| a |\n|---|\n| c |"),
        ("- a\n{% if a.no > 0 %}\n- b\n{% endif %}\n- c\n", "- a\n- c"),
        (
            "{% set s = a.no.b %}One {{ s.c }}. {% if a.x > 0 %}Two {{ a.x }}.{% endif %}",
            "Two 0.5.",
        ),
    ],
)
def test_a_condition_that_cannot_be_told_takes_its_sentences_along(text, left):
    assert filled(text)[0].strip() == left


@pytest.mark.parametrize(
    "text",
    [
        "{% if a.no is defined %}One.{% else %}Two.{% endif %}",
        "{% if stage_has('a.no') %}One.{% else %}Two.{% endif %}",
        "{% if a.x > 0 %}{% set v = a.x %}{{ 'Two' if v < 1 }}.{% endif %}",
        "{% for z in a.group %}{{ loop.index }}. {% endfor %}Two.",
    ],
)
def test_what_asks_before_it_quotes_loses_nothing(text):
    found, missing = filled(text)
    assert found.endswith("Two.") and missing == []
