"""Pins what every figure promises: it is drawn, says what its axes are, and cuts nothing off."""

import inspect

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text

from realfake_lib import plots
from realfake_lib.plots.style import FAINT, INK, readable, spread
from realfake_lib.settings import FAKE, REAL

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
LABELS = np.repeat([FAKE, REAL], 20)
KINDS = np.tile(np.arange(10), 4)
P_FAKE = np.where(LABELS == FAKE, 0.8, 0.2) + RNG.uniform(-0.2, 0.2, 40)
P_FAKE[[3, 4, 25]] = [0.1, 0.3, 0.95]  # two fakes are missed, one photograph is called fake
HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        "accuracy": [0.8, 0.9, 0.92],
        "val_accuracy": [0.81, 0.86, 0.9],
        "loss": [0.5, 0.3, 0.2],
        "val_loss": [0.5, 0.35, 0.3],
        "learning_rate": [1e-3, 1e-2, 1e-4],
    }
)
NAMES = ("baseline_original_recipe", "baseline_cnn", "compact_cnn")


def interval(frame, value, *bounds):
    """The frame with bounds around the column ``value``."""
    return frame.assign(
        **{bounds[0]: (frame[value] - 0.02).clip(0), bounds[1]: (frame[value] + 0.02).clip(0, 1)}
    )


ATTACKED = interval(
    pd.DataFrame(
        [
            {"detector": d, "attack": a, "epsilon": e, "accuracy": 0.97 - 0.1 * e * (a == "pgd")}
            for d in NAMES
            for a in ("noise", "fgsm", "pgd")
            for e in (0, 0.25, 0.5, 1, 2, 4, 8)
        ]
    ),
    "accuracy", "ci_low", "ci_high",
)  # fmt: skip
CORRUPTED = pd.DataFrame(
    [
        {"detector": d, "corruption": c, "level": level, "accuracy": 0.9 - 0.1 * level}
        for d in NAMES[:2]
        for c, levels in {"none": [0], "jpeg": [1, 2], "rescale_bilinear": [1, 2]}.items()
        for level in levels
    ]
)  # fmt: skip
CONDITIONS = interval(
    pd.DataFrame(
        [
            {"detector": d, "condition": c, "measure": m, "value": 0.5, "chance": chance}
            for d in NAMES
            for c, m, chance in (("test set", "accuracy", 0.5), ("unseen", "recall", np.nan))
        ]
    ),
    "value", "low", "high",
)  # fmt: skip
RUNS = pd.DataFrame(
    [
        {"name": n, "factor": factor, "accuracy": 0.9 + 0.01 * seed}
        for factor, names in (("architecture", NAMES), ("strategy", ("Adam, constant", "SGD")))
        for n in names
        for seed in (1, 2, 3)
    ]
)
COSTS = pd.DataFrame(
    {
        "name": [*NAMES, "mobilenet_finetuned"],
        "accuracy": [0.85, 0.92, 0.97, 0.969],
        "seconds": [80.0, 90.0, 960.0, 1000.0],
    }
)
SECONDS = {"seconds": "training time (s)"}
PRICES = SECONDS | {"parameters": "parameters (number)"}
COSTS["parameters"] = [166_977, 166_978, 287_585, 3_200_000]
COSTS = interval(COSTS, "accuracy", "ci_low", "ci_high")
RATES = pd.DataFrame(
    [
        {"optimiser": o, "learning_rate": r, "accuracy": 0.8 + 0.01 * s}
        for o, rates in {"Adam": (1e-3,), "SGD": (3e-3, 1e-2), "Muon": (1e-3, 3e-3)}.items()
        for r in rates
        for s in (0, 1, 2)
    ]
)
TRANSFER = pd.DataFrame(
    {
        "backbone": ["MobileNet", "MobileNet", "VGG16"],
        "strategy": ["frozen", "fine-tuned", "frozen"],
        "accuracy": [0.91, 0.95, 0.85],
        "ci_low": [0.90, 0.94, 0.84],
        "ci_high": [0.92, 0.96, 0.86],
    }
)
PUBLISHED = pd.DataFrame(
    {
        "name": ["DenseNet-121 with mid squeeze-and-excitation", "compact_cnn"],
        "accuracy": [0.9856, 0.969],
        "low": [np.nan, 0.966],
        "high": [np.nan, 0.971],
        "ours": [False, True],
    }
)
SHORTCUTS = interval(
    pd.DataFrame({"property": ["file size", "mean brightness"], "auroc": [0.52, 0.44]}),
    "auroc", "ci_low", "ci_high",
)  # fmt: skip

