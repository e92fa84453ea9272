"""Grades of a class from its scores, and the thresholds between them."""

from enum import Enum

from automedsam.evaluation.findings import ClassFindings

# A clear difference of Dice or of box overlap. In 27 images of breast ultrasound, a difference of
# 0.045 had a 95 % interval from -0.02 to 0.12.
CLEAR = 0.05
# Dice that is lost if about every fifth object is missed altogether.
LARGE = 0.2
# Dice of masks that are close to the true ones. Even boxes around phantoms have 0.87, if filled.
CLOSE = 0.9
# Masks of Dice 0.70 looked useless on breast ultrasound, and those of 0.74 like a rough start.
USABLE = 0.7
# At this Dice, a mask has two wrong pixels per right one.
POOR = 0.5
# Overlaps of boxes that count as found strictly and loosely in COCO and Pascal VOC.
CLOSE_BOX, ROUGH_BOX = 0.75, 0.5
# Many objects that are left empty, or many images without an object that get a mask: a third of
# them, and more than one, which may be an exception.
MANY, AT_LEAST = 1 / 3, 2


class Grade(Enum):
    """The answer to a question of the verdict."""

    GOOD = "good"
    FAIR = "fair"
    BAD = "bad"


def grade_masks(cls: ClassFindings) -> Grade | None:
    """How close the automatic masks are to the true masks; `None` without Dice."""
    dice = cls.scores.get("dice")
    return None if dice is None else _grade(dice, CLOSE, USABLE)


def grade_backbone(cls: ClassFindings) -> Grade | None:
    """How well the backbone segments the object in its true box.

    A backbone that understands the images draws better masks than the filled box, which needs no
    backbone. Without Dice, pseudo-labels that fit their boxes poorly are BAD; others show nothing.
    """
    true_box, filled = cls.scores.get("true_box_dice"), cls.scores.get("box_fill_dice")
    if true_box is None or filled is None:
        return Grade.BAD if cls.has_poor_labels else None
    if true_box >= CLOSE:  # objects that fill their box leave no room for an improvement
        return Grade.GOOD
    if true_box < POOR:
        return Grade.BAD
    gain = _grade(true_box - filled, CLEAR, -CLEAR)
    return Grade.FAIR if gain is Grade.GOOD and true_box < USABLE else gain


def grade_finding(cls: ClassFindings) -> Grade | None:
    """How well the model finds the objects; `None` if no measured image shows one.

    With true masks, the model is compared with the backbone in the true box. Without, the overlap
    of its boxes with the given boxes counts. It is BAD if many objects are missed altogether.
    """
    if _are_many(cls.missed or 0, cls.present):
        return Grade.BAD
    dice, true_box = cls.scores.get("dice"), cls.scores.get("true_box_dice")
    if dice is not None and true_box is not None:
        return Grade.BAD if dice < true_box / 2 else _grade(dice - true_box, -CLEAR, -LARGE)
    overlap = cls.scores.get("box_iou")
    return None if overlap is None else _grade(overlap, CLOSE_BOX, ROUGH_BOX)


def grade_learning(cls: ClassFindings) -> Grade | None:
    """How much better the model is than the mean box; `None` if no measured image shows the object.

    FAIR means that there is no clear difference.
    """
    automatic, mean_box = main_score(cls), mean_box_score(cls)
    if automatic is None or mean_box is None:
        return None
    return _grade(automatic - mean_box, CLEAR, -CLEAR)


def is_always_in_one_place(cls: ClassFindings) -> bool:
    """Whether a mean box is about as good as the model, and not because both are poor."""
    mean_box = mean_box_score(cls)
    is_found = grade_finding(cls) in (Grade.GOOD, Grade.FAIR)
    is_as_good = grade_learning(cls) is Grade.FAIR
    return is_found and is_as_good and mean_box is not None and mean_box >= POOR


def leaves_many_empty(cls: ClassFindings) -> bool:
    """Whether the model learned from images without the object, and now leaves many masks empty."""
    return cls.train_absent > 0 and _are_many(cls.left_empty, cls.present)


def invents_many(cls: ClassFindings) -> bool:
    """Whether many images without the object get a mask."""
    return _are_many(cls.invented, cls.absent)


def main_score(cls: ClassFindings) -> float | None:
    """Dice of the automatic masks, or the overlap of boxes if there is no true mask."""
    return cls.scores.get("dice", cls.scores.get("box_iou"))


def mean_box_score(cls: ClassFindings) -> float | None:
    """The same score of the mean training box."""
    return cls.scores.get("mean_box_dice" if "dice" in cls.scores else "mean_box_iou")


def _grade(value: float, good: float, fair: float) -> Grade:
    """The grade of a value, from the least values of the two upper grades."""
    return Grade.GOOD if value >= good else Grade.FAIR if value >= fair else Grade.BAD


def _are_many(count: int, total: int) -> bool:
    return count >= max(AT_LEAST, MANY * total)
