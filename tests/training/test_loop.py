"""Training repeats itself to the bit, survives kill -9, and never trains the same thing twice."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from training.tiny_task import make_task

from realfake_lib import models, training
from realfake_lib.errors import UserError
from realfake_lib.models import transfer

VICTIM = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from tiny_task import make_task
from realfake_lib import data, settings, training

place, folder = sys.argv[2:]
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
calls = 0
def second_time(function):
    def wrapper(*args, **kwargs):
        global calls
        calls += 1
        return die() if calls == 2 else function(*args, **kwargs)
    return wrapper
if place == "training":
    data.batches = second_time(data.batches)
else:
    settings.os.replace = second_time(settings.os.replace)
dataset, splits = make_task()
recipe = training.Recipe(
    epochs=3, batch_size=32, learning_rate=1e-3, augment="original", precision="float32"
)
training.fit("baseline_cnn", dataset, splits, recipe, seed=5, checkpoint_dir=folder)
"""


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a.get_weights(), b.get_weights(), strict=True))


@pytest.fixture(scope="module")
def whole(task, recipe):
    """The uninterrupted training."""
    return training.fit("baseline_cnn", *task, recipe, seed=5)


def test_it_learns_and_tells_the_course(whole):
    assert whole.history.val_accuracy.iloc[-1] > 0.8
    assert list(whole.history) == [
        *("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"),
        *("images", "side", "seconds"),
    ]
    assert whole.history.epoch.tolist() == [1, 2, 3] and whole.epochs_run == 3
    assert whole.seconds > 0 and whole.images_per_second > 0
    assert "no checkpoint" in whole.reason


def test_two_trainings_of_one_seed_are_the_same_to_the_bit(whole, task, recipe):
    assert same(whole.model, training.fit("baseline_cnn", *task, recipe, seed=5).model)


def test_another_seed_gives_another_network(whole, task, recipe):
    assert not same(whole.model, training.fit("baseline_cnn", *task, recipe, seed=6).model)


@pytest.mark.parametrize("place", ["training", "writing"])
def test_after_kill_9_the_same_call_ends_with_the_same_weights(
    place, whole, task, recipe, tmp_path
):
    script = tmp_path / "victim.py"
    script.write_text(VICTIM)
    folder = tmp_path / "checkpoints"
    command = [sys.executable, script, Path(__file__).parent, place, folder]
    assert subprocess.run(command, capture_output=True, timeout=300).returncode == -9
    result = training.fit("baseline_cnn", *task, recipe, seed=5, checkpoint_dir=folder)
    assert result.resumed_from == 1 and result.epochs_run == 2
    assert "carried on after epoch 1 of 3" in result.reason
    assert same(result.model, whole.model)
    assert result.history.drop(columns="seconds").equals(whole.history.drop(columns="seconds"))


def test_a_finished_training_is_loaded(whole, task, recipe, tmp_path, monkeypatch):
    training.fit("baseline_cnn", *task, recipe, seed=5, checkpoint_dir=tmp_path)
    monkeypatch.setattr(training.loop.data, "batches", lambda *_, **__: pytest.fail("trained"))
    again = training.fit("baseline_cnn", *task, recipe, seed=5, checkpoint_dir=tmp_path)
    assert again.epochs_run == 0 and "loaded, not trained" in again.reason
    assert same(again.model, whole.model)


def test_a_change_of_anything_that_matters_trains_anew(task, recipe, tmp_path):
    dataset, splits = task
    one = recipe.replace(epochs=1)
    variants = [
        (dataset, splits, one, 0),
        (dataset, splits, one.replace(label_smoothing=0.1), 0),
        (dataset, splits, one, 1),
        (replace(dataset, fingerprint="other"), splits, one, 0),
        (dataset, replace(splits, train=splits.train[:128]), one, 0),
    ]
    for data_, splits_, recipe_, seed in variants:
        result = training.fit(
            "tiny_cnn", data_, splits_, recipe_, seed=seed, checkpoint_dir=tmp_path
        )
        assert result.epochs_run == 1
    assert len(list(tmp_path.iterdir())) == len(variants)


def test_a_change_of_the_training_code_trains_anew(task, recipe, tmp_path, monkeypatch):
    one = recipe.replace(epochs=1)
    training.fit("tiny_cnn", *task, one, checkpoint_dir=tmp_path)
    assert training.fit("tiny_cnn", *task, one, checkpoint_dir=tmp_path).epochs_run == 0
    code = []

    def changed(*pieces):
        code.extend(pieces)
        return "other code"

    training.loop.environment_digest.cache_clear()
    monkeypatch.setattr(training.loop, "code_hash", changed)
    assert training.fit("tiny_cnn", *task, one, checkpoint_dir=tmp_path).epochs_run == 1
    assert {training.augment, training.loop, training.Recipe} <= set(code)
    training.loop.environment_digest.cache_clear()


