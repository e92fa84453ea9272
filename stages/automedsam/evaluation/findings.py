"""The numbers of an evaluation that the verdict rests on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from automedsam.cases.case import Case
from automedsam.cases.classes import Classes, ObjectClass
from automedsam.evaluation.evaluator import CaseResult, ClassResult


@dataclass(frozen=True)
class ClassFindings:
    """The results of one class."""

    name: str
    scores: Mapping[str, float]  # means, as in metrics/per_class.csv; undefined ones are missing
    present: int = 0  # measured images that show the object
    missed: int | None = None  # of these, the ones whose mask has no overlap with it, if known
    left_empty: int = 0  # of these, the ones whose mask is empty
    absent: int = 0  # measured images that do not show the object
    invented: int = 0  # of these, the ones whose mask is not empty
    invented_names: Sequence[str] = ()  # of the latter, if known
    train_present: int = 0  # training images that show the object
    train_absent: int = 0  # training images that do not
    has_poor_labels: bool = False  # whether the pseudo-labels fit the drawn boxes poorly


@dataclass(frozen=True)
class ObjectScore:
    """The score of one object in one test image."""

    case: str
    class_name: str
    score: float  # Dice, or the overlap of boxes if there is no true mask


@dataclass(frozen=True)
class Findings:
    """The results of an evaluation.

    Without test images, the classes hold the scores of held-out boxes, and there are no objects.
    """

    classes: Sequence[ClassFindings]
    backbone: str  # name
    summary: Mapping[str, float] = field(default_factory=dict)  # as in metrics/summary.json
    objects: Sequence[ObjectScore] = ()  # the worst first
    images: int = 0  # test images
    masks: int = 0  # of these, the ones with a true mask
    groups: int = 0  # groups (patients or exams) of the measured images that show an object
    has_checkpoint: bool = False  # whether the weights are those of `medsam_checkpoint`
    measured_on: Literal["test", "cross-validation", "validation"] = "test"

    @property
    def has_dice(self) -> bool:
        """Whether any object was compared with a true mask."""
        return any("dice" in one.scores for one in self.classes)


def collect_findings(
    results: Sequence[CaseResult],
    train_cases: Sequence[Case],
    classes: Classes,
    means: Mapping[str, Mapping[str, float]],
    summary: Mapping[str, float],
    backbone: str,
    poor_labels: Collection[str] = (),
) -> Findings:
    """Collect the findings of a test.

    Args:
      results: results of the test cases.
      train_cases: cases that the model was trained on.
      classes: the classes, in the order of the results.
      means: mean scores by the name of the class.
      summary: means over the classes.
      backbone: name of the backbone.
      poor_labels: names of the classes whose pseudo-labels fit the drawn boxes poorly.
    """
    return Findings(
        classes=[
            _collect_class(
                cls,
                means[cls.name],
                _of_class(results, number),
                train_cases,
                has_poor_labels=cls.name in poor_labels,
            )
            for number, cls in enumerate(classes)
        ],
        backbone=backbone,
        summary=summary,
        objects=_sort_objects(results, classes),
        images=len(results),
        masks=sum(result.has_mask for result in results),
        groups=len({r.case.group for r in results if any(one.is_present for one in r.classes)}),
    )


def _of_class(results: Sequence[CaseResult], number: int) -> list[tuple[str, ClassResult]]:
    return [(result.case.name, result.classes[number]) for result in results]


def _collect_class(
    cls: ObjectClass,
    scores: Mapping[str, float],
    results: Sequence[tuple[str, ClassResult]],
    train_cases: Sequence[Case],
    *,
    has_poor_labels: bool,
) -> ClassFindings:
    present = [one for _, one in results if one.is_present]
    absent = [(name, one) for name, one in results if not one.is_present]
    invented = [name for name, one in absent if not one.is_empty]
    train_present = sum(bool(case.boxes[cls.value]) for case in train_cases)
    return ClassFindings(
        name=cls.name,
        scores=scores,
        present=len(present),
        missed=sum(_score(one) == 0 for one in present),
        left_empty=sum(one.is_empty for one in present),
        absent=len(absent),
        invented=len(invented),
        invented_names=invented,
        train_present=train_present,
        train_absent=len(train_cases) - train_present,
        has_poor_labels=has_poor_labels,
    )


def _sort_objects(results: Sequence[CaseResult], classes: Classes) -> list[ObjectScore]:
    """The objects with Dice, or with an overlap of boxes if none has; the worst first."""
    pairs = [
        (result.case.name, cls.name, one.scores)
        for result in results
        for cls, one in zip(classes, result.classes, strict=True)
        if one.is_present
    ]
    has_dice = any(scores.dice is not None for *_, scores in pairs)
    values = [
        (case, name, scores.dice if has_dice else scores.box_iou) for case, name, scores in pairs
    ]
    objects = [ObjectScore(case, name, value) for case, name, value in values if value is not None]
    return sorted(objects, key=lambda one: one.score)


def _score(result: ClassResult) -> float | None:
    dice = result.scores.dice
    return result.scores.box_iou if dice is None else dice
