"""Figures about explanations say what their tables say."""

import numpy as np
import pandas as pd

from realfake_lib.plots.explanations import deletion_and_insertion, randomisation_curve


def test_every_randomised_layer_has_its_place():
    table = pd.DataFrame(
        {
            "layer": ["none", "logit", "all"],
            "rank_correlation": [1, 0.4, np.nan],
            "ssim": [1, 0.5, 0],
        }
    )
    (ax,) = randomisation_curve(table).axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["none", "logit", "all"]
    assert {"ranks", "SSIM"} <= {text.get_text() for text in ax.texts}


def test_deletion_and_insertion_stand_side_by_side():
    fraction = np.linspace(0, 1, 5)
    curves = pd.concat(
        pd.DataFrame({"curve": kind, "order": order, "fraction": fraction, "score": 1 - fraction})
        for kind in ("deletion", "insertion")
        for order in ("own map", "random order")
    )
    figure = deletion_and_insertion(curves)
    assert [ax.get_title(loc="left") or ax.get_title() for ax in figure.axes] == [
        "deletion",
        "insertion",
    ]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "own map",
        "random order",
    ]
