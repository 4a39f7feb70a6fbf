"""The one look of all figures: colours, sizes, and the small pieces that many of them share."""

import contextlib
import functools

import matplotlib
import numpy as np
import seaborn
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter
from scipy.optimize import isotonic_regression

from realfake_lib.names import in_words

FAKE_COLOUR, REAL_COLOUR = "#D55E00", "#0072B2"
CLASS_COLOURS = (FAKE_COLOUR, REAL_COLOUR)
"""Vermillion and blue, by class index. Nothing else in a figure has these colours."""

SERIES = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C8C8C")
"""For models and other series: the rest of Okabe and Ito's palette, without its pale yellow."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)), (0, (8, 2)), (0, (2, 2)))
"""Beside the colour, so that series stay apart without it, in print and for any colour vision.
The seventh marker makes a seventh series with the first colour another one."""

INK, FAINT = "#222222", "#767676"
GUIDE = {"color": FAINT, "lw": 1, "ls": (0, (4, 3)), "zorder": 0}
"""Look of the line at chance level, and of others to compare with."""

WIDTH = 7.5
"""Inches: as wide as the report's column, so that type is as large on the page as here."""

RC = {
    "figure.dpi": 110,
    "savefig.dpi": 110,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same bytes on every machine
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "image.interpolation": "nearest",
}


@contextlib.contextmanager
def style():
    """Context in which matplotlib draws as this report does: ``with plots.style(): …``.

    Nothing of a ``matplotlibrc`` of the user's counts in it.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(RC)
        yield


def styled(plot):
    """Draw the figure that ``plot`` returns inside :func:`style`, also the parts made lazily."""

    @functools.wraps(plot)
    def drawn(*args, **kwargs):
        with style():
            figure = plot(*args, **kwargs)
            figure.draw_without_rendering()  # ticks are created here, with the settings of now
            return figure

    return drawn


def new_figure(height, width=WIDTH):
    """An empty figure of the given size in inches, laid out so that nothing overlaps."""
    return Figure(figsize=(width, height), dpi=RC["figure.dpi"], layout="constrained")


def series(i):
    """Colour, marker and line style of the i-th series."""
    return SERIES[i % len(SERIES)], MARKERS[i % len(MARKERS)], LINES[i % len(LINES)]


def _luminance(colour):
    """Relative luminance of a colour (WCAG 2)."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


@functools.cache
def readable(colour):
    """The colour, darkened until small type in it has a contrast of 4.5 on white (WCAG 2, AA)."""
    for scale in np.linspace(1, 0, 101):
        darker = scale * np.array(to_rgb(colour))
        if 1.05 / (_luminance(darker) + 0.05) >= 4.5:
            return to_hex(darker)


def letters_on(shade):
    """Black or white, whichever is easier to read on a shade: their contrast is 4.5 or more."""
    return "black" if (_luminance(shade) + 0.05) ** 2 > 1.05 * 0.05 else "white"


def percent_axis(axis, label):
    """Show shares in [0, 1] as per cent; ``label`` gets the unit."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{round(100 * value, 4):g}"))
    axis.set_label_text(f"{label} (%)")


def spread(wanted, gap, low, high):
    """Positions nearest to those wanted that keep ``gap`` between them and stay in [low, high].

    Where not all fit, the gap shrinks.
    """
    wanted = np.asarray(wanted, float)
    gap = min(gap, (high - low) / max(1, len(wanted) - 1))
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(len(wanted))
    # Neighbours at least a gap apart are a rising sequence once the gaps are taken off.
    rising = isotonic_regression(wanted[order] - steps).x
    placed = np.empty_like(wanted)
    placed[order] = np.clip(rising, low, high - steps[-1] if len(steps) else high) + steps
    return placed


def label_ends(ax, labels):
    """Name lines at their right ends, outside axes of final limits and scale, without overlap.

    ``labels`` are (y in data units, text, colour).
    """
    figure = ax.figure
    figure.draw_without_rendering()
    height = ax.get_window_extent().height
    to_axes = ax.transData + ax.transAxes.inverted()
    left = ax.get_xlim()[0]
    wanted = [to_axes.transform((left, y))[1] for y, _, _ in labels]
    gap = 1.3 * 9 / 72 * figure.dpi / height
    placed = spread(np.clip(wanted, 0, 1), gap, 0, 1)
    for (_, text, colour), y in zip(labels, placed, strict=True):
        at_end = {"transform": ax.transAxes, "va": "center", "fontsize": 9}
        ax.text(1.02, y, in_words(text), color=readable(colour), **at_end)


def legend(owner, entries, **placing):
    """A legend of axes, or of a figure below all its panels, each name in its series' colour.

    ``entries`` are names with their lines, or with (colour, line style).
    """
    lines = [
        Line2D([], [], color=line[0], ls=line[1]) if isinstance(line, tuple) else line
        for line in entries.values()
    ]
    if isinstance(owner, Figure):
        placing = {"loc": "outside lower center", "ncols": min(4, len(lines))} | placing
    colours = [readable(line.get_color()) for line in lines]
    names = list(map(in_words, entries))
    owner.legend(lines, names, labelcolor=colours, handlelength=2.6, **placing)


def panels(n, columns, height, width=WIDTH, **sharing):
    """A figure with ``n`` axes in rows of ``columns``, each row so many inches high.

    With it come the axes and, as booleans, which of them are the first in their row.
    """
    columns = min(columns, n)
    rows = -(-n // columns)
    figure = new_figure(height * rows + 0.1, width)
    axes = figure.subplots(rows, columns, squeeze=False, **sharing).ravel()
    for ax in axes[n:]:
        ax.set_axis_off()
    return figure, axes[:n], np.arange(n) % columns == 0


def heat_map(ax, values, texts, low=None, high=None):
    """Draw a matrix in greys with a text in each cell; NaN stays blank."""
    seaborn.heatmap(
        values, ax=ax, annot=texts, fmt="", cmap="Greys", vmin=low, vmax=high, cbar=False
    )
    cells = ax.collections[0]
    shades = cells.get_facecolors()[~np.ma.getmaskarray(cells.get_array()).ravel()]
    for text, shade in zip(ax.texts, shades, strict=True):
        text.set_color(letters_on(shade))
    ax.tick_params(length=0)
    ax.grid(False)


def interval_dots(ax, positions, values, lows, highs, colour, marker="o", **options):
    """Dots with horizontal intervals; an interval that is NaN is left out."""
    values, lows, highs = (np.asarray(v, float) for v in (values, lows, highs))
    known = np.isfinite(lows) & np.isfinite(highs)
    positions = np.asarray(positions, float)
    ax.hlines(positions[known], lows[known], highs[known], color=colour, lw=1.8)
    return ax.plot(values, positions, ls="", marker=marker, color=colour, ms=6, **options)[0]


def rows_axis(ax, names, separated=False, values=()):
    """Name the rows 0, 1, … of a horizontal plot from the top down, with texts at the right."""
    ax.set_yticks(range(len(names)), list(map(in_words, names)))
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", visible=False)
    for row, value in enumerate(values):
        at_end = {"transform": ax.get_yaxis_transform(), "va": "center", "fontsize": 9}
        ax.text(1.02, row, value, **at_end)
    for row in range(len(names) - 1) if separated else ():
        ax.axhline(row + 0.5, color=RC["grid.color"], lw=RC["grid.linewidth"], zorder=0)
