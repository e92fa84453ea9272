"""Losses that compare a mask with a tight box instead of a true mask.

The mask must be empty outside of the box, touch its four sides, and fill a plausible share of it.
Gaillochet et al., "Automating MedSAM by Learning Prompts with Weak Few-Shot Supervision",
arXiv 2409.20293, after Kervadec et al. (box tightness prior, log-barrier extensions). All terms are
computed in fp32 (or fp64, if given), outside of autocast: in fp16 the gradient vanishes exactly on
confident false positives.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from automedsam.cases.boxes import EMPTY, Box


@dataclass(frozen=True)
class BoxLoss:
    """The weighted sum of the terms, and the unweighted terms; all are scalars."""

    total: Tensor
    empty: Tensor
    tightbox: Tensor
    size: Tensor

    def terms(self) -> dict[str, Tensor]:
        """Column name in tables -> value."""
        return {
            "loss": self.total,
            "loss_empty": self.empty,
            "loss_tightbox": self.tightbox,
            "loss_size": self.size,
        }


class AutoMedSAMLoss(nn.Module):
    """L_empty + lambda_tightness * L_tightbox + lambda_size * L_size, each a mean over images."""

    def __init__(
        self,
        lambda_tightness: float = 1e-4,
        lambda_size: float = 1e-2,
        barrier_t: float = 5,
        band_width: int = 5,
        size_lower: float = 0.5,
        size_upper: float = 0.9,
        box_margin: int = 0,
    ) -> None:
        """Set the parameters of the terms.

        Args:
          lambda_tightness: weight of L_tightbox.
          lambda_size: weight of L_size.
          barrier_t: t of the log-barrier; larger values are stricter.
          band_width: width in px of the bands of L_tightbox.
          size_lower: minimum area of the object, as a fraction of the boxes' area.
          size_upper: maximum area of the object, as a fraction of the boxes' area.
          box_margin: maximum distance in px by which a side of a box may be too far out.
        """
        super().__init__()
        self.lambda_tightness = lambda_tightness
        self.lambda_size = lambda_size
        self.barrier_t = barrier_t
        self.band_width = band_width
        self.size_bounds = (size_lower, size_upper)
        self.box_margin = box_margin

    def forward(self, masks: Tensor, bboxes: Tensor) -> BoxLoss:
        """Compute the loss of a batch of one class.

        Args:
          masks: logits (B, 1, H, W), of any float type.
          bboxes: box_xyxy in px of `masks`, half open: (B, 4), or (B, K, 4) with one box per part
            of the object, padded with empty boxes (0, 0, 0, 0). If all boxes of an image are empty,
            the object is absent; only L_empty remains, over the whole image.
        """
        dtype = torch.promote_types(masks.dtype, torch.float32)
        with torch.autocast(masks.device.type, enabled=False):
            logits = masks.squeeze(1).to(dtype)  # (B, H, W)
            probability = logits.sigmoid()
            empty = empty_loss(logits, bboxes).mean()
            tightbox = tightbox_loss(
                probability, bboxes, self.band_width, self.barrier_t, self.box_margin
            ).mean()
            size = size_loss(
                probability, bboxes, self.size_bounds, self.barrier_t, self.box_margin
            ).mean()
            total = empty + self.lambda_tightness * tightbox + self.lambda_size * size
        return BoxLoss(total, empty, tightbox, size)


def boxes_tensor(boxes_xyxy: Sequence[Box], device: torch.device) -> Tensor:
    """The boxes (1, K, 4) of one class in one image, as `AutoMedSAMLoss` expects them.

    An absent object gives one empty box.
    """
    return torch.tensor([boxes_xyxy or (EMPTY,)], device=device)


def mean_loss(losses: Sequence[BoxLoss]) -> BoxLoss:
    """Mean of each term over one or more losses."""
    return BoxLoss(
        total=torch.stack([loss.total for loss in losses]).mean(),
        empty=torch.stack([loss.empty for loss in losses]).mean(),
        tightbox=torch.stack([loss.tightbox for loss in losses]).mean(),
        size=torch.stack([loss.size for loss in losses]).mean(),
    )


def log_barrier(z: Tensor, t: float) -> Tensor:
    """Pseudo log-barrier psi_t of the published method for the constraint z <= 0.

    It is -log(-z) / t for z <= -1/t^2, and the tangent t z - log(1/t^2) / t + 1/t for larger z.
    """
    switch = -1 / t**2
    # Without the clamp, `where` would pass on the NaN gradient of the branch that it does not use.
    barrier = -torch.log(-z.clamp(max=switch)) / t
    tangent = t * z - math.log(1 / t**2) / t + 1 / t
    return torch.where(z <= switch, barrier, tangent)


def empty_loss(logits: Tensor, boxes_xyxy: Tensor) -> Tensor:
    """L_empty, (B,): mean of -log(1 - p) over the pixels outside of all boxes.

    It is 0 if the boxes cover the image.

    Args:
      logits: (B, H, W).
      boxes_xyxy: (B, 4) or (B, K, 4).
    """
    outside = ~box_mask(boxes_xyxy, logits.shape[-2], logits.shape[-1])
    penalty = F.softplus(logits) * outside  # softplus(z) = -log(1 - sigmoid(z)), without overflow
    return penalty.sum((1, 2)) / outside.sum((1, 2)).clamp(min=1)


def tightbox_loss(
    probability: Tensor, boxes_xyxy: Tensor, band_width: int, t: float, margin: int = 0
) -> Tensor:
    """L_tightbox, (B,): sum over boxes and their bands of psi_t(lines - mass); 0 without a box.

    A box is cut into bands of `band_width` rows, of which the last may be thinner, and again into
    bands of columns. A tight mask crosses every line of the box, so that a band must contain at
    least as much probability as it has lines.

    Row and column sums replace a mask for every band, so that the cost is O(K H W) per image.

    Args:
      probability: (B, H, W), 0 to 1.
      boxes_xyxy: (B, 4) or (B, K, 4).
      band_width: px.
      t: of the log-barrier.
      margin: px by which each side of a box may be too far out; the mask crosses every line except
        the outermost `margin`.
    """
    height, width = probability.shape[-2:]
    inside_rows, inside_columns = _box_sides(boxes_xyxy, height, width)
    # A loop over boxes takes half the time of a matrix product for one box, the usual case.
    row_mass = torch.stack(
        [
            (probability * columns[:, None, :]).sum(2)
            for columns in inside_columns.to(probability).unbind(1)
        ],
        dim=1,
    )  # (B, K, H)
    column_mass = torch.stack(
        [(probability * rows[:, :, None]).sum(1) for rows in inside_rows.to(probability).unbind(1)],
        dim=1,
    )  # (B, K, W)
    x0, y0, x1, y1 = shrink_boxes(boxes_xyxy, margin).reshape(-1, 4).unbind(1)  # (B K,) each
    row_barrier = _band_barrier(row_mass.flatten(0, 1), y0, y1, band_width, t)
    column_barrier = _band_barrier(column_mass.flatten(0, 1), x0, x1, band_width, t)
    return (row_barrier + column_barrier).reshape(len(probability), -1).sum(1)


def size_loss(
    probability: Tensor, boxes_xyxy: Tensor, bounds: tuple[float, float], t: float, margin: int = 0
) -> Tensor:
    """L_size, (B,): psi_t of both bounds on the mask's area, per area of the boxes.

    It is 0 without a box.

    Args:
      probability: (B, H, W), 0 to 1; its sum over the whole image is the mask's area.
      boxes_xyxy: (B, 4) or (B, K, 4).
      bounds: minimum and maximum area, as fractions of the area that the boxes cover.
      t: of the log-barrier.
      margin: px by which each side of a box may be too far out; the minimum applies to the area
        that the boxes cover after each side is moved in by `margin`.
    """
    height, width = probability.shape[-2:]
    mask_area = probability.sum((1, 2))
    box_area = box_mask(boxes_xyxy, height, width).sum((1, 2)).to(mask_area)
    inner_boxes = shrink_boxes(boxes_xyxy, margin)
    inner_area = box_mask(inner_boxes, height, width).sum((1, 2)).to(mask_area)
    lower, upper = bounds
    barriers = log_barrier(mask_area - upper * box_area, t)
    barriers = barriers + log_barrier(lower * inner_area - mask_area, t)
    return torch.where(box_area > 0, barriers / box_area.clamp(min=1), 0)


def shrink_boxes(boxes_xyxy: Tensor, margin: int) -> Tensor:
    """Boxes (..., 4) with each side moved in by `margin` px; a box may end up without any pixel."""
    return boxes_xyxy + boxes_xyxy.new_tensor([margin, margin, -margin, -margin])


def box_mask(boxes_xyxy: Tensor, height: int, width: int) -> Tensor:
    """(B, H, W), bool: whether a pixel is inside any of its image's boxes (B, 4) or (B, K, 4)."""
    inside_rows, inside_columns = _box_sides(boxes_xyxy, height, width)
    return (inside_rows[..., :, None] & inside_columns[..., None, :]).any(1)


