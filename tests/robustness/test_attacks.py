"""FGSM, PGD and accuracy curves: bounds, strength, determinism, and how errors count."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from realfake_lib.errors import UserError
from realfake_lib.robustness import attacks, detector

ALL = [attacks.fgsm, attacks.pgd, attacks.square, attacks.noise]


def margins(model, images, labels):
    return detector.signs(labels, len(labels)) * detector.predict_logits(model, images)


def linear_detector(weights, bias=0.0, size=4):
    """logit = weights · pixels + bias: every attack on it can be worked out by hand."""
    inputs = keras.Input((size, size, 3))
    logit = keras.layers.Dense(1)(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, logit)
    model.set_weights([np.reshape(weights, (-1, 1)), np.array([bias])])
    return model


def curve_of(model, images, labels, epsilons, attack="pgd", **options):
    found = attacks.survivors(model, images, labels, epsilons, attack, **options)
    return attacks.accuracies(found, labels, getattr(attack, "__name__", attack))


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
@pytest.mark.parametrize("attack", ALL)
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


@pytest.mark.parametrize("attack", ALL)
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
    curve = curve_of(model, image, [1], [10, 60], "fgsm")
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
    verdicts = [
        detector.is_correct(
            detector.predict_logits(
                model, attacks.pgd(model, images, labels, 4.0, early_stop=early)
            ),
            labels,
        )
        for early in (False, True)
    ]
    np.testing.assert_array_equal(*verdicts)
    assert 0 < verdicts[0].mean() < 1


@pytest.mark.parametrize("attack", ["fgsm", "pgd", "square", "noise"])
def test_a_curve_starts_at_the_clean_accuracy_and_never_rises(model, images_and_labels, attack):
    images, labels = images_and_labels
    curve = curve_of(model, images, labels, [8, 0, 2, 0.5, 4, 2], attack)
    assert curve.epsilon.tolist() == [0, 0.5, 2, 4, 8]
    clean = detector.is_correct(detector.predict_logits(model, images), labels)
    assert curve.accuracy[0] == clean.mean()
    assert (curve.accuracy.diff().dropna() <= 0).all()
    assert (curve.ci_low <= curve.accuracy).all() and (curve.accuracy <= curve.ci_high).all()
    assert set(curve.n) == {len(images)}
    np.testing.assert_allclose((curve.fake_recall + curve.real_recall) / 2, curve.accuracy)


def test_in_l2_the_length_of_the_change_is_bounded(model, images_and_labels):
    images, labels = images_and_labels
    clean = images.astype(np.float32)
    attacked = attacks.pgd(model, images, labels, 60.0, norm="l2", restarts=2)
    lengths = np.linalg.norm((attacked - clean).reshape(len(clean), -1), axis=1)
    assert 59 < lengths.max() <= 60 + 1e-3
    assert attacked.min() >= 0 and attacked.max() <= 255
    assert margins(model, attacked, labels).mean() < margins(model, images, labels).mean()


@pytest.mark.parametrize("label", [0, 1])
def test_in_l2_pgd_finds_the_optimum_of_a_linear_detector(linear, label):
    weights, model = linear
    image = np.full((1, 4, 4, 3), 127, np.uint8)
    attacked = attacks.pgd(model, image, [label], 20.0, norm="l2")
    best = -20.0 * np.linalg.norm(weights)
    assert margins(model, attacked, np.array([label]))[0] == pytest.approx(best, rel=1e-4)


def test_random_starts_fill_the_ball():
    for norm, largest in (("linf", np.inf), ("l2", 2)):
        draws = attacks._noise((500, 2, 2, 1), np.arange(500), (0, 0), norm).reshape(500, -1)
        lengths = np.linalg.norm(draws, largest, axis=1)
        assert 0.99 < lengths.max() <= 1
        # In four dimensions a sixteenth of a ball lies within half of its radius.
        assert (lengths < 0.5).mean() == pytest.approx(1 / 16, abs=0.03)
        assert np.abs(draws.mean(axis=0)).max() < 0.1


def test_square_breaks_a_linear_detector_without_a_gradient(linear):
    weights, model = linear
    image = np.tile(127 + np.reshape(np.sign(weights), (1, 4, 4, 3)), (8, 1, 1, 1))
    moved = attacks.square(model, image, np.ones(8, int), 3.0, queries=400, seed=1)
    assert (margins(model, moved, np.ones(8, int)) <= 0).all()
    assert set(np.abs(moved - image).ravel()) == {3.0}  # corners of the ball alone


def test_square_depends_on_the_seed_alone_and_on_no_other_image(model, images_and_labels):
    images, labels = images_and_labels
    whole = attacks.square(model, images, labels, 8.0, queries=30, seed=3)
    rows = np.arange(20, 30)
    part = attacks.square(model, images[rows], labels[rows], 8.0, 30, seed=3, indices=rows)
    np.testing.assert_array_equal(part, whole[rows])
    assert not np.array_equal(attacks.square(model, images, labels, 8.0, 30, seed=4), whole)


def test_more_queries_break_more(model, images_and_labels):
    images, labels = images_and_labels
    few, many = (
        curve_of(model, images, labels, [16], "square", queries=n).accuracy[0] for n in (2, 200)
    )
    assert many < few


def test_squares_shrink_and_stay_inside():
    shares = [attacks._share(progress) for progress in np.linspace(0, 0.999, 50)]
    assert shares[0] == 0.8 and np.all(np.diff(shares) <= 0)
    covered = attacks._covered(np.array([0, 0.5, 0.999]), 3, 8)
    assert covered.sum(axis=1).tolist() == [3, 3, 3]
    assert covered[0, :3].all() and covered[2, 5:].all()


def test_one_change_for_all_fakes_passes_more_of_them_off_as_real(model, images_and_labels):
    images, labels = images_and_labels
    fakes = images[labels == 0]
    change = attacks.universal(model, fakes[:20], np.zeros(20, int), 16.0, seed=0)
    assert change.shape == images.shape[1:] and np.abs(change).max() <= 16
    moved = np.clip(fakes[20:] + change, 0, 255)
    noisy = attacks.noise(model, fakes[20:], np.zeros(len(moved), int), 16.0)
    found = [
        detector.is_correct(detector.predict_logits(model, x), np.zeros(len(x), int)).mean()
        for x in (moved, noisy)
    ]
    assert found[0] <= found[1]
    before = detector.predict_logits(model, fakes[20:]).mean()
    assert detector.predict_logits(model, moved).mean() > before


def test_pgd_breaks_more_than_fgsm_and_fgsm_more_than_noise(model, images_and_labels):
    images, labels = images_and_labels
    left = {
        name: curve_of(model, images, labels, [8], name).accuracy[0]
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

    curve = curve_of(model, images, wrong_labels, [0, 1], identity)
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

    carried = curve_of(model, images, labels, [1, 2], works_at_one_only)
    assert carried.accuracy.tolist() == [0, 0]
    alone = curve_of(model, images, labels, [1, 2], works_at_one_only, worst_case=False)
    assert alone.accuracy.tolist() == [0, 1]


def test_a_curve_of_one_class_has_no_recall_for_the_other(model, images_and_labels):
    images, labels = images_and_labels
    curve = curve_of(model, images[labels == 0], labels[labels == 0], [1])
    assert curve.fake_recall[0] == curve.accuracy[0]
    assert np.isnan(curve.real_recall[0])


def test_progress_is_told(model, images_and_labels, tmp_path, monkeypatch):
    monkeypatch.setenv("REALFAKE_PROGRESS", str(tmp_path / "progress"))
    images, labels = images_and_labels
    attacks.fgsm(model, images, labels, 1.0)
    assert "FGSM, epsilon 1/255" in (tmp_path / "progress").read_text()


def test_an_unknown_attack_is_named(model, images_and_labels):
    with pytest.raises(UserError, match="unknown attack 'fgms'"):
        curve_of(model, *images_and_labels, [1], "fgms")


@pytest.mark.parametrize("epsilon", [-1, 256, np.inf, np.nan])
def test_an_epsilon_that_is_no_radius_is_refused(model, images_and_labels, epsilon):
    for attack in ALL:
        with pytest.raises(ValueError, match="epsilon"):
            attack(model, *images_and_labels, epsilon)


def test_a_norm_that_is_none_is_refused(model, images_and_labels):
    with pytest.raises(ValueError, match="norm must be 'linf' or 'l2', got 'l1'"):
        attacks.pgd(model, *images_and_labels, 1.0, norm="l1")


def test_pgd_without_steps_is_refused(model, images_and_labels):
    with pytest.raises(ValueError, match="at least 1"):
        attacks.pgd(model, *images_and_labels, 1.0, steps=0)
