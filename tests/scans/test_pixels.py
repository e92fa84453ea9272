"""Channels, transparency, orientation and valid values, for all image formats."""

from pathlib import Path

import numpy as np
import pytest

from automedsam.runtime.errors import InputError
from automedsam.scans.pixels import (
    check_labels,
    drop_transparency,
    fill_invalid,
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
def test_fill_invalid_returns_finite_values_unchanged(dtype, caplog):
    values = np.array([[0, 1], [1, 0]], dtype)
    assert fill_invalid(PATH, values) is values
    assert caplog.messages == []


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("value", NOT_FINITE)
def test_fill_invalid_sets_the_smallest_value_and_reports_the_number(
    tmp_path, value, dtype, caplog
):
    filled = fill_invalid(tmp_path / "a.tif", np.array([[3, value], [-2, 7], [value, 5]], dtype))
    assert filled.dtype == dtype
    assert filled.tolist() == [[3, -2], [-2, 7], [-2, 5]]
    assert caplog.messages == [
        f"{tmp_path / 'a.tif'}: 2 of 6 values are NaN or infinite; they are read as -2, the "
        "smallest other value"
    ]


@pytest.mark.parametrize("value", NOT_FINITE)
def test_fill_invalid_rejects_values_of_which_none_is_finite(value):
    with pytest.raises(InputError, match=r"a\.tif: pixel values must be finite, found only NaN or"):
        fill_invalid(PATH, np.array([[value, value]]))


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


@pytest.mark.parametrize("slope", [0.9999999997671694, 1.00000006, 1 + 0.9e-3])
def test_check_labels_rounds_values_next_to_a_whole_number(slope):
    labels = check_labels(PATH, np.array([[0, 1], [-1, 1]]) * slope)
    assert labels.dtype == np.int64
    assert labels.tolist() == [[0, 1], [-1, 1]]


@pytest.mark.parametrize("value", NOT_FINITE)
def test_check_labels_reads_nan_and_infinity_as_background(tmp_path, value, caplog):
    assert check_labels(tmp_path / "a.nii", np.array([[0, 1], [value, 2]])).tolist() == [
        [0, 1],
        [0, 2],
    ]
    assert caplog.messages == [
        f"{tmp_path / 'a.nii'}: 1 of 4 values are NaN or infinite; they are read as 0"
    ]


@pytest.mark.parametrize(
    ("value", "found"), [(0.5, "0.5"), (-1.25, "-1.25"), (1.0011, "1.0011"), (1e300, r"1e\+300")]
)
def test_check_labels_rejects_and_names_other_than_whole_numbers(value, found):
    with pytest.raises(
        InputError, match=rf"a\.tif: mask values must be whole numbers, found {found}$"
    ):
        check_labels(PATH, np.array([[0, 1], [value, 2]]))
