"""Channels, transparency, orientation and valid values, for all image formats."""

from pathlib import Path

import numpy as np
import pytest

from automedsam.runtime.errors import InputError
from automedsam.scans.pixels import (
    check_finite,
    check_labels,
    drop_transparency,
    one_channel,
    turn_upright,
)

PATH = Path("some/a.tif")
STORED = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
NOT_FINITE = [np.nan, np.inf, -np.inf]


@pytest.mark.parametrize(("channels", "kept"), [(1, None), (2, None), (3, 3), (4, 3), (5, 3)])
def test_drop_transparency_keeps_one_or_three_channels(channels, kept):
    values = np.arange(6 * channels).reshape(2, 3, channels)
    expected = values[..., 0] if kept is None else values[..., :kept]
    np.testing.assert_array_equal(drop_transparency(values), expected)
    assert drop_transparency(STORED) is STORED


def test_one_channel_requires_equal_channels():
    assert one_channel(PATH, STORED) is STORED
    np.testing.assert_array_equal(one_channel(PATH, np.dstack([STORED] * 3)), STORED)
    with pytest.raises(InputError, match=r"a\.tif: a mask must have one value per pixel"):
        one_channel(PATH, np.dstack([STORED, STORED, STORED + 1]))


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
def test_turn_upright_follows_the_exif_orientation(orientation, upright):
    assert turn_upright(STORED, orientation).tolist() == upright
    colour = turn_upright(np.dstack([STORED, STORED + 10]), orientation)
    assert (colour[..., 1] - 10).tolist() == upright


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float16", "float64"])
def test_check_finite_returns_finite_values_unchanged(dtype):
    values = np.array([[0, 1], [1, 0]], dtype)
    assert check_finite(PATH, values) is values


@pytest.mark.parametrize("value", NOT_FINITE)
def test_check_finite_rejects_nan_and_infinity(value):
    with pytest.raises(InputError, match=r"a\.tif: pixel values must be finite, found NaN or"):
        check_finite(PATH, np.array([[0, value]]))


@pytest.mark.parametrize(
    "stored",
    [np.array([0, 255], np.uint8), np.array([-1, 70_000], np.int32), np.array([0, 65_535], ">u2")],
    ids=lambda stored: stored.dtype.str,
)
def test_check_labels_returns_integers_unchanged(stored):
    assert check_labels(PATH, stored) is stored


@pytest.mark.parametrize(
    "stored",
    [
        np.array([False, True]),
        np.array([-3, 2**24], np.float32),
        np.array([0, 2**24 + 1], np.float64),
    ],
    ids=lambda stored: stored.dtype.str,
)
def test_check_labels_converts_other_whole_numbers_to_int64(stored):
    labels = check_labels(PATH, stored)
    assert labels.dtype == np.int64
    assert labels.tolist() == [int(value) for value in stored]


@pytest.mark.parametrize("value", [0.5, -1.25, 1 + 1e-6, *NOT_FINITE])
def test_check_labels_rejects_other_than_whole_numbers(value):
    with pytest.raises(
        InputError,
        match=r"a\.tif: mask values must be whole numbers, found fractions, NaN or infinity",
    ):
        check_labels(PATH, np.array([[0, 1], [value, 2]]))
