"""The squares of an image of ordinary size that a detector judges."""

import numpy as np
import pytest

from realfake_lib import views


def image(width, height):
    """Each pixel names its place: row and column in the red and the green channel, by 10."""
    rows, columns = np.mgrid[:height, :width] // 10
    return np.stack([rows, columns, 0 * rows], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
    ("width", "height", "count"),
    [(128, 200, 1), (224, 300, 1), (335, 900, 1), (336, 400, 5), (2000, 1000, 5)],
)
def test_larger_images_get_more_views(width, height, count):
    found = views.squares(image(width, height), 224)
    assert found.shape == (count, 224, 224, 3) and found.dtype == np.uint8


def test_a_small_image_is_enlarged():
    assert views.squares(image(50, 50), 100)[0, -1, -1].tolist() == [4, 4, 0]


def test_views_stand_in_the_image_as_they_are():
    whole = image(1000, 800)
    centre, *quarters = views.squares(whole, 200)
    np.testing.assert_array_equal(centre, whole[300:500, 400:600])
    np.testing.assert_array_equal(quarters[0], whole[100:300, 150:350])
    np.testing.assert_array_equal(quarters[3], whole[500:700, 650:850])


def test_views_of_quarters_stay_within_the_image():
    first, last = views.squares(image(300, 300), 200)[[1, 4]]
    assert first[0, 0].tolist() == [0, 0, 0] and last[-1, -1].tolist() == [29, 29, 0]
