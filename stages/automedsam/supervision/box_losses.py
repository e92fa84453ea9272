"""What a tight box says about a mask: empty outside it, touching its four sides, filling a plausible share of it.

Gaillochet et al., "Automating MedSAM by Learning Prompts with Weak Few-Shot Supervision", arXiv 2409.20293, after
Kervadec et al. (box tightness prior, log-barrier extensions). Everything is computed in fp32 (or fp64, if given),
outside autocast: in fp16 the gradient is lost exactly on confident false positives.
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
    """The unweighted terms, each a scalar, and their weighted sum."""

    total: Tensor
    empty: Tensor
    tightbox: Tensor
    size: Tensor

    def terms(self) -> dict[str, Tensor]:
        """The sum and the terms, by the names that they have in tables."""
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
        super().__init__()
        self.lambda_tightness = lambda_tightness
        self.lambda_size = lambda_size
        self.barrier_t = barrier_t
        self.band_width = band_width
        self.size_bounds = (size_lower, size_upper)
        self.box_margin = box_margin

    def forward(self, masks: Tensor, bboxes: Tensor) -> BoxLoss:
        """
        Args:
          masks: (B, 1, H, W) logits, any float type.
          bboxes: (B, 4) box_xyxy in pixels of `masks`, half open, or (B, K, 4), one for each part of the object, padded
            with empty boxes (0, 0, 0, 0). No box but empty ones says that there is no object, and leaves L_empty alone,
            over the whole image.
        """
        with torch.autocast(masks.device.type, enabled=False):
            logits = masks.squeeze(1).to(
                torch.promote_types(masks.dtype, torch.float32)
            )  # (B, H, W)
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
    """The boxes of one class in one image as `AutoMedSAMLoss` takes them: (1, N, 4).

    Without a box, there is one empty box.
    """
    return torch.tensor([boxes_xyxy or (EMPTY,)], device=device)


def mean_loss(losses: Sequence[BoxLoss]) -> BoxLoss:
    """The mean of each term over one or more losses."""
    terms = zip(
        *((loss.total, loss.empty, loss.tightbox, loss.size) for loss in losses), strict=True
    )
    return BoxLoss(*(torch.stack(term).mean() for term in terms))


def log_barrier(z: Tensor, t: float) -> Tensor:
    """Pseudo log-barrier psi_t for the constraint z <= 0 of the published method.

    -log(-z) / t up to z = -1/t^2, from there on the tangent t z - log(1/t^2) / t + 1/t.
    """
    switch = -1 / t**2
    inside = (
        -torch.log(-z.clamp(max=switch)) / t
    )  # clamped: `where` passes a NaN gradient through log(0)
    tangent = t * z - math.log(1 / t**2) / t + 1 / t
    return torch.where(z <= switch, inside, tangent)


def empty_loss(logits: Tensor, boxes_xyxy: Tensor) -> Tensor:
    """L_empty, (B,): mean of -log(1 - p) over the pixels outside of all boxes; 0 if they cover the image.

    Args:
      logits: (B, H, W).
      boxes_xyxy: (B, 4) or (B, K, 4).
    """
    outside = ~box_mask(boxes_xyxy, logits.shape[-2], logits.shape[-1])
    penalty = F.softplus(logits) * outside  # softplus(z) = -log(1 - sigmoid(z)), with no overflow
    return penalty.sum((1, 2)) / outside.sum((1, 2)).clamp(min=1)


def tightbox_loss(
    probability: Tensor, boxes_xyxy: Tensor, band_width: int, t: float, margin: int = 0
) -> Tensor:
    """L_tightbox, (B,): sum over boxes and their bands of psi_t(lines - mass); 0 without a box.

    A box is cut into bands of `band_width` rows, the last one perhaps thinner, and again into bands of columns. A
    tight mask crosses every line of the box, so that a band must hold at least as much probability as it has lines. If
    the box is loose by up to `margin` px a side, the mask crosses every line but the outermost `margin`.

    Row and column sums replace a mask for every band: O(K H W) an image.

    Args:
      probability: (B, H, W), 0 to 1.
      boxes_xyxy: (B, 4) or (B, K, 4).
    """
    inside_rows, inside_columns = _box_sides(
        boxes_xyxy, probability.shape[-2], probability.shape[-1]
    )
    # Box by box: for the one that there mostly is, half the time of a matrix product.
    of_columns, of_rows = (
        inside_columns.to(probability).unbind(1),
        inside_rows.to(probability).unbind(1),
    )
    row_mass = torch.stack(
        [(probability * columns[:, None, :]).sum(2) for columns in of_columns], 1
    )  # (B, K, H)
    column_mass = torch.stack(
        [(probability * rows[:, :, None]).sum(1) for rows in of_rows], 1
    )  # (B, K, W)
    x0, y0, x1, y1 = shrink_boxes(boxes_xyxy, margin).reshape(-1, 4).unbind(1)  # (B K,) each
    from_rows = _band_barrier(row_mass.flatten(0, 1), y0, y1, band_width, t)
    from_columns = _band_barrier(column_mass.flatten(0, 1), x0, x1, band_width, t)
    return (from_rows + from_columns).reshape(len(probability), -1).sum(1)


def size_loss(
    probability: Tensor, boxes_xyxy: Tensor, bounds: tuple[float, float], t: float, margin: int = 0
) -> Tensor:
    """L_size, (B,): psi_t of both bounds on the mask's area, over the boxes' area; 0 without a box.

    Args:
      probability: (B, H, W), 0 to 1; its sum over the whole image is the mask's area.
      boxes_xyxy: (B, 4) or (B, K, 4).
      bounds: least and greatest area, as fractions of the area that the boxes cover: the least, of what they cover
        when each is tighter by `margin` px a side.
    """
    image_size = probability.shape[-2], probability.shape[-1]
    volume = probability.sum((1, 2))
    area = box_mask(boxes_xyxy, *image_size).sum((1, 2)).to(volume)
    least_area = box_mask(shrink_boxes(boxes_xyxy, margin), *image_size).sum((1, 2)).to(volume)
    lower, upper = bounds
    barriers = log_barrier(volume - upper * area, t) + log_barrier(lower * least_area - volume, t)
    return torch.where(area > 0, barriers / area.clamp(min=1), 0)


def shrink_boxes(boxes_xyxy: Tensor, margin: int) -> Tensor:
    """Boxes (..., 4), each side moved in by `margin` px; one without any pixel left holds none."""
    return boxes_xyxy + boxes_xyxy.new_tensor([margin, margin, -margin, -margin])


def box_mask(boxes_xyxy: Tensor, height: int, width: int) -> Tensor:
    """(B, H, W) bool, true inside any of an image's boxes (B, 4) or (B, K, 4)."""
    inside_rows, inside_columns = _box_sides(boxes_xyxy, height, width)
    return (inside_rows[..., :, None] & inside_columns[..., None, :]).any(1)


