"""Figures made of images: examples, duplicates, augmentations, attacks, explanations."""

import numpy as np

from realfake_lib.plots.style import (
    CLASS_COLOURS,
    FAINT,
    INK,
    WIDTH,
    new_figure,
    readable,
    styled,
)
from realfake_lib.settings import CLASS_NAMES, FAKE, OBJECT_CLASSES, REAL

_GAP = 0.06  # between images, in sides of an image
_LINE = 0.165  # inches for one line of type


@styled
def hardest_images(images, y_true, p_fake, n=12, names=None):
    """The images on which a detector is most certain, and wrong: missed fakes, false positives.

    Parameters
    ----------
    images : (n, h, w, 3) array, 0..255
    y_true : (n,) int array
        FAKE = 0, REAL = 1.
    p_fake : (n,) float array in [0, 1]
    n : int
        At most, half of them of each class.
    names : (n,) sequence of str, optional
        What each image shows.

    Returns
    -------
    Figure
        Upper rows: FAKE taken for REAL; lower rows: REAL taken for FAKE. Where a class has no
        error, it says so.
    """
    _need_images(images)
    y_true, p_fake = np.asarray(y_true), np.asarray(p_fake)
    columns = max(1, n // 2)
    sides = {}
    for label in (FAKE, REAL):
        truth_given = np.where(label == FAKE, p_fake, 1 - p_fake)
        wrong = np.flatnonzero((y_true == label) & (truth_given < 0.5))
        sides[label] = wrong[np.argsort(truth_given[wrong], kind="stable")][:columns]
    heads = ["FAKE,\ntaken\nfor REAL", "REAL,\ntaken\nfor FAKE"]
    lines = 1 if names is None else 2
    board = _Board(columns, 2, heads, CLASS_COLOURS, title_lines=lines)
    for row, chosen in enumerate(sides.values()):
        for column, i in enumerate(chosen):
            title = board.probability(p_fake[i])
            title = title if names is None else f"{names[i]}\n{title}"
            board.draw(images[i], column, row, title, INK)
        if not len(chosen):
            board.write("none", 0, row)
    return board.figure


@styled
def class_examples(
    images, labels, object_class=None, per_class=3, seed=0, names=OBJECT_CLASSES, columns=10
):
    """Photographs above, generated images below, one kind of object a column.

    Parameters
    ----------
    images : (n, h, w, 3) array, 0..255
    labels : (n,) int array
        FAKE = 0, REAL = 1.
    object_class : (n,) int array, optional
        Index into ``names``, −1 for unknown. Where none is known, images are drawn at random.
    per_class : int
        Rows of each class.
    seed : int
        Of the choice.
    names : sequence of str
    columns : int
        Where the kinds of object are not known.

    Returns
    -------
    Figure
    """
    _need_images(images)
    labels = np.asarray(labels)
    kinds = np.full(len(labels), -1) if object_class is None else np.asarray(object_class)
    known = [k for k in range(len(names)) if (kinds == k).any()]
    rng = np.random.default_rng(seed)
    classes = np.repeat((REAL, FAKE), per_class)
    heads = [CLASS_NAMES[label] for label in classes]
    colours = [CLASS_COLOURS[label] for label in classes]
    titles = [names[k] for k in known] or None
    board = _Board(len(known) or columns, len(classes), heads, colours, titles)
    board.ax.axhline(per_class * board.pitch_y - board.side * _GAP / 2, color=INK, lw=1.5)
    for block, label in enumerate((REAL, FAKE)):
        for column in range(len(known) or columns):
            of_kind = kinds == known[column] if known else True
            chosen = np.flatnonzero((labels == label) & of_kind)
            chosen = rng.choice(chosen, min(per_class, len(chosen)), replace=False)
            for row, i in enumerate(chosen):
                board.draw(images[i], column, block * per_class + row)
    return board.figure


@styled
def duplicates_overview(images, index, n=8, seed=0):
    """Pairs of byte-identical images, one of them in training and one in the test set if any.

    Parameters
    ----------
    images : (n, h, w, 3) array, 0..255
    index : DataFrame
        The data set's index, a row an image in the same order, with columns ``group`` (same for
        identical files), ``split`` and ``key``.
    n : int
        Pairs, at most.
    seed : int
        Of the choice.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If the index does not have one row an image.
    """
    _need_images(images)
    if len(index) != len(images):
        raise ValueError(f"{len(images)} images but an index of {len(index)} rows")
    groups = index["group"].to_numpy()
    splits = index["split"].to_numpy()
    order = np.lexsort((splits == "test", groups))  # training first within a group
    first_of_group = np.flatnonzero(np.append(True, np.diff(groups[order]) != 0))
    last_of_group = np.append(first_of_group[1:], len(order)) - 1
    pairs = np.stack([order[first_of_group], order[last_of_group]], axis=1)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    across = splits[pairs[:, 0]] != splits[pairs[:, 1]]
    pairs = pairs[across] if across.any() else pairs
    if not len(pairs):
        board = _Board(1, 1)
        board.write("no two files\nare identical", 0, 0)
        return board.figure
    chosen = np.random.default_rng(seed).choice(len(pairs), min(n, len(pairs)), replace=False)
    both = pairs[np.sort(chosen)]
    heads = [" / ".join(dict.fromkeys(splits[both[:, side]])) for side in (0, 1)]
    board = _Board(len(both), 2, heads, title_lines=1)
    keys = index["key"].to_numpy()
    for column, pair in enumerate(both):
        for row, i in enumerate(pair):
            board.draw(images[i], column, row, keys[i].rsplit("/", 1)[-1], FAINT)
    return board.figure


@styled
def augmentation_grid(rows):
    """The same images under different treatments, a row each, an image a column.

    Parameters
    ----------
    rows : dict of str to (n, h, w, 3) array, 0..255
        Treatment to images; sizes may differ from row to row.

    Returns
    -------
    Figure
    """
    for images in rows.values():
        _need_images(images)
    columns = max(len(images) for images in rows.values())
    board = _Board(columns, len(rows), list(rows))
    for row, images in enumerate(rows.values()):
        for column, image in enumerate(images):
            board.draw(image, column, row)
    return board.figure


@styled
def adversarial_examples(clean, attacked, labels, p_clean, p_attacked, epsilon):
    """Images before an attack, the change made visible, and after.

    Parameters
    ----------
    clean, attacked : (n, h, w, 3) arrays, 0..255
    labels : (n,) int array
        FAKE = 0, REAL = 1.
    p_clean, p_attacked : (n,) float arrays
        Probability of FAKE before and after.
    epsilon : float
        Largest change of a colour value, in grey levels (/255).

    Returns
    -------
    Figure
    """
    _need_images(clean)
    clean, attacked = np.asarray(clean, float), np.asarray(attacked, float)
    factor = 120 / epsilon
    change = 127.5 + factor * (attacked - clean)
    heads = ["as it is", f"change\n× {factor:.0f}", f"attacked,\nε = {epsilon:g}/255"]
    board = _Board(
        len(clean),
        3,
        heads,
        column_heads=[CLASS_NAMES[label] for label in labels],
        title_lines=1,
        column_colours=[CLASS_COLOURS[label] for label in labels],
    )
    for column in range(len(clean)):
        for row, (version, p) in enumerate(
            ((clean, p_clean), (change, None), (attacked, p_attacked))
        ):
            title = "" if p is None else board.probability(p[column])
            colour = INK if p is None else CLASS_COLOURS[FAKE if p[column] >= 0.5 else REAL]
            board.draw(version[column], column, row, title, colour)
    return board.figure


@styled
def grad_cam_grid(images, maps, titles=None, labels=None):
    """Images above, and below them where the evidence lies.

    Parameters
    ----------
    images : (n, h, w, 3) array, 0..255
    maps : dict of str to array
        Row name to overlays (n, h, w, 3), 0..255, or to bare maps (n, h, w) in [0, 1].
    titles : sequence of str, optional
        Above each column, for example truth and verdict; at most two lines.
    labels : (n,) int array, optional
        FAKE = 0, REAL = 1: colours the titles.

    Returns
    -------
    Figure
    """
    _need_images(images)
    n = len(images)
    colours = None if labels is None else [CLASS_COLOURS[label] for label in labels]
    board = _Board(
        n,
        1 + len(maps),
        ["image", *maps],
        column_heads=titles,
        column_colours=colours,
    )
    for column, image in enumerate(images):
        board.draw(image, column, 0)
        for row, values in enumerate(maps.values(), start=1):
            board.draw(values[column], column, row)
    return board.figure


class _Board:
    """A figure that holds square images in rows and columns, with names beside and above.

    Sizes are in inches of paper, so that type and images keep their proportion at any count.
    """

    def __init__(
        self,
        columns,
        rows,
        row_heads=None,
        row_colours=None,
        column_heads=None,
        title_lines=0,
        column_colours=None,
    ):
        longest = max((len(line) for h in row_heads or () for line in h.split("\n")), default=0)
        left = 0.085 * longest + 0.15 if row_heads else 0.03
        side = min(1.2, (WIDTH - left) / (columns * (1 + _GAP)))
        self.pitch_x = side * (1 + _GAP)
        widest = max((len(line) for h in column_heads or () for line in h.split("\n")), default=0)
        crowded = 0.085 * widest > self.pitch_x
        head_lines = max((h.count("\n") + 1 for h in column_heads or ()), default=0)
        top = 0.06 + (0.75 if crowded else head_lines * _LINE)
        self.title = title_lines * _LINE + (0.05 if title_lines else 0)
        self.pitch_y = side * (1 + _GAP) + self.title
        self.side = side
        width, height = left + columns * self.pitch_x, top + rows * self.pitch_y
        if crowded:
            width += 0.4  # the last slanted head reaches beyond its column
        self.figure = new_figure(height, width)
        self.figure.set_layout_engine("none")
        ax = self.ax = self.figure.add_axes([0, 0, 1, 1])
        ax.set(xlim=(-left, width - left), ylim=(height - top, -top))
        ax.set_axis_off()
        for row, head in enumerate(row_heads or ()):
            colour = row_colours[row] if row_colours else INK
            y = row * self.pitch_y + self.title + side / 2
            ax.text(-0.08, y, head, ha="right", va="center", color=readable(colour))
        for column, head in enumerate(column_heads or ()):
            ax.text(
                (column + (0.3 if crowded else 0)) * self.pitch_x + (0 if crowded else side / 2),
                -0.05,
                head,
                ha="left" if crowded else "center",
                va="bottom",
                rotation=35 if crowded else 0,
                rotation_mode="anchor" if crowded else "default",
                color=readable(column_colours[column] if column_colours else INK),
                fontsize=9,
            )

    def draw(self, image, column, row, title="", colour=INK):
        """Put an image (h, w, 3), 0..255, or a map (h, w) in [0, 1] into a cell."""
        image = np.asarray(image)
        x, y = column * self.pitch_x, row * self.pitch_y + self.title
        extent = (x, x + self.side, y + self.side, y)
        if image.ndim == 2:
            options = {"cmap": "inferno", "vmin": 0, "vmax": 1}
        else:
            image, options = np.clip(np.rint(image), 0, 255).astype(np.uint8), {}
        limits = self.ax.axis()
        self.ax.imshow(image, extent=extent, aspect="auto", interpolation="nearest", **options)
        self.ax.axis(limits)  # imshow moves them
        if title:
            self.ax.text(
                x + self.side / 2,
                y - 0.03,
                title,
                ha="center",
                va="bottom",
                fontsize=9,
                color=readable(colour),
                linespacing=1.05,
            )

    def probability(self, p):
        """A probability of FAKE as a title, named in full where an image is wide enough."""
        return f"p(FAKE) {p:.2f}" if self.pitch_x > 0.98 else f"p {p:.2f}"

    def write(self, text, column, row):
        """Write into an empty cell."""
        x, y = column * self.pitch_x, row * self.pitch_y + self.title
        self.ax.text(x + 0.08, y + self.side / 2, text, va="center", color=FAINT)


def _need_images(images):
    if np.ndim(images) != 4 or np.shape(images)[-1] != 3:
        raise ValueError(f"images must be (n, h, w, 3), not {np.shape(images)}")
    if len(images) == 0:
        raise ValueError("there are no images to draw")
