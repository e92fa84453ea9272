"""Arrays in memory as scans."""

import numpy as np
import pytest

from automedsam.runtime.errors import InputError
from automedsam.scans.array import ArrayScan


@pytest.mark.parametrize(
    ("shape", "scan_shape", "values_shape", "is_volume"),
    [
        ((6, 8), (1, 6, 8), (1, 6, 8), False),
        ((6, 8, 3), (1, 6, 8), (1, 6, 8, 3), False),
        ((5, 6, 8), (5, 6, 8), (5, 6, 8), True),
        ((1, 6, 8), (1, 6, 8), (1, 6, 8), False),
        ((3, 6, 8), (3, 6, 8), (3, 6, 8), True),
        ((5, 6, 8, 3), (5, 6, 8), (5, 6, 8, 3), True),
        ((6, 3), (1, 6, 3), (1, 6, 3), False),
        ((3, 3, 3), (1, 3, 3), (1, 3, 3, 3), False),  # a last axis of 3 is colour
    ],
)
def test_shape_of_the_array_decides_on_slices_and_colour(
    shape, scan_shape, values_shape, is_volume
):
    values = np.arange(np.prod(shape)).reshape(shape)
    scan = ArrayScan(values)
    assert (scan.shape, scan.is_volume) == (scan_shape, is_volume)
    assert scan.read_values().shape == values_shape
    assert np.array_equal(scan.read_values(), values.reshape(values_shape))
    assert (scan.spacing_mm, scan.slicing) == (None, None)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float32", "float64"])
def test_values_keep_their_type(dtype):
    assert ArrayScan(np.ones((4, 5), dtype)).read_values().dtype == dtype


def test_spacing_is_kept():
    assert ArrayScan(np.zeros((2, 4, 5)), spacing_mm=(5, 1, 2)).spacing_mm == (5, 1, 2)


@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4, 5), (2, 4, 5, 3, 3), (0, 5), (5, 0, 3)])
def test_other_shapes_are_rejected_with_the_shape(shape):
    with pytest.raises(InputError) as caught:
        ArrayScan(np.zeros(shape))
    assert str(caught.value) == (
        "array: expected an image (H, W) or (H, W, 3), or a volume (slices, H, W) or "
        f"(slices, H, W, 3), found the shape {shape}"
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_become_the_smallest_other_value(value):
    assert ArrayScan(np.array([[3, value, 5]])).read_values().tolist() == [[[3, 3, 5]]]
    with pytest.raises(InputError, match=r"^array: pixel values must be finite"):
        ArrayScan(np.array([[value, value]]))
