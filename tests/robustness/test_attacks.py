"""FGSM, PGD and accuracy curves: bounds, strength, determinism, and how errors count."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from realfake_lib.errors import UserError
from realfake_lib.robustness import attacks, detector


def margins(model, images, labels):
    return detector.signs(labels, len(labels)) * detector.predict_logits(model, images)


def linear_detector(weights, bias=0.0, size=4):
    """logit = weights · pixels + bias: every attack on it can be worked out by hand."""
    inputs = keras.Input((size, size, 3))
    logit = keras.layers.Dense(1)(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, logit)
    model.set_weights([np.reshape(weights, (-1, 1)), np.array([bias])])
    return model


@pytest.fixture(scope="module")
def linear():
    weights = np.random.default_rng(0).normal(size=48)
    return weights, linear_detector(weights, bias=-127 * weights.sum())


@pytest.mark.parametrize("label", [0, 1])
def test_fgsm_moves_every_pixel_by_epsilon_against_the_label(linear, label):
    weights, model = linear
    image = np.full((1, 4, 4, 3), 127, np.uint8)
    moved = attacks.fgsm(model, image, [label], 2.0) - 127.0
    expected = -2.0 * np.sign(weights) * (1 if label == 1 else -1)
    np.testing.assert_array_equal(moved.reshape(-1), expected)


@pytest.mark.parametrize("label", [0, 1])
def test_pgd_finds_the_optimum_of_a_linear_detector(linear, label):
    weights, model = linear
    image = np.full((1, 4, 4, 3), 127, np.uint8)
    attacked = attacks.pgd(model, image, [label], 3.0, steps=10, restarts=2)
    best = -3.0 * np.abs(weights).sum()
    assert margins(model, attacked, np.array([label]))[0] == pytest.approx(best, rel=1e-4)


@pytest.mark.parametrize("epsilon", [0.25, np.float64(4), 255])
@pytest.mark.parametrize("attack", [attacks.fgsm, attacks.pgd, attacks.noise])
def test_attacked_images_stay_within_epsilon_and_the_pixel_range(
    model, images_and_labels, attack, epsilon
):
    images, labels = images_and_labels
    attacked = attack(model, images, labels, epsilon)
    assert attacked.dtype == np.float32
    assert attacked.shape == images.shape
    assert np.abs(attacked - images.astype(np.float32)).max() <= epsilon + 1e-4
    assert attacked.min() >= 0
    assert attacked.max() <= 255


@pytest.mark.parametrize("attack", [attacks.fgsm, attacks.pgd, attacks.noise])
def test_epsilon_zero_changes_nothing(model, images_and_labels, attack):
    images, labels = images_and_labels
    np.testing.assert_array_equal(attack(model, images, labels, 0), images)


def test_attacks_leave_their_inputs_as_they_were(model, images_and_labels):
    images, labels = images_and_labels
    floats = images.astype(np.float32)
    attacks.pgd(model, floats, labels, 4.0)
    np.testing.assert_array_equal(floats, images)


def test_fgsm_follows_the_gradient_of_the_binary_cross_entropy(model, images_and_labels):
    images, labels = images_and_labels
    pixels = tf.constant(images, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        loss = keras.losses.binary_crossentropy(
            labels[:, None].astype("float32"), model(pixels), from_logits=True
        )
    expected = np.clip(images + 2.0 * np.sign(tape.gradient(loss, pixels)), 0, 255)
    # Where the loss's gradient underflows to zero the margin's does not: those pixels may differ.
    same = attacks.fgsm(model, images, labels, 2.0) == expected
    assert same.mean() > 0.999


def test_a_very_sure_detector_is_broken_all_the_same():
    """Through the loss the gradient would be exactly 0 at a logit of 2,000 in float32."""
    model = linear_detector(np.full(48, 1.0), bias=-48 * 127.0 + 2000)
    image = np.full((1, 4, 4, 3), 127, np.uint8)
    curve = attacks.curve(model, image, [1], [10, 60], "fgsm")
    assert curve.accuracy.tolist() == [1, 0]


def test_pgd_is_never_weaker_than_no_attack_nor_than_fewer_steps_or_restarts(
    model, images_and_labels
):
    images, labels = images_and_labels
    clean = margins(model, images, labels)

    def found(**options):
        return margins(model, attacks.pgd(model, images, labels, 2.0, **options), labels)

    few = found(steps=3, step_size=0.5)
    slack = 1e-3  # rounding: batches of another size are summed in another order
    assert (few <= clean + slack).all()
    assert (found(steps=12, step_size=0.5) <= few + slack).all()
    assert (found(steps=3, step_size=0.5, restarts=3) <= few + slack).all()
    assert (
        found(steps=10).mean()
        < margins(model, attacks.fgsm(model, images, labels, 2.0), labels).mean() + slack
    )


def test_pgd_depends_on_the_seed_alone(model, images_and_labels):
    images, labels = images_and_labels
    whole = attacks.pgd(model, images, labels, 2.0, steps=2, seed=3)
    np.testing.assert_allclose(
        attacks.pgd(model, images, labels, 2.0, steps=2, seed=3, batch_size=11), whole, atol=1e-3
    )
    part = attacks.pgd(
        model, images[20:30], labels[20:30], 2.0, steps=2, seed=3, indices=np.arange(20, 30)
    )
    np.testing.assert_allclose(part, whole[20:30], atol=1e-3)
    assert not np.array_equal(attacks.pgd(model, images, labels, 2.0, steps=2, seed=4), whole)


def test_early_stopping_breaks_the_same_images(model, images_and_labels):
    images, labels = images_and_labels
    for threshold in (0.5, 0.8):
        verdicts = [
            detector.is_correct(
                detector.predict_logits(
                    model,
                    attacks.pgd(model, images, labels, 4.0, early_stop=early, threshold=threshold),
                ),
                labels,
                threshold,
            )
            for early in (False, True)
        ]
        np.testing.assert_array_equal(*verdicts)
        assert 0 < verdicts[0].mean() < 1


def test_one_trace_serves_every_epsilon_step_and_batch_size(build_detector, images_and_labels):
    images, labels = images_and_labels
    fresh = build_detector()
    for epsilon, steps, batch_size in ((1.0, 2, 60), (2.0, 5, 17), (0.5, 3, 60)):
        attacks.pgd(fresh, images, labels, epsilon, steps, batch_size=batch_size, early_stop=True)
    assert detector.backward(fresh).experimental_get_tracing_count() == 1


@pytest.mark.parametrize("attack", ["fgsm", "pgd", "noise"])
def test_a_curve_starts_at_the_clean_accuracy_and_never_rises(model, images_and_labels, attack):
    images, labels = images_and_labels
    curve = attacks.curve(model, images, labels, [8, 0, 2, 0.5, 4, 2], attack)
    assert curve.epsilon.tolist() == [0, 0.5, 2, 4, 8]
    clean = detector.is_correct(detector.predict_logits(model, images), labels)
    assert curve.accuracy[0] == clean.mean()
    assert (curve.accuracy.diff().dropna() <= 0).all()
    assert (curve.ci_low <= curve.accuracy).all() and (curve.accuracy <= curve.ci_high).all()
    assert set(curve.n) == {len(images)}
    np.testing.assert_allclose((curve.fake_recall + curve.real_recall) / 2, curve.accuracy)


def test_pgd_breaks_more_than_fgsm_and_fgsm_more_than_noise(model, images_and_labels):
    images, labels = images_and_labels
    left = {
        name: attacks.curve(model, images, labels, [8], name).accuracy[0]
        for name in ("pgd", "fgsm", "noise")
    }
    assert left["pgd"] < left["fgsm"] < left["noise"]


def test_an_image_that_was_wrong_counts_as_broken_even_if_the_attack_would_mend_it(
    model, images_and_labels
):
    images, labels = images_and_labels
    wrong_labels = labels.copy()
    wrong_labels[:30] = 1 - wrong_labels[:30]

    def identity(model, images, labels, epsilon):
        return images

    curve = attacks.curve(model, images, wrong_labels, [0, 1], identity)
    assert curve.attack.tolist() == ["identity", "identity"]
    assert curve.accuracy.max() <= 0.5


def test_an_image_broken_once_stays_broken_unless_each_epsilon_is_asked_for_itself(
    model, images_and_labels
):
    images, labels = images_and_labels
    good = detector.is_correct(detector.predict_logits(model, images), labels)
    images, labels = images[good], labels[good]

    def works_at_one_only(model, images, labels, epsilon):
        return attacks.pgd(model, images, labels, 30.0 if epsilon == 1 else 0.0)

    carried = attacks.curve(model, images, labels, [1, 2], works_at_one_only)
    assert carried.accuracy.tolist() == [0, 0]
    alone = attacks.curve(model, images, labels, [1, 2], works_at_one_only, worst_case=False)
    assert alone.accuracy.tolist() == [0, 1]


def test_a_curve_of_one_class_has_no_recall_for_the_other(model, images_and_labels):
    images, labels = images_and_labels
    curve = attacks.curve(model, images[labels == 0], labels[labels == 0], [1])
    assert curve.fake_recall[0] == curve.accuracy[0]
    assert np.isnan(curve.real_recall[0])


def test_progress_is_told(model, images_and_labels, tmp_path, monkeypatch):
    monkeypatch.setenv("REALFAKE_PROGRESS", str(tmp_path / "progress"))
    images, labels = images_and_labels
    attacks.fgsm(model, images, labels, 1.0)
    assert "FGSM, epsilon 1/255" in (tmp_path / "progress").read_text()


def test_an_unknown_attack_is_named(model, images_and_labels):
    with pytest.raises(UserError, match="unknown attack 'fgms'"):
        attacks.curve(model, *images_and_labels, [1], "fgms")


@pytest.mark.parametrize("epsilon", [-1, 256, np.inf, np.nan])
def test_an_epsilon_that_is_no_radius_is_refused(model, images_and_labels, epsilon):
    for attack in (attacks.fgsm, attacks.pgd, attacks.noise):
        with pytest.raises(ValueError, match="epsilon"):
            attack(model, *images_and_labels, epsilon)


def test_pgd_without_steps_is_refused(model, images_and_labels):
    with pytest.raises(ValueError, match="at least 1"):
        attacks.pgd(model, *images_and_labels, 1.0, steps=0)
