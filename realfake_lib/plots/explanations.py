"""Figures about explanations: do the maps depend on the weights, and on what the detector used?"""

import numpy as np

from realfake_lib.plots.style import (
    FAINT,
    GUIDE,
    label_ends,
    legend,
    new_figure,
    percent_axis,
    series,
    styled,
)


@styled
def randomisation_curve(table):
    """How similar maps stay while the weights are replaced by random ones, layer by layer.

    Parameters
    ----------
    table : DataFrame
        Columns layer (the first "none", the last "all"), rank_correlation and ssim, as
        ``explain.sanity.randomisation_test`` returns them.

    Returns
    -------
    Figure
        From the left: as trained; the logit random; the layer before it, too; and so on.
    """
    figure = new_figure(3.2)
    ax = figure.subplots()
    places = np.arange(len(table))
    ends = []
    for i, (column, name) in enumerate((("rank_correlation", "ranks"), ("ssim", "SSIM"))):
        colour, marker, dashes = series(i)
        values = table[column].to_numpy(float)
        ax.plot(places, values, color=colour, marker=marker, ms=5, ls=dashes)
        known = values[np.isfinite(values)]
        ends += [(known[-1], name, colour)] if len(known) else []
    ax.axhline(0, **GUIDE)
    names = [str(name) for name in table["layer"]]
    ax.set_xticks(places, names, rotation=35, ha="right", rotation_mode="anchor")
    ax.set(xlim=(-0.3, len(table) - 0.7), ylim=(min(-0.25, ax.get_ylim()[0]), 1.05))
    ax.set_xlabel("weights made random, up to and including")
    ax.set_ylabel("similarity to the trained map")
    label_ends(ax, ends)
    return figure


@styled
def deletion_and_insertion(curves):
    """The probability of the verdict while pixels are removed, and while they come back.

    Parameters
    ----------
    curves : DataFrame
        Columns curve ("deletion", "insertion"), order, fraction and score, as
        ``explain.sanity.removal_curves`` returns them; drawn is the mean over the images. The order
        called "random order" is drawn in grey.

    Returns
    -------
    Figure
    """
    kinds = list(dict.fromkeys(curves["curve"]))
    figure = new_figure(3.3)
    axes = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    handles = {}
    for ax, kind in zip(axes, kinds, strict=True):
        of_kind = curves[curves["curve"] == kind].groupby("order", sort=False)
        for i, (order, chosen) in enumerate(of_kind):
            mean = chosen.groupby("fraction")["score"].mean()
            colour, _, dashes = series(i)
            if order == "random order":
                colour, dashes = FAINT, (0, (1, 1))
            (handles[order],) = ax.plot(mean, color=colour, ls=dashes)
        done = "removed" if kind == "deletion" else "restored"
        ax.set(title=kind, xlim=(0, 1), ylim=(0, 1.02))
        percent_axis(ax.xaxis, f"pixels {done}")
    axes[0].set_ylabel("probability of the verdict")
    legend(figure, handles)
    return figure
