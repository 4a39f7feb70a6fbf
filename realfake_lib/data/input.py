"""Feed training: whole batches from memory or a memory map, in an order anyone can redo."""

import numpy as np


def epoch_order(n, shuffle, seed, epoch):
    """(n,) int64 array: the order of one epoch, a pure function of its arguments."""
    if not shuffle:
        return np.arange(n)
    return np.random.default_rng([seed, epoch, 3]).permutation(n)


def batches(
    images,
    labels=None,
    *,
    indices=None,
    batch_size=256,
    shuffle=False,
    seed=0,
    epoch=0,
    augment=None,
):
    """One epoch of batches as a ``tf.data.Dataset``.

    Batches are gathered whole, so the cost per image is that of copying it; from a memory map only
    the pages that a batch needs are read, so a data set may be larger than memory.

    Parameters
    ----------
    images : (n, h, w, 3) uint8 array or memmap
    labels : (n,) or (n, k) array, optional
        Without them the batches hold images only.
    indices : (m,) int array, optional
        Rows to use; all by default.
    batch_size : int
    shuffle : bool
        Take another order in each epoch: that of ``(seed, epoch)``.
    seed, epoch : int
    augment : callable, optional
        Takes float32 images and a (2,) int32 seed that differs for every batch of every epoch;
        returns images of that shape, or windows of them.

    Returns
    -------
    tf.data.Dataset
        Of (b, h, w, 3) float32 pixels in [0, 255], with float32 labels if there are any.
    """
    import tensorflow as tf

    rows = np.arange(len(images)) if indices is None else np.asarray(indices, np.int64)
    rows = rows[epoch_order(len(rows), shuffle, seed, epoch)]
    steps = -(-len(rows) // batch_size)
    batch = batch_size if len(rows) % batch_size == 0 else None
    targets = None if labels is None else np.asarray(labels, np.float32)
    first_step = epoch * steps

    def gather(step):
        chosen = rows[step * batch_size : (step + 1) * batch_size]
        pixels = np.take(images, chosen, axis=0)
        return (pixels,) if targets is None else (pixels, targets[chosen])

    types = (tf.uint8,) if targets is None else (tf.uint8, tf.float32)

    def load(step):
        pixels, *target = tf.numpy_function(gather, [step], types)
        pixels.set_shape((batch, *images.shape[1:]))
        pixels = tf.cast(pixels, tf.float32)
        if augment is not None:
            batch_seed = tf.stack([seed, first_step + tf.cast(step, tf.int32)])
            pixels = tf.cast(augment(pixels, batch_seed), tf.float32)
            # What comes back may be a window of the image.
            side = images.shape[1] if pixels.shape[1] is None else pixels.shape[1]
            pixels.set_shape((batch, side, side, images.shape[3]))
        for values in target:
            values.set_shape((batch, *targets.shape[1:]))
        return (pixels, *target) if target else pixels

    dataset = tf.data.Dataset.range(steps)
    dataset = dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return dataset.prefetch(tf.data.AUTOTUNE)
