"""Attacks put together, on a detector so simple that the outcome is known."""

import keras
import numpy as np
import pytest

from realfake_lib.robustness import attacks, corruptions, study

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


def test_curves_hold_every_detector_attack_and_radius_on_the_same_images(model, images):
    x, y = images
    curves = study.accuracy_curves({"a": model, "b": model}, x, y, [1, 3], steps=3)
    assert len(curves) == 2 * 3 * 3
    pivot = curves[curves.detector == "a"].pivot(
        index="epsilon", columns="attack", values="accuracy"
    )
    assert (pivot.loc[0] == 1).all()
    # Each image within epsilon of the cut falls to one step: 4 of 24 within 1, 12 within 3.
    assert pivot.loc[1, "fgsm"] == pytest.approx(20 / 24)
    assert pivot.loc[3, "fgsm"] == pytest.approx(12 / 24)
    assert set(curves.n) == {N}


def test_metric_names_can_be_quoted():
    assert study.metric_name("pgd", 0.5) == "pgd_0.5"
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
    names = ["clean", "noise_0.5", "fgsm_0.5"]
    assert list(found) == [f"{name}.accuracy" for name in names]
    value, (low, high) = found["fgsm_0.5.accuracy"]
    assert value == pytest.approx(22 / 24) and low < value < high


def test_examples_are_turned_images_of_both_classes(model, images):
    x, y = images
    attacked = attacks.pgd(model, x, y, 2)
    found = study.examples(model, x, y, attacked, per_class=2)
    assert list(found["labels"]) == [0, 0, 1, 1]
    assert ((found["p_clean"] > 0.5) == (found["labels"] == 0)).all()
    assert ((found["p_attacked"] > 0.5) == (found["labels"] == 1)).all()
    assert np.abs(found["attacked"] - found["clean"]).max() <= 2


def test_where_nothing_turns_examples_are_still_shown(model, images):
    x, y = images
    found = study.examples(model, x, y, x, per_class=2)
    assert len(found["clean"]) == 4
    assert ((found["p_attacked"] > 0.5) == (found["labels"] == 0)).all()


def test_an_attack_below_half_a_grey_level_does_not_survive_in_a_file(model, images):
    levels = np.where(images[1] == 1, 129, 128)  # FAKE lies on the cut, so nothing is lost to it
    x = np.broadcast_to(levels[:, None, None, None], (N, 4, 4, 3)).astype("uint8")
    fake = images[1] == 0
    attacked = x + np.where(fake, 0.4, -0.4)[:, None, None, None]
    accuracy = study.after_saving(model, x, images[1], attacked)["accuracy"].tolist()
    assert accuracy[:3] == [1, 0.5, 1]


def test_metrics_of_corruptions_are_accuracy_auroc_and_ece(model, images):
    x, y = images

    def predict(pixels):
        return 1 / (1 + np.exp(pixels.mean(axis=(1, 2, 3)) - 128))

    table = corruptions.corruption_table({"a": predict}, x.astype("uint8"), y, {"jpeg": (90, 50)})
    names = [name for name, *_ in study.corruption_metrics(table)]
    assert names[:4] == ["test.accuracy", "test.auroc", "test.ece", "jpeg_90.accuracy"]


def test_transfer_takes_the_gradients_of_one_and_the_verdicts_of_another(model, images):
    x, y = images
    inputs = keras.Input((4, 4, 3))
    turned = keras.Model(inputs, keras.layers.Rescaling(-1.0)(model(inputs)))
    table = study.transfer({"a": model, "b": turned}, x, y, 1.0, steps=3)
    assert table.index.tolist() == ["none", "a", "b"] and table.columns.tolist() == ["a", "b"]
    assert table.loc["none"].tolist() == [1, 0]
    assert table.loc["a", "a"] == pytest.approx(20 / 24)  # within a grey level of the cut: 4 of 24
    assert table.loc["b", "a"] == 1  # its gradient points the other way


def test_distances_are_those_to_the_cut(model, images):
    """Each image is 0.25, 0.75, 1.25 … grey levels from a detector that is linear."""
    x, y = images
    table = study.distances(model, x, y, ["DeepFool", "Carlini and Wagner", "HopSkipJump"])
    assert table["succeeded"].eq(1).all() and table["n"].eq(N).all()
    assert table.loc["DeepFool", "median"] == pytest.approx(3, abs=0.5)
    in_l2 = 3 * np.sqrt(48)  # the same at every pixel
    assert table.loc["Carlini and Wagner", "median"] == pytest.approx(in_l2, rel=0.2)
    assert table.loc["HopSkipJump", "median"] == pytest.approx(in_l2, rel=0.2)
