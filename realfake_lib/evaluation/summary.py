"""The chapters' results side by side, and beside those of others.

Every function takes finished stages, as ``run.input`` gives them. A number that a run does not have
is NaN.
"""

import pandas as pd

DETECTORS = {
    "detector": "detector",
    "fast": "fast",
    "robust": "robust",
    "defended": "defended",
    "efficientnet_lite0_finetuned": "EfficientNet-Lite0",
    "baseline": "baseline, flips only",
    "baseline_original_recipe": "baseline, original recipe",
}
"""Name in the metrics → what the summary calls it."""

CONDITIONS = (
    ("test set", "accuracy", "test.accuracy", 0.5),
    ("unseen\ngenerators", "recall", "unseen.all.fake_recall", None),
    ("unseen\ngenerators", "AUROC", "unseen.all.auroc", 0.5),
    ("PGD,\nε = 1/255", "accuracy", "pgd_1.accuracy", 0.5),
    ("blur,\nσ = 1 pixel", "accuracy", "gaussian_blur_1.accuracy", 0.5),
)
"""Condition, measure, its metric, and its chance level where it has one."""

_PUBLISHED = {"name": "title", "accuracy": "accuracy", "parameters": "params", "source": "source"}

# Published for their robustness; their clean accuracy is not what they set out to raise.
_OTHER_QUESTION = frozenset({"corruptions", "robust_augmentation"})


def by_condition(*stages):
    """What each detector reaches under each condition, for ``plots.by_condition``.

    Returns
    -------
    pandas.DataFrame
        Columns detector, condition, measure, value, low, high (in [0, 1]) and chance (NaN where a
        measure has no chance level). A row for each value that there is.
    """
    rows = []
    for name, detector in DETECTORS.items():
        for condition, measure, metric, chance in CONDITIONS:
            value = _first(stages, f"{name}.{metric}")
            if value is not None:
                numbers = (float(value), value.low, value.high, chance)
                rows.append((detector, condition, measure, *numbers))
    columns = ["detector", "condition", "measure", "value", "low", "high", "chance"]
    return pd.DataFrame(rows, columns=columns)


def unseen_generators(training):
    """Names of the generators whose fakes the detector was scored on."""
    parts = [name.split(".") for name in training.metrics if name.startswith("detector.unseen.")]
    return sorted({generator for _, _, generator, *_ in parts} - {"all"})


def overview(*stages):
    """One row a detector: accuracy, calibration, unseen generators, size.

    Index ``detector``; columns without any value are absent.
    """
    columns = {
        "accuracy": "test.accuracy",
        "accuracy_dedup": "test_dedup.accuracy",
        "tpr_at_fpr_01": "test.tpr_at_fpr_01",
        "ece": "test.ece",
        "false_positive_rate": "test_at_threshold.false_positive_rate",
        "unseen_recall": "unseen.all.fake_recall",
        "parameters": "parameters",
    }
    rows = {
        title: {column: _first(stages, f"{name}.{key}") for column, key in columns.items()}
        for name, title in [*DETECTORS.items(), ("ensemble", "ensemble (measured only)")]
    }
    frame = pd.DataFrame.from_dict(rows, orient="index", dtype=float).rename_axis("detector")
    return frame.dropna(how="all").dropna(axis="columns", how="all")


def against_published(published, *stages):
    """Accuracies on CIFAKE, published and measured, ranked.

    Parameters
    ----------
    published : dict
        Content of ``published.yml``; entries without an accuracy are left out.
    *stages : StageInput

    Returns
    -------
    pandas.DataFrame
        Columns name, accuracy, low, high (NaN for published figures, whose interval is not
        given), parameters, source, note (text, NaN for our own), ours (bool); the highest
        accuracy first.
    """
    rows = [
        {name: entry.get(key) for name, key in _PUBLISHED.items()}
        | {"note": " ".join(entry.get("note", "").split()), "ours": False}
        for key, entry in published.items()
        if "accuracy" in entry and key not in _OTHER_QUESTION
    ]
    ours = DETECTORS | {"detector.seeds": "detector, mean of its seeds", "ensemble": "ensemble"}
    for name, title in ours.items():
        found = _first(stages, f"{name}.test.accuracy")
        if found is not None:
            row = {"name": title, "accuracy": float(found), "low": found.low, "high": found.high}
            rows.append(row | {"ours": True})
    frame = pd.DataFrame(rows).sort_values("accuracy", ascending=False, kind="stable")
    return frame.reset_index(drop=True)


def _first(stages, name):
    """The metric from the first stage that has it, or None."""
    return next((stage.value(name) for stage in stages if stage.has(name)), None)
