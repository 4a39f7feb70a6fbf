"""Accuracy by training-set size: one line a training, every size on the axis."""

import pandas as pd

from realfake_lib.plots.training_size import accuracy_by_cut, accuracy_by_size


def test_each_training_has_a_line_with_its_intervals_and_its_name():
    table = pd.DataFrame(
        {
            "network": "resnet_small",
            "training": ["scratch", "frozen", "scratch", "frozen"],
            "n_train": [20_000, 1000, 1000, 20_000],
            "val_accuracy": [0.95, 0.8, 0.7, 0.9],
            "ci_low": [0.94, 0.78, 0.68, 0.89],
            "ci_high": [0.96, 0.82, 0.72, 0.91],
        }
    )
    ax = accuracy_by_size(table).axes[0]
    assert [list(line.get_xdata()) for line in ax.lines] == [[1000, 20_000]] * 2
    assert {text.get_text() for text in ax.texts} == {"scratch", "frozen"}
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1,000", "20,000"]


def test_each_network_has_axes_of_its_own_on_one_scale():
    table = pd.DataFrame(
        {
            "network": ["mobilenet", "mobilenet", "compact_cnn", "compact_cnn"],
            "training": ["frozen", "frozen", "scratch", "scratch"],
            "n_train": [100, 1000, 100, 1000],
            "val_accuracy": [0.7, 0.8, 0.6, 0.9],
            "ci_low": 0.5,
            "ci_high": 0.95,
        }
    )
    first, second = accuracy_by_size(table).axes
    assert (first.get_title(loc="left"), second.get_title(loc="left")) == (
        "MobileNet",
        "compact_cnn",
    )
    assert first.get_ylim() == second.get_ylim()
    assert {text.get_text() for text in second.texts} == {"scratch"}


def test_every_cut_and_input_has_its_number_and_what_is_missing_stays_blank():
    table = pd.DataFrame(
        {
            "cut": ["low", "high", "low", "low"],
            "input": [32, 32, 64, 32],
            "weights": ["ImageNet", "ImageNet", "ImageNet", "random"],
            "val_accuracy": [0.912, 0.8, 0.93, 0.6],
        }
    )
    pretrained, control = accuracy_by_cut(table).axes
    shown = {(*text.get_position(), text.get_text()) for text in pretrained.texts}
    assert shown == {
        (0.5, 0.5, "91.2\u00a0%"),
        (0.5, 1.5, "80.0\u00a0%"),
        (1.5, 0.5, "93.0\u00a0%"),
    }
    assert [text.get_text() for text in control.texts] == ["60.0\u00a0%"]
