"""Figures that compare detectors: with each other, with published ones, on unseen generators."""

import numpy as np
from matplotlib.patheffects import withStroke
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter, NullLocator

from realfake_lib.evaluation.comparison import pareto
from realfake_lib.formats import fixed, pct
from realfake_lib.plots.style import (
    FAINT,
    GUIDE,
    SERIES,
    WIDTH,
    interval_dots,
    legend,
    new_figure,
    percent_axis,
    readable,
    rows_axis,
    series,
    styled,
)

HALO = withStroke(linewidth=2, foreground="white")
"""Keeps letters apart from a line behind them."""


@styled
def comparison_dots(runs):
    """Accuracy of every seed as a small dot, with mean and standard deviation of each setting.

    Parameters
    ----------
    runs : DataFrame
        A row a run: factor (a panel each), name, accuracy.

    Returns
    -------
    Figure
        Best mean first within each factor.
    """
    parts = dict(list(runs.groupby("factor", sort=False)))
    ranked = {
        title: part.groupby("name", sort=False)["accuracy"]
        .agg(["mean", "std", "count"])
        .sort_values("mean", ascending=False, kind="stable")
        for title, part in parts.items()
    }
    counts = [len(summary) for summary in ranked.values()]
    figure = new_figure(0.34 * sum(counts) + 0.4 * len(counts) + 0.6)
    axes = figure.subplots(len(parts), 1, sharex=True, squeeze=False, height_ratios=counts)[:, 0]
    for i, (ax, (title, summary)) in enumerate(zip(axes, ranked.items(), strict=True)):
        rows = parts[title]["name"].map(list(summary.index).index)
        seeds = {"ls": "", "marker": "o", "ms": 5, "mfc": "none", "mec": FAINT, "zorder": 3}
        ax.plot(parts[title]["accuracy"], rows, **seeds)
        mean, deviation = summary["mean"], summary["std"]
        bounds = mean - deviation, mean + deviation
        interval_dots(ax, np.arange(len(summary)), mean, *bounds, series(i)[0], zorder=4)
        written = [
            fixed(100 * m, 2) + (f" ± {fixed(100 * sd, 2)} %" if n > 1 else " %")
            for m, sd, n in summary.itertuples(index=False)
        ]
        rows_axis(ax, summary.index, values=written)
        ax.set_title(title)
    percent_axis(axes[-1].xaxis, "accuracy, mean ± SD over seeds")
    return figure


@styled
def accuracy_vs_cost(table, costs):
    """Accuracy against costs, a panel each, with its Pareto front.

    Parameters
    ----------
    table : DataFrame
        A row a model: name, accuracy, ci_low, ci_high, and every cost's column.
    costs : dict of str to str
        Column to its label with its unit; drawn on a logarithmic axis.

    Returns
    -------
    Figure
    """
    figure = new_figure(4.0)
    axes = figure.subplots(1, len(costs), sharey=True, squeeze=False)[0]
    entries = {}
    for ax, (cost, label) in zip(axes, costs.items(), strict=True):
        on_front = pareto(table[cost], table["accuracy"])
        front = table[on_front].sort_values(cost)
        ax.step(front[cost], front["accuracy"], where="post", color=FAINT, lw=1, zorder=1)
        for i, (row, filled) in enumerate(zip(table.itertuples(), on_front, strict=True)):
            colour, marker, _ = series(i)
            x = getattr(row, cost)
            ax.vlines(x, row.ci_low, row.ci_high, color=colour, alpha=0.45, lw=1.3, zorder=1)
            look = {"ls": "", "marker": marker, "ms": 7, "mfc": colour if filled else "white"}
            (entries[row.name],) = ax.plot(x, row.accuracy, color=colour, zorder=3, **look)
        ax.set_xscale("log")
        ax.margins(0.1)
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(EngFormatter())
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xlabel(label)
    percent_axis(axes[0].yaxis, "accuracy")
    legend(figure, entries, ncols=3)
    return figure


