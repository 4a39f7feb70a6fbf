"""Pins the measures, against hand-worked cases and against scikit-learn and statsmodels."""

import time

import numpy as np
import pytest
from sklearn import metrics as oracle
from sklearn.calibration import calibration_curve
from statsmodels.stats.proportion import proportion_confint

from realfake_lib.evaluation import metrics, resampling
from realfake_lib.settings import FAKE, OBJECT_CLASSES, REAL

# Worked by hand: three FAKE, two REAL; at 0.5 one FAKE is missed and one REAL is called FAKE.
Y = np.array([FAKE, FAKE, FAKE, REAL, REAL])
P = np.array([0.9, 0.8, 0.3, 0.6, 0.1])


def detector(n, skill=2.0, seed=0, digits=None):
    """Labels (n,) and calibrated-looking probabilities (n,) of a detector with some skill."""
    rng = np.random.default_rng(seed)
    y_true = np.repeat([FAKE, REAL], n // 2)
    logits = rng.normal(np.where(y_true == REAL, skill, -skill), 2.0)
    p_fake = 1 / (1 + np.exp(logits))
    return y_true, p_fake if digits is None else p_fake.round(digits)


def test_the_hand_worked_case_comes_out():
    scores = metrics.evaluate(Y, P)
    assert scores.confusion.tolist() == [[2, 1], [1, 1]]
    assert scores.accuracy == pytest.approx(3 / 5)
    assert scores.precision == pytest.approx(2 / 3)
    assert scores.recall == pytest.approx(2 / 3)
    assert scores.f1 == pytest.approx(2 / 3)
    assert scores.auroc == pytest.approx(5 / 6)  # of six pairs only 0.3 against 0.6 is wrong
    assert scores.average_precision == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert scores.tpr_at_fpr_01 == pytest.approx(2 / 3)
    assert scores.n == 5


def test_fake_is_the_positive_class_of_every_measure():
    y_true, p_fake = detector(2000, skill=1.0, seed=3)
    y_pred = metrics.predict_labels(p_fake, 0.4)
    scores = metrics.evaluate(y_true, p_fake, threshold=0.4)
    assert scores.precision == oracle.precision_score(y_true, y_pred, pos_label=FAKE)
    assert scores.recall == oracle.recall_score(y_true, y_pred, pos_label=FAKE)
    assert scores.f1 == pytest.approx(oracle.f1_score(y_true, y_pred, pos_label=FAKE))
    assert scores.auroc == oracle.roc_auc_score(y_true == FAKE, p_fake)
    assert scores.average_precision == oracle.average_precision_score(y_true == FAKE, p_fake)


def test_a_score_at_the_threshold_means_fake():
    assert metrics.predict_labels([0.49999, 0.5, 0.50001]).tolist() == [REAL, FAKE, FAKE]


def test_a_confusion_matrix_has_true_rows_and_predicted_columns_fake_first():
    matrix = metrics.confusion_matrix([FAKE, FAKE, FAKE, REAL], [FAKE, FAKE, REAL, REAL])
    assert matrix.tolist() == [[2, 1], [0, 1]]
    assert metrics.confusion_matrix([REAL], [REAL]).tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize("digits", [None, 2], ids=["distinct scores", "many ties"])
def test_the_bootstrap_measures_what_evaluate_measures(digits):
    y_true, p_fake = detector(1000, skill=1.0, seed=5, digits=digits)
    once = resampling.Ranking(y_true, p_fake, 0.4).measure()
    for name, value, _ in metrics.evaluate(y_true, p_fake, 0.4).items():
        assert once[name] == pytest.approx(value, abs=1e-12), name


@pytest.mark.parametrize("digits", [None, 2], ids=["distinct scores", "many ties"])
def test_a_resample_is_measured_like_the_images_written_out(digits):
    y_true, p_fake = detector(300, skill=1.0, seed=6, digits=digits)
    ranked = resampling.Ranking(y_true, p_fake)
    weights = np.random.default_rng(0).integers(0, 4, len(y_true))
    repeated = np.repeat(np.arange(len(y_true)), weights[ranked.place])
    written_out = resampling.Ranking(y_true[repeated], p_fake[repeated]).measure()
    assert ranked.measure(weights) == pytest.approx(written_out, abs=1e-12)


def tpr_at_fpr(y_true, p_fake, fpr):
    ranked = resampling.Ranking(np.asarray(y_true), np.asarray(p_fake))
    return ranked.tpr_at(fpr, *ranked.counts())


def test_tpr_at_fpr_is_the_best_operating_point_that_exists():
    y_true, p_fake = detector(4000, skill=1.5, seed=7, digits=3)
    fpr, tpr, _ = oracle.roc_curve(y_true == FAKE, p_fake, drop_intermediate=False)
    for allowed in (0.01, 0.05, 0.3):
        expected = tpr[fpr <= allowed + 1e-12].max()
        assert tpr_at_fpr(y_true, p_fake, allowed) == pytest.approx(expected)


def test_tpr_at_fpr_is_zero_where_every_cut_raises_too_many_alarms():
    assert tpr_at_fpr([FAKE, FAKE, REAL], [0.2, 0.9, 0.95], 0.01) == 0.0


def test_one_per_cent_of_ten_thousand_is_a_hundred_alarms_and_not_99():
    y_true = np.array([REAL] * 10000 + [FAKE] * 2)
    p_fake = np.concatenate([np.linspace(0, 0.9, 10000), [0.8911, 0.8905]])
    # 0.8911 stands below 98 REAL images and 0.8905 below 105.
    assert tpr_at_fpr(y_true, p_fake, 0.01) == 0.5
    hundredth = np.sort(p_fake[y_true == REAL])[-100]
    assert tpr_at_fpr([*y_true, FAKE], [*p_fake, hundredth], 0.01) == pytest.approx(2 / 3)


def test_calibration_error_of_a_hand_worked_case():
    # In the bin of 0.1 nothing is FAKE, in the bin of 0.9 one of two.
    error = metrics.expected_calibration_error([REAL, FAKE, REAL], [0.1, 0.9, 0.9])
    assert error == pytest.approx((0.1 + 2 * 0.4) / 3)


def test_calibration_error_agrees_with_sklearns_calibration_curve():
    y_true, p_fake = detector(3000, skill=3.0, seed=8)
    share, mean = calibration_curve(y_true == FAKE, p_fake, n_bins=15)
    n = np.histogram(p_fake, np.linspace(0, 1, 16))[0]
    expected = np.sum(n[n > 0] * np.abs(share - mean)) / len(y_true)
    assert metrics.expected_calibration_error(y_true, p_fake) == pytest.approx(expected)


def test_wilson_equals_statsmodels_and_its_bounds_are_exact():
    assert metrics.wilson(30, 40) == pytest.approx(proportion_confint(30, 40, method="wilson"))
    assert metrics.wilson(0, 10)[0] == 0.0
    assert metrics.wilson(10, 10)[1] == 1.0
    assert 0.0016 < np.ptp(metrics.wilson(19384, 20000)) / 2 < 0.0025


@pytest.mark.parametrize("k, n", [(1, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_proportion(k, n):
    with pytest.raises(ValueError, match="no proportion"):
        metrics.wilson(k, n)


def test_every_interval_holds_its_value_and_items_have_them_all():
    scores = metrics.evaluate(*detector(600, seed=9))
    items = list(scores.items())
    assert [name for name, _, _ in items] == [
        "accuracy", "precision", "recall", "f1", "auroc", "average_precision",
        "tpr_at_fpr_01", "tpr_at_fpr_05", "ece",
    ]  # fmt: skip
    for name, value, (low, high) in items:
        assert isinstance(value, float), name
        assert 0 <= low <= value <= high <= 1, name
        assert high - low > 0.001, name


def test_same_seed_same_intervals_and_another_seed_others():
    y_true, p_fake = detector(400)
    first, again, other = (metrics.evaluate(y_true, p_fake, seed=s) for s in (1, 1, 2))
    assert first.intervals == again.intervals
    assert first.intervals["f1"] != other.intervals["f1"]


def test_intervals_do_not_depend_on_the_order_of_equal_inputs():
    y_true, p_fake = detector(400)
    scores = metrics.evaluate(y_true, p_fake).intervals["auroc"]
    order = np.random.default_rng(0).permutation(400)
    assert metrics.evaluate(y_true[order], p_fake[order]).intervals["auroc"] == pytest.approx(
        scores
    )


@pytest.mark.parametrize("sharpness", [1.0, 2.0], ids=["calibrated", "too sure of itself"])
def test_ninety_five_per_cent_intervals_hold_the_truth_about_that_often(sharpness):
    def sharpened(y_true, p_fake):
        return y_true, p_fake**sharpness / (p_fake**sharpness + (1 - p_fake) ** sharpness)

    truth = resampling.Ranking(*sharpened(*detector(400_000, seed=99))).measure()
    held = dict.fromkeys(truth, 0)
    for seed in range(80):
        images = sharpened(*detector(400, seed=seed))
        scores = metrics.evaluate(*images, n_bootstrap=100, seed=seed)
        for name, (low, high) in scores.intervals.items():
            held[name] += low <= truth[name] <= high
    # FPR of 1 % means two of 200 REAL images: no interval is right there.
    del held["tpr_at_fpr_01"]
    assert min(held.values()) >= 68, held


def test_delongs_interval_agrees_with_the_bootstrap():
    y_true, p_fake = detector(800, skill=1.0, seed=11)
    low, high = metrics.auroc_interval(y_true, p_fake)
    expected = np.quantile(resampling.bootstrap(y_true, p_fake)["auroc"], [0.025, 0.975])
    assert [low, high] == pytest.approx(expected, abs=0.006)


def test_delongs_variance_of_a_hand_worked_case():
    # FAKE beat 1, 1 and 1/2 of the REAL images; REAL are beaten by 2/3 and 1 of the FAKE.
    values, covariance = metrics.delong_covariance(Y, P[None])
    expected = np.var([1, 1, 0.5], ddof=1) / 3 + np.var([2 / 3, 1], ddof=1) / 2
    assert values[0] == pytest.approx(5 / 6)
    assert covariance[0, 0] == pytest.approx(expected)


def test_complete_separation_does_not_claim_certainty():
    low, high = metrics.auroc_interval([FAKE] * 20 + [REAL] * 30, [0.9] * 20 + [0.1] * 30)
    assert high == 1.0
    assert 0.8 < low < 0.9


def test_a_detector_that_says_nothing_has_precision_zero_and_no_idea_of_it():
    scores = metrics.evaluate([FAKE, FAKE, REAL, REAL], [0.1, 0.2, 0.1, 0.2])
    assert (scores.precision, scores.recall, scores.f1) == (0, 0, 0)
    assert scores.intervals["precision"] == (0, 1)


def test_groups_are_counted_apart_with_the_unknown_last():
    y_true = [FAKE, FAKE, REAL, REAL, FAKE]
    table = metrics.per_group(y_true, [0.9, 0.2, 0.1, 0.2, 0.9], [3, 3, 3, -1, 0], OBJECT_CLASSES)
    assert table["group"].tolist() == ["airplane", "cat", "unknown"]
    cat = table.set_index("group").loc["cat"]
    assert (cat["n"], cat["n_fake"], cat["n_real"]) == (3, 2, 1)
    assert cat["accuracy"] == pytest.approx(2 / 3)
    assert (cat["fake_recall"], cat["real_recall"]) == (0.5, 1.0)
    assert (cat["fake_ci_low"], cat["fake_ci_high"]) == metrics.wilson(1, 2)
    assert (cat["ci_low"], cat["ci_high"]) == metrics.wilson(2, 3)
    assert np.isnan(table.set_index("group").loc["airplane", "real_recall"])


@pytest.mark.parametrize(
    "y_true, p_fake, said",
    [
        ([FAKE, REAL], [0.1], "2 labels but 1 values"),
        ([FAKE, FAKE], [0.1, 0.2], "no REAL image"),
        ([REAL, REAL], [0.1, 0.2], "no FAKE image"),
        ([FAKE, REAL], [0.1, np.nan], "NaN"),
        ([FAKE, REAL], [0.1, 1.2], "are these logits"),
        ([FAKE, REAL], [-3.0, 0.2], "are these logits"),
        ([FAKE, REAL], [[0.1], [0.2]], "one-dimensional"),
        ([[FAKE], [REAL]], [0.1, 0.2], "one-dimensional"),
        ([], [], "empty"),
        ([FAKE, 2], [0.1, 0.2], "FAKE = 0 or REAL = 1"),
    ],
)
def test_input_that_makes_no_sense_is_refused_in_words(y_true, p_fake, said):
    with pytest.raises(ValueError, match=said):
        metrics.evaluate(y_true, p_fake)


def test_settings_that_make_no_sense_are_refused_in_words():
    with pytest.raises(ValueError, match="threshold"):
        metrics.evaluate(Y, P, threshold=50)
    with pytest.raises(ValueError, match="at least 100 resamples"):
        metrics.evaluate(Y, P, n_bootstrap=10)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        metrics.confusion_matrix([FAKE, REAL], [FAKE])


def test_the_whole_test_set_is_evaluated_in_under_two_seconds():
    y_true, p_fake = detector(20_000)
    start = time.process_time()  # wall time would judge the neighbours on this machine
    metrics.evaluate(y_true, p_fake)
    assert time.process_time() - start < 2


def test_one_class_alone_gives_the_share_predicted_fake():
    value, (low, high) = metrics.predicted_fake([0.9, 0.5, 0.4, 0.1], threshold=0.5)
    assert value == 0.5 and (low, high) == metrics.wilson(2, 4)
    assert metrics.predicted_fake([0.1] * 50)[0] == 0.0
    for bad in ([], [0.5, np.nan], [1.2]):
        with pytest.raises(ValueError):
            metrics.predicted_fake(bad)
