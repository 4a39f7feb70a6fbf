"""How right a detector is, how sure that is, and which differences between detectors are real.

Labels are FAKE = 0 and REAL = 1. Precision, recall, average precision, AUROC, TPR and FPR take
**FAKE as positive**, and scores are ``p_fake``, the predicted probability of FAKE.
"""

from realfake_lib.evaluation.calibration import (
    apply_temperature,
    fit_temperature,
    reliability,
)
from realfake_lib.evaluation.metrics import (
    Scores,
    auroc_interval,
    confusion_matrix,
    evaluate,
    expected_calibration_error,
    per_group,
    pr_curve,
    predict_labels,
    roc_curve,
    tpr_at_fpr,
    wilson,
)
from realfake_lib.evaluation.resampling import bootstrap
from realfake_lib.evaluation.significance import (
    compare_all,
    delong,
    holm,
    mcnemar,
    paired_bootstrap,
)

__all__ = [
    "Scores",
    "apply_temperature",
    "auroc_interval",
    "bootstrap",
    "compare_all",
    "confusion_matrix",
    "delong",
    "evaluate",
    "expected_calibration_error",
    "fit_temperature",
    "holm",
    "mcnemar",
    "paired_bootstrap",
    "per_group",
    "pr_curve",
    "predict_labels",
    "reliability",
    "roc_curve",
    "tpr_at_fpr",
    "wilson",
]
