"""Every figure of the report, in one style.

Functions take plain arrays and DataFrames and return a matplotlib Figure, 7 to 8 inches wide at
110 dpi unless its contents need less. They use no pyplot and keep no state. FAKE is vermillion and
REAL is blue; nothing else has these colours.
"""

from realfake_lib.plots.comparison import (
    accuracy_vs_cost,
    against_published,
    by_condition,
    by_source,
    comparison_dots,
    learning_rate_lines,
    transfer_bars,
)
from realfake_lib.plots.dataset import (
    power_spectrum,
    shortcut_bars,
)
from realfake_lib.plots.images import (
    adversarial_examples,
    class_examples,
    corruption_examples,
    hardest_images,
    image_rows,
)
from realfake_lib.plots.performance import (
    confusion_matrices,
    learning_curves,
    reliability,
    roc_and_pr,
    score_histogram,
)
from realfake_lib.plots.robustness import (
    corruption_heat_map,
    price_of_robustness,
    robustness_curves,
    transfer_matrix,
)
from realfake_lib.plots.style import CLASS_COLOURS, FAKE_COLOUR, REAL_COLOUR, SERIES, style
