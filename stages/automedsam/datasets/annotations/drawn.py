"""What every annotation format comes down to: boxes as they were drawn, and the images that somebody looked at."""

from dataclasses import dataclass, field

from automedsam.cases.boxes import Size

Listed = dict[tuple[str, int | None], str]


@dataclass(frozen=True)
class DrawnBox:
    """One box, in the words of the file that it comes from."""

    where: str  # for messages: "boxes.csv, line 3", "set.json, annotations[7]", "a.txt, line 2", "a.xml, object 2"
    image: str  # the image's name as the file has it
    slice: int | None  # of a volume, from 0; None: not told
    classes: tuple[int | str, ...]  # id and, if known, name
    box_xyxy: tuple[
        float, float, float, float
    ]  # px, half open; fractions of the image's width and height if relative
    relative: bool = False


@dataclass(frozen=True)
class Annotations:
    """All that a file or folder tells."""

    boxes: list[DrawnBox]
    listed: (
        Listed  # every (image, slice) that is named, with a box or without, to where it is named
    )
    sizes: dict[tuple[str, int | None], Size] = field(
        default_factory=dict
    )  # height, width that the file tells of some

    @property
    def classes(self) -> list[int | str]:
        """The ids and names of all boxes' classes: numbers first, then words."""
        found = {name for box in self.boxes for name in box.classes}
        return sorted(found, key=lambda name: (isinstance(name, str), name))
