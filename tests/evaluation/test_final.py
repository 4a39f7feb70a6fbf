"""A final model is scored once, calibrated on validation, with the unseen generators beside it."""

import dataclasses
import json
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest

from realfake_lib.data import ImageDataset
from realfake_lib.evaluation import augmentation, final
from realfake_lib.settings import FAKE, REAL


@pytest.fixture(scope="module")
def brightness_detector():
    """A network whose logit grows with the picture's mean brightness: bright is REAL."""
    inputs = keras.Input((16, 16, 3))
    mean = keras.layers.GlobalAveragePooling2D()(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1, name="logit")(mean))
    model.set_weights([np.full((3, 1), 1 / 30, "float32"), np.array([-12.8], "float32")])
    return model


@pytest.fixture(scope="module")
def pictures():
    """400 noisy grey pictures, REAL brighter on average; 20 test ones have a duplicate in train."""
    rng = np.random.default_rng(0)
    labels = np.tile([FAKE, REAL], 200).astype("int8")
    level = 128 + np.where(labels == REAL, 12, -12) + rng.normal(0, 12, 400)
    images = np.clip(level[:, None, None, None] + rng.normal(0, 5, (400, 16, 16, 3)), 0, 255)
    test = np.arange(200, 400)
    index = pd.DataFrame({"label": labels})
    return (
        ImageDataset(images.astype("uint8"), index, "tiny", "f", "made here"),
        SimpleNamespace(val=np.arange(100, 200), test=test, test_dedup=test[20:]),
    )


@pytest.fixture(scope="module")
def result(brightness_detector, pictures):
    dataset, splits = pictures
    bright = np.full((30, 16, 16, 3), 170, "uint8")
    dark = np.full((10, 32, 32, 3), 60, "uint8")
    return final.score(brightness_detector, dataset, splits, {"bright": bright, "dark": dark})


def test_the_test_set_is_scored_with_and_without_duplicates(result):
    assert (result.test.n, result.test_dedup.n) == (200, 180)
    assert 0.7 < result.test.accuracy < 1


def test_the_operating_point_comes_from_validation_alone(brightness_detector, pictures, result):
    dataset, splits = pictures
    without_test = dataclasses.replace(result.point)
    labels = dataset.labels.copy()
    labels[splits.test] = 1 - labels[splits.test]
    shuffled = dataset.relabelled(labels)
    assert final.score(brightness_detector, shuffled, splits).point == without_test


def test_fakes_that_look_real_are_missed_and_those_that_look_fake_are_found(result):
    assert result.unseen["bright"].fake_recall == 0
    assert result.unseen["bright"].auroc < 0.1
    assert result.unseen["dark"].fake_recall == 1
    assert result.unseen["dark"].auroc > 0.9


def test_all_unseen_generators_together_weigh_each_fake_alike(result):
    assert result.unseen["all"].n == 40
    assert result.unseen["all"].fake_recall == pytest.approx(10 / 40)


def test_pictures_of_another_size_are_resized_to_the_network(result):
    assert result.unseen_logits["dark"].shape == (10,)


def test_every_metric_of_a_model_has_its_own_name(result):
    names = [f"{part}.{name}" for part, items, _ in result.parts() for name, *_ in _pairs(items)]
    assert len(set(names)) == len(names)
    assert {"test.accuracy", "test_dedup.accuracy", "unseen.bright.auroc"} <= set(names)
    assert {"operating_point.temperature", "test_at_threshold.false_positive_rate"} <= set(names)


def test_errors_and_false_positives_are_counted_on_the_test_set(result):
    wrong = (result.p_fake >= 0.5) == result.y_test
    assert result.errors == wrong.sum()
    alarms = result.p_fake[result.y_test == REAL] >= result.point.threshold
    assert result.false_positive_rate == pytest.approx(alarms.mean())


def test_the_tables_set_unseen_generators_beside_the_accuracy(result):
    headline = final.headline_table({"a": result})
    assert headline.at["a", "unseen_recall"] == result.unseen["all"].fake_recall
    assert headline.at["a", "false_positive_rate"] == result.false_positive_rate
    at_threshold = (result.p_fake >= result.point.threshold) == (result.y_test == FAKE)
    assert headline.at["a", "accuracy_at_threshold"] == np.mean(at_threshold)
    auroc, recall = (final.unseen_table({"a": result}, one) for one in ("auroc", "fake_recall"))
    assert list(auroc.columns) == ["training generator", "bright", "dark", "all"]
    assert auroc.at["a", "training generator"] == result.test.auroc
    assert recall.at["a", "dark"] == result.unseen["dark"].fake_recall


def test_without_unseen_generators_there_are_no_columns_for_them(brightness_detector, pictures):
    alone = final.score(brightness_detector, *pictures)
    assert alone.unseen == {}
    assert "unseen_auroc" not in final.headline_table({"a": alone})
    assert set(alone.scores_by_origin()) == {"REAL", "FAKE"}


def test_the_metadata_are_plain_json_with_what_predict_reads(result):
    meta = json.loads(json.dumps(final.metadata(result)))
    assert {"temperature", "threshold", "uncertain_band", "test", "unseen"} <= set(meta)
    assert meta["unseen"]["dark"]["fake_recall"] == 1
    assert "all" not in meta["unseen"]


