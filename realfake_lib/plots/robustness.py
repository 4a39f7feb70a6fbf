"""Figures about detectors under attack and under everyday changes of an image."""

import numpy as np
from matplotlib.ticker import FixedLocator, NullLocator

from realfake_lib.names import in_words
from realfake_lib.plots.style import (
    FAINT,
    GUIDE,
    WIDTH,
    heat_map,
    label_ends,
    legend,
    new_figure,
    panels,
    percent_axis,
    readable,
    series,
    styled,
)

_FRACTIONS = {0.25: "¼", 0.5: "½", 0.75: "¾"}  # as short as the integers beside them


@styled
def robustness_curves(table, panel="detector", line="attack"):
    """Accuracy over the size of the change, a panel a detector, a line an attack.

    Parameters
    ----------
    table : DataFrame
        Columns detector, attack, epsilon (grey levels, /255; 0 for the clean image), accuracy,
        ci_low and ci_high.
    panel, line : str
        Columns that make the panels and the lines; exchange them to compare detectors.

    Returns
    -------
    Figure
    """
    ticks = np.sort(table["epsilon"].unique())
    smallest = ticks[ticks > 0].min(initial=1)
    looks = {name: series(i) for i, name in enumerate(dict.fromkeys(table[line]))}
    parts = table.groupby(panel, sort=False)
    figure, axes, first = panels(len(parts), 2, 2.9, sharex=True, sharey=True)
    for ax, (name, part), starts in zip(axes, parts, first, strict=True):
        ends = []
        for attack, chosen in part.sort_values("epsilon", kind="stable").groupby(line, sort=False):
            colour, marker, dashes = looks[attack]
            bounds = chosen["ci_low"], chosen["ci_high"]
            ax.fill_between(chosen["epsilon"], *bounds, color=colour, alpha=0.18, lw=0)
            look = {"color": colour, "marker": marker, "ms": 4, "ls": dashes}
            ax.plot(chosen["epsilon"], chosen["accuracy"], **look)
            ends.append((chosen["accuracy"].iloc[-1], attack, colour))
        # Linear up to the smallest attack, so that the clean image at 0 has its place.
        ax.set_xscale("symlog", linthresh=smallest, linscale=0.6)
        ax.xaxis.set_major_locator(FixedLocator(ticks))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(lambda value, _: _FRACTIONS.get(value, f"{value:g}"))
        ax.set(xlim=(-0.15 * smallest, ticks[-1] * 1.06), ylim=(-0.02, 1.02), title=name)
        ax.axhline(0.5, **GUIDE)
        at_left = {"transform": ax.get_yaxis_transform(), "va": "top", "fontsize": 9}
        ax.text(0.01, 0.485, "chance level", color=FAINT, **at_left)
        ax.set_xlabel("ε, largest change (grey levels of 255)")
        # Every panel, since the one below it may be empty.
        ax.tick_params(labelbottom=True)
        percent_axis(ax.yaxis, "accuracy")
        ax.yaxis.label.set_visible(starts)
        label_ends(ax, ends)
    return figure


@styled
def price_of_robustness(table, epsilons):
    """Accuracy under attack over that on clean images, a panel an attack, a line a training method.

    Parameters
    ----------
    table : DataFrame
        Columns method, trained (largest epsilon in training), epsilon (of the attack, 0 for the
        clean images; grey levels, /255), accuracy, ci_low and ci_high.
    epsilons : sequence of float
        Attacks to show, in the table's ``epsilon``.

    Returns
    -------
    Figure
    """
    of_attack = table.pivot(index=["method", "trained"], columns="epsilon")
    figure, axes, first = panels(len(epsilons), 2, 3.2, sharex=True, sharey=True)
    looks = {name: series(i) for i, name in enumerate(dict.fromkeys(table["method"]))}
    for ax, epsilon, starts in zip(axes, epsilons, first, strict=True):
        sides = ((-11, -10), (5, 4), (-4, -13))  # so that names of near points stay apart
        for (method, (colour, marker, dashes)), side in zip(looks.items(), sides, strict=False):
            part = of_attack.loc[method].sort_index()
            clean, attacked = part["accuracy", 0], part["accuracy", epsilon]
            bounds = attacked - part["ci_low", epsilon], part["ci_high", epsilon] - attacked
            look = {"color": colour, "marker": marker, "ms": 4, "ls": dashes}
            ax.errorbar(clean, attacked, bounds, elinewidth=1, **look)
            for x, y, trained in zip(clean, attacked, part.index, strict=True):
                if not trained and method != next(iter(looks)):
                    continue  # the control is the same for all
                place = {"xytext": side, "textcoords": "offset points", "fontsize": 9}
                ax.annotate(f"{trained:g}", (x, y), color=readable(colour), **place)
        percent_axis(ax.xaxis, "accuracy on clean images")
        percent_axis(ax.yaxis, "accuracy under PGD-10")
        ax.yaxis.label.set_visible(starts)
        ax.set_title(f"attack of ε = {epsilon:g}/255")
    legend(figure, {name: (look[0], look[2]) for name, look in looks.items()})
    return figure


@styled
def corruption_heat_map(table):
    """Accuracy under each corruption at each severity, a panel a detector.

    Parameters
    ----------
    table : DataFrame
        Columns detector, corruption, level (0 for "none", the untouched images) and accuracy.

    Returns
    -------
    Figure
        Cells show accuracy in %, darker where it is nearer to chance level.
    """
    kinds = list(dict.fromkeys(table["corruption"]))
    # What is not corrupted stands in the first column, in a row of its own.
    parts = table.replace({"level": {0: 1}}).groupby("detector", sort=False)
    figure, axes, _ = panels(len(parts), 2, 0.26 * len(kinds) + 0.9, sharey=True)
    for ax, (name, part) in zip(axes, parts, strict=True):
        cells = part.pivot(index="corruption", columns="level", values="accuracy").loc[kinds]
        texts = cells.map(lambda value: f"{100 * value:.0f}")
        heat_map(ax, 1 - cells, texts, low=0, high=0.6)
        ax.set(title=in_words(name), xlabel="severity (1: mild)", ylabel="")
        ax.set_yticks(np.arange(len(kinds)) + 0.5, list(map(in_words, kinds)), rotation=0)
    return figure


@styled
def transfer_matrix(table):
    """Accuracy of each detector on images attacked with another one's gradients.

    Parameters
    ----------
    table : DataFrame
        Accuracies in 0..1: a row a source of attacked images, a column a detector.

    Returns
    -------
    Figure
        Cells show accuracy in %, darker where it is lower.
    """
    figure = new_figure(0.34 * len(table) + 1.1, 0.75 * WIDTH)
    ax = figure.subplots()
    heat_map(ax, 1 - table, table.map(lambda value: f"{100 * value:.0f}"), low=0, high=1.2)
    ax.set(xlabel="verdicts of", ylabel="gradients of")
    names = [[in_words(name) for name in side] for side in (table.columns, table.index)]
    ax.set_xticks(np.arange(len(names[0])) + 0.5, names[0], rotation=0)
    ax.set_yticks(np.arange(len(names[1])) + 0.5, names[1], rotation=0)
    return figure
