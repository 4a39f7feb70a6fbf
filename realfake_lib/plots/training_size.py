"""Accuracy by number of training images, and by cut layer and input size."""

from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from realfake_lib.names import in_words
from realfake_lib.plots.style import (
    INK,
    label_ends,
    need_columns,
    new_figure,
    percent,
    percent_axis,
    series,
    styled,
)


@styled
def accuracy_by_size(table):
    """Accuracy over number of training images, a line a training, with 95 % intervals.

    Parameters
    ----------
    table : DataFrame
        A row a training: training (its name), n_train, val_accuracy, and, where known, ci_low and
        ci_high. With a column network, each network has axes of its own, one above the other.

    Returns
    -------
    Figure
    """
    need_columns(table, "training", "n_train", "val_accuracy")
    panels = [(None, table)]
    if "network" in table:
        panels = list(table.groupby("network", sort=False))
    figure = new_figure(0.4 + 2.6 * len(panels))
    axes = figure.subplots(len(panels), squeeze=False, sharex=True, sharey=True)[:, 0]
    looks = {name: series(i) for i, name in enumerate(dict.fromkeys(table["training"]))}
    ends = []
    for ax, (network, rows) in zip(axes, panels, strict=True):
        ends.append(_lines(ax, rows, looks))
        if network is not None:
            ax.set_title(in_words(network))
        percent_axis(ax.yaxis, "accuracy on validation images")
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(sorted(table["n_train"].unique())))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.set_xlabel("training images (number, logarithmic)")
    for ax, names in zip(axes, ends, strict=True):  # once the scale that they share is final
        label_ends(ax, names)
    return figure


def _lines(ax, table, looks):
    """Draw a line a training; return the labels at their ends."""
    ends = []
    for name, rows in table.groupby("training", sort=False):
        rows = rows.sort_values("n_train")
        colour, marker, line = looks[name]
        ax.plot(rows["n_train"], rows["val_accuracy"], color=colour, marker=marker, ms=5, ls=line)
        if "ci_low" in rows:
            ax.vlines(rows["n_train"], rows["ci_low"], rows["ci_high"], color=colour, lw=1.2)
        ends.append((rows["val_accuracy"].iloc[-1], name, colour))
    return ends


@styled
def accuracy_by_cut(table):
    """Accuracy of frozen features as a heat map: cut by input size, one map for each weights.

    Parameters
    ----------
    table : DataFrame
        A row a head: cut, input (side in pixels), weights (what the backbone's are), val_accuracy.
        A pair of cut and input that is not in it stays blank.

    Returns
    -------
    Figure
    """
    need_columns(table, "cut", "input", "weights", "val_accuracy")
    kinds = list(dict.fromkeys(table["weights"]))
    cuts = list(dict.fromkeys(table["cut"]))
    sizes = {kind: sorted(table.loc[table["weights"] == kind, "input"].unique()) for kind in kinds}
    figure = new_figure(1.0 + 0.36 * len(cuts))
    widths = [len(sizes[kind]) for kind in kinds]
    axes = figure.subplots(1, len(kinds), squeeze=False, sharey=True, width_ratios=widths)[0]
    low, high = table["val_accuracy"].min(), table["val_accuracy"].max()
    room = max(high - low, 0.01)
    for ax, kind in zip(axes, kinds, strict=True):
        values = table[table["weights"] == kind].pivot(
            index="cut", columns="input", values="val_accuracy"
        )
        values = values.reindex(index=cuts, columns=sizes[kind]).to_numpy()
        # The palest grey is not white, which is what a missing value looks like.
        ax.imshow(
            values, cmap="Greys", vmin=low - 0.2 * room, vmax=high + 0.4 * room, aspect="auto"
        )
        for row, column in zip(*values.nonzero(), strict=True):
            value = values[row, column]
            if value == value:
                colour = "white" if value > low + 0.65 * room else INK
                text = percent(value)
                ax.text(column, row, text, ha="center", va="center", color=colour)
        ax.set_xticks(range(len(sizes[kind])), [f"{size}" for size in sizes[kind]])
        ax.set_yticks(range(len(cuts)), cuts)
        ax.set_title(f"{kind} weights" if len(sizes[kind]) > 1 else kind)
        ax.tick_params(length=0)
        ax.grid(False)
        ax.spines[:].set_visible(False)
    axes[0].set_ylabel("cut at")
    axes[0].set_xlabel("side of the input (pixels)")
    return figure