def test_rotation_and_shift_take_fine_detail_that_mirroring_keeps(pictures):
    dataset, _ = pictures
    policies = ["none", "flip", "original"]
    table = augmentation.detail_left(dataset.images, dataset.labels, policies)
    kept = table.set_index("augmentation")["power_kept"]
    assert kept["flip"] == pytest.approx(1, abs=1e-3)
    assert kept["original"] < 0.7


def test_verdicts_are_counted_on_images_as_an_augmentation_hands_them_over(
    brightness_detector, pictures
):
    images = pictures[0].images
    shares = augmentation.predicted_fake_under(brightness_detector, images, ["none", "flip"])
    # Mirroring changes no brightness, so it changes no verdict of this network.
    assert 0.3 < shares["none"] == shares["flip"] < 0.7


def _pairs(items):
    return items.items() if isinstance(items, dict) else items


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_a_model_of_known_accuracy_gets_it_in_any_order(brightness_detector, seed):
    """The original's two mistakes would give one half here, in every order."""
    labels = np.tile([FAKE, REAL], 100).astype("int8")
    bright = labels == REAL
    bright[:20] = ~bright[:20]  # of 200 pictures, 20 look like the other class
    images = np.where(bright, 200, 60).astype("uint8")[:, None, None, None]
    images = np.broadcast_to(images, (200, 16, 16, 3))
    order = np.arange(200) if seed is None else np.random.default_rng(seed).permutation(200)
    dataset = SimpleNamespace(images=images[order], labels=labels[order])
    rows = np.arange(200)
    splits = SimpleNamespace(val=rows, test=rows, test_dedup=rows)
    scored = final.score(brightness_detector, dataset, splits)
    assert scored.test.accuracy == pytest.approx(0.9)
    assert scored.test.confusion.tolist() == [[90, 10], [10, 90]]


def test_an_ensemble_is_the_mean_of_its_logits(brightness_detector, pictures):
    dataset, splits = pictures
    dark = {"dark": np.full((10, 16, 16, 3), 60, "uint8")}
    one = final.predict(brightness_detector, dataset, splits, dark)
    doubled = final.Logits(2 * one.val, 2 * one.test, {"dark": 2 * one.unseen["dark"]})
    two = final.average([one, doubled])
    for part in ("val", "test"):
        np.testing.assert_allclose(getattr(two, part), 1.5 * getattr(one, part), rtol=1e-6)
    np.testing.assert_allclose(two.unseen["dark"], 1.5 * one.unseen["dark"], rtol=1e-6)
    assert np.array_equal(final.average([one]).test, one.test)


def test_flipped_images_are_flipped_left_to_right(pictures):
    inputs = keras.Input((16, 16, 3))
    left = keras.layers.Cropping2D(((0, 0), (0, 15)))(inputs)
    mean = keras.layers.GlobalAveragePooling2D()(left)
    model = keras.Model(inputs, keras.layers.Dense(1, name="logit")(mean))
    model.set_weights([np.array([[1.0], [0], [0]], "float32"), np.zeros(1, "float32")])
    images = np.zeros((2, 16, 16, 3), "uint8")
    images[:, :, 0], images[:, :, -1] = 7, 200
    dataset = dataclasses.replace(pictures[0], images=images)
    splits = SimpleNamespace(val=np.array([0]), test=np.array([1]))
    assert final.predict(model, dataset, splits, {"g": images}).test[0] == pytest.approx(7)
    flipped = final.predict(model, dataset, splits, {"g": images}, flip=True)
    assert flipped.val[0] == pytest.approx(200) and flipped.unseen["g"][1] == pytest.approx(200)


def test_logits_are_read_back_where_they_were_kept(brightness_detector, pictures, tmp_path):
    first = final.predict(brightness_detector, *pictures, cache=tmp_path)
    weights = brightness_detector.get_weights()
    assert np.array_equal(first.test, final.predict(brightness_detector, *pictures).test)
    assert np.array_equal(
        first.val, final.predict(brightness_detector, *pictures, cache=tmp_path).val
    )
    brightness_detector.set_weights([-one for one in weights])
    other = final.predict(brightness_detector, *pictures, cache=tmp_path)
    brightness_detector.set_weights(weights)
    assert not np.array_equal(first.test, other.test)


def test_seeds_are_summed_up_by_mean_lowest_and_highest(brightness_detector, pictures):
    dataset, splits = pictures
    logits = final.predict(brightness_detector, dataset, splits)
    worse = dataclasses.replace(logits, test=logits.test[::-1])
    scored = [final.score_logits(each, dataset, splits) for each in (logits, worse)]
    test = {prefix: items for prefix, items, _ in final.over_seeds(scored)}["test"]
    name, mean, (low, high) = test[0]
    accuracies = [one.test.accuracy for one in scored]
    assert name == "accuracy" and mean == pytest.approx(np.mean(accuracies))
    assert (low, high) == (min(accuracies), max(accuracies)) and low < high


def test_a_training_of_two_names_is_predicted_once(brightness_detector, pictures, monkeypatch):
    one, other = (SimpleNamespace(model=brightness_detector) for _ in range(2))
    asked = []

    def predict(model, *arguments, **options):
        asked.append(options)
        return len(asked)

    monkeypatch.setattr(final, "predict", predict)
    fits = {"detector": one, "hard_labels": other, "detector, seed 0": one}
    said = final.predict_each(fits, *pictures, flip=True)
    assert said == {"detector": 1, "hard_labels": 2, "detector, seed 0": 1}
    assert all(options == {"flip": True} for options in asked)
