"""Accuracy by the number of training images: what each way of training makes of little data."""

from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from realfake_lib.plots.style import (
    label_ends,
    need_columns,
    new_figure,
    percent_axis,
    series,
    styled,
)


@styled
def accuracy_by_size(table):
    """Accuracy over training-set size, a line for each way of training, with 95 % intervals.

    Parameters
    ----------
    table : DataFrame
        A row a training: training (its name), n_train, val_accuracy, and, where known, ci_low and
        ci_high.

    Returns
    -------
    Figure
    """
    need_columns(table, "training", "n_train", "val_accuracy")
    figure = new_figure(3.0)
    ax = figure.subplots()
    ends = []
    for i, (name, rows) in enumerate(table.groupby("training", sort=False)):
        rows = rows.sort_values("n_train")
        colour, marker, line = series(i)
        ax.plot(rows["n_train"], rows["val_accuracy"], color=colour, marker=marker, ms=5, ls=line)
        if "ci_low" in rows:
            ax.vlines(rows["n_train"], rows["ci_low"], rows["ci_high"], color=colour, lw=1.2)
        ends.append((rows["val_accuracy"].iloc[-1], name, colour))
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(sorted(table["n_train"].unique())))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.set_xlabel("training images (number, logarithmic)")
    percent_axis(ax.yaxis, "accuracy on validation images")
    label_ends(ax, ends)
    return figure
