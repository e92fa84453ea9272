"""One image of the prepared data set."""

from dataclasses import dataclass, field
from typing import Literal

from automedsam.cases.boxes import Box, BoxesByClass, Spacing, boxes_of_all_classes

# Of unlabelled cases it is not known where an object is, or whether there is one.
Split = Literal["train", "val", "test", "unlabelled"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")  # those of which something is known


@dataclass(frozen=True)
class Case:
    """One image of the data set, or one slice of a volume, as it was prepared."""

    name: str
    group: str  # the patient or exam; never in two splits
    split: Split
    height: int  # px
    width: int  # px
    # One entry per class, by its value in label masks: box_xyxy in px, half open; () if the class
    # is absent.
    boxes: BoxesByClass = field(hash=False)
    volume: str | None = None  # the volume that it is a slice of
    slice: int | None = None
    volume_slices: int | None = None  # number of slices of that volume, used or not
    has_mask: bool = False  # can be true of test cases only
    spacing_mm: Spacing | None = None
    value_range: tuple[float, float] | None = None  # the raw values that became 0 and 255

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in px."""
        return self.height, self.width

    @property
    def all_boxes_xyxy(self) -> tuple[Box, ...]:
        """The boxes of all classes."""
        return boxes_of_all_classes(self.boxes)

    @property
    def has_object(self) -> bool:
        """Whether any class has a box."""
        return any(self.boxes.values())
