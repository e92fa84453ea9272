"""What an image's and a mask's values must be, finite and whole numbers, and which of them are the object."""

from pathlib import Path

import numpy as np
import pytest

from automedsam.cases.classes import object_mask
from automedsam.runtime.errors import InputError
from automedsam.scans.pixels import check_finite, check_labels

PATH = Path("some/a.tif")
NOT_FINITE = [np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float16", "float64"])
def test_finite_values_pass_as_they_are(dtype):
    values = np.array([[0, 1], [1, 0]], dtype)
    assert check_finite(PATH, values) is values


@pytest.mark.parametrize("value", NOT_FINITE)
def test_values_that_are_not_finite_are_refused(value):
    with pytest.raises(InputError, match=r"a\.tif: expected finite values, found NaN or infinity"):
        check_finite(PATH, np.array([[0, value]]))


@pytest.mark.parametrize(
    "stored",
    [np.array([0, 255], np.uint8), np.array([-1, 70_000], np.int32), np.array([0, 65_535], ">u2")],
    ids=lambda stored: stored.dtype.str,
)
def test_whole_numbers_pass_as_they_are(stored):
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
def test_whole_numbers_of_other_types_become_int64(stored):
    labels = check_labels(PATH, stored)
    assert labels.dtype == np.int64
    assert labels.tolist() == [int(value) for value in stored]


@pytest.mark.parametrize("value", [0.5, -1.25, 1 + 1e-6, *NOT_FINITE])
def test_labels_that_are_not_whole_are_refused(value):
    with pytest.raises(
        InputError,
        match=r"a\.tif: expected a mask of whole numbers, found fractions, NaN or infinity",
    ):
        check_labels(PATH, np.array([[0, 1], [value, 2]]))


@pytest.mark.parametrize(
    ("class_ids", "expected"),
    [
        (None, [False, False, True, True, True]),
        ([2], [False, False, False, True, False]),
        ([200, 1], [False, False, True, False, True]),
        ([7], [False] * 5),
        ([456], [False] * 5),  # 200 + 256: no value of 8 bits
    ],
)
@pytest.mark.parametrize("dtype", [np.int16, np.int64, np.uint8])
def test_the_object_is_what_has_one_of_the_ids_or_any_value_over_0(class_ids, expected, dtype):
    labels = np.array([[0, -1, 1, 2, 200]]).clip(0 if dtype == np.uint8 else -1).astype(dtype)
    found = object_mask(labels, class_ids)
    assert (found.dtype, found.tolist()) == (bool, [expected])