SOURCES = interval(
    pd.DataFrame(
        [
            {"group": g, "source": s, "series": n, "auroc": value}
            for g, s, value in (("GAN", "dcgan", 0.8), ("GAN", "wgan", 0.6), ("Flux", "flux", 0.4))
            for n in NAMES
        ]
    ),
    "auroc", "auroc_low", "auroc_high",
)  # fmt: skip

TRAINED = pd.DataFrame(
    [
        (method, trained, epsilon, at, at - 0.02, at + 0.02)
        for method, gain in (("FGSM", 0.0), ("TRADES", 0.02))
        for trained, clean, attacked in ((0, 0.94, 0.4), (2, 0.92, 0.7), (8, 0.88, 0.8))
        for epsilon, at in ((0, clean - gain), (2, attacked + gain))
    ],
    columns=["method", "trained", "epsilon", "accuracy", "ci_low", "ci_high"],
)

FIGURES = {
    "by_source": lambda: plots.by_source(SOURCES),
    "by_source, share": lambda: plots.by_source(
        SOURCES[SOURCES["series"] == NAMES[0]].rename(columns={"auroc": "share"}), "share"
    ),
    "hardest_images": lambda: plots.hardest_images(IMAGES, LABELS, P_FAKE),
    "hardest_images, no errors": lambda: plots.hardest_images(IMAGES, LABELS, 1.0 - LABELS),
    "class_examples": lambda: plots.class_examples(IMAGES, LABELS, KINDS, per_class=2),
    "class_examples, unknown": lambda: plots.class_examples(IMAGES, LABELS, np.full(40, -1)),
    "image_rows": lambda: plots.image_rows(
        {"as decoded": IMAGES[:10], "16 px and back": IMAGES[:10, ::2, ::2]}
    ),
    "adversarial_examples": lambda: plots.adversarial_examples(
        IMAGES[17:23], IMAGES[17:23] + 2.0, LABELS[17:23], P_FAKE[17:23], 1 - P_FAKE[17:23], 2
    ),
    "image_rows, titles": lambda: plots.image_rows(
        {"image": IMAGES[17:23], "map": IMAGES[6:12], "overlay": IMAGES[:6]},
        ["FAKE\nas REAL"] * 6,
        LABELS[17:23],
    ),
    "shortcut_bars": lambda: plots.shortcut_bars(SHORTCUTS),
    "power_spectrum": lambda: plots.power_spectrum(IMAGES, LABELS, np.arange(40)),
    "learning_curves": lambda: plots.learning_curves(dict.fromkeys(NAMES, HISTORY)),
    "learning_curves, one epoch": lambda: plots.learning_curves({"a": HISTORY[:1]}),
    "confusion_matrices": lambda: plots.confusion_matrices(
        {name: [[10_000, 0], [10_000, 0]] for name in (*NAMES, "argmax of one column (original)")}
    ),
    "roc_and_pr": lambda: plots.roc_and_pr(
        {"baseline_cnn": (LABELS, P_FAKE), "compact_cnn": (LABELS, P_FAKE**2)}
    ),
    "reliability": lambda: plots.reliability(
        {"before": (LABELS, P_FAKE), "after": (LABELS, P_FAKE**2)}
    ),
    "score_histogram": lambda: plots.score_histogram(
        {"REAL": P_FAKE[20:], "FAKE": P_FAKE[:20], "ddpm": P_FAKE[20:]}, threshold=0.4
    ),
    "comparison_dots": lambda: plots.comparison_dots(RUNS),
    "accuracy_vs_cost": lambda: plots.accuracy_vs_cost(COSTS, PRICES),
    "accuracy_vs_cost, one cost": lambda: plots.accuracy_vs_cost(COSTS, SECONDS),
    "accuracy_vs_cost, one": lambda: plots.accuracy_vs_cost(COSTS[:1], SECONDS),
    "learning_rate_lines": lambda: plots.learning_rate_lines(RATES),
    "learning_rate_lines, one": lambda: plots.learning_rate_lines(RATES[:3]),
    "transfer_bars": lambda: plots.transfer_bars(TRANSFER),
    "against_published": lambda: plots.against_published(PUBLISHED),
    "against_published, no interval": lambda: plots.against_published(
        PUBLISHED[["name", "accuracy", "ours"]]
    ),
    "by_condition": lambda: plots.by_condition(CONDITIONS),
    "price_of_robustness": lambda: plots.price_of_robustness(TRAINED, (2,)),
    "robustness_curves": lambda: plots.robustness_curves(ATTACKED),
    "robustness_curves, one": lambda: plots.robustness_curves(
        ATTACKED.query("detector == 'baseline_cnn'")
    ),
    "transfer_matrix": lambda: plots.transfer_matrix(
        pd.DataFrame({"fast": [0.98, 0.02], "detector": [1, 0.6]}, index=["none", "fast"])
    ),
    "corruption_heat_map": lambda: plots.corruption_heat_map(CORRUPTED),
    "corruption_examples": lambda: plots.corruption_examples(
        IMAGES[0], dict.fromkeys(("jpeg", "gaussian_blur", "rescale_bilinear"), IMAGES[0])
    ),
}


