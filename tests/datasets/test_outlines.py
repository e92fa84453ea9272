"""Filled outlines, exact to the pixel, whole or cut by the image border."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_erosion

from automedsam.datasets.outlines import fill_outline
from repository import SHARED

HC18_MASKS = SHARED / "data/hc18/masks"


def ellipse(
    height: int = 70, width: int = 90, centre: tuple[float, float] = (34.2, 44.7)
) -> np.ndarray:
    """A tilted ellipse with half axes of 30 and 20 px."""
    y, x = np.mgrid[:height, :width] - np.array(centre)[:, None, None]
    along, across = 0.8 * x + 0.6 * y, 0.8 * y - 0.6 * x
    return (along / 30) ** 2 + (across / 20) ** 2 <= 1


def outline_of(mask: np.ndarray, px: int = 1) -> np.ndarray:
    """Outermost pixels of a mask; an ellipse that the border cuts has no line along the border."""
    return mask & ~binary_erosion(mask, np.ones((3, 3)), px, border_value=1)


@pytest.mark.parametrize("px", [1, 3])
@pytest.mark.parametrize(
    "part",
    [
        np.s_[:, :],
        np.s_[20:, :],
        np.s_[:50, :],
        np.s_[:, 25:],
        np.s_[:, :60],
        np.s_[16:, :64],
        np.s_[14:56, 21:68],
    ],
    ids=["whole", "above", "below", "left", "right", "two sides", "four sides"],
)
def test_an_ellipse_is_filled_exactly_even_if_borders_cut_it(part, px):
    mask = ellipse()[part]
    outline = outline_of(mask, px)
    assert not mask[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    np.testing.assert_array_equal(fill_outline(outline), mask)


@pytest.mark.parametrize(
    ("drawn", "filled"),
    [
        (["....", "....", "...."], ["....", "....", "...."]),
        ([".#..", "....", "...."], [".#..", "....", "...."]),
        (["#..#", "....", "...."], ["####", "....", "...."]),
        ([".#..", "....", ".#.."], [".#..", ".#..", ".#.."]),
        (["#...", "....", "..#."], ["#...", ".#..", "..#."]),
        (["#...", "....", "...#"], ["#...", "....", "...#"]),  # no pixel centre is between them
        (["####", "#..#", "####"], ["####", "####", "####"]),
        (["..#.", "....", "#..#"], ["..#.", ".##.", "####"]),
    ],
)
def test_incomplete_outlines_are_filled(drawn, filled):
    outline = np.array([list(row) for row in drawn]) == "#"
    assert ["".join(row) for row in np.where(fill_outline(outline), "#", ".")] == filled


@pytest.mark.skipif(not HC18_MASKS.is_dir(), reason="needs ../shared/data/hc18")
@pytest.mark.parametrize("px", [1, 3])
def test_real_ellipses_are_filled_except_for_notches(px):
    for path in sorted(HC18_MASKS.iterdir())[::20]:
        mask = np.asarray(Image.open(path)) > 0
        filled = fill_outline(outline_of(mask, px))
        assert not (mask & ~filled).any()
        assert (filled & ~mask).sum() <= 12
        np.testing.assert_array_equal(filled, fill_outline(mask))
