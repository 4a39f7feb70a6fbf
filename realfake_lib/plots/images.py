"""Figures made of images: examples, augmentations, attacks, explanations."""

import numpy as np

from realfake_lib.names import in_words
from realfake_lib.plots.style import CLASS_COLOURS, FAINT, INK, WIDTH, new_figure, readable, styled
from realfake_lib.settings import CLASS_NAMES, FAKE, OBJECT_CLASSES, REAL


@styled
def hardest_images(images, y_true, p_fake, n=12):
    """The images on which a detector is most certain, and wrong: missed fakes, false positives.

    Parameters
    ----------
    images : (n, h, w, 3) array, 0..255
    y_true : (n,) int array
        FAKE = 0, REAL = 1.
    p_fake : (n,) float array in [0, 1]
    n : int
        At most, half of them of each class.

    Returns
    -------
    Figure
        Upper rows: FAKE taken for REAL; lower rows: REAL taken for FAKE. Where a class has no
        error, it says so.
    """
    y_true, p_fake = np.asarray(y_true), np.asarray(p_fake)
    rows = {}
    for label, head in ((FAKE, "FAKE,\ntaken\nfor REAL"), (REAL, "REAL,\ntaken\nfor FAKE")):
        p_true = np.where(label == FAKE, p_fake, 1 - p_fake)
        wrong = np.flatnonzero((y_true == label) & (p_true < 0.5))
        chosen = wrong[np.argsort(p_true[wrong], kind="stable")][: n // 2]
        cells = [(images[i], f"p {p_fake[i]:.2f}", INK) for i in chosen]
        rows[head] = cells or [(None, "none", FAINT)]
    return _grid(list(rows.values()), list(rows), columns=n // 2)


@styled
def class_examples(images, labels, object_class, per_class=3, seed=0, names=OBJECT_CLASSES):
    """Photographs above, generated images below, one kind of object a column.

    Parameters
    ----------
    images : (n, h, w, 3) array, 0..255
    labels : (n,) int array
        FAKE = 0, REAL = 1.
    object_class : (n,) int array
        Index into ``names``, −1 for unknown. Where none is known, images are drawn at random.
    per_class : int
        Rows of each class.
    seed : int
        Of the choice.
    names : sequence of str

    Returns
    -------
    Figure
    """
    labels, kinds = np.asarray(labels), np.asarray(object_class)
    known = [k for k in range(len(names)) if (kinds == k).any()]
    rng = np.random.default_rng(seed)
    rows = []
    for label in (REAL, FAKE):
        of_label = []
        for kind in known or [-1] * 10:
            chosen = np.flatnonzero((labels == label) & (kinds == kind))
            chosen = rng.choice(chosen, min(per_class, len(chosen)), replace=False)
            title = names[kind] if known and label == REAL else ""
            cells = [(images[i], title if i == chosen[0] else "", INK) for i in chosen]
            of_label.append(cells + [(None, "", INK)] * (per_class - len(cells)))
        rows += zip(*of_label, strict=True)
    heads = np.repeat([CLASS_NAMES[REAL], CLASS_NAMES[FAKE]], per_class)
    return _grid(rows, heads, slanted=bool(known))


@styled
def corruption_examples(image, corrupted):
    """One image, and what each corruption makes of it.

    Parameters
    ----------
    image : (h, w, 3) array, 0..255
    corrupted : dict of str to (h, w, 3) array, 0..255
        By the corruption's name.

    Returns
    -------
    Figure
    """
    shown = [("unchanged", image), *corrupted.items()]
    cells = [(pixels, in_words(name).replace(", ", ",\n"), INK) for name, pixels in shown]
    rows = [cells[i : i + 7] for i in range(0, len(cells), 7)]
    return _grid(rows, [""] * len(rows))


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
    clean, attacked = np.asarray(clean, float), np.asarray(attacked, float)
    factor = 120 / epsilon
    change = 127.5 + factor * (attacked - clean)
    heads = ["as it is", f"change\n× {factor:.0f}", f"attacked,\nε = {epsilon:g}/255"]
    rows = [[], [(image, "", INK) for image in change], []]
    for i, label in enumerate(labels):
        title = f"{CLASS_NAMES[label]}\np(FAKE) {p_clean[i]:.2f}"
        rows[0].append((clean[i], title, CLASS_COLOURS[label]))
        verdict = FAKE if p_attacked[i] >= 0.5 else REAL
        rows[2].append((attacked[i], f"p(FAKE) {p_attacked[i]:.2f}", CLASS_COLOURS[verdict]))
    return _grid(rows, heads)


@styled
def image_rows(rows, titles=(), labels=()):
    """Versions of the same images, a row each, an image a column.

    Parameters
    ----------
    rows : dict of str to (n, h, w, 3) array, 0..255
        By the row's name; sizes may differ from row to row.
    titles : sequence of str, optional
        Above each column, for example truth and verdict; at most two lines.
    labels : (n,) int array, optional
        FAKE = 0, REAL = 1: colours the titles.

    Returns
    -------
    Figure
    """
    cells = [[(image, "", INK) for image in images] for images in rows.values()]
    if len(titles):
        top = zip(cells[0], titles, labels, strict=True)
        cells[0] = [(image, title, CLASS_COLOURS[label]) for (image, *_), title, label in top]
    return _grid(cells, list(rows))


def _grid(rows, heads=("",), columns=None, slanted=False):
    """Rows of (image or None, title, colour of the title), each row with a name.

    An image is (h, w, 3) in 0..255; there is room for ``columns``.
    """
    columns = columns or max(map(len, rows))
    left = 0.085 * max(len(line) for head in heads for line in head.split("\n")) + 0.1
    slant = 0.5 * slanted
    side = min(1.2, (WIDTH - left - slant) / columns - 0.06)
    # A row's axes shrink to a square at its bottom, below the lines of its titles.
    lines = [max(len(title.splitlines()) for _, title, _ in row) for row in rows]
    heights = [side + 0.06 + 0.16 * (n - slanted) * (n > 0) for n in lines]
    width, height = left + columns * (side + 0.06) + slant, sum(heights) + slant
    figure = new_figure(height, width)
    figure.set_layout_engine("none")
    edges = {"left": left / width, "right": 1 - slant / width, "top": 1 - slant / height}
    edges |= {"bottom": 0, "wspace": 0.06 / side, "hspace": 0, "height_ratios": heights}
    axes = figure.subplots(len(rows), columns, squeeze=False, gridspec_kw=edges)
    for of_row, cells, head in zip(axes, rows, heads, strict=True):
        colour = dict(zip(CLASS_NAMES, CLASS_COLOURS, strict=True)).get(head[:4], INK)
        of_row[0].set_ylabel(head, rotation=0, ha="right", va="center", color=readable(colour))
        for ax in of_row:
            ax.set(xticks=(), yticks=(), aspect=1, anchor="S")
            ax.spines[:].set_visible(False)
        for ax, (image, title, colour) in zip(of_row, cells, strict=False):
            look = {"fontsize": 9, "color": readable(colour)}
            if image is None:
                ax.text(0.1, 0.5, title, va="center", **look)
                continue
            if slanted:
                look |= {"x": 0.3, "rotation": 35, "ha": "left", "rotation_mode": "anchor"}
            ax.set_title(title, loc="center", fontweight="normal", pad=3, **look)
            ax.imshow(np.clip(np.rint(image), 0, 255).astype(np.uint8))
    return figure
