"""Names of the code are shown in words, and results keep them."""

import pandas as pd
import pytest

from realfake_lib.names import in_words
from realfake_lib.report import columns, values


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("baseline_original_recipe", "baseline, original recipe"),
        ("hard_labels, seed 3", "hard labels, seed 3"),
        ("efficientnet_lite0_random_frozen", "EfficientNet-Lite0, random weights, frozen"),
        ("resnet_small_from_objects", "resnet_small, object classes, fine-tuned"),
        ("ddpm", "DDPM"),
        ("deep_cnn", "deep_cnn"),
    ],
)
def test_a_name_is_said_in_words_where_there_are_any(name, words):
    assert in_words(name) == words


def test_a_table_shows_names_in_words_in_its_cells_and_its_headers():
    frame = pd.DataFrame({"a": ["gaussian_blur", "other"], "fgsm": [0.5, 0.25]})
    shown = columns.shown(frame)
    assert list(shown.columns) == ["a", "FGSM"]
    assert list(shown["a"]) == ["Gaussian blur", "other"]
    assert frame["a"].tolist() == ["gaussian_blur", "other"]


def test_equal_arrays_have_no_difference():
    a = pd.Series([1.0, 2.0])
    assert values.largest_difference(a, a) == "no difference"
    assert values.largest_difference(a, a + 2e-8) == "largest difference 2e-08"
