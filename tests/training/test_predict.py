"""Logits come back in order, whatever the batches."""

import numpy as np

from realfake_lib import models, training

IMAGES = np.random.default_rng(0).integers(0, 256, (11, 16, 16, 3), np.uint8)


def test_logits_keep_the_order_of_the_indices_whatever_the_batch():
    model = models.build("tiny_cnn", 16)
    expected = model(IMAGES.astype("float32"), training=False).numpy()[:, 0]
    found = training.predict_logits(model, IMAGES, batch_size=4)
    assert found.dtype == np.float32 and found.shape == (11,)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    order = np.array([5, 0, 9])
    np.testing.assert_allclose(
        training.predict_logits(model, IMAGES, order), expected[order], atol=1e-5
    )


def test_new_weights_are_seen():
    model = models.build("tiny_cnn", 16)
    before = training.predict_logits(model, IMAGES)
    model.set_weights([w + 0.5 for w in model.get_weights()])
    assert not np.allclose(before, training.predict_logits(model, IMAGES))
