"""Figures about how a detector was trained and how accurate it is."""

import numpy as np
from matplotlib.ticker import MaxNLocator, NullFormatter

from realfake_lib.evaluation.calibration import reliability as reliability_table
from realfake_lib.evaluation.metrics import pr_curve, roc_curve
from realfake_lib.names import in_words
from realfake_lib.plots.style import (
    CLASS_COLOURS,
    FAINT,
    INK,
    SERIES,
    key,
    need_columns,
    new_figure,
    percent,
    percent_axis,
    readable,
    series,
    styled,
)
from realfake_lib.settings import CLASS_NAMES


@styled
def learning_curves(histories):
    """Accuracy and loss by epoch (validation solid, training dashed), and the learning rate.

    Parameters
    ----------
    histories : dict of str to DataFrame
        Columns epoch, accuracy, val_accuracy, loss, val_loss, learning_rate, a row an epoch.

    Returns
    -------
    Figure
    """
    figure = new_figure(3.2)
    axes = figure.subplots(1, 3)
    entries = []
    for i, (name, history) in enumerate(histories.items()):
        need_columns(history, "epoch", "accuracy", "val_accuracy", "loss", "val_loss")
        need_columns(history, "learning_rate")
        colour, marker, _ = series(i)
        epoch = history["epoch"]
        for ax, measure in zip(axes, ("accuracy", "loss"), strict=False):
            ax.plot(epoch, history[measure], color=colour, lw=1.1, ls=(0, (4, 2)))
            ax.plot(epoch, history[f"val_{measure}"], color=colour, marker=marker, ms=3)
        axes[2].plot(epoch, history["learning_rate"], color=colour, marker=marker, ms=3)
        entries.append((name, colour, "-"))
    percent_axis(axes[0].yaxis, "accuracy")
    axes[1].set_ylabel("loss (nats)")
    axes[2].set_ylabel("learning rate")
    axes[2].set_ylim(bottom=0)
    for ax in axes:
        _epoch_axis(ax, histories)
    styles = [("validation", INK, "-"), ("training", INK, (0, (4, 2)))]
    _legend_below(figure, axes[0], [*entries, *styles])
    return figure


