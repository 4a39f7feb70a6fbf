"""Figures about how a detector was trained and how accurate it is."""

import textwrap

import numpy as np
from matplotlib.ticker import MaxNLocator, NullFormatter
from sklearn import metrics

from realfake_lib.evaluation.calibration import reliability as reliability_table
from realfake_lib.formats import pct
from realfake_lib.names import in_words
from realfake_lib.plots.style import (
    CLASS_COLOURS,
    FAINT,
    GUIDE,
    INK,
    SERIES,
    heat_map,
    legend,
    new_figure,
    panels,
    percent_axis,
    readable,
    series,
    styled,
)
from realfake_lib.settings import CLASS_NAMES, FAKE


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
    entries = {}
    for i, (name, history) in enumerate(histories.items()):
        colour, marker, line = series(i)
        epoch = history["epoch"]
        for ax, measure in zip(axes, ("accuracy", "loss"), strict=False):
            ax.plot(epoch, history[measure], color=colour, lw=1.1, ls=(0, (4, 2)))
            ax.plot(epoch, history[f"val_{measure}"], color=colour, marker=marker, ms=3)
        # Equal schedules lie on each other: the lower one shows through the gaps.
        axes[2].plot(epoch, history["learning_rate"], color=colour, ls=line)
        entries[name] = (colour, "-")
    percent_axis(axes[0].yaxis, "accuracy")
    axes[1].set_ylabel("loss (nats)")
    axes[2].set_ylabel("learning rate")
    axes[2].set_ylim(bottom=0)
    for ax in axes:
        ax.set_xlabel("epoch (number)")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
    legend(figure, entries | {"validation": (INK, "-"), "training": (INK, (0, (4, 2)))}, ncols=3)
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
    width = 2.5 * min(3, len(matrices))
    figure, axes, first = panels(len(matrices), 3, 2.75, width, subplot_kw={"aspect": 1})
    for ax, (name, matrix), starts in zip(axes, matrices.items(), first, strict=True):
        matrix = np.asarray(matrix)
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        texts = [
            [f"{n:,}\n{pct(share)}" for n, share in zip(*row, strict=True)]
            for row in zip(matrix, shares, strict=True)
        ]
        heat_map(ax, shares, texts, low=0, high=1.15)
        ax.set_xticklabels(CLASS_NAMES)
        ax.set_yticklabels(CLASS_NAMES, rotation=90, va="center")
        ax.set(xlabel="predicted class", ylabel="true class" if starts else "")
        ax.set_title(textwrap.fill(in_words(name), 26))
        for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
            for text, colour in zip(labels, CLASS_COLOURS, strict=True):
                text.set_color(readable(colour))
    return figure


@styled
def roc_and_pr(detectors):
    """ROC curves over a logarithmic axis, and precision over recall; FAKE is positive.

    Parameters
    ----------
    detectors : dict of str to (y_true, p_fake)
        Labels (n,), FAKE = 0 and REAL = 1, and probabilities (n,) of FAKE.

    Returns
    -------
    Figure
    """
    figure = new_figure(3.9)
    roc, pr = figure.subplots(1, 2)
    entries, lowest_precision = {}, 1.0
    for i, (name, (y_true, p_fake)) in enumerate(detectors.items()):
        colour, _, line = series(i)
        is_fake = np.asarray(y_true) == FAKE
        fpr, tpr, _ = metrics.roc_curve(is_fake, p_fake, drop_intermediate=False)
        roc.step(fpr, tpr, where="post", color=colour, ls=line, lw=1.6)
        precision, recall, _ = metrics.precision_recall_curve(is_fake, p_fake)
        pr.step(recall, precision, where="pre", color=colour, ls=line, lw=1.6)
        lowest_precision = min(lowest_precision, float(precision[0]))
        entries[name] = (colour, line)
    roc.set(xscale="log", xlim=(1e-3, 1), ylim=(0, 1.01))
    for fpr in (0.01, 0.05):
        roc.axvline(fpr, **GUIDE)
        roc.text(1.08 * fpr, 0.12, pct(fpr, 0), color=FAINT, fontsize=9)
    chance = np.geomspace(1e-3, 1, 200)
    roc.plot(chance, chance, color=FAINT, lw=0.9, ls=(0, (1, 2)))
    roc.text(0.24, 0.29, "chance\nlevel", color=FAINT, fontsize=9, ha="right", va="center")
    percent_axis(roc.xaxis, "false-positive rate")
    percent_axis(roc.yaxis, "true-positive rate")
    pr.set(xlim=(0, 1.01), ylim=(max(0, np.floor(10 * lowest_precision + 1e-6) / 10 - 0.005), 1.01))
    percent_axis(pr.xaxis, "recall of FAKE")
    percent_axis(pr.yaxis, "precision of FAKE")
    legend(figure, entries, ncols=3)
    return figure


