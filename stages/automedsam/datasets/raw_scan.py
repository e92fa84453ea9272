"""The raw scan: the common form in which every data set lists its images and volumes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from automedsam.cases.boxes import BoxesByClass, Spacing
from automedsam.cases.case import Split
from automedsam.scans.scan import Scan


@dataclass(frozen=True)
class RawScan:
    """An image or a volume that has not been read yet, with a mask, drawn boxes or both."""

    name: str  # unique in the data set
    group: str  # patient or exam; a group is never divided between splits
    open: Callable[[], Scan]
    # Reads the mask: (slices, H, W), whole numbers. None: the scan has no mask.
    read_labels: Callable[[], np.ndarray] | None = None
    # Slice number to the boxes drawn on it, for annotated slices only. None: not annotated.
    boxes: Mapping[int, BoxesByClass] | None = None
    # Slices that are listed in the annotations without a box, in whatever way `unboxed` takes them.
    listed_without_box: frozenset[int] = frozenset()
    split: Split | None = None  # given by the data set; None: assigned by `assign_splits`
    spacing_mm: Spacing | None = None  # for files that do not specify their own
    mask_name: str | None = None  # path below `masks/`, for messages; None: no file of its own

    @property
    def is_boxed(self) -> bool:
        """Whether there is a drawn box on any slice."""
        return any(any(by_class.values()) for by_class in (self.boxes or {}).values())