@styled
def confusion_matrices(matrices):
    """Confusion matrices side by side, with counts and shares of the true class.

    Parameters
    ----------
    matrices : dict of str to (2, 2) int array
        Rows: true FAKE, REAL; columns: predicted FAKE, REAL.

    Returns
    -------
    Figure
    """
    columns = min(3, len(matrices))
    rows = -(-len(matrices) // columns)
    figure = new_figure(2.75 * rows + 0.1, 2.5 * columns)
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat[len(matrices) :]:
        ax.set_axis_off()
    for i, (ax, (name, matrix)) in enumerate(zip(axes.flat, matrices.items(), strict=False)):
        matrix = np.asarray(matrix)
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        ax.imshow(shares, cmap="Greys", vmin=0, vmax=1.15)
        for row in (0, 1):
            for column in (0, 1):
                text = f"{matrix[row, column]:,}\n{percent(shares[row, column])}"
                colour = "white" if shares[row, column] > 0.55 else INK
                ax.text(column, row, text, ha="center", va="center", color=colour)
        ax.set_xticks((0, 1), CLASS_NAMES)
        ax.set_yticks((0, 1), CLASS_NAMES, rotation=90, va="center")
        ax.set_xlabel("predicted class")
        ax.set_ylabel("true class" if i % columns == 0 else "")
        ax.set_title(_wrapped(name, 26))
        ax.tick_params(length=0)
        ax.grid(False)
        ax.spines[:].set_visible(False)
        for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
            for text, colour in zip(labels, CLASS_COLOURS, strict=True):
                text.set_color(readable(colour))
    return figure


@styled
def roc_and_pr(detectors, lowest_fpr=1e-3):
    """ROC curves over a logarithmic axis, and precision over recall; FAKE is positive.

    Parameters
    ----------
    detectors : dict of str to (y_true, p_fake)
        Labels (n,), FAKE = 0 and REAL = 1, and probabilities (n,) of FAKE.
    lowest_fpr : float
        Left end of the ROC axis.

    Returns
    -------
    Figure
    """
    figure = new_figure(3.9)
    roc, pr = figure.subplots(1, 2)
    entries, lowest_precision = [], 1.0
    for i, (name, (y_true, p_fake)) in enumerate(detectors.items()):
        colour, _, line = series(i)
        points = roc_curve(y_true, p_fake)
        roc.step(points["fpr"], points["tpr"], where="post", color=colour, ls=line, lw=1.6)
        points = pr_curve(y_true, p_fake)
        pr.step(points["recall"], points["precision"], where="pre", color=colour, ls=line, lw=1.6)
        lowest_precision = min(lowest_precision, float(points["precision"].iloc[0]))
        entries.append((name, colour, line))
    roc.set(xscale="log", xlim=(lowest_fpr, 1), ylim=(0, 1.01))
    for fpr in (0.01, 0.05):
        roc.axvline(fpr, color=FAINT, lw=0.9, ls=(0, (4, 3)), zorder=0)
        roc.annotate(
            percent(fpr, 0),
            (fpr, 0.12),
            (2, 0),
            textcoords="offset points",
            color=FAINT,
            fontsize=9,
        )
    chance = np.geomspace(lowest_fpr, 1, 200)
    roc.plot(chance, chance, color=FAINT, lw=0.9, ls=(0, (1, 2)))
    roc.text(0.24, 0.29, "chance\nlevel", color=FAINT, fontsize=9, ha="right", va="center")
    percent_axis(roc.xaxis, "false-positive rate")
    percent_axis(roc.yaxis, "true-positive rate")
    pr.set(xlim=(0, 1.01), ylim=(max(0, np.floor(10 * lowest_precision + 1e-6) / 10 - 0.005), 1.01))
    percent_axis(pr.xaxis, "recall of FAKE")
    percent_axis(pr.yaxis, "precision of FAKE")
    _legend_below(figure, pr, entries)
    return figure


@styled
def reliability(tables):
    """Predicted probability of FAKE against the share that is FAKE; on the diagonal they agree.

    Parameters
    ----------
    tables : dict of str to DataFrame, or to (y_true, p_fake)
        As ``evaluation.reliability`` returns: bin_low, bin_high, n, mean_p_fake, fake_share,
        ci_low, ci_high. Labels and probabilities are binned by that function.

    Returns
    -------
    Figure
        Above the diagram, below how many images each bin holds.
    """
    tables = {
        name: reliability_table(*table) if isinstance(table, tuple) else table
        for name, table in tables.items()
    }
    figure = new_figure(4.9, 5.6)
    ax, below = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
    ax.plot((0, 1), (0, 1), color=FAINT, lw=1, ls=(0, (4, 3)))
    entries = []
    for i, (name, table) in enumerate(tables.items()):
        need_columns(table, "bin_low", "bin_high", "n", "mean_p_fake", "fake_share", "ci_low")
        colour, marker, line = series(i)
        ax.vlines(table["mean_p_fake"], table["ci_low"], table["ci_high"], color=colour, lw=1.4)
        ax.plot(table["mean_p_fake"], table["fake_share"], color=colour, marker=marker, ms=5, lw=1)
        middles = (table["bin_low"] + table["bin_high"]) / 2
        below.plot(middles, table["n"], color=colour, marker=marker, ms=4, lw=1, ls=line)
        entries.append((name, colour, "-"))
    ax.set(ylim=(-0.02, 1.02), xlim=(-0.02, 1.02))
    percent_axis(ax.yaxis, "images that are FAKE")
    key(ax, [*entries, ("calibrated", FAINT, (0, (4, 3)))], loc="upper left")
    below.set(yscale="log", ylabel="images per bin\n(number)")
    below.yaxis.set_minor_formatter(NullFormatter())
    counts = np.concatenate([table["n"] for table in tables.values()])
    below.set_ylim(10 ** np.floor(np.log10(counts.min())), 10 ** np.ceil(np.log10(counts.max())))
    percent_axis(below.xaxis, "predicted probability of FAKE")
    return figure


@styled
def score_histogram(scores, threshold=0.5, bins=40):
    """How each group of images is scored, and the share of it that is predicted FAKE.

    Parameters
    ----------
    scores : dict of str to (n,) float array in [0, 1]
        Group to probabilities of FAKE; groups named "FAKE" and "REAL" have the classes' colours.
    threshold : float
        FAKE from here on.
    bins : int

    Returns
    -------
    Figure
    """
    figure = new_figure(0.85 * len(scores) + 0.75)
    axes = figure.subplots(len(scores), 1, sharex=True, squeeze=False)[:, 0]
    edges = np.linspace(0, 1, bins + 1)
    for ax, (name, values) in zip(axes, scores.items(), strict=True):
        values = np.asarray(values, float)
        colour = dict(zip(CLASS_NAMES, CLASS_COLOURS, strict=True)).get(name, SERIES[1])
        shares = np.histogram(values, edges)[0] / len(values)
        ax.stairs(shares, edges, fill=True, color=colour)
        ax.axvline(threshold, color=INK, lw=1, ls=(0, (4, 3)))
        ax.set(ylim=(0, max(0.05, 1.1 * shares.max())), xlim=(0, 1))
        ax.yaxis.set_major_locator(MaxNLocator(2))
        percent_axis(ax.yaxis, "")
        ax.set_ylabel("")
        share = percent(np.mean(values >= threshold))
        ax.text(
            1.015,
            0.5,
            f"{name}\nn = {len(values):,}\n{share} predicted FAKE",
            transform=ax.transAxes,
            va="center",
            color=readable(colour),
            fontsize=9,
        )
    figure.supylabel(f"images (% per bin of {1 / bins:g})", fontsize=9.5)
    axes[-1].set_xlabel("predicted probability of FAKE (0 to 1)")
    axes[0].text(
        threshold,
        1.02,
        f"threshold {threshold:.2f}",
        transform=axes[0].get_xaxis_transform(),
        ha="center",
        va="bottom",
        fontsize=9,
    )
    return figure


def _legend_below(figure, ax, entries):
    """One legend for all panels; ``entries`` as :func:`key` takes them."""
    figure.legend(
        handles=key(ax, entries).legend_handles,
        labels=[in_words(name) for name, _, _ in entries],
        loc="outside lower center",
        ncols=min(3, len(entries)),
        handlelength=2.6,
        labelcolor=[readable(colour) for _, colour, _ in entries],
    )
    ax.get_legend().remove()


def _epoch_axis(ax, histories):
    ax.set_xlabel("epoch (number)")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
    ends = [history["epoch"].iloc[[0, -1]] for history in histories.values()]
    first, last = min(e.iloc[0] for e in ends), max(e.iloc[-1] for e in ends)
    ax.set_xlim(first - 0.3, last + 0.3)


def _wrapped(text, width):
    lines, line = [], ""
    for word in text.replace("_", "_\u200b").split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "\n".join([*lines, line]).replace("\u200b", "")
