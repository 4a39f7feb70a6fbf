"""A line of text describes a network."""

import pytest

from realfake_lib import models
from realfake_lib.errors import UserError
from realfake_lib.models import cost


def test_the_compact_network_can_be_written_down():
    compact, same = models.build("compact_cnn"), models.build("stack")
    assert [w.shape for w in compact.weights] == [w.shape for w in same.weights]
    assert cost.flops(compact) == cost.flops(same)


def test_a_sum_costs_what_its_layer_costs_and_starts_as_more_than_it():
    plain, added = (models.build("stack", plan=plan) for plan in ("16 16", "16 +16"))
    assert cost.flops(plain) == cost.flops(added)
    assert [layer.name for layer in added.layers].count("layer2_add") == 1
    assert "layer2_add" not in [layer.name for layer in plain.layers]


@pytest.mark.parametrize(
    ("plan", "side"), [("8 +8P", 16), ("8P +8", 16), ("8 +8", 32), ("8P 8P", 8)]
)
def test_pooling_halves(plan, side):
    gap = models.build("stack", plan=plan).get_layer("gap")
    assert gap.input.shape[1:] == (side, side, 8)


def test_folded_pixels_are_channels_at_half_the_resolution():
    written = models.build("stack", plan="F 64 64P 128 128")
    assert written.get_layer("fold").output.shape[1:] == (16, 16, 12)


@pytest.mark.parametrize("plan", ["32 x", "32 P", "16 +32", "+8", "8 F"])
def test_a_plan_that_makes_no_network_is_refused(plan):
    with pytest.raises(UserError, match="plan"):
        models.build("stack", plan=plan)
