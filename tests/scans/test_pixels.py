"""Channels, transparency and the way up, whatever the format."""

from pathlib import Path

import numpy as np
import pytest

from automedsam.runtime.errors import InputError
from automedsam.runtime.image_files import as_grey
from automedsam.scans.pixels import drop_transparency, one_channel, turn_upright

STORED = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)


def test_truth_values_become_black_and_white_and_others_stay():
    grey = as_grey(np.array([[False, True]]))
    assert (grey.dtype, grey.tolist()) == (np.uint8, [[0, 255]])
    assert as_grey(STORED) is STORED


@pytest.mark.parametrize(("channels", "kept"), [(1, None), (2, None), (3, 3), (4, 3), (5, 3)])
def test_grey_has_no_channels_and_colour_three(channels, kept):
    values = np.arange(6 * channels).reshape(2, 3, channels)
    expected = values[..., 0] if kept is None else values[..., :kept]
    np.testing.assert_array_equal(drop_transparency(values), expected)
    assert drop_transparency(STORED) is STORED


def test_channels_of_a_mask_must_be_alike():
    path = Path("some/a.tif")
    assert one_channel(path, STORED) is STORED
    np.testing.assert_array_equal(one_channel(path, np.dstack([STORED] * 3)), STORED)
    with pytest.raises(
        InputError, match=r"a\.tif: expected a mask with one value a pixel, found a colour image"
    ):
        one_channel(path, np.dstack([STORED, STORED, STORED + 1]))


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, [[1, 2, 3], [4, 5, 6]]),
        (2, [[3, 2, 1], [6, 5, 4]]),
        (3, [[6, 5, 4], [3, 2, 1]]),
        (4, [[4, 5, 6], [1, 2, 3]]),
        (5, [[1, 4], [2, 5], [3, 6]]),
        (6, [[4, 1], [5, 2], [6, 3]]),
        (7, [[6, 3], [5, 2], [4, 1]]),
        (8, [[3, 6], [2, 5], [1, 4]]),
    ],
)
def test_each_orientation_is_turned_as_exif_has_it(orientation, upright):
    assert turn_upright(STORED, orientation).tolist() == upright
    colour = turn_upright(np.dstack([STORED, STORED + 10]), orientation)
    assert (colour[..., 1] - 10).tolist() == upright
