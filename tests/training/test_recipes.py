"""Recipes: those of the original are what it says, and a wrong one is refused at once."""

import pytest

from realfake_lib import training
from realfake_lib.errors import UserError


def test_the_originals_recipe_is_the_originals():
    recipe = training.RECIPES["baseline_original"]
    assert (recipe.epochs, recipe.batch_size, recipe.optimizer) == (10, 32, "adam")
    assert (recipe.learning_rate, recipe.schedule, recipe.augment) == (1e-3, "constant", "original")
    assert recipe.label_smoothing == 0 and recipe.weight_decay == 0


def test_the_plain_recipe_differs_in_length_and_augmentation_only():
    original, plain = training.RECIPES["baseline_original"], training.RECIPES["baseline"]
    assert plain.replace(epochs=10, augment="original") == original


def test_one_cycle_rises_and_falls_to_zero():
    recipe = training.Recipe(learning_rate=1.0, warmup=0.25)
    rates = recipe.rates(0, 1.01, 101)
    assert rates[0] == pytest.approx(0.05) and rates.argmax() == 25
    assert rates.max() == pytest.approx(1) and rates[100] == pytest.approx(0, abs=1e-6)
    # An epoch with fewer steps covers the same part of the way.
    assert recipe.rates(0.5, 0.75, 10)[0] == recipe.rates(0.5, 0.75, 3)[0] == rates[50]


@pytest.mark.parametrize("name", ["adam", "adamw", "muon", "sgd"])
def test_every_optimizer_is_made(name):
    optimizer = training.Recipe(optimizer=name).make_optimizer()
    assert type(optimizer).__name__.lower() == name


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "lion"},
        {"schedule": "steps"},
        {"precision": "float16"},
        {"select": "best_test"},
        {"augment": "mixup"},
        {"epochs": 0},
        {"learning_rate": -1.0},
        {"label_smoothing": 1.0},
        {"momentum": 0.9},
        {"data_pruning": 1.0},
        {"crop_size": 0.0},
    ],
)
def test_a_wrong_field_is_a_users_mistake(changes):
    with pytest.raises(UserError) as caught:
        training.Recipe().replace(**changes)
    assert next(iter(changes)) in str(caught.value) or "mixup" in str(caught.value)


def test_a_recipe_is_found_by_name_or_handed_through():
    recipe = training.Recipe()
    assert training.get_recipe(recipe) is recipe
    assert training.get_recipe("baseline") == training.RECIPES["baseline"]
    with pytest.raises(UserError, match="Known recipes: baseline_original"):
        training.get_recipe("best")


def test_few_images_get_smaller_batches_and_enough_steps():
    from realfake_lib.training.recipes import LEAST_STEPS, RECIPES

    few = RECIPES["short"].for_images(240)
    assert few.batch_size == 8 and few.epochs * (240 // 8) >= LEAST_STEPS
    assert few.for_images(240) == few
    many = RECIPES["short"].for_images(90_000)
    assert many == RECIPES["short"].replace(least_steps=0)


def test_no_batch_is_larger_than_the_training_set():
    for recipe in training.RECIPES.values():
        for n in (2, 7, 28, 1000):
            fitted = recipe.for_images(n)
            assert 1 <= fitted.batch_size <= n and fitted.epochs >= recipe.epochs