@styled
def reliability(detectors):
    """Predicted probability of FAKE against the share that is FAKE; on the diagonal they agree.

    Parameters
    ----------
    detectors : dict of str to (y_true, p_fake)
        As in :func:`roc_and_pr`; binned by ``evaluation.reliability``.

    Returns
    -------
    Figure
        Above the diagram, below how many images each bin holds.
    """
    tables = {name: reliability_table(*scored) for name, scored in detectors.items()}
    figure = new_figure(4.9, 5.6)
    ax, below = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
    ax.plot((0, 1), (0, 1), **GUIDE)
    entries = {}
    for i, (name, table) in enumerate(tables.items()):
        colour, marker, line = series(i)
        ax.vlines(table["mean_p_fake"], table["ci_low"], table["ci_high"], color=colour, lw=1.4)
        ax.plot(table["mean_p_fake"], table["fake_share"], color=colour, marker=marker, ms=5, lw=1)
        middles = (table["bin_low"] + table["bin_high"]) / 2
        below.plot(middles, table["n"], color=colour, marker=marker, ms=4, lw=1, ls=line)
        entries[name] = (colour, "-")
    ax.set(ylim=(-0.02, 1.02), xlim=(-0.02, 1.02))
    percent_axis(ax.yaxis, "images that are FAKE")
    legend(ax, entries | {"calibrated": (FAINT, GUIDE["ls"])}, loc="upper left")
    below.set(yscale="log", ylabel="images per bin\n(number)")
    below.yaxis.set_minor_formatter(NullFormatter())
    counts = np.concatenate([table["n"] for table in tables.values()])
    below.set_ylim(10 ** np.floor(np.log10(counts.min())), 10 ** np.ceil(np.log10(counts.max())))
    percent_axis(below.xaxis, "predicted probability of FAKE")
    return figure


@styled
def score_histogram(scores, threshold):
    """How each group of images is scored, and the share of it that is predicted FAKE.

    Parameters
    ----------
    scores : dict of str to (n,) float array in [0, 1]
        Group to probabilities of FAKE; groups named "FAKE" and "REAL" have the classes' colours.
    threshold : float
        FAKE from here on.

    Returns
    -------
    Figure
    """
    figure = new_figure(0.85 * len(scores) + 0.75)
    axes = figure.subplots(len(scores), 1, sharex=True, squeeze=False)[:, 0]
    edges = np.linspace(0, 1, 41)
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
        share = pct(np.mean(values >= threshold))
        said = f"{in_words(name)}\nn = {len(values):,}\n{share} predicted FAKE"
        at_end = {"transform": ax.transAxes, "va": "center", "fontsize": 9}
        ax.text(1.015, 0.5, said, color=readable(colour), **at_end)
    figure.supylabel("images (% per bin of 0.025)", fontsize=9.5)
    axes[-1].set_xlabel("predicted probability of FAKE (0 to 1)")
    axes[0].set_title(
        f"threshold {threshold:.2f}", x=threshold, loc="center", size=9, weight="normal"
    )
    return figure