@pytest.fixture(scope="module")
def figure_of():
    """Figures by name, drawn once."""
    drawn = {}

    def draw(name):
        if name not in drawn:
            drawn[name] = FIGURES[name]()
        return drawn[name]

    return draw


@pytest.fixture(scope="module")
def texts_of(figure_of):
    """Texts of figures by name, measured once."""
    measured = {}

    def measure(name):
        if name not in measured:
            measured[name] = list(texts(figure_of(name)))
        return measured[name]

    return measure


def texts(figure):
    """All texts that are seen, with their boxes in pixels."""
    FigureCanvasAgg(figure)
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    hidden = {
        label
        for ax in figure.axes
        for axis in (ax.xaxis, ax.yaxis)
        for label in axis.get_ticklabels(which="both")
        if not (axis.get_visible() and ax.axison) or not label.get_visible() or outside(ax, label)
    }
    for text in figure.findobj(Text):
        if text.get_text().strip() and text.get_visible() and text not in hidden:
            if text.axes is None or text.axes.axison or text in text.axes.texts:
                yield text, text.get_window_extent(renderer)


def outside(ax, label):
    """Whether a tick label belongs to a tick beyond the axes' limits, which is not drawn."""
    x, y = label.get_transform().transform(label.get_position())
    box = ax.get_window_extent()
    return not (box.x0 - 1 <= x <= box.x1 + 1 or box.y0 - 1 <= y <= box.y1 + 1)


def test_every_public_plot_is_drawn_here():
    public = {name for name, _ in inspect.getmembers(plots, inspect.isfunction)} - {"style"}
    assert public <= {name.split(",")[0] for name in FIGURES}


@pytest.mark.parametrize("name", FIGURES)
def test_a_plot_returns_a_figure_of_the_page_width_at_most(figure_of, name):
    figure = figure_of(name)
    assert isinstance(figure, Figure)
    assert figure.get_size_inches()[0] <= 8.0
    assert figure.dpi == 110


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_is_cut_off_at_the_edge(figure_of, texts_of, name):
    figure = figure_of(name)
    width, height = figure.bbox.width, figure.bbox.height
    for text, box in texts_of(name):
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1
        assert inside, (text.get_text(), box)


@pytest.mark.parametrize("name", FIGURES)
def test_no_two_texts_lie_on_each_other(texts_of, name):
    boxes = [(text, box) for text, box in texts_of(name) if text.get_rotation() in (0, 90)]
    for i, (text, box) in enumerate(boxes):
        for other, other_box in boxes[i + 1 :]:
            width = min(box.x1, other_box.x1) - max(box.x0, other_box.x0)
            height = min(box.y1, other_box.y1) - max(box.y0, other_box.y0)
            assert min(width, height) < 3, (text.get_text(), other.get_text())


@pytest.mark.parametrize("name", FIGURES)
def test_type_is_large_enough_to_read(texts_of, name):
    for text, _ in texts_of(name):
        power = "^{" in text.get_text()
        assert text.get_fontsize() >= (6 if power else 9), text.get_text()


