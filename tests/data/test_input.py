"""Batches hold the right pixels with the right labels, in an order that anyone can redo."""

import numpy as np
import tensorflow as tf

from realfake_lib.data import batches

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 3), np.uint8)
LABELS = np.arange(50)  # as labels they are the images' numbers


def collected(*args, **options):
    return [tuple(part.numpy() for part in batch) for batch in batches(*args, **options)]


def test_every_image_comes_once_with_its_own_label():
    parts = collected(IMAGES, LABELS, batch_size=16, shuffle=True)
    pixels, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    assert sorted(labels) == list(range(50))
    assert (pixels == IMAGES[labels.astype(int)]).all()
    assert pixels.dtype == labels.dtype == np.float32


def test_without_shuffling_images_come_in_order():
    labels = np.concatenate([part[1] for part in collected(IMAGES, LABELS, batch_size=16)])
    assert (labels == LABELS).all()


def test_the_order_is_a_function_of_seed_and_epoch():
    def order(**options):
        parts = collected(IMAGES, LABELS, batch_size=7, shuffle=True, **options)
        return np.concatenate([part[1] for part in parts]).tolist()

    assert order(seed=1, epoch=2) == order(seed=1, epoch=2)
    assert len({tuple(order(seed=s, epoch=e)) for s in (0, 1) for e in (0, 1)}) == 4


def test_indices_choose_the_images():
    [(pixels, labels)] = collected(IMAGES, LABELS, indices=[9, 3, 3])
    assert labels.tolist() == [9, 3, 3] and (pixels == IMAGES[[9, 3, 3]]).all()


def test_without_labels_batches_are_images_only():
    [first, *_] = batches(IMAGES, batch_size=20)
    assert (first.numpy() == IMAGES[:20]).all()


def test_a_last_batch_that_is_not_full_is_kept():
    dataset = batches(IMAGES, LABELS, batch_size=20)
    assert [len(labels) for _, labels in dataset] == [20, 20, 10]
    assert dataset.cardinality().numpy() == 3


def test_shapes_are_known_before_the_first_batch():
    pixels, labels = batches(IMAGES, LABELS, batch_size=25).element_spec
    assert pixels.shape == (25, 8, 8, 3) and labels.shape == (25,)
    pixels, _ = batches(IMAGES, LABELS, batch_size=20).element_spec
    assert pixels.shape.as_list() == [None, 8, 8, 3]


def add_noise(images, seed):
    assert images.dtype == tf.float32 and seed.shape == (2,)
    return images + tf.random.stateless_uniform(tf.shape(images), seed)


def test_augmentation_differs_by_batch_and_epoch_and_can_be_redone():
    def noise(**options):
        black = np.zeros_like(IMAGES)
        parts = collected(black, LABELS, batch_size=10, augment=add_noise, **options)
        return [part[0].sum() for part in parts]

    assert noise(epoch=0) == noise(epoch=0)
    assert noise(seed=5) != noise(seed=6)
    everything = [value for epoch in range(3) for value in noise(epoch=epoch)]
    assert len(set(everything)) == len(everything)


def test_a_memory_map_is_read_in_place(tmp_path):
    np.save(tmp_path / "x.npy", IMAGES)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    [(pixels, _)] = collected(mapped, LABELS, indices=[49, 0])
    assert (pixels == IMAGES[[49, 0]]).all()
