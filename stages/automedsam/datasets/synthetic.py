"""TODO"""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np

from automedsam.cases.case import Split
from automedsam.datasets.phantoms import Phantom, draw_phantom
from automedsam.datasets.raw_scan import RawScan

SYNTHETIC_SEED = 2026  # the data set is one and the same, whatever `seed` trains on it

SYNTHETIC_COUNTS: dict[Split, int] = {"train": 40, "val": 20, "test": 60}


def synthetic_scans() -> list[RawScan]:
    """120 phantoms: 40 to train on, 20 to validate, 60 to test."""
    scans: list[RawScan] = []
    for split, count in SYNTHETIC_COUNTS.items():
        for _ in range(count):
            name, draw = f"phantom_{len(scans):03d}", partial(_draw, len(scans))
            scans.append(
                RawScan(
                    name,
                    name,
                    partial(PhantomScan, name, draw),
                    partial(_draw_labels, draw),
                    split=split,
                )
            )
    return scans


class PhantomScan:
    """A drawn image, as a scan."""

    is_volume = False
    slicing = None
    spacing_mm = None

    def __init__(self, name: str, draw: Callable[[], Phantom]) -> None:
        self.path = Path(name)  # for messages; there is no file
        self._phantom = draw()
        self.shape = (1, *self._phantom.image.shape)

    def read_values(self) -> np.ndarray:
        """(1, 256, 256), uint8."""
        return self._phantom.image[None]


@cache  # looked at twice, and 15 MB in all
def _draw(number: int) -> Phantom:
    return draw_phantom(np.random.default_rng([SYNTHETIC_SEED, number]))


def _draw_labels(draw: Callable[[], Phantom]) -> np.ndarray:
    return draw().mask[None].astype(np.int64)
