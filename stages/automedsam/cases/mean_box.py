"""The mean box of some cases: a prompt for every image that requires no learning."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from automedsam.cases.boxes import Box, Size, enclosing_box
from automedsam.cases.case import Case


def mean_relative_box(cases: Iterable[Case], value: int) -> Tensor:
    """The mean box (4,) around all of a class, in fractions of width and height.

    Args:
      cases: cases, at least one with the class; those without it do not count.
      value: the value of the class.
    """
    boxes = [
        np.divide(enclosing_box(case.boxes[value]), (case.width, case.height) * 2)
        for case in cases
        if case.boxes[value]
    ]
    return torch.tensor(np.mean(boxes, axis=0), dtype=torch.float32)


def box_in_px(relative_box: Tensor, image_size: Size) -> Box:
    """A box in fractions of width and height as box_xyxy in whole px."""
    height, width = image_size
    x0, y0, x1, y1 = (relative_box * torch.tensor([width, height] * 2)).round().int().tolist()
    return x0, y0, x1, y1
