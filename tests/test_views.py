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
    [
        (128, 128, 1),
        (224, 300, 1),
        (224, 320, 2),  # elongated: one at each end
        (336, 400, 2),  # and the centre at full resolution
        (448, 448, 6),  # and the middle of each quarter
        (2000, 1000, 7),
    ],
)
def test_larger_images_get_more_views(width, height, count):
    found = views.squares(image(width, height), 224)
    assert found.shape == (count, 224, 224, 3) and found.dtype == np.uint8


def test_all_of_an_elongated_image_is_near_some_view():
    first, last = views.squares(image(300, 200), 200)
    assert first[0, 0, 1] == 0 and last[0, -1, 1] == 29


def test_a_small_image_is_enlarged_and_a_large_one_reduced():
    assert views.squares(image(50, 50), 100)[0, -1, -1].tolist() == [4, 4, 0]
    assert views.squares(image(140, 140), 100)[0, -1, -1].tolist() == [13, 13, 0]


def test_views_at_full_resolution_stand_in_the_image_as_they_are():
    whole = image(1000, 800)
    centre, *quarters = views.squares(whole, 200)[1:]
    np.testing.assert_array_equal(centre, whole[300:500, 400:600])
    np.testing.assert_array_equal(quarters[0], whole[100:300, 150:350])
    np.testing.assert_array_equal(quarters[3], whole[500:700, 650:850])
