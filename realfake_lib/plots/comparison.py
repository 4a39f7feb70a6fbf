"""Figures that compare detectors: with each other, with published ones, on unseen generators."""

import numpy as np
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from realfake_lib.evaluation.comparison import pareto
from realfake_lib.plots.style import (
    FAINT,
    INK,
    SERIES,
    WIDTH,
    interval_dots,
    need_columns,
    new_figure,
    percent,
    percent_axis,
    readable,
    rows_axis,
    series,
    spread,
    styled,
)


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
    need_columns(runs, "factor", "name", "accuracy")
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
    for i, (ax, (title, part)) in enumerate(zip(axes, parts.items(), strict=True)):
        summary = ranked[title]
        rows = np.arange(len(summary))
        for row, name in enumerate(summary.index):
            seeds = part.loc[part["name"] == name, "accuracy"].to_numpy(float)
            ax.plot(
                seeds, np.full(len(seeds), row), "o", ms=5, mfc="none", mec=FAINT, mew=1, zorder=3
            )
        interval_dots(
            ax,
            rows,
            summary["mean"],
            summary["mean"] - summary["std"],
            summary["mean"] + summary["std"],
            series(i)[0],
            zorder=4,
        )
        rows_axis(ax, list(summary.index))
        ax.set_title(title)
        for row, (mean, deviation, n) in enumerate(summary.itertuples(index=False)):
            spread_over_seeds = f" ± {100 * deviation:.2f}" if n > 1 else ""
            text = f"{100 * mean:.2f}{spread_over_seeds} %"
            ax.text(1.02, row, text, transform=ax.get_yaxis_transform(), va="center", fontsize=9)
    percent_axis(axes[-1].xaxis, "accuracy, mean ± SD over seeds")
    return figure


@styled
def accuracy_vs_cost(table, costs):
    """Accuracy against costs, a panel each, with its Pareto front.

    Parameters
    ----------
    table : DataFrame
        A row a model: name, accuracy, every cost's column, and, where known, ci_low and ci_high.
    costs : dict of str to str
        Column to its label with its unit; drawn on a logarithmic axis.

    Returns
    -------
    Figure
    """
    need_columns(table, "name", "accuracy", *costs)
    figure = new_figure(3.7)
    axes = figure.subplots(1, len(costs), sharey=True, squeeze=False)[0]
    drawn = table[[column for column in ("accuracy", "ci_low", "ci_high") if column in table]]
    low, high = np.nanmin(drawn), np.nanmax(drawn)
    margin = 0.12 * max(high - low, 0.01)
    for ax, (cost, label) in zip(axes, costs.items(), strict=True):
        _front(ax, table, cost, (WIDTH - 0.8) / len(costs))
        ax.set_xlabel(label)
        ax.set_ylim(low - margin, min(1.002, high + margin))
    percent_axis(axes[0].yaxis, "accuracy")
    names = list(table["name"])
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # names are placed by pixels, so nothing may move any more
    for ax, cost in zip(axes, costs, strict=True):
        x, y = table[cost].to_numpy(float), table["accuracy"].to_numpy(float)
        front = pareto(x, y)
        _name_points(ax, x, y, names, front, lifted=front)
    return figure


def _front(ax, table, cost, panel_width):
    """One panel of :func:`accuracy_vs_cost`, so many inches wide, without the names."""
    costs, values = table[cost].to_numpy(float), table["accuracy"].to_numpy(float)
    front = pareto(costs, values)
    ax.set_xscale("log")
    order = np.argsort(costs[front])
    ax.step(costs[front][order], values[front][order], where="post", color=FAINT, lw=1, zorder=1)
    if {"ci_low", "ci_high"} <= set(table):
        bars = {"color": SERIES[0], "alpha": 0.45, "lw": 1.3, "zorder": 1}
        ax.vlines(costs, table["ci_low"], table["ci_high"], **bars)
    ax.plot(costs[front], values[front], "o", color=SERIES[0], ms=6, zorder=3)
    ax.plot(costs[~front], values[~front], "o", mfc="white", mec=SERIES[0], ms=6, zorder=3)
    decades = max(np.log10(costs.max() / costs.min()), 0.5)
    # Names stand to the right of their points; the longest must fit beside the last one.
    share = 0.05 + 0.095 * max(len(name) for name in table["name"]) / panel_width
    near, far = 10 ** (0.06 * decades), 10 ** (1.06 * decades * share / (1 - share))
    ax.set_xlim(costs.min() / near, costs.max() * far)
    _plain_log_ticks(ax)


