"""Figures about detectors under attack and under everyday changes of an image."""

import numpy as np
from matplotlib.ticker import FixedLocator, NullLocator

from realfake_lib.plots.style import (
    FAINT,
    label_ends,
    need_columns,
    new_figure,
    percent_axis,
    series,
    styled,
)

_FRACTIONS = {0.25: "¼", 0.5: "½", 0.75: "¾"}  # as short as the integers beside them
_ATTACKS = {"fgsm": "FGSM", "pgd": "PGD", "worst": "worst case"}
_UNITS = {
    "jpeg": ("JPEG", "quality (of 100)"),
    "gaussian_blur": ("blur", "σ (pixels)"),
    "gaussian_noise": ("noise", "σ (of the range 0 to 1)"),
    "rescale_and_back": ("smaller and back", "factor of the side"),
}


@styled
def robustness_curves(table, panel="detector", line="attack"):
    """Accuracy over the size of the change, a panel a detector, a line an attack.

    Parameters
    ----------
    table : DataFrame
        Columns detector, attack, epsilon (grey levels, /255; 0 for the clean image), accuracy, and,
        where known, ci_low and ci_high. Either of the first two may be left out.
    panel, line : str
        Columns that make the panels and the lines; exchange them to compare detectors.

    Returns
    -------
    Figure
    """
    need_columns(table, "epsilon", "accuracy")
    panels = list(dict.fromkeys(table[panel])) if panel in table else [""]
    lines = list(dict.fromkeys(table[line])) if line in table else [""]
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(2.9 * rows + 0.1)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    positive = table["epsilon"][table["epsilon"] > 0]
    smallest = float(positive.min()) if len(positive) else 1.0
    ticks = np.sort(table["epsilon"].unique())
    for ax, name in zip(axes, panels, strict=False):
        ends = []
        for i, attack in enumerate(lines):
            chosen = table
            chosen = chosen[chosen[panel] == name] if panel in table else chosen
            chosen = chosen[chosen[line] == attack] if line in table else chosen
            if chosen.empty:
                continue
            chosen = chosen.sort_values("epsilon")
            colour, marker, dashes = series(i)
            if {"ci_low", "ci_high"} <= set(chosen):
                bounds = chosen[["ci_low", "ci_high"]].to_numpy(float)
                ax.fill_between(chosen["epsilon"], *bounds.T, color=colour, alpha=0.18, lw=0)
            ax.plot(
                chosen["epsilon"], chosen["accuracy"], color=colour, marker=marker, ms=4, ls=dashes
            )
            ends.append(
                (float(chosen["accuracy"].iloc[-1]), _ATTACKS.get(attack, str(attack)), colour)
            )
        # Linear up to the smallest attack, so that the clean image at 0 has its place.
        ax.set_xscale("symlog", linthresh=smallest, linscale=0.6)
        ax.xaxis.set_major_locator(FixedLocator(ticks))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(lambda value, _: _FRACTIONS.get(value, f"{value:g}"))
        ax.set(xlim=(-0.15 * smallest, ticks[-1] * 1.06), ylim=(-0.02, 1.02), title=str(name))
        ax.axhline(0.5, color=FAINT, lw=1, ls=(0, (4, 3)), zorder=0)
        ax.text(
            0.01,
            0.485,
            "chance level",
            transform=ax.get_yaxis_transform(),
            va="top",
            color=FAINT,
            fontsize=9,
        )
        ax.set_xlabel("ε, largest change (grey levels of 255)")
        # Every panel, since the one below it may be empty.
        ax.tick_params(labelbottom=True)
        percent_axis(ax.yaxis, "accuracy")
        ax.set_ylabel(ax.get_ylabel() if ax in axes[::columns] else "")
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
    need_columns(table, "detector", "corruption", "severity", "accuracy", "ci_low", "ci_high")
    kinds = [kind for kind in dict.fromkeys(table["corruption"]) if kind != "none"]
    lines = list(dict.fromkeys(table["detector"]))
    columns = 2 if len(kinds) in (2, 4) else min(3, len(kinds))
    rows = -(-len(kinds) // columns)
    figure = new_figure(2.3 * rows + 0.4)
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for ax in axes.flat[len(kinds) :]:
        ax.set_axis_off()
    handles = {}
    for ax, kind in zip(axes.flat, kinds, strict=False):
        # The untouched images stand at the left of every panel.
        of_kind = table[table["corruption"].isin(["none", kind])]
        steps = ["none" if np.isnan(s) else f"{s:g}" for s in of_kind["severity"]]
        of_kind = of_kind.assign(step=steps)
        severities = sorted(dict.fromkeys(steps), key=lambda step: step != "none")
        for i, name in enumerate(lines):
            chosen = of_kind[of_kind["detector"] == name]
            where = [severities.index(step) for step in chosen["step"]]
            colour, marker, dashes = series(i)
            ax.vlines(where, chosen["ci_low"], chosen["ci_high"], color=colour, lw=1.3)
            (handles[name],) = ax.plot(
                where, chosen["accuracy"], color=colour, marker=marker, ms=5, ls=dashes
            )
        ax.set_xticks(range(len(severities)), severities)
        title, unit = _UNITS.get(kind, (str(kind), "severity"))
        ax.set(title=title, xlabel=unit, xlim=(-0.3, len(severities) - 0.7))
        percent_axis(ax.yaxis, "accuracy")
        ax.axhline(0.5, color=FAINT, lw=1, ls=(0, (4, 3)), zorder=0)
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    if len(lines) > 1:
        figure.legend(
            handles=list(handles.values()),
            labels=[str(name) for name in lines],
            loc="outside lower center",
            ncols=min(4, len(lines)),
            handlelength=2.6,
        )
    return figure
