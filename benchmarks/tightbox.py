"""L_tightbox by row and column sums, against a dense mask for every band, built and multiplied as in published code.

    python benchmarks/tightbox.py

Both are timed forward and backward in one run, alternating; the ratio is of medians.
"""

import torch
from measure import Way, report, time_alternating
from torch import Tensor

from automedsam.supervision.box_losses import log_barrier, tightbox_loss

SIZE, BATCH_SIZE, BAND_WIDTH, BARRIER_T, ROUNDS = 640, 4, 5, 5.0, 5


def main() -> None:
    torch.manual_seed(0)
    probability = torch.rand(BATCH_SIZE, SIZE, SIZE, requires_grad=True)
    boxes_xyxy = torch.tensor(
        [[60, 80, 460, 500], [10, 10, 630, 630], [200, 150, 300, 420], [0, 0, 640, 640]]
    )
    ours = tightbox_loss(probability, boxes_xyxy, BAND_WIDTH, BARRIER_T)
    theirs = dense_tightbox_loss(probability, boxes_xyxy)
    ways: dict[str, Way] = {
        "row and column sums": lambda: (
            tightbox_loss(probability, boxes_xyxy, BAND_WIDTH, BARRIER_T).sum().backward()
        ),
        "dense band masks": lambda: dense_tightbox_loss(probability, boxes_xyxy).sum().backward(),
    }
    seconds = time_alternating(ways, ROUNDS)
    rows = [
        {"way": name, "seconds": taken, "slower than ours": taken / min(seconds.values())}
        for name, taken in seconds.items()
    ]
    report(f"L_tightbox, {SIZE} x {SIZE}, batch {BATCH_SIZE}", rows)
    print(f"largest relative difference {((ours - theirs).abs() / theirs.abs()).max().item():.1e}")


def dense_tightbox_loss(probability: Tensor, boxes_xyxy: Tensor) -> Tensor:
    """(B,): the same sum; for each direction and image a mask (H, W) for every band that the image could hold."""
    losses = []
    for image, (x0, y0, x1, y1) in zip(probability, boxes_xyxy.tolist(), strict=True):
        masks = torch.zeros(2, SIZE // BAND_WIDTH, SIZE, SIZE)
        lines = torch.zeros(2, SIZE // BAND_WIDTH)
        for number, at in enumerate(range(y0, y1, BAND_WIDTH)):
            stop = min(at + BAND_WIDTH, y1)
            masks[0, number, at:stop, x0:x1] = 1
            lines[0, number] = stop - at
        for number, at in enumerate(range(x0, x1, BAND_WIDTH)):
            stop = min(at + BAND_WIDTH, x1)
            masks[1, number, y0:y1, at:stop] = 1
            lines[1, number] = stop - at
        mass = (masks * image).sum((2, 3))
        losses.append((log_barrier(lines - mass, BARRIER_T) * (lines > 0)).sum())
    return torch.stack(losses)


if __name__ == "__main__":
    main()
