"""What is left out of a text whose values are missing, and what stays."""

import pytest

from realfake_lib.report import leave_out, values

NUMBERS = {"x": values.Number(0.5), "y": values.Number(0.25), "no": values.MISSING}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("One is {x}. Two is {no}. Three.", "One is 0.5. Three."),
        ("{no:pct} comes first. Then {x}.", "Then 0.5."),
        ("It has {no}. It has {x}. A third: {y}.", "A third: 0.25."),
        ("It has\n{no}.\nNext,\nin two lines.", "Next,\nin two lines."),
        ("See e.g. Smith for {no}. Next.", "Next."),
        ("{no} only.", ""),
        ("{y:ci} has no interval. Next.", "Next."),
        ("**One {x}. Two {no}.** Three.", ""),  # half of it would be no emphasis
        ("- one {x}\n- two {no}\n  goes on\n- three", "- one 0.5\n- three"),
        ("1. one {no}. Rest.\n2. two", "1. Rest.\n2. two"),
        ("One.\n\nTwo {no}.\n\nThree.", "One.\n\nThree."),
    ],
)
def test_the_smallest_block_around_a_missing_number_goes(text, left):
    assert leave_out.without_gaps(text.format(**NUMBERS)).strip("\n") == left.strip("\n")
