"""Accuracy by number of training images, and by cut layer and input size."""

from matplotlib.ticker import NullLocator

from realfake_lib.formats import pct
from realfake_lib.names import in_words
from realfake_lib.plots.style import (
    heat_map,
    label_ends,
    new_figure,
    panels,
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
        A row a training: network (each has axes of its own), training (its name), n_train,
        val_accuracy, ci_low, ci_high.

    Returns
    -------
    Figure
    """
    parts = table.groupby("network", sort=False)
    figure, axes, _ = panels(len(parts), 1, 2.6, sharex=True, sharey=True)
    looks = {name: series(i) for i, name in enumerate(dict.fromkeys(table["training"]))}
    ends = {}
    for ax, (network, part) in zip(axes, parts, strict=True):
        ends[ax] = []
        for name, rows in part.groupby("training", sort=False):
            rows = rows.sort_values("n_train")
            colour, marker, line = looks[name]
            sizes, accuracy = rows["n_train"], rows["val_accuracy"]
            ax.plot(sizes, accuracy, color=colour, marker=marker, ms=5, ls=line)
            ax.vlines(sizes, rows["ci_low"], rows["ci_high"], color=colour, lw=1.2)
            ends[ax].append((accuracy.iloc[-1], name, colour))
        ax.set_title(in_words(network))
        percent_axis(ax.yaxis, "accuracy on validation images")
    ax.set_xscale("log")
    sizes = sorted(table["n_train"].unique())
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("training images (number, logarithmic)")
    for ax, names in ends.items():  # once the scale that they share is final
        label_ends(ax, names)
    return figure


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
    cuts = list(dict.fromkeys(table["cut"]))
    maps = {
        kind: part.pivot(index="cut", columns="input", values="val_accuracy").reindex(cuts)
        for kind, part in table.groupby("weights", sort=False)
    }
    figure = new_figure(1.0 + 0.36 * len(cuts))
    widths = [values.shape[1] for values in maps.values()]
    axes = figure.subplots(1, len(maps), squeeze=False, sharey=True, width_ratios=widths)[0]
    low, high = table["val_accuracy"].min(), table["val_accuracy"].max()
    room = max(high - low, 0.01)
    for ax, (kind, values) in zip(axes, maps.items(), strict=True):
        # The palest grey is not white, which is what a missing value looks like.
        heat_map(ax, values, values.map(pct), low=low - 0.2 * room, high=high + 0.4 * room)
        ax.set(xlabel="", ylabel="", title=f"{kind} weights" if values.shape[1] > 1 else kind)
    axes[0].set_ylabel("cut at")
    axes[0].set_xlabel("side of the input (pixels)")
    return figure
