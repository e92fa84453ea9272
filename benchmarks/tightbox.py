"""The tight-box loss: row and column sums, against one dense mask per band as in published code.

    python benchmarks/tightbox.py

Forward and backward passes of both are timed in one process, alternating. The ratio is that of the
medians.
"""

import torch
from measure import Way, parse_arguments, report, time_alternating
from torch import Tensor

from automedsam.supervision.box_losses import log_barrier, tightbox_loss

SIZE = 640  # px, height and width
BATCH_SIZE = 4
BAND_WIDTH = 5  # px
BARRIER_T = 5.0
ROUNDS = 5
BOXES_XYXY = [[60, 80, 460, 500], [10, 10, 630, 630], [200, 150, 300, 420], [0, 0, 640, 640]]


def main() -> None:
    parse_arguments(__doc__)
    torch.manual_seed(0)
    probability = torch.rand(BATCH_SIZE, SIZE, SIZE, requires_grad=True)
    boxes_xyxy = torch.tensor(BOXES_XYXY)

    def with_sums() -> Tensor:
        return tightbox_loss(probability, boxes_xyxy, BAND_WIDTH, BARRIER_T)

    def with_masks() -> Tensor:
        return dense_tightbox_loss(probability, boxes_xyxy)

    difference = ((with_sums() - with_masks()).abs() / with_masks().abs()).max().item()
    ways: dict[str, Way] = {
        "row and column sums": lambda: with_sums().sum().backward(),
        "dense band masks": lambda: with_masks().sum().backward(),
    }
    seconds = time_alternating(ways, ROUNDS)
    fastest = min(seconds.values())
    rows = [
        {"way": name, "seconds": median, "slower than ours": median / fastest}
        for name, median in seconds.items()
    ]
    report(f"L_tightbox, {SIZE} x {SIZE}, batch {BATCH_SIZE}", rows)
    print(f"largest relative difference {difference:.1e}")


def dense_tightbox_loss(probability: Tensor, boxes_xyxy: Tensor) -> Tensor:
    """The same loss (B,), from a mask (H, W) for every band that fits into the image.

    There is one set of masks for each image and direction.

    Args:
      probability: (B, H, W), 0 to 1.
      boxes_xyxy: (B, 4), px.
    """
    losses = []
    for image, (x0, y0, x1, y1) in zip(probability, boxes_xyxy.tolist(), strict=True):
        masks = torch.zeros(2, SIZE // BAND_WIDTH, SIZE, SIZE)
        lines = torch.zeros(2, SIZE // BAND_WIDTH)
        for number, start in enumerate(range(y0, y1, BAND_WIDTH)):
            stop = min(start + BAND_WIDTH, y1)
            masks[0, number, start:stop, x0:x1] = 1
            lines[0, number] = stop - start
        for number, start in enumerate(range(x0, x1, BAND_WIDTH)):
            stop = min(start + BAND_WIDTH, x1)
            masks[1, number, y0:y1, start:stop] = 1
            lines[1, number] = stop - start
        mass = (masks * image).sum((2, 3))
        losses.append((log_barrier(lines - mass, BARRIER_T) * (lines > 0)).sum())
    return torch.stack(losses)


if __name__ == "__main__":
    main()
