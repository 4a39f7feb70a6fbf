"""A planted shortcut of the files is found, and equalising takes it away."""

import numpy as np
import pandas as pd
import pytest
from small_panel import make_panel

from realfake_lib.data import equalise, panel
from realfake_lib.data.images import decode, encode_jpeg
from realfake_lib.evaluation import panel_shortcuts, resampling


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A panel whose photographs are JPEG and whose fakes are not, measured."""
    folder = tmp_path_factory.mktemp("panel")
    make_panel(folder, 30)
    found = panel.read(folder)
    table = panel_shortcuts.shortcuts(found)
    return found, table.set_index(["condition", "property"])


def test_format_and_quality_of_files_tell_the_classes_apart_as_found(measured):
    aurocs = measured[1].loc["as_found", "auroc"]
    assert aurocs["lossless"] == 1 and aurocs["quantisation"] == 0
    assert aurocs["bytes_per_pixel"] > 0.95 and aurocs["blockiness"] < 0.2
    assert aurocs["width"] == aurocs["aspect"] == 0.5
    assert aurocs["all_together"] > 0.95


def test_equalising_takes_the_shortcuts_away(measured):
    found, table = measured
    after = table.loc["equalised"]
    assert "lossless" not in after.index and (after["n"] == len(found)).all()
    assert after["auroc"].sub(0.5).abs().max() < 0.25  # with 60 images a class
    assert (after["ci_low"] <= after["auroc"]).all() and (after["auroc"] <= after["ci_high"]).all()


def test_a_grid_of_blocks_is_seen_where_it_is(measured):
    pixels = measured[0].crop(0)
    content = encode_jpeg(pixels, 50)
    own = panel_shortcuts.file_properties([content]).iloc[0]
    assert own["blockiness"] > 3 * abs(own["other_grid"])
    assert own["quantisation"] > 30 and own["bytes_per_pixel"] == len(content) / 256**2
    moved = decode(content, "x")[3:, 5:]
    shifted = panel_shortcuts.file_properties([equalise.encoded(moved, "x", "as_found")])
    assert shifted["other_grid"][0] > 3 * abs(shifted["blockiness"][0])


def test_sources_are_scored_by_classifiers_that_have_not_seen_them():
    # What tells one source from another helps within sources alone: across them it is chance.
    rng = np.random.default_rng(0)
    sources = np.repeat(np.arange(24), 10)
    labels = np.repeat(rng.permutation(np.arange(24) % 2), 10)
    table = pd.DataFrame({"mark": np.repeat(rng.random(24), 10)})
    scores = panel_shortcuts.across_sources(table, labels, sources)
    assert 0.2 < resampling.Ranking(labels, scores).measure()["auroc"] < 0.8
    seen = panel_shortcuts.across_sources(table, labels, np.arange(240))
    assert resampling.Ranking(labels, seen).measure()["auroc"] > 0.95


def test_one_source_of_a_class_is_not_enough(tmp_path):
    make_panel(tmp_path, 2)
    found = panel.read(tmp_path)
    with pytest.raises(ValueError, match="at least two sources"):
        panel_shortcuts.shortcuts(found, rows=np.arange(6))


def test_resampling_whole_sources_gives_wider_intervals_where_sources_differ():
    rng = np.random.default_rng(1)
    labels, sources = np.repeat([0, 1], 300), np.repeat(np.arange(12), 50)
    p_fake = np.clip(0.5 + np.repeat(rng.normal(0, 0.2, 12), 50) + rng.normal(0, 0.02, 600), 0, 1)
    of_images = resampling.bootstrap(labels, p_fake, n_bootstrap=200)["auroc"].std()
    of_sources = resampling.bootstrap(labels, p_fake, n_bootstrap=200, groups=sources)[
        "auroc"
    ].std()
    assert of_sources > 3 * of_images
    # Sources of one image each are images.
    alone = resampling.bootstrap(labels, p_fake, n_bootstrap=200, groups=np.arange(600))["auroc"]
    assert alone.std() == pytest.approx(of_images)