def _plain_log_ticks(ax):
    """A few ticks in plain numbers, the closer the shorter the logarithmic axis is."""
    low, high = sorted(ax.get_xlim())
    decades = np.log10(high / low)
    steps = (1, 1.5, 2, 3, 5, 7) if decades < 0.8 else (1, 2, 5) if decades < 2.2 else (1,)
    ax.xaxis.set_major_locator(LogLocator(subs=steps, numticks=99))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    ax.xaxis.set_minor_formatter(NullFormatter())


def _short(value):
    for size, letter in ((1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


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
    need_columns(runs, "optimiser", "learning_rate", "accuracy")
    figure = new_figure(3.4, 0.62 * WIDTH)
    ax = figure.subplots()
    names = list(dict.fromkeys(runs["optimiser"]))
    entries = []
    for i, name in enumerate(names):
        colour, marker, line = series(i)
        of_one = runs[runs["optimiser"] == name]
        # Beside each other where optimisers share a rate.
        shift = 1.05 ** (i - (len(names) - 1) / 2)
        means = of_one.groupby("learning_rate")["accuracy"].mean()
        ax.plot(
            of_one["learning_rate"] * shift, of_one["accuracy"],
            ls="", marker=marker, ms=4, mfc="none", mec=colour, mew=0.8, zorder=3,
        )  # fmt: skip
        entries += ax.plot(
            means.index * shift, means, color=colour, marker=marker, ls=line, ms=6.5, zorder=4
        )
    ax.set_xscale("log")
    ticks = sorted(set(runs["learning_rate"]))
    few = len(ticks) <= 5  # else only the powers of ten have room for a label
    labels = [f"{r:g}" if few or np.log10(r) % 1 < 1e-9 else "" for r in ticks]
    ax.set_xticks(ticks, labels)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("highest learning rate (logarithmic)")
    percent_axis(ax.yaxis, "accuracy")
    figure.legend(
        handles=entries,
        labels=names,
        labelcolor=[readable(entry.get_color()) for entry in entries],
        loc="outside lower center",
        ncols=min(4, len(names)),
        handlelength=3,
    )
    return figure


@styled
def known_against_unseen(table, named=()):
    """Accuracy on the generator of the training data against AUROC on unseen generators.

    Parameters
    ----------
    table : DataFrame
        A row a setting: name, factor (the kind of choice), accuracy, unseen_auroc, and, if there
        are several seeds, accuracy_sd and unseen_auroc_sd.
    named : collection of str
        Settings whose names are written beside them.

    Returns
    -------
    Figure
    """
    need_columns(table, "name", "factor", "accuracy", "unseen_auroc")
    figure = new_figure(4.6)
    ax = figure.subplots()
    entries = []
    for i, (factor, part) in enumerate(table.groupby("factor", sort=False)):
        colour, marker, _ = series(i)
        x, y = part["accuracy"], part["unseen_auroc"]
        if {"accuracy_sd", "unseen_auroc_sd"} <= set(part):
            thin = {"color": colour, "alpha": 0.4, "lw": 1, "zorder": 1}
            ax.hlines(y, x - part["accuracy_sd"], x + part["accuracy_sd"], **thin)
            ax.vlines(x, y - part["unseen_auroc_sd"], y + part["unseen_auroc_sd"], **thin)
        # A seventh factor has the first colour again, but another filling.
        face = colour if i < len(SERIES) else "white"
        # The first, for example the baseline, lies on top.
        style = {"color": colour, "mfc": face, "ms": 7, "zorder": 3 + 1 / (i + 1)}
        entries += ax.plot(x, y, ls="", marker=marker, **style)
        entries[-1].set_label(factor)
    ax.axhline(0.5, color=FAINT, lw=1, ls=(0, (4, 3)), zorder=0)
    low, high = ax.get_xlim()
    ax.set_xlim(low, high + 0.2 * (high - low))  # names stand to the right of their points
    bottom, top = ax.get_ylim()
    ax.set_ylim(min(bottom, 0.47), max(top, 0.55))
    ax.set_ylabel("AUROC on unseen generators")
    ax.annotate(
        "chance level", (1, 0.5), (-2, 2), xycoords=("axes fraction", "data"),
        textcoords="offset points", ha="right", va="bottom", fontsize=9, color=FAINT,
    )  # fmt: skip
    percent_axis(ax.xaxis, "accuracy on the generator of the training data")
    figure.legend(
        handles=entries,
        labelcolor=[readable(entry.get_color()) for entry in entries],
        loc="outside lower center",
        ncols=min(4, len(entries)),
    )
    chosen = table[table["name"].isin(list(named))]
    if len(chosen):
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        x, y = (chosen[name].to_numpy(float) for name in ("accuracy", "unseen_auroc"))
        _name_points(ax, x, y, list(chosen["name"]), np.ones(len(chosen), bool))
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
    need_columns(table, "backbone", "strategy", "accuracy", "ci_low", "ci_high")
    backbones = list(dict.fromkeys(table["backbone"]))
    strategies = list(dict.fromkeys(table["strategy"]))
    # Each backbone has its own strategies: only those take up room in its row.
    place = table.groupby("backbone", sort=False).cumcount().to_numpy()
    count = table.groupby("backbone")["strategy"].transform("size").to_numpy()
    rows = table["backbone"].map(backbones.index).to_numpy(float)
    rows += (place - (count - 1) / 2) * 0.8 / max(1, count.max())
    figure = new_figure((0.2 + 0.17 * count.max()) * len(backbones) + 1.25)
    ax = figure.subplots()
    entries = []
    for i, strategy in enumerate(strategies):
        chosen = (table["strategy"] == strategy).to_numpy()
        values = (table.loc[chosen, column] for column in ("accuracy", "ci_low", "ci_high"))
        colour, marker, _ = series(i)
        fill = colour if i < len(SERIES) else "white"
        entries.append(interval_dots(ax, rows[chosen], *values, colour, marker, mfc=fill))
    rows_axis(ax, backbones, separated=True)
    percent_axis(ax.xaxis, "accuracy")
    figure.legend(
        handles=entries,
        labels=strategies,
        labelcolor=[readable(entry.get_color()) for entry in entries],
        loc="outside lower center",
        ncols=min(4, len(strategies)),
    )
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
    need_columns(table, "name", "accuracy", "ours")
    table = table.sort_values("accuracy", ascending=False, kind="stable")
    figure = new_figure(0.31 * len(table) + 0.9)
    ax = figure.subplots()
    rows = np.arange(len(table))
    ours = table["ours"].to_numpy(bool)
    missing = np.full(len(table), np.nan)
    low = table["low"].to_numpy(float) if "low" in table else missing
    high = table["high"].to_numpy(float) if "high" in table else missing
    values = table["accuracy"].to_numpy(float)
    for chosen, colour, marker in ((~ours, FAINT, "o"), (ours, SERIES[0], "D")):
        interval_dots(
            ax, rows[chosen], values[chosen], low[chosen], high[chosen], colour, marker, zorder=3
        )
    rows_axis(ax, list(table["name"]))
    for label, own in zip(ax.get_yticklabels(), ours, strict=True):
        label.set(color=readable(SERIES[0]) if own else INK, weight="bold" if own else "normal")
    for row, value, own in zip(rows, values, ours, strict=True):
        ax.text(
            1.02,
            row,
            percent(value, 2),
            transform=ax.get_yaxis_transform(),
            va="center",
            fontsize=9,
            weight="bold" if own else "normal",
        )
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
    need_columns(table, "detector", "condition", "measure", "value", "low", "high", "chance")
    detectors = list(dict.fromkeys(table["detector"]))
    panels = table.groupby(["condition", "measure"], sort=False)
    figure = new_figure(0.45 * len(detectors) + 1.1)
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for ax, ((condition, measure), part) in zip(axes, panels, strict=True):
        percentage = measure != "AUROC"
        rows = np.array([detectors.index(name) for name in part["detector"]])
        for chosen, colour in ((rows == 0, SERIES[0]), (rows > 0, FAINT)):
            columns = (part.loc[chosen, name] for name in ("value", "low", "high"))
            interval_dots(ax, rows[chosen], *columns, colour, zorder=3)
        for row, value in zip(rows, part["value"], strict=True):
            text = f"{100 * value:.1f}" if percentage else f"{value:.2f}"
            weight = "normal" if row else "bold"
            ax.text(value, row - 0.2, text, ha="center", va="bottom", fontsize=9, weight=weight)
        if np.isfinite(chance := part["chance"].iloc[0]):
            ax.axvline(chance, color=FAINT, lw=1, ls=(0, (4, 3)), zorder=0)
        rows_axis(ax, detectors, separated=True)
        ax.set(title=condition, xlim=(-0.25, 1.25), ylim=(len(detectors) - 0.6, -0.75))
        ax.set_xlabel(f"{measure} (%)" if percentage else f"{measure} (0 to 1)")
        ax.set_xticks((0, 0.5, 1), ("0", "50", "100") if percentage else ("0", "½", "1"))
    axes[0].get_yticklabels()[0].set(weight="bold")
    return figure


def _name_points(ax, x, y, names, bold, lifted=False):
    """Names to the right of their points, moved up or down where they would overlap.

    Those ``lifted`` stand above a line that leaves their point to the right.
    """
    ax.figure.draw_without_rendering()
    box = ax.get_window_extent()
    at = ax.transAxes.inverted().transform(ax.transData.transform(np.column_stack([x, y])))
    em = ax.figure.dpi / 72 * 9
    offset, gap = 0.9 * em / box.width, 1.35 * em / box.height
    starts = at[:, 0] + offset
    ends = starts + np.array([0.62 * em * len(name) for name in names]) / box.width
    wanted = at[:, 1] + 0.6 * gap * np.asarray(lifted)
    for i in range(len(names)):  # a name that would cover another's point stands away from it
        near = (
            (starts[i] < at[:, 0]) & (at[:, 0] < ends[i]) & (abs(at[:, 1] - at[i, 1]) < 0.7 * gap)
        )
        if near.any():
            above = at[near, 1].mean() < at[i, 1]
            wanted[i] += 0.8 * gap if above else -0.8 * gap
    for group in _overlapping(starts, ends):
        for i, level in zip(group, spread(wanted[group], gap, 0.02, 0.98), strict=True):
            if abs(level - at[i, 1]) > 0.7 * gap:
                leader = {"color": "#BBBBBB", "lw": 0.7, "zorder": 1, "transform": ax.transAxes}
                ax.plot([at[i, 0], starts[i]], [at[i, 1], level], **leader)
            ax.text(
                starts[i],
                level,
                names[i],
                transform=ax.transAxes,
                va="center",
                fontsize=9,
                color=INK if bold[i] else FAINT,
                zorder=2,  # above grid, front and bars, below the points
                path_effects=[withStroke(linewidth=2, foreground="white")],
            )


def _overlapping(starts, ends):
    """Groups of indices whose horizontal spans touch, directly or through others."""
    groups, reach = [], -np.inf
    for i in np.argsort(starts, kind="stable"):
        if starts[i] > reach:
            groups.append([])
        groups[-1].append(int(i))
        reach = max(reach, ends[i])
    return groups
