"""The synthetic data set: phantoms, drawn when they are needed, as scans."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np

from automedsam.cases.case import Split
from automedsam.datasets.phantoms import Phantom, draw_phantom
from automedsam.datasets.raw_scan import RawScan

SYNTHETIC_SEED = 2026  # fixed: the images do not depend on the parameter `seed`
SYNTHETIC_COUNTS: dict[Split, int] = {"train": 40, "val": 20, "test": 60}


def synthetic_scans() -> list[RawScan]:
    """Return 120 phantoms with masks: 40 for training, 20 for validation and 60 for testing."""
    scans: list[RawScan] = []
    for split, count in SYNTHETIC_COUNTS.items():
        for _ in range(count):
            name, draw = f"phantom_{len(scans):03d}", partial(_draw, len(scans))
            scans.append(
                RawScan(
                    name=name,
                    group=name,
                    open=partial(PhantomScan, name, draw),
                    read_labels=partial(_draw_labels, draw),
                    split=split,
                )
            )
    return scans


class PhantomScan:
    """Scan of one phantom, held in memory."""

    is_volume = False
    slicing = None
    spacing_mm = None

    def __init__(self, name: str, draw: Callable[[], Phantom]) -> None:
        self.path = Path(name)  # for messages; the file does not exist
        self._phantom = draw()
        self.shape = (1, *self._phantom.image.shape)

    def read_values(self) -> np.ndarray:
        """Return the image, (1, 256, 256), uint8."""
        return self._phantom.image[None]


@cache  # image and mask are read separately; all phantoms together take 15 MB
def _draw(number: int) -> Phantom:
    return draw_phantom(np.random.default_rng([SYNTHETIC_SEED, number]))


def _draw_labels(draw: Callable[[], Phantom]) -> np.ndarray:
    return draw().mask[None].astype(np.int64)
