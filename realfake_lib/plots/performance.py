"""Figures about how a detector learned and how right it is."""

import numpy as np
from matplotlib.ticker import MaxNLocator, NullFormatter

from realfake_lib.evaluation.calibration import reliability as reliability_table
from realfake_lib.evaluation.metrics import pr_curve, roc_curve
from realfake_lib.plots.style import (
    CLASS_COLOURS,
    FAINT,
    INK,
    SERIES,
    interval_dots,
    key,
    label_ends,
    need_columns,
    new_figure,
    percent,
    percent_axis,
    readable,
    rows_axis,
    series,
    styled,
)
from realfake_lib.settings import CLASS_NAMES, FAKE, REAL


@styled
def learning_curves(histories):
    """Accuracy and loss by epoch: validation drawn through, training thin and dashed.

    Parameters
    ----------
    histories : dict of str to DataFrame
        Columns epoch, accuracy, val_accuracy, loss, val_loss, a row an epoch.

    Returns
    -------
    Figure
    """
    figure = new_figure(3.2)
    axes = figure.subplots(1, 2)
    for ax, measure in zip(axes, ("accuracy", "loss"), strict=True):
        ends = []
        for i, (name, history) in enumerate(histories.items()):
            need_columns(history, "epoch", measure, f"val_{measure}")
            colour, marker, _ = series(i)
            epoch = history["epoch"]
            ax.plot(epoch, history[measure], color=colour, lw=1.1, ls=(0, (4, 2)))
            values = history[f"val_{measure}"]
            ax.plot(epoch, values, color=colour, marker=marker, ms=4)
            ends.append((values.iloc[-1], name, colour))
        _epoch_axis(ax, histories)
        if measure == "accuracy":
            percent_axis(ax.yaxis, "accuracy")
            key(
                ax,
                [("validation", INK, "-"), ("training", INK, (0, (4, 2)))],
                loc="lower right",
            )
        else:
            ax.set_ylabel("loss (cross-entropy, nats)")
            label_ends(ax, ends)
    return figure


@styled
def learning_rates(histories):
    """The learning rate by epoch.

    Parameters
    ----------
    histories : dict of str to DataFrame
        Columns epoch, learning_rate, a row an epoch.

    Returns
    -------
    Figure
    """
    figure = new_figure(2.3)
    ax = figure.subplots()
    ends = []
    for i, (name, history) in enumerate(histories.items()):
        need_columns(history, "epoch", "learning_rate")
        colour, marker, line = series(i)
        rates = history["learning_rate"]
        ax.plot(history["epoch"], rates, color=colour, marker=marker, ms=4, ls=line)
        ends.append((max(rates.iloc[-1], 1e-12), name, colour))
    _epoch_axis(ax, histories)
    ax.set(ylabel="learning rate (logarithmic)", yscale="log")
    label_ends(ax, ends)
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
    chance = np.geomspace(lowest_fpr, 1, 200)
    roc.plot(chance, chance, color=FAINT, lw=0.9, ls=(0, (1, 2)))
    roc.text(0.22, 0.29, "chance level", color=FAINT, fontsize=9, ha="right", va="center")
    percent_axis(roc.xaxis, "false-positive rate")
    percent_axis(roc.yaxis, "FAKE found")
    pr.set(xlim=(0, 1.01), ylim=(max(0, np.floor(10 * lowest_precision + 1e-6) / 10 - 0.005), 1.01))
    percent_axis(pr.xaxis, "recall: FAKE found")
    percent_axis(pr.yaxis, "precision: right when FAKE is said")
    figure.legend(
        handles=key(pr, entries).legend_handles,
        labels=[name for name, _, _ in entries],
        loc="outside lower center",
        ncols=min(3, len(entries)),
        handlelength=2.6,
        labelcolor=[readable(colour) for _, colour, _ in entries],
    )
    pr.get_legend().remove()
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


@styled
def per_class_bars(table):
    """How many of each object class's fakes are found and of its photographs are left alone.

    Parameters
    ----------
    table : DataFrame
        As ``evaluation.per_group`` returns: group, fake_recall, fake_ci_low, fake_ci_high,
        real_recall, real_ci_low, real_ci_high.

    Returns
    -------
    Figure
        A row an object class, the most accurate first.
    """
    need_columns(table, "group", "accuracy", "fake_recall", "fake_ci_low", "real_recall")
    table = table.sort_values("accuracy", ascending=False, kind="stable")
    figure = new_figure(0.33 * len(table) + 1.1)
    ax = figure.subplots()
    rows = np.arange(len(table))
    for label, name, shift in ((FAKE, "fake", -0.14), (REAL, "real", 0.14)):
        interval_dots(
            ax,
            rows + shift,
            table[f"{name}_recall"],
            table[f"{name}_ci_low"],
            table[f"{name}_ci_high"],
            CLASS_COLOURS[label],
            marker="os"[label],
        )
    rows_axis(ax, list(table["group"]), separated=True)
    low = np.nanmin(table[["fake_ci_low", "real_ci_low"]].to_numpy(float))
    ax.set_xlim(max(0, low - 0.02), 1.002)
    percent_axis(ax.xaxis, "right verdicts")
    ax.legend(
        handles=ax.lines[:2],
        labels=["FAKE found", "REAL left alone"],
        labelcolor=[readable(colour) for colour in CLASS_COLOURS],
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=2,
        borderaxespad=0.1,
    )
    return figure


def _epoch_axis(ax, histories):
    ax.set_xlabel("epoch (number)")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
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
