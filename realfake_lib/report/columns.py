"""How a table is shown: headers in words with units, each interval in one column."""

import numbers

from realfake_lib import formats
from realfake_lib.formats import fixed, plain
from realfake_lib.names import in_words


def percent(digits=1):
    """Formatter of shares as numbers of a column whose header says "(%)"."""
    return lambda share: fixed(100 * share, digits)


def decimals(digits):
    """Formatter with so many decimals."""
    return lambda value: fixed(value, digits)


def auroc(value):
    """An AUROC with two decimals, with three where it is close to 1."""
    return fixed(value, 3 if value > 0.99 else 2)


def signed(digits, scale=1):
    """Formatter of differences, with their sign; ``scale=100`` for percentage points."""
    return lambda value: formats.signed(scale * value, digits)


def p_value(value):
    """A p-value with three decimals; smaller ones by their bound."""
    return "< 0.001" if value < 0.001 else fixed(value, 3)


_PERCENT = percent()

COLUMNS = {
    "lowest_accuracy": ("lowest accuracy (%)", _PERCENT),
    "accuracy": ("accuracy (%)", _PERCENT),
    "val_accuracy": ("validation accuracy (%)", percent(2)),
    "fake_recall": ("recall of FAKE (%)", _PERCENT),
    "real_recall": ("recall of REAL (%)", _PERCENT),
    "recall": ("recall of FAKE (%)", _PERCENT),
    "precision": ("precision (%)", _PERCENT),
    "false_positive_rate": ("false-positive rate at its threshold (%)", _PERCENT),
    "accuracy_dedup": ("accuracy without duplicates (%)", percent(2)),
    "tpr_at_fpr_01": ("recall at 1 % FPR (%)", _PERCENT),
    "ece": ("calibration error, ECE (%)", percent(2)),
    "unseen_recall": ("recall at its threshold, unseen generators (%)", _PERCENT),
    "ci": ("95 % interval (%)", _PERCENT),
    "fake_ci": ("recall of FAKE, 95 % interval (%)", _PERCENT),
    "real_ci": ("recall of REAL, 95 % interval (%)", _PERCENT),
    "f1": ("F1 (%)", _PERCENT),
    "tpr_at_fpr_05": ("recall at 5 % FPR (%)", _PERCENT),
    "accuracy_at_threshold": ("accuracy at its threshold (%)", percent(2)),
    "val_accuracy_tta": ("validation accuracy with TTA (%)", percent(2)),
    "power_kept": ("power kept (%)", percent(0)),
    "gain": ("gain (pp)", signed(2, 100)),
    "auroc": ("AUROC", decimals(3)),
    "p": ("p", p_value),
    "p_value": ("p", p_value),
    "p_holm": ("p (Holm)", p_value),
    "difference": ("difference (pp)", signed(2, 100)),
    "unseen_auroc": ("AUROC, unseen generators", decimals(2)),
    "power_fake": ("power, FAKE", decimals(1)),
    "power_real": ("power, REAL", decimals(1)),
    "auroc_difference": ("difference in AUROC", signed(3)),
    "epsilon": ("ε (1/255)", plain),
    "deletion": ("deletion gain", decimals(3)),
    "insertion": ("insertion gain", decimals(3)),
    "rank_correlation": ("rank correlation", decimals(2)),
    "ssim": ("SSIM", decimals(2)),
    "empty": ("empty maps (%)", _PERCENT),
    "n_train": ("training images", plain),
    "n_fake": ("FAKE images", plain),
    "n_real": ("REAL images", plain),
    "in_train": ("also in training", plain),
    "in_val": ("also in validation", plain),
    "seconds": ("time (s)", decimals(1)),
    "mflop": ("MFLOP per image", decimals(1)),
    "name": ("network", plain),
    "group": ("object class", plain),
    "cut": ("cut layer", plain),
    "input": ("input size (pixels)", plain),
    "map": ("size of the maps", plain),
    "found": ("available", plain),
    "images_per_second": ("images/s", decimals(0)),
    "training_pflop": ("training (PFLOP)", decimals(3)),
    "flops": ("FLOP per image", decimals(0)),
    "cost": ("cost (×)", decimals(2)),
}
"""Column → (header, formatter of one value); one that is not here is shown as its name in words."""


def shown(frame, formats=None):
    """The columns of a table as text, for people; ``formats`` are as in ``StageRun.table``.

    Two columns ``x_low`` and ``x_high`` become one, "low to high", beside ``x``.
    """
    import pandas as pd

    formats = formats or {}
    text = {}
    for column in frame.columns:
        stem, _, end = str(column).rpartition("_")
        if end == "high" and f"{stem}_low" in frame:
            continue
        if end == "low" and f"{stem}_high" in frame:
            write = _writer(stem, formats.get(column))
            bounds = zip(frame[column].map(write), frame[f"{stem}_high"].map(write), strict=True)
            name = header(stem) + ("" if stem.endswith("ci") else ", 95 % interval")
            text[name] = ["–" if low == high == "–" else f"{low} to {high}" for low, high in bounds]
        else:
            write = _writer(column, formats.get(column))
            text[header(column)] = frame[column].map(write).to_numpy()
    return pd.DataFrame(text, dtype=object)


def header(column):
    """The words for a column."""
    return COLUMNS[column][0] if column in COLUMNS else in_words(str(column)).replace("_", " ")


def _writer(column, chosen):
    """Formatter of one column's cells, by ``chosen`` (a format string or a callable) if given."""
    chosen = chosen.format if isinstance(chosen, str) else chosen
    chosen = chosen or COLUMNS.get(column, (None, plain))[1]

    def write(value):
        if value is None or value != value:  # NaN is the one value that differs from itself
            return "–"
        if isinstance(value, str):
            return in_words(value)
        number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        return chosen(value) if number else plain(value)

    return write
