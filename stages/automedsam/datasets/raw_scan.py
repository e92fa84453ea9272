"""Where raw scans come from: a data set is a list of names, groups and ways to read each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from automedsam.cases.boxes import BoxesByClass, Spacing
from automedsam.cases.case import Split
from automedsam.scans.scan import Scan


@dataclass(frozen=True)
class RawScan:
    """An image or a volume, with a mask, with boxes that somebody drew, or with both."""

    name: str
    group: str
    open: Callable[[], Scan]
    read_labels: Callable[[], np.ndarray] | None = (
        None  # (slices, H, W), whole numbers; None: no mask
    )
    boxes: Mapping[int, BoxesByClass] | None = (
        None  # of each slice that somebody looked at; None: of none
    )
    split: Split | None = None  # as the data set has it; None: by hash
    spacing_mm: Spacing | None = None  # where the file itself does not tell
