"""The mean box, in fractions of width and height and in px."""

import pytest
import torch

from automedsam.cases.case import Case
from automedsam.cases.mean_box import box_in_px, mean_relative_box


def test_the_mean_box_is_relative_and_ignores_cases_without_the_class() -> None:
    """It is the mean of the boxes around all parts."""
    cases = [
        Case("a", "a", "train", 100, 200, {1: ((20, 10, 40, 50), (90, 20, 100, 40)), 2: ()}),
        Case("b", "b", "train", 10, 10, {1: (), 2: ((0, 0, 5, 10),)}),
        Case("c", "c", "train", 40, 20, {1: ((6, 12, 16, 36),), 2: ()}),
    ]
    assert mean_relative_box(cases, 1).tolist() == pytest.approx([0.2, 0.2, 0.65, 0.7])
    assert mean_relative_box(cases, 2).tolist() == pytest.approx([0, 0, 0.5, 1])


def test_a_relative_box_becomes_whole_pixels() -> None:
    assert box_in_px(torch.tensor([0.2, 1 / 3, 0.6, 0.75]), (24, 30)) == (6, 8, 18, 18)
    assert box_in_px(torch.tensor([0.12, 0.0, 0.49, 1.0]), (7, 10)) == (1, 0, 5, 7)
