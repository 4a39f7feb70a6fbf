"""The demo set is the same every time, balanced, learnable, and without an easy shortcut."""

import subprocess
import sys

import numpy as np

from realfake_lib import data
from realfake_lib.data import demo as demo_module
from realfake_lib.data import layout
from realfake_lib.evaluation.shortcuts import shortcut_auroc


def test_the_demo_set_is_balanced_and_says_what_it_is(demo):
    assert demo.is_demo and demo.name == "demo" and demo.image_size == 32
    assert "DEMO DATA" in demo.notices[0]
    counts = demo.index.groupby(["split", "label"]).size().to_dict()
    assert counts == {("train", 0): 1000, ("train", 1): 1000, ("test", 0): 250, ("test", 1): 250}
    assert demo.n == demo_module.N_TRAIN + demo_module.N_TEST


def test_its_fingerprint_is_known_without_making_it(demo):
    assert data.fingerprint_of("demo").fingerprint == demo.fingerprint


def test_it_has_duplicates_of_every_kind_that_cifake_has(demo):
    found = data.duplicates(demo)
    assert found.within_train > 0 and found.within_test > 0 and found.cross_split > 0
    assert found.cross_class == 0 and (found.frame["label"] == 0).all()


def test_it_has_known_and_unknown_object_classes(demo):
    assert set(demo.index["object_class"]) == {-1, *range(8)}


def test_file_properties_hardly_tell_its_classes_apart(demo):
    table = shortcut_auroc(demo).set_index("property")
    assert 0.4 < table.loc["file_size", "auroc"] < 0.6
    assert 0.5 == table.loc["encoding", "auroc"]
    assert (table["ci_low"] <= table["auroc"]).all() and (table["auroc"] <= table["ci_high"]).all()
    assert (table["n"] == 500).all()


def test_made_twice_it_is_the_same_to_the_byte():
    assert demo_module._make_files(80, 60, seed=1) == demo_module._make_files(80, 60, seed=1)


def test_test_images_come_from_other_stripes_than_training_images():
    assert not set(demo_module.STRIPES["train"]) & set(demo_module.STRIPES["test"])
    images = demo_module._crops(np.random.default_rng(0), "test", 50)[0]
    views = [pixels for _, pixels in demo_module._views("train")]
    probe = images[0]
    for view in views:
        windows = np.lib.stride_tricks.sliding_window_view(view, probe.shape)[:, :, 0]
        assert (
            not (windows[..., 0, :2, :] == probe[0, :2]).all((-1, -2)).any()
            or not (windows == probe).all((-1, -2, -3)).any()
        )


def test_its_names_carry_scenes_as_object_classes():
    names = [demo_module._file_name(1, scene) for scene in range(8)]
    assert [layout.cifake_object_class(name) for name in names] == list(range(8))
    assert layout.cifake_object_class(demo_module._file_name(19, 0)) == -1


def test_a_small_network_learns_it_in_seconds(demo):
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((32, 32, 3)), layers.Rescaling(1 / 255)]
        + [
            layer
            for filters in (16, 32)
            for layer in (layers.Conv2D(filters, 3, activation="relu"), layers.MaxPooling2D())
        ]
        + [layers.Flatten(), layers.Dense(32, activation="relu"), layers.Dense(1)]
    )
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)])
    splits = data.make_splits(demo)
    for epoch in range(3):
        model.fit(
            data.batches(
                demo.images, demo.labels, indices=splits.train, batch_size=32, shuffle=True,
                epoch=epoch,
            ),
            verbose=0,
        )  # fmt: skip
    test = data.batches(demo.images, demo.labels, indices=splits.test)
    assert model.evaluate(test, verbose=0)[1] > 0.7


def test_a_shortcut_is_found_where_there_is_one(demo):
    index = demo.index.assign(encoding=demo.index["label"].astype("int32"))
    cheat = data.ImageDataset(demo.images, index, "cheat", "0", "x")
    table = shortcut_auroc(cheat).set_index("property")["auroc"]
    assert table["encoding"] == table["all_together"] == 1.0


def test_its_fingerprint_needs_no_scikit_learn():
    code = (
        "import sys; from realfake_lib.data import demo; demo.recipe_fingerprint();"
        "sys.exit('sklearn.utils' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
