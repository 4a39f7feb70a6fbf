"""A second head that names the object helps training and leaves no trace in the detector."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from training.test_loop import same
from training.tiny_task import Task, make_task

from realfake_lib import training
from realfake_lib.errors import UserError
from realfake_lib.training import objectives


@dataclass(frozen=True)
class WithObjects(Task):
    index: pd.DataFrame = None


@pytest.fixture(scope="module")
def of_objects():
    """The tiny task, its pictures of three kinds of object, which is which told by colour."""
    dataset, splits = make_task()
    objects = np.arange(len(dataset.images)) // 2 % 3
    images = dataset.images.copy()
    for kind in range(3):
        images[objects == kind, :, :, kind] //= 3
    index = pd.DataFrame({"object_class": objects.astype("int8")})
    return WithObjects(images, dataset.labels, "tiny objects", index), splits


@pytest.fixture(scope="module")
def both(recipe):
    return recipe.replace(auxiliary_class_loss=0.5, epochs=4, learning_rate=1e-2)


def test_the_detector_has_one_logit_and_other_weights_than_without(of_objects, both):
    with_objects = training.fit("tiny_cnn", *of_objects, both)
    without = training.fit("tiny_cnn", *of_objects, both.replace(auxiliary_class_loss=0.0))
    assert with_objects.model.output_shape == (None, 1)
    assert not same(with_objects.model, without.model)


def test_the_loss_that_is_told_is_that_of_real_or_fake(of_objects, both):
    fit = training.fit("tiny_cnn", *of_objects, both)
    dataset, splits = of_objects
    logits = training.predict_logits(fit.model, dataset.images, splits.val).astype(float)
    labels = dataset.labels[splits.val]
    expected = np.mean(np.logaddexp(0, logits) - labels * logits)
    assert fit.history["val_loss"].iloc[-1] == pytest.approx(expected, rel=1e-4)


def test_the_second_head_learns_the_objects(of_objects, both, monkeypatch):
    heads = []
    attach = objectives.RealOrFakeOfWhat.attach

    def remembered(self, copy):
        heads.append(attach(self, copy))
        return heads[-1]

    monkeypatch.setattr(objectives.RealOrFakeOfWhat, "attach", remembered)
    training.fit(
        "tiny_cnn", *of_objects, both.replace(epochs=12, auxiliary_class_loss=2.0, augment="flip")
    )
    dataset, splits = of_objects
    said = heads[0].predict(dataset.images[splits.train].astype("float32"), verbose=0)[:, 1:]
    truth = dataset.index["object_class"].to_numpy()[splits.train]
    assert np.mean(np.argmax(said, axis=1) == truth) > 0.7


def test_a_killed_training_with_two_heads_carries_on_to_the_bit(of_objects, both, tmp_path):
    whole = training.fit("tiny_cnn", *of_objects, both)

    class Killed(Exception):
        pass

    def kill(*_):
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        validate, calls = training.loop._validate, []
        patch.setattr(
            training.loop,
            "_validate",
            lambda *a: kill() if len(calls) == 2 else (calls.append(1), validate(*a))[1],
        )
        with pytest.raises(Killed):
            training.fit("tiny_cnn", *of_objects, both, checkpoint_dir=tmp_path)
    resumed = training.fit("tiny_cnn", *of_objects, both, checkpoint_dir=tmp_path)
    assert resumed.resumed_from == 2 and same(resumed.model, whole.model)


def test_unknown_objects_weigh_nothing():
    labels = np.array([[1, -1], [1, 0]], "float32")
    outputs = np.array([[0.0, 5, 1], [0, 5, 1]], "float32")
    beside = objectives.RealOrFakeOfWhat(classes=2, weight=0.5).beside(labels, outputs).numpy()
    assert beside[0] == 0 and beside[1] == pytest.approx(0.5 * np.log1p(np.exp(-4)), rel=1e-4)


def test_pictures_of_nothing_known_train_as_ever(of_objects, both):
    dataset, splits = of_objects
    unknown = replace(dataset, index=dataset.index.assign(object_class=np.int8(-1)))
    alone = training.fit("tiny_cnn", unknown, splits, both)
    assert same(
        alone.model,
        training.fit("tiny_cnn", unknown, splits, both.replace(auxiliary_class_loss=0)).model,
    )


def test_a_negative_weight_is_refused(recipe):
    with pytest.raises(UserError, match="auxiliary_class_loss"):
        recipe.replace(auxiliary_class_loss=-1)
