"""The index of cases, `data/prepared/index.csv`: each image's place in the data set; and beside it their boxes.

Those of training and validation cases are in `boxes.csv`, those of test cases, which may come from masks, in
`test_boxes.csv`: what `train` depends on knows of no mask that is there to test on.
"""

from dataclasses import dataclass, replace
from typing import Literal

from automedsam.cases.boxes import Box, Spacing

Split = Literal["train", "val", "test"]

SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class Case:
    """One image of the data set, or one slice of a volume, as it was prepared."""

    name: str
    group: str  # the patient or exam; never in two splits
    split: Split
    height: int  # px
    width: int  # px
    boxes_xyxy: tuple[Box, ...] = ()  # px, half open; none where no object is there
    volume: str | None = None  # the volume that it is a slice of
    slice: int | None = None
    volume_slices: int | None = None  # how many slices that volume has, used or not
    has_mask: bool = False  # true of test cases alone, if at all
    spacing_mm: Spacing | None = None
    value_range: tuple[float, float] | None = None  # the raw values that became 0 and 255
    box_classes: tuple[
        int, ...
    ] = ()  # the value of each box's class; () where there is one class alone

    @property
    def image_size(self) -> tuple[int, int]:
        return self.height, self.width

    @property
    def has_object(self) -> bool:
        return bool(self.boxes_xyxy)

    def of_class(self, value: int) -> "Case":
        """The same image with the boxes of one class alone, as if there were no other."""
        if not self.box_classes:
            return self
        pairs = zip(self.boxes_xyxy, self.box_classes, strict=True)
        return replace(
            self, boxes_xyxy=tuple(box for box, of in pairs if of == value), box_classes=()
        )
