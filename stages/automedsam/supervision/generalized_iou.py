"""The generalised IoU of boxes as a loss.

Rezatofighi et al., "Generalized Intersection over Union", arXiv 1902.09630, algorithm 1.
"""

import torch
from torch import Tensor

EPSILON = 1e-7  # px^2, against a division by zero of empty boxes


def generalized_iou_loss(predicted_xyxy: Tensor, given_xyxy: Tensor) -> Tensor:
    """Return 1 - generalised IoU of pairs of boxes, (B,), 0 to 2 (arXiv 1902.09630).

    Unlike 1 - IoU, it has a gradient where the boxes do not overlap.

    Args:
      predicted_xyxy: (B, 4).
      given_xyxy: (B, 4), in the same frame.
    """
    x0, y0, x1, y1 = predicted_xyxy.unbind(1)
    given_x0, given_y0, given_x1, given_y1 = given_xyxy.unbind(1)
    overlap_width = torch.min(x1, given_x1) - torch.max(x0, given_x0)
    overlap_height = torch.min(y1, given_y1) - torch.max(y0, given_y0)
    overlap = overlap_width.clamp(min=0) * overlap_height.clamp(min=0)
    given_area = (given_x1 - given_x0) * (given_y1 - given_y0)
    union = (x1 - x0) * (y1 - y0) + given_area - overlap
    hull_width = torch.max(x1, given_x1) - torch.min(x0, given_x0)
    hull_height = torch.max(y1, given_y1) - torch.min(y0, given_y0)
    hull = hull_width * hull_height
    return 1 - (overlap / (union + EPSILON) - (hull - union) / (hull + EPSILON))