def test_a_checkpoint_under_a_wrong_name_is_not_used(task, recipe, tmp_path):
    one = recipe.replace(epochs=1)
    training.fit("tiny_cnn", *task, one, seed=0, checkpoint_dir=tmp_path / "a")
    training.fit("tiny_cnn", *task, one, seed=1, checkpoint_dir=tmp_path / "b")
    source, target = next((tmp_path / "a").iterdir()), next((tmp_path / "b").iterdir())
    target.write_bytes(source.read_bytes())
    result = training.fit("tiny_cnn", *task, one, seed=1, checkpoint_dir=tmp_path / "b")
    assert result.epochs_run == 1


def test_the_best_epoch_is_chosen_on_validation(task, recipe, tmp_path):
    dataset, splits = task
    # Wrong labels in half of the validation images punish the growing confidence.
    labels = dataset.labels.copy()
    labels[160:180] = 1 - labels[160:180]
    dataset = replace(dataset, labels=labels)
    best = recipe.replace(select="best_val_loss", learning_rate=0.01, schedule="constant")
    result = training.fit("tiny_cnn", dataset, splits, best, checkpoint_dir=tmp_path)
    assert result.history.val_loss.idxmin() < 2
    logits = training.predict_logits(result.model, dataset.images, splits.val)
    loss = np.mean(np.logaddexp(0, logits) - labels[splits.val] * logits)
    assert loss == pytest.approx(result.history.val_loss.min(), rel=1e-3)
    again = training.fit("tiny_cnn", dataset, splits, best, checkpoint_dir=tmp_path)
    assert same(again.model, result.model)


def test_mixed_precision_returns_a_float32_model(task, recipe, tmp_path):
    result = training.fit(
        "tiny_cnn", *task, recipe.replace(epochs=1, precision="mixed_bfloat16", augment="none")
    )
    assert {layer.compute_dtype for layer in result.model.layers} == {"float32"}
    models.save(result.model, tmp_path / "m.keras")


def test_progress_is_left_for_the_terminal(task, recipe, tmp_path, monkeypatch):
    monkeypatch.setenv("REALFAKE_PROGRESS", str(tmp_path / "progress"))
    training.fit("tiny_cnn", *task, recipe.replace(epochs=1), label="a network")
    last = json.loads((tmp_path / "progress").read_text().splitlines()[-1])
    assert last["message"].startswith("a network epoch 1/1")
    assert last["done"] == last["total"] == 1


def test_a_builder_and_a_model_can_be_trained_too(task, recipe):
    one = recipe.replace(epochs=1)
    built = training.fit(lambda side: models.build("stack", side, plan="4P 8P 16P"), *task, one)
    before = [w.copy() for w in built.model.get_weights()]
    further = training.fit(built.model, *task, one)
    assert not same(further.model, built.model)
    assert all(np.array_equal(a, b) for a, b in zip(before, built.model.get_weights(), strict=True))


def test_fewer_images_than_a_batch_still_train(task, recipe):
    dataset, splits = task
    few = replace(splits, train=splits.train[:10])
    result = training.fit("tiny_cnn", dataset, few, recipe.replace(epochs=1))
    assert np.isfinite(result.history.loss).all()


def test_an_empty_split_is_a_users_mistake(task, recipe):
    dataset, splits = task
    with pytest.raises(UserError, match="0 validation images"):
        training.fit("tiny_cnn", dataset, replace(splits, val=splits.val[:0]), recipe)


def test_a_model_for_another_size_is_a_users_mistake(task, recipe):
    with pytest.raises(UserError, match="takes 32 pixels"):
        training.fit(models.build("tiny_cnn", 32), *task, recipe)


def test_fine_tuning_leaves_batchnorm_and_the_given_model_alone(recipe):
    dataset, splits = make_task(side=32)
    keras.utils.set_random_seed(0)
    model = transfer.build("mobilenet", "conv_pw_2_relu", weights=None)
    before = [w.copy() for w in model.get_weights()]
    tuned = training.fine_tune(model, dataset, splits, recipe.replace(epochs=1)).model
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))

    def changed(name):
        pairs = zip(
            model.get_layer(name).get_weights(), tuned.get_layer(name).get_weights(), strict=True
        )
        return not all(np.array_equal(a, b) for a, b in pairs)

    assert changed("conv1") and changed("conv_pw_2") and changed("logit")
    assert not changed("conv1_bn") and not changed("conv_pw_2_bn")


def test_a_checkpoint_is_found_again_by_another_build_of_the_same_network(tmp_path):
    dataset, splits = make_task(side=32)
    one = training.Recipe(epochs=1, batch_size=32, precision="float32")
    for _ in range(2):  # this backbone has layers without names, which Keras numbers
        keras.utils.set_random_seed(0)
        model = transfer.build("efficientnetv2b0", "block1a_project_activation", weights=None)
        result = training.fit(model, dataset, splits, one, checkpoint_dir=tmp_path)
    assert result.epochs_run == 0
