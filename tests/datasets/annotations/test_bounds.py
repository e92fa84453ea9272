"""Upright boxes around points and rotated rectangles."""

import pytest

from automedsam.datasets.annotations.bounds import (
    bounds_of_points,
    bounds_of_rotated,
    is_rotated,
)


def test_bounds_of_points():
    assert bounds_of_points([3, 4]) == (3, 4, 3, 4)
    assert bounds_of_points([3, 4, 1, 9, 2, 0.5]) == (1, 0.5, 3, 9)


@pytest.mark.parametrize(
    ("degrees", "bounds"),
    [
        (0, (2, 4, 8, 12)),
        (360, (2, 4, 8, 12)),
        (180, (2, 4, 8, 12)),
        (90, (1, 5, 9, 11)),
        (-90, (1, 5, 9, 11)),
        # 3-4-5 triangle: width 6 * 0.8 + 8 * 0.6 = 9.6, height 6 * 0.6 + 8 * 0.8 = 10.
        (36.86989764584402, (0.2, 3, 9.8, 13)),
        (-36.86989764584402, (0.2, 3, 9.8, 13)),
    ],
)
def test_bounds_of_a_rotated_rectangle_around_its_centre(degrees, bounds):
    assert bounds_of_rotated((2, 4, 8, 12), degrees) == pytest.approx(bounds)


def test_full_turns_are_no_rotation():
    assert [is_rotated(degrees) for degrees in (0, 360, -720, 0.5, 90, 359)] == [
        *[False] * 3,
        *[True] * 3,
    ]
