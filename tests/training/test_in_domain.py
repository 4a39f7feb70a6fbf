"""Pre-training on object classes: photographs only, and what is learnt is carried over."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from realfake_lib import training
from realfake_lib.settings import REAL
from realfake_lib.training import in_domain
from realfake_lib.training.objectives import REAL_OR_FAKE, ObjectClasses, judge


@dataclass(frozen=True)
class Objects:
    """Three kinds of object, told apart by their colour; every third image is FAKE."""

    images: np.ndarray
    index: pd.DataFrame
    name: str = "objects"
    fingerprint: str = "objects"

    @property
    def labels(self):
        return self.index["label"].to_numpy()

    @property
    def image_size(self):
        return self.images.shape[1]


@dataclass(frozen=True)
class Split:
    train: np.ndarray
    val: np.ndarray


@pytest.fixture(scope="module")
def objects():
    dice = np.random.default_rng(0)
    kinds = np.arange(240) % 4 - 1  # -1: nobody knows
    images = dice.integers(0, 120, (240, 16, 16, 3))
    for kind in range(3):
        images[kinds == kind, :, :, kind] += 100
    labels = (dice.random(240) > 0.33).astype("int8")
    index = pd.DataFrame({"label": labels, "object_class": kinds.astype("int8")})
    rows = np.arange(240)
    return Objects(images.astype("uint8"), index), Split(rows[:200], rows[200:])


@pytest.fixture(scope="module")
def learnt(objects):
    recipe = training.Recipe(epochs=4, batch_size=8, learning_rate=3e-3, precision="float32")
    return in_domain.pretrain("tiny_cnn", *objects, recipe)


def test_only_photographs_of_known_objects_are_learnt_from(objects):
    dataset, splits = objects
    chosen = in_domain.photographs(dataset, splits.train)
    assert (dataset.labels[chosen] == REAL).all()
    assert (dataset.index["object_class"].to_numpy()[chosen] >= 0).all()
    assert 0 < len(chosen) < len(splits.train)


def test_a_network_learns_to_name_the_objects(learnt):
    assert learnt.model.output_shape == (None, 3)
    assert learnt.history["val_accuracy"].iloc[-1] > 0.8  # one third by chance


def test_a_killed_pre_training_carries_on_to_the_same_weights(objects, tmp_path, monkeypatch):
    recipe = training.Recipe(epochs=2, batch_size=16, precision="float32")
    whole = in_domain.pretrain("tiny_cnn", *objects, recipe, checkpoint_dir=tmp_path / "a")
    again = in_domain.pretrain("tiny_cnn", *objects, recipe, checkpoint_dir=tmp_path / "a")
    assert again.epochs_run == 0
    for one, other in zip(whole.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_all_but_the_logit_is_carried_over(learnt):
    model = in_domain.transferred(learnt, frozen=True)
    assert model.output_shape == (None, 1)
    assert [w.path for w in model.trainable_weights] == ["logit/kernel", "logit/bias"]
    for one, other in zip(learnt.model.get_weights()[:-2], model.get_weights()[:-2], strict=True):
        np.testing.assert_array_equal(one, other)
    assert all(layer.trainable for layer in in_domain.transferred(learnt).layers)


def test_fewer_photographs_can_be_asked_for(objects, monkeypatch):
    seen = {}
    monkeypatch.setattr(
        in_domain, "fit", lambda model, dataset, splits, *a, **o: seen.update(train=splits.train)
    )
    in_domain.pretrain("tiny_cnn", *objects, "comparison", n_train=20)
    assert len(seen["train"]) == 20 and (np.diff(seen["train"]) > 0).all()


def test_a_data_set_says_how_many_object_classes_it_knows(objects):
    dataset, _ = objects
    unknown = replace(dataset, index=dataset.index.assign(object_class=np.int8(-1)))
    assert in_domain.object_classes(dataset) == 3
    assert in_domain.object_classes(unknown) == 0


def test_losses_are_cross_entropies_with_the_smoothing_spread_evenly():
    outputs = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]], "float32"))
    labels = np.array([0, 1], "float32")
    objective = ObjectClasses(classes=3)
    np.testing.assert_allclose(objective.losses(labels, outputs), -np.log([0.7, 0.1]), rtol=1e-5)
    smooth = float(objective.losses(labels, outputs, 0.3)[0])
    assert smooth == pytest.approx(-(0.8 * np.log(0.7) + 0.1 * np.log(0.2) + 0.1 * np.log(0.1)))
    assert judge(objective, labels, outputs) == pytest.approx((-np.log([0.7, 0.1]).mean(), 0.5))
    logits = np.array([[2.0], [-1.0]], "float32")
    loss, right = judge(REAL_OR_FAKE, np.array([1, 1]), logits)
    assert loss == pytest.approx(np.logaddexp(0, [-2, 1]).mean()) and right == 0.5