@pytest.mark.parametrize("name", FIGURES)
def test_axes_say_what_they_show_and_in_which_unit(figure_of, name):
    figure = figure_of(name)
    axes = [
        ax for ax in figure.axes if ax.axison and ax.xaxis.get_visible() and ax.get_xticks().size
    ]
    for ax in axes:
        numbers = any(c.isdigit() for t in ax.get_xticklabels() for c in t.get_text())
        if numbers and ax.xaxis.get_tick_params()["labelbottom"]:
            label = ax.get_xlabel()
            assert any(mark in label for mark in ("(", "factor")), (name, label)


@pytest.mark.parametrize("name", FIGURES)
def test_pictures_are_shown_pixel_by_pixel(figure_of, name):
    for picture in figure_of(name).findobj(AxesImage):
        assert picture.get_interpolation() in ("nearest", "auto")


def test_a_plot_leaves_matplotlibs_settings_and_pyplot_alone():
    before = dict(matplotlib.rcParams)
    plots.shortcut_bars(SHORTCUTS)
    assert dict(matplotlib.rcParams) == before
    import matplotlib.pyplot as plt

    assert plt.get_fignums() == []


def test_style_is_a_context():
    before = matplotlib.rcParams["figure.dpi"]
    with plots.style():
        assert matplotlib.rcParams["figure.dpi"] == 110
    assert matplotlib.rcParams["figure.dpi"] == before


def test_fake_is_vermillion_and_real_is_blue_and_no_series_is_either():
    assert plots.CLASS_COLOURS == ("#D55E00", "#0072B2")
    assert not set(plots.SERIES) & set(plots.CLASS_COLOURS)
    ax = plots.power_spectrum(IMAGES, LABELS, np.arange(40)).axes[0]
    named = {
        text.get_text(): to_hex(line.get_color())
        for line, text in zip(ax.lines, ax.texts, strict=True)
    }
    assert named == {"REAL": "#0072b2", "FAKE": "#d55e00"}


def test_type_in_a_series_colour_has_enough_contrast_on_white():
    for colour in (*plots.SERIES, *plots.CLASS_COLOURS, FAINT, INK):
        rgb = np.array(matplotlib.colors.to_rgb(readable(colour)))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        luminance = linear @ [0.2126, 0.7152, 0.0722]
        assert 1.05 / (luminance + 0.05) >= 4.49, colour


def test_labels_keep_their_distance_and_stay_nearest_to_where_they_belong():
    placed = spread([0.5, 0.52, 0.9], 0.1, 0, 1)
    assert placed == pytest.approx([0.46, 0.56, 0.9])
    assert spread([0.99, 1.0], 0.1, 0, 1).tolist() == pytest.approx([0.9, 1.0])
    assert np.diff(spread([0.5] * 30, 0.1, 0, 1)) == pytest.approx(1 / 29)
    assert spread([0.3], 0.1, 0, 1).tolist() == [0.3]


def test_hardest_images_are_the_most_certain_errors_of_each_class():
    figure = plots.hardest_images(IMAGES, LABELS, P_FAKE)
    shown = figure.findobj(AxesImage)
    expected = [IMAGES[3], IMAGES[4], IMAGES[25]]
    for picture, image in zip(shown, expected, strict=True):
        assert (picture.get_array() == image).all()


def test_the_change_of_an_attack_is_amplified_and_grey_where_nothing_changed():
    clean = np.full((1, 8, 8, 3), 100.0)
    attacked = clean.copy()
    attacked[0, 0, 0] = [102, 98, 100]
    figure = plots.adversarial_examples(clean, attacked, [FAKE], [0.9], [0.1], epsilon=2)
    change = np.asarray(figure.findobj(AxesImage)[1].get_array())
    assert change[0, 0].tolist() == [248, 8, 128]
    assert (change[1:] == 128).all()


def test_the_front_holds_what_nothing_cheaper_beats():
    figure = plots.accuracy_vs_cost(COSTS, PRICES)
    assert figure.axes[0].lines[0].get_xdata().tolist() == [80, 90, 960]
    points = [line for line in figure.axes[0].lines if line.get_linestyle() == "None"]
    filled = [line.get_markerfacecolor() != "white" for line in points]
    assert filled == [True, True, True, False]


def test_the_clean_image_has_its_place_on_the_robustness_axis():
    figure = plots.robustness_curves(ATTACKED)
    ax = figure.axes[0]
    figure.draw_without_rendering()
    assert [label.get_text() for label in ax.get_xticklabels()][:3] == ["0", "¼", "½"]
    assert [text.get_text() for text in ax.texts][1:] == ["noise", "FGSM", "PGD"]