def _box_sides(boxes_xyxy: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """(B, K, H) and (B, K, W) bool: the rows and the columns that each box spans."""
    x0, y0, x1, y1 = boxes_xyxy.reshape(len(boxes_xyxy), -1, 4)[..., None].unbind(
        2
    )  # (B, K, 1) each
    rows = torch.arange(height, device=boxes_xyxy.device)
    columns = torch.arange(width, device=boxes_xyxy.device)
    return (rows >= y0) & (rows < y1), (columns >= x0) & (columns < x1)


def _band_barrier(
    line_mass: Tensor, start: Tensor, stop: Tensor, band_width: int, t: float
) -> Tensor:
    """(N,): sum over the bands of lines start..stop of psi_t(lines in the band - their mass).

    Args:
      line_mass: (N, L) probability on each line, between the box's other two sides.
      start, stop: (N,) first line inside, first line past.
    """
    position = torch.arange(line_mass.shape[1], device=line_mass.device) - start[:, None]  # (N, L)
    inside = (position >= 0) & (position < (stop - start)[:, None])
    band = torch.where(inside, position // band_width, 0).long()
    zeros = line_mass.new_zeros(line_mass.shape[0], -(-line_mass.shape[1] // band_width))
    mass = zeros.scatter_add(1, band, line_mass * inside)
    lines = zeros.scatter_add(1, band, inside.to(line_mass))
    return (log_barrier(lines - mass, t) * (lines > 0)).sum(1)
