"""L_tightbox by row and column sums, against a dense mask for every band, built and multiplied as in published code.

    python benchmarks/tightbox.py

Both are timed forward and backward in one run, alternating; the ratio is of medians.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent.parent / "stages"))

from automedsam.losses import log_barrier, tightbox_loss

SIZE, BATCH_SIZE, BAND_WIDTH, BARRIER_T, ROUNDS = 640, 4, 5, 5.0, 5


def main() -> None:
    torch.manual_seed(0)
    probability = torch.rand(BATCH_SIZE, SIZE, SIZE, requires_grad=True)
    boxes_xyxy = torch.tensor([[60, 80, 460, 500], [10, 10, 630, 630], [200, 150, 300, 420], [0, 0, 640, 640]])
    ways: dict[str, Callable[[], Tensor]] = {
        "row and column sums": lambda: tightbox_loss(probability, boxes_xyxy, BAND_WIDTH, BARRIER_T),
        "dense band masks": lambda: dense_tightbox_loss(probability, boxes_xyxy),
    }
    ours, theirs = (way() for way in ways.values())
    print(f"{SIZE}x{SIZE}, batch {BATCH_SIZE}, {torch.get_num_threads()} threads")
    print(f"largest relative difference {((ours - theirs).abs() / theirs.abs()).max().item():.1e}")
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            started = time.perf_counter()
            way().sum().backward()
            seconds[name].append(time.perf_counter() - started)
    for name, times in seconds.items():
        print(f"{name}: {1000 * median(times):.2f} ms")
    print(f"ratio of medians: {median(seconds['dense band masks']) / median(seconds['row and column sums']):.0f}")


def dense_tightbox_loss(probability: Tensor, boxes_xyxy: Tensor) -> Tensor:
    """(B,): the same sum with a (bands, H, W) mask in each direction."""
    losses = []
    for image, (x0, y0, x1, y1) in zip(probability, boxes_xyxy.tolist(), strict=True):
        rows = [(slice(at, min(at + BAND_WIDTH, y1)), slice(x0, x1)) for at in range(y0, y1, BAND_WIDTH)]
        columns = [(slice(y0, y1), slice(at, min(at + BAND_WIDTH, x1))) for at in range(x0, x1, BAND_WIDTH)]
        loss = torch.zeros(())
        for bands, axis in ((rows, 0), (columns, 1)):
            masks = torch.zeros(len(bands), *image.shape)
            for mask, band in zip(masks, bands, strict=True):
                mask[band] = 1
            lines = torch.tensor([float(band[axis].stop - band[axis].start) for band in bands])
            mass = (masks * image).sum((1, 2))
            loss = loss + log_barrier(lines - mass, BARRIER_T).sum()
        losses.append(loss)
    return torch.stack(losses)


if __name__ == "__main__":
    main()
