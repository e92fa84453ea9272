"""Drawn boxes and the images they belong to, as read from an annotation file of any format."""

from dataclasses import dataclass, field, replace

from automedsam.cases.boxes import Size
from automedsam.runtime.errors import ErrorCollector

SliceKey = tuple[str, int | None]  # image name as in the file; slice from 0, or None if not given
EMPTY_LABEL = "empty"  # a box or tag with this label marks an image that does not show the object
OUTLINE, ROTATED = "polygon or mask", "rotated box"


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
    source: str = ""  # OUTLINE or ROTATED, if the box was derived from one; empty: drawn as it is


@dataclass(frozen=True)
class Annotations:
    """Content of an annotation file or folder."""

    boxes: list[DrawnBox]
    # Every listed slice, with or without a box, to the place in the file where it is listed first.
    locations: dict[SliceKey, str]
    # Height and width of the image, for slices whose size the file specifies.
    sizes: dict[SliceKey, Size] = field(default_factory=dict)
    # Listed slices that are marked as not showing the object.
    marked_empty: frozenset[SliceKey] = frozenset()
    has_records: bool = False  # whether all boxes of an image are in one record or file
    # The name of a record to the image name inside of it, where both exist.
    inner_names: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # lines for the user about how the file was read
    doubts: tuple[str, ...] = ()  # warnings about what was not read

    @property
    def classes(self) -> list[int | str]:
        """Ids and names of the classes of all boxes, numbers before names."""
        names = {name for box in self.boxes for name in box.classes}
        return sorted(names, key=lambda name: (isinstance(name, str), name))

    @property
    def boxed(self) -> set[SliceKey]:
        """The listed slices that have a box of any class."""
        return {(box.image, box.slice) for box in self.boxes}


def is_empty_label(classes: tuple[int | str, ...]) -> bool:
    """Return whether a class is the label that marks an image without the object."""
    return any(isinstance(name, str) and name.casefold() == EMPTY_LABEL for name in classes)


def apply_empty_labels(annotations: Annotations) -> Annotations:
    """Mark the images with a box labelled `empty` as not showing the object; drop these boxes.

    Raises:
      InputError: images that are marked as empty and have other boxes.
    """
    labels = [box for box in annotations.boxes if is_empty_label(box.classes)]
    boxes = [box for box in annotations.boxes if not is_empty_label(box.classes)]
    marked = annotations.marked_empty | {(box.image, box.slice) for box in labels}
    errors = ErrorCollector()
    for box in boxes:
        if (box.image, box.slice) in marked:
            errors.add(
                f"{box.location}: {box.image} is marked as {EMPTY_LABEL}, but has boxes of other "
                "labels"
            )
    errors.raise_if_any()
    return replace(annotations, boxes=boxes, marked_empty=marked)