def _box_sides(boxes_xyxy: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """(B, K, H) and (B, K, W), bool: the rows and the columns that each box spans."""
    boxes_xyxy = boxes_xyxy.reshape(len(boxes_xyxy), -1, 4)  # (B, K, 4)
    x0, y0, x1, y1 = boxes_xyxy[..., None].unbind(2)  # (B, K, 1) each
    rows = torch.arange(height, device=boxes_xyxy.device)
    columns = torch.arange(width, device=boxes_xyxy.device)
    return (rows >= y0) & (rows < y1), (columns >= x0) & (columns < x1)


def _band_barrier(
    line_mass: Tensor, start: Tensor, stop: Tensor, band_width: int, t: float
) -> Tensor:
    """(N,): sum over the bands of a box of psi_t(lines in the band - their mass).

    Args:
      line_mass: (N, L), probability on each line between the box's other two sides.
      start: (N,), first line inside of the box.
      stop: (N,), first line after the box.
      band_width: number of lines per band.
      t: of the log-barrier.
    """
    line_count = line_mass.shape[1]
    position = torch.arange(line_count, device=line_mass.device) - start[:, None]  # (N, L)
    inside = (position >= 0) & (position < (stop - start)[:, None])
    band = torch.where(inside, position // band_width, 0).long()
    zeros = line_mass.new_zeros(len(line_mass), math.ceil(line_count / band_width))
    mass = zeros.scatter_add(1, band, line_mass * inside)
    lines = zeros.scatter_add(1, band, inside.to(line_mass))
    return (log_barrier(lines - mass, t) * (lines > 0)).sum(1)
