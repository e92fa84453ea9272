"""Drawn boxes and the images they belong to, as read from an annotation file of any format."""

from dataclasses import dataclass, field

from automedsam.cases.boxes import Size

SliceKey = tuple[str, int | None]  # image name as in the file; slice from 0, or None if not given


@dataclass(frozen=True)
class DrawnBox:
    """One box, with the names and coordinates of the file that it was read from."""

    # Place in the file, for messages: "boxes.csv, line 3", "set.json, annotations[7]",
    # "a.txt, line 2" or "a.xml, object 2".
    location: str
    image: str  # image name as in the file
    slice: int | None  # slice of a volume, from 0; None: not given
    classes: tuple[int | str, ...]  # id and, if known, name
    # px, half open; fractions of the image's width and height if `relative`.
    box_xyxy: tuple[float, float, float, float]
    relative: bool = False


@dataclass(frozen=True)
class Annotations:
    """Content of an annotation file or folder."""

    boxes: list[DrawnBox]
    # Every listed slice, with or without a box, to the place in the file where it is listed first.
    locations: dict[SliceKey, str]
    # Height and width of the image, for slices whose size the file specifies.
    sizes: dict[SliceKey, Size] = field(default_factory=dict)

    @property
    def classes(self) -> list[int | str]:
        """Ids and names of the classes of all boxes, numbers before names."""
        names = {name for box in self.boxes for name in box.classes}
        return sorted(names, key=lambda name: (isinstance(name, str), name))
