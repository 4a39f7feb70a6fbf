"""Tables that set the chapters' results side by side, and beside those of others.

Every function takes metrics as a finished stage holds them: a dict of name to a record with
``value`` and, where given, ``ci`` and ``n``.
"""

import pandas as pd

TOGETHER = "all"
"""Name under which the fakes of all unseen generators are scored together."""

FORMATS = {
    "accuracy": "{:.2%}",
    "at its threshold": "{:.2%}",
    "unseen: fakes found": "{:.2%}",
    "REAL called fake": "{:.2%}",
    "unseen: AUROC": "{:.2f}",
    "without twins": "{:.2%}",
    "AUROC": "{:.4f}",
    "TPR at 1 % FPR": "{:.2%}",
    "ECE": "{:.2%}",
    "parameters": "{:,.0f}",
    "training, s": "{:,.0f}",
}
"""How the columns of :func:`overview` are shown."""

# Published for their robustness; their clean accuracy is not what they set out to raise.
_OTHER_QUESTION = frozenset({"fgsm", "fgsm_trained", "corruptions", "robust_augmentation"})


def _value(metrics, name):
    return metrics[name]["value"] if name in metrics else None


def overview(metrics, models):
    """What each model reaches on what it knows, and on what it does not.

    Parameters
    ----------
    metrics : dict
        Metrics of a stage, e.g. ``run.input("training").metrics``.
    models : sequence of str

    Returns
    -------
    pandas.DataFrame
        Index ``model``; shares in [0, 1]; the two columns on unseen generators are absent where
        those could not be had.
    """
    columns = {
        "accuracy": "test.accuracy",
        "at its threshold": "test_at_threshold.accuracy",
        "unseen: fakes found": f"unseen.{TOGETHER}.fake_recall",
        "REAL called fake": "test_at_threshold.false_positive_rate",
        "unseen: AUROC": f"unseen.{TOGETHER}.auroc",
        "without twins": "test_dedup.accuracy",
        "AUROC": "test.auroc",
        "TPR at 1 % FPR": "test.tpr_at_fpr_01",
        "ECE": "test.ece",
        "parameters": "parameters",
        "training, s": "seconds",
    }
    rows = {
        model: {column: _value(metrics, f"{model}.{name}") for column, name in columns.items()}
        for model in models
    }
    frame = pd.DataFrame.from_dict(rows, orient="index").dropna(axis="columns", how="all")
    if "training, s" in frame:
        frame["training, s"] = frame["training, s"].astype(float).round()
    return frame.rename_axis("model")


def unseen(metrics, models):
    """Results on each unseen generator, long form, for ``plots.unseen_generators``.

    Returns
    -------
    pandas.DataFrame
        Columns model, generator, n, and ``auroc`` and ``fake_recall``, each with ``_low`` and
        ``_high``. Empty where no generator's samples could be had.
    """
    rows = []
    for model in models:
        prefix = f"{model}.unseen."
        found = {name.removeprefix(prefix).split(".")[0] for name in metrics if prefix in name}
        for generator in sorted(found):
            row = {"model": model, "generator": generator}
            for measure in ("auroc", "fake_recall"):
                record = metrics[f"{prefix}{generator}.{measure}"]
                row |= {measure: record["value"], "n": record.get("n")}
                row[f"{measure}_low"], row[f"{measure}_high"] = record["ci"]
            rows.append(row)
    return pd.DataFrame(rows)


def against_published(metrics, models, published, titles=None):
    """Accuracies on CIFAKE, published and measured, ranked.

    Parameters
    ----------
    metrics : dict
        Metrics of the training stage.
    models : sequence of str
    published : dict
        Content of ``published.yml``; entries without an accuracy are left out.
    titles : dict of str to str, optional
        What to call a model; by default by its name.

    Returns
    -------
    pandas.DataFrame
        Columns name, accuracy, low, high (NaN for published figures, whose interval is not
        given), parameters, source, note (text, NaN for our own), ours (bool); the highest
        accuracy first.
    """
    rows = [
        {
            "name": entry["title"],
            "accuracy": entry["accuracy"],
            "parameters": entry.get("params"),
            "source": entry["source"],
            "note": " ".join(entry.get("note", "").split()),
            "ours": False,
        }
        for key, entry in published.items()
        if "accuracy" in entry and key not in _OTHER_QUESTION
    ]
    for model in models:
        record = metrics[f"{model}.test.accuracy"]
        low, high = record["ci"]
        rows.append(
            {
                "name": (titles or {}).get(model, model),
                "accuracy": record["value"],
                "low": low,
                "high": high,
                "parameters": _value(metrics, f"{model}.parameters"),
                "source": "this report",
                "ours": True,
            }
        )
    frame = pd.DataFrame(rows).sort_values("accuracy", ascending=False, kind="stable")
    return frame.reset_index(drop=True)


def against_original(original, training, transfer, robustness, comparison):
    """What the report that this one starts from gave for each part, and what stands here.

    Parameters
    ----------
    original : dict
        Entry ``original_report`` of ``published.yml``.
    training, transfer, robustness, comparison : dict
        Metrics of those stages.

    Returns
    -------
    pandas.DataFrame
        Columns part, original report, this report; text.
    """
    figures = original["figures"]
    recipe = training["baseline_original_recipe.test.accuracy"]
    detector = training["detector.test.accuracy"]
    attack = robustness["detector.pgd_1.accuracy"]
    tuned = _value(transfer, "efficientnet_lite0_finetuned.test.accuracy")
    low, high = figures["val_accuracy_worst"], figures["val_accuracy_best"]
    first, second = figures["comparison_accuracy"]
    compared = _value(comparison, "trainings")
    rows = [
        (
            "its network, its recipe",
            f"{low:.1%} to {high:.1%}, by epoch, on the test set as validation set",
            f"{recipe['value']:.1%} on the test set, scored once",
        ),
        (
            "confusion matrix",
            f"{figures['confusion_matrix']}, accuracy {figures['reported_accuracy']:.0%}",
            f"accuracy {detector['value']:.1%} (detector, n = {detector['n']:,})",
        ),
        (
            "transfer learning",
            "“significantly enhanced”; never trained",
            f"EfficientNet-Lite0 fine-tuned: {tuned:.1%}"
            if tuned
            else "ImageNet weights not available",
        ),
        (
            "attacks",
            f"FGSM on {figures['fgsm_images']} picture, untrained network",
            f"PGD within one grey level leaves {attack['value']:.1%} (n = {attack['n']:,})",
        ),
        (
            "Grad-CAM",
            "ImageNet's VGG16 and a bird",
            "a trained detector, both classes, tested against random weights",
        ),
        (
            "comparison",
            f"two networks on ten kinds of object: {first:.0%} and {second:.0%}",
            f"real against fake, {compared} trainings with paired seeds"
            if compared
            else "real against fake, with paired seeds",
        ),
    ]
    return pd.DataFrame(rows, columns=["part", "original report", "this report"])
