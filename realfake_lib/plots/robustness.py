"""Figures about detectors under attack and under everyday changes of an image."""

import numpy as np
import pandas as pd
from matplotlib.ticker import FixedLocator, NullLocator

from realfake_lib.names import in_words
from realfake_lib.plots.style import (
    FAINT,
    GUIDE,
    label_ends,
    legend,
    panels,
    percent_axis,
    series,
    styled,
)

_FRACTIONS = {0.25: "¼", 0.5: "½", 0.75: "¾"}  # as short as the integers beside them
_UNITS = {
    "jpeg": "quality (of 100)",
    "gaussian_blur": "σ (pixels)",
    "gaussian_noise": "σ (of the range 0 to 1)",
    "rescale_and_back": "factor of the side",
}


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
def corruption_curves(table):
    """Accuracy over the severity of each corruption, a panel a corruption, a line a detector.

    Parameters
    ----------
    table : DataFrame
        Columns detector, corruption, severity (NaN for "none", the untouched images), accuracy,
        ci_low and ci_high.

    Returns
    -------
    Figure
        Severities stand in the order of the table, at equal distances, since their units differ.
    """
    clean = table[table["corruption"] == "none"]
    kinds = table[table["corruption"] != "none"].groupby("corruption", sort=False)
    looks = {name: series(i) for i, name in enumerate(dict.fromkeys(table["detector"]))}
    columns = 2 if len(kinds) in (2, 4) else 3
    figure, axes, first = panels(len(kinds), columns, 2.4, sharey=True)
    entries = {}
    for ax, (kind, part), starts in zip(axes, kinds, first, strict=True):
        # The untouched images stand at the left of every panel.
        steps = ["none", *(f"{severity:g}" for severity in part["severity"].unique())]
        for name, of_one in part.groupby("detector", sort=False):
            rows = pd.concat([clean[clean["detector"] == name], of_one])
            colour, marker, dashes = looks[name]
            where = range(len(rows))
            ax.vlines(where, rows["ci_low"], rows["ci_high"], color=colour, lw=1.3)
            look = {"color": colour, "marker": marker, "ms": 5, "ls": dashes}
            (entries[name],) = ax.plot(where, rows["accuracy"], **look)
        ax.set_xticks(range(len(steps)), steps)
        ax.set(title=in_words(kind), xlabel=_UNITS.get(kind, "severity"))
        ax.set_xlim(-0.3, len(steps) - 0.7)
        percent_axis(ax.yaxis, "accuracy")
        ax.yaxis.label.set_visible(starts)
        ax.axhline(0.5, **GUIDE)
    legend(figure, entries)
    return figure