@styled
def learning_rate_lines(runs):
    """Accuracy by optimiser and learning rate: mean over seeds, and every seed.

    Parameters
    ----------
    runs : DataFrame
        A row a training: optimiser, learning_rate, accuracy.

    Returns
    -------
    Figure
        An optimiser that was tried at one rate only is a dot.
    """
    figure = new_figure(3.4, 0.62 * WIDTH)
    ax = figure.subplots()
    entries = {}
    groups = runs.groupby("optimiser", sort=False)
    for i, (name, of_one) in enumerate(groups):
        colour, marker, line = series(i)
        shift = 1.05 ** (i - len(groups) // 2)  # beside each other where they share a rate
        rates = of_one["learning_rate"] * shift
        seeds = {"ls": "", "marker": marker, "ms": 4, "mfc": "none", "mec": colour, "mew": 0.8}
        ax.plot(rates, of_one["accuracy"], zorder=3, **seeds)
        means = of_one.groupby(rates)["accuracy"].mean()
        (entries[name],) = ax.plot(means, color=colour, marker=marker, ls=line, ms=6.5, zorder=4)
    ax.set_xscale("log")
    ticks = sorted(set(runs["learning_rate"]))
    few = len(ticks) <= 5  # else only the powers of ten have room for a label
    labels = [f"{r:g}" if few or np.log10(r) % 1 < 1e-9 else "" for r in ticks]
    ax.set_xticks(ticks, labels)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("highest learning rate (logarithmic)")
    percent_axis(ax.yaxis, "accuracy")
    legend(figure, entries)
    return figure


@styled
def transfer_bars(table):
    """Accuracy of each backbone by how it was trained, with intervals.

    Parameters
    ----------
    table : DataFrame
        A row a model: backbone, strategy, accuracy, ci_low, ci_high.

    Returns
    -------
    Figure
    """
    backbones = list(dict.fromkeys(table["backbone"]))
    # Each backbone has its own strategies: only those take up room in its row.
    place = table.groupby("backbone", sort=False).cumcount()
    count = table.groupby("backbone")["strategy"].transform("size")
    rows = table["backbone"].map(backbones.index) + (place - (count - 1) / 2) * 0.8 / count.max()
    figure = new_figure((0.2 + 0.17 * count.max()) * len(backbones) + 1.25)
    ax = figure.subplots()
    entries = {}
    for i, (strategy, part) in enumerate(table.groupby("strategy", sort=False)):
        values = (part[column] for column in ("accuracy", "ci_low", "ci_high"))
        colour, marker, _ = series(i)
        entries[strategy] = interval_dots(ax, rows[part.index], *values, colour, marker)
    rows_axis(ax, backbones, separated=True)
    percent_axis(ax.xaxis, "accuracy")
    legend(figure, entries)
    return figure


@styled
def against_published(table):
    """Accuracies that others published and our own, ranked on one axis.

    Parameters
    ----------
    table : DataFrame
        Columns name, accuracy, ours (bool), and, where known, low and high.

    Returns
    -------
    Figure
    """
    table = table.sort_values("accuracy", ascending=False, kind="stable", ignore_index=True)
    table = table.reindex(columns=["name", "accuracy", "ours", "low", "high"])
    figure = new_figure(0.31 * len(table) + 0.9)
    ax = figure.subplots()
    for ours, colour, marker in ((False, FAINT, "o"), (True, SERIES[0], "D")):
        part = table[table["ours"] == ours]
        values = (part[column] for column in ("accuracy", "low", "high"))
        interval_dots(ax, part.index, *values, colour, marker, zorder=3)
    rows_axis(ax, table["name"], values=[pct(value, 2) for value in table["accuracy"]])
    for label, own in zip(ax.get_yticklabels(), table["ours"], strict=True):
        if own:
            label.set(color=readable(SERIES[0]), weight="bold")
    ax.grid(axis="y", visible=True)
    percent_axis(ax.xaxis, "accuracy")
    return figure


@styled
def by_condition(table):
    """What detectors reach on known images, and what is left under harder conditions.

    Parameters
    ----------
    table : DataFrame
        Columns detector, condition, measure, value, low, high (in [0, 1]) and chance (NaN where a
        measure has no chance level).

    Returns
    -------
    Figure
        A row a detector, a panel a condition and measure; the first detector stands out.
    """
    detectors = list(dict.fromkeys(table["detector"]))
    panels = table.groupby(["condition", "measure"], sort=False)
    figure = new_figure(0.45 * len(detectors) + 1.1)
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for ax, ((condition, measure), part) in zip(axes, panels, strict=True):
        percentage = measure != "AUROC"
        rows = part["detector"].map(detectors.index)
        for chosen, colour in ((rows == 0, SERIES[0]), (rows > 0, FAINT)):
            columns = (part.loc[chosen, name] for name in ("value", "low", "high"))
            interval_dots(ax, rows[chosen], *columns, colour, zorder=3)
        for row, value in zip(rows, part["value"], strict=True):
            text = fixed(100 * value, 1) if percentage else fixed(value, 2)
            weight = "normal" if row else "bold"
            look = {"fontsize": 9, "weight": weight, "path_effects": [HALO]}
            ax.text(value, row - 0.2, text, ha="center", va="bottom", **look)
        if np.isfinite(chance := part["chance"].iloc[0]):
            ax.axvline(chance, **GUIDE)
        rows_axis(ax, detectors, separated=True)
        ax.set(title=condition, xlim=(-0.25, 1.25), ylim=(len(detectors) - 0.6, -0.75))
        ax.set_xlabel(f"{measure} (%)" if percentage else f"{measure} (0 to 1)")
        ax.set_xticks((0, 0.5, 1), ("0", "50", "100") if percentage else ("0", "½", "1"))
    axes[0].get_yticklabels()[0].set(weight="bold")
    return figure


@styled
def by_source(table, value="auroc"):
    """A measure of each source of images, with intervals, a panel a group.

    Parameters
    ----------
    table : DataFrame
        Columns group, source, series, ``value`` and, where known, its ends ``{value}_low`` and
        ``{value}_high``; a row a source and series.
    value : str
        ``"auroc"``, with a line at chance level, or a share, in percent.

    Returns
    -------
    Figure
        Sources with the highest value of the first series first.
    """
    names, groups = (
        list(dict.fromkeys(table["series"])),
        dict(list(table.groupby("group", sort=False))),
    )
    columns = [value, f"{value}_low", f"{value}_high"]
    table = table.reindex(columns=["group", "source", "series", *columns])
    counts = [part["source"].nunique() for part in groups.values()]
    figure = new_figure(0.27 * sum(counts) + 0.45 * len(counts) + 0.9)
    axes = figure.subplots(len(counts), 1, sharex=True, squeeze=False, height_ratios=counts)[:, 0]
    entries = {}
    for ax, group in zip(axes, groups, strict=True):
        part = table[table["group"] == group]
        first = part[part["series"] == names[0]].sort_values(value, ascending=False, kind="stable")
        order = list(first["source"])
        for i, name in enumerate(names):
            own = part[part["series"] == name]
            rows = own["source"].map(order.index) + 0.28 * (i - (len(names) - 1) / 2)
            colour, marker, _ = series(i)
            entries[name] = interval_dots(ax, rows, *(own[c] for c in columns), colour, marker)
        rows_axis(ax, order, separated=True)
        ax.set_title(group)
        if value == "auroc":
            ax.axvline(0.5, **GUIDE)
    if value == "auroc":
        axes[-1].set_xlabel("AUROC (0 to 1; dashed: chance level)")
        axes[-1].set_xlim(-0.02, 1.02)
    else:
        percent_axis(axes[-1].xaxis, value.replace("_", " ").replace("fake", "FAKE"))
    if len(names) > 1:
        legend(figure, entries)
    return figure
