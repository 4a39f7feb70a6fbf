"""Attacks put together, on a detector so simple that the outcome is known."""

import keras
import numpy as np
import pytest

from realfake_lib.robustness import attacks, study

N = 24


@pytest.fixture(scope="module")
def model():
    """Calls an image REAL where its mean pixel is above 128."""
    x = inputs = keras.Input((4, 4, 3))
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(1, name="logit")(x)
    model = keras.Model(inputs, x)
    model.layers[-1].set_weights([np.full((3, 1), 1 / 3, "float32"), np.float32([-128])])
    return model


@pytest.fixture(scope="module")
def images():
    """REAL ones 0.25, 0.75, 1.25 … grey levels above the detector's cut, FAKE ones below it."""
    labels = np.arange(N) % 2
    distance = 0.5 * (np.arange(N) // 2) + 0.25
    level = 128 + np.where(labels == 1, distance, -distance)
    return np.broadcast_to(level[:, None, None, None], (N, 4, 4, 3)).astype("float32"), labels


def test_the_worst_case_is_the_union_of_the_attacks_image_by_image(model, images, monkeypatch):
    x, y = images

    def breaks(some):
        """An attack that turns the images of these indices at epsilon 1, and none at 2."""

        def attack(model, images, labels, epsilon, *, indices, **options):
            turned = np.isin(indices, some)[:, None, None, None] & (epsilon == 1)
            return np.where(turned, np.where(labels == 1, 0, 255)[:, None, None, None], images)

        return attack

    known = {"noise": breaks([]), "fgsm": breaks([0, 1, 2]), "pgd": breaks([2, 3])}
    monkeypatch.setattr(attacks, "ATTACKS", known)
    curves = study.accuracy_curves({"a": model}, x, y, [1, 2])
    broken = (N - N * curves.pivot(index="epsilon", columns="attack", values="accuracy")).round()
    assert broken.loc[1].to_dict() == {"noise": 0, "fgsm": 3, "pgd": 2, "worst": 4}
    # What a smaller radius broke, the larger one holds too; FGSM stands for each by itself.
    assert broken.loc[2].to_dict() == {"noise": 0, "fgsm": 0, "pgd": 2, "worst": 4}


def test_the_worst_case_is_nowhere_above_any_attack(model, images):
    x, y = images
    curves = study.accuracy_curves({"a": model}, x, y, [0.5, 1, 2, 40], steps=2, restarts=2)
    table = curves.pivot(index="epsilon", columns="attack", values="accuracy")
    assert table.le(1).all(axis=None)
    assert (table["worst"] <= table.drop(columns="worst").min(axis=1)).all()
    assert table["worst"].is_monotonic_decreasing


def test_curves_hold_every_detector_attack_and_radius_on_the_same_images(model, images):
    x, y = images
    curves = study.accuracy_curves({"a": model, "b": model}, x, y, [1, 3], steps=3)
    assert len(curves) == 2 * 4 * 3
    pivot = curves[curves.detector == "a"].pivot(
        index="epsilon", columns="attack", values="accuracy"
    )
    assert (pivot.loc[0] == 1).all()
    # Each image within epsilon of the cut falls to one step: 4 of 24 within 1, 12 within 3.
    assert pivot.loc[1, "fgsm"] == pytest.approx(20 / 24)
    assert pivot.loc[3, "fgsm"] == pytest.approx(12 / 24)
    assert set(curves.n) == {N}


def test_metric_names_can_be_quoted():
    assert study.metric_name("pgd", 0.5) == "pgd_0_5"
    assert study.metric_name("fgsm", 1.0) == "fgsm_1"
    assert study.metric_name("fgsm", 0) == "clean"


def test_metrics_of_corruptions_are_named_by_their_severity_or_level():
    assert study.corruption_name("none", np.nan, 0) == "test"
    assert study.corruption_name("jpeg", 40, 4) == "jpeg_40"
    assert study.corruption_name("gaussian_noise", 0.1, 5) == "gaussian_noise_0.1"
    assert study.corruption_name("rescale", 0.5, 4) == "rescale_half"
    assert study.corruption_name("motion_blur", (6, 2), 3) == "motion_blur_level_3"


def test_metrics_have_a_name_each_and_the_clean_accuracy_once(model, images):
    x, y = images
    curves = study.accuracy_curves({"a": model}, x, y, [0.5], ("noise", "fgsm"))
    found = {name: (value, interval) for name, value, interval in study.metrics(curves)}
    names = ["clean", "noise_0_5", "fgsm_0_5", "worst_0_5"]
    assert list(found) == [f"{name}.accuracy" for name in names]
    value, (low, high) = found["fgsm_0_5.accuracy"]
    assert value == pytest.approx(22 / 24) and low < value < high


def test_examples_are_turned_images_of_both_classes(model, images):
    x, y = images
    attacked = attacks.pgd(model, x, y, 2)
    found = study.examples(model, x, y, attacked, per_class=2)
    assert list(found.labels) == [0, 0, 1, 1]
    assert ((found.p_clean > 0.5) == (found.labels == 0)).all()
    assert ((found.p_attacked > 0.5) == (found.labels == 1)).all()
    assert np.abs(found.attacked - found.clean).max() <= 2


def test_where_nothing_turns_examples_are_still_shown(model, images):
    x, y = images
    found = study.examples(model, x, y, x, per_class=2)
    assert len(found.clean) == 4
    assert ((found.p_attacked > 0.5) == (found.labels == 0)).all()


def test_an_attack_below_half_a_grey_level_does_not_survive_in_a_file(model, images):
    levels = np.where(images[1] == 1, 129, 128)  # FAKE lies on the cut, so nothing is lost to it
    x = np.broadcast_to(levels[:, None, None, None], (N, 4, 4, 3)).astype("uint8")
    fake = images[1] == 0
    attacked = x + np.where(fake, 0.4, -0.4)[:, None, None, None]
    accuracy = study.after_saving(model, x, images[1], attacked)["accuracy"].tolist()
    assert accuracy[:3] == [1, 0.5, 1]


def test_corruptions_are_tabled_for_every_detector(model, images):
    x, y = images
    chosen = {"jpeg": (90, 50)}
    networks = {"a": (model, 1.0), "b": (model, 2.0)}
    table = study.corruption_tables(networks, x.astype("uint8"), y, chosen)
    assert table.detector.tolist() == ["a"] * 3 + ["b"] * 3
    assert (table.n == N).all()
    assert table.ece[0] != table.ece[3]  # of probabilities at their own temperature
    names = [name for name, *_ in study.corruption_metrics(table[:3])]
    assert names[:4] == ["test.accuracy", "test.auroc", "test.ece", "jpeg_90.accuracy"]
