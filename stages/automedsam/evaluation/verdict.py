"""A verdict in plain sentences: does the model work, and if not, which part of it fails."""

from collections.abc import Iterator

from automedsam.evaluation.findings import ClassFindings, Findings
from automedsam.evaluation.judgement import (
    Grade,
    grade_backbone,
    grade_finding,
    grade_learning,
    grade_masks,
    is_always_in_one_place,
    main_score,
    mean_box_score,
)
from automedsam.runtime.errors import count_phrase, name_some

WORST = 5  # images that are named
FEW_GROUPS = 10  # the interval in judgement.py, of 27 images, is about +- 0.1 if scaled to 10

MASKS = {
    Grade.GOOD: "The automatic masks are close to the true masks",
    Grade.FAIR: "The automatic masks are a start for corrections by hand",
    Grade.BAD: "The automatic masks are too inaccurate to use",
}
BACKBONE = {
    Grade.GOOD: "The backbone understands these images: in true boxes it draws good masks",
    Grade.FAIR: (
        "The backbone understands these images only in part: in true boxes its masks are usable at "
        "best, or about as good as the filled boxes"
    ),
    Grade.BAD: (
        "The backbone does not understand these images: even in true boxes it draws poor masks"
    ),
}
FINDING = {
    Grade.GOOD: "The model finds the objects: its masks are as good as those in true boxes",
    Grade.FAIR: "The model finds the objects less exactly than true boxes do",
    Grade.BAD: "The model often does not find the object",
}
FINDING_BOXES = {
    Grade.GOOD: "The model finds the objects: its boxes fit the given boxes",
    Grade.FAIR: "The model finds the objects, but its boxes fit the given boxes only roughly",
    Grade.BAD: "The model often does not find the object: its boxes are not the given boxes",
}
FINDING_IS_NO_LIMIT = (
    "Finding the objects does not limit the masks: they are as good as those in true boxes"
)
LEARNING = {
    Grade.GOOD: "The model is better than a mean box, which needs no learning",
    Grade.FAIR: "The model is about as good as a mean box, which needs no learning",
    Grade.BAD: "The model is worse than a mean box, which needs no learning",
}
POOR_LABELS = (
    "The backbone may not understand these images: its masks fit the training boxes poorly "
    "(plots/pseudo_labels.png)"
)
ONE_PLACE = "A mean box, which needs no learning, is about as good"
MAY_BE_CHANCE = "Differences below about 0.1 may be chance."
NO_TEST = "There is no test image, so no mask was compared with a true one."
HELD_OUT = {  # by what was measured
    "cross-validation": (
        "The overlaps of boxes (0 to 1) are from a cross-validation: each training box is compared "
        "with the mask of a model that has not learned from it. The same boxes chose the best "
        "epoch."
    ),
    "validation": (
        "The overlap of boxes (0 to 1) is that with the validation boxes. They also chose the best "
        "epoch, so this is no independent measurement."
    ),
}


def judge_test(findings: Findings) -> list[str]:
    """Sentences about what the test can show."""
    return [*_judge_measurement(findings), *_judge_size(findings)]


def judge_class(cls: ClassFindings) -> list[str]:
    """Sentences about one class: masks, backbone, finding, learning, missed and invented objects.

    A sentence is left out if the scores that it rests on are missing.
    """
    if not cls.scores and not cls.present and not cls.absent:
        return []
    return [*_judge_masks(cls), *_judge_learning(cls), *_judge_presence(cls)]


def name_worst(findings: Findings) -> str:
    """The names and scores of the worst five objects, as one sentence; "" without a test."""
    several = len(findings.classes) > 1
    names = [
        f"{one.case}{f', {one.class_name}' if several else ''} ({one.score:.3f})"
        for one in findings.objects[:WORST]
    ]
    return f"The worst images: {'; '.join(names)}." if names else ""


def _judge_measurement(findings: Findings) -> Iterator[str]:
    if findings.measured_on != "test":
        boxed = max(cls.train_present for cls in findings.classes)
        yield (
            f"The model learned from {count_phrase(boxed, 'boxed image')}, with masks of the "
            f"backbone {findings.backbone}."
        )
        yield NO_TEST
        yield HELD_OUT[findings.measured_on]
    elif not findings.has_dice:
        what = "shows an object and has a true mask" if findings.masks else "has a true mask"
        yield (
            f"No test image {what}. Overlaps of boxes show whether objects are found, and not "
            "whether the outlines are right: look at plots/snapshots."
        )


def _judge_size(findings: Findings) -> Iterator[str]:
    if not 0 < findings.groups < FEW_GROUPS:
        return
    groups = count_phrase(findings.groups, "patient, exam or file", "patients, exams or files")
    if findings.measured_on == "test":
        yield f"The test is small: the objects are from {groups}. {MAY_BE_CHANCE}"
    else:
        others = "Expect less on others. " if findings.groups == 1 else ""
        yield f"The boxes are from {groups}. {others}{MAY_BE_CHANCE}"


def _judge_masks(cls: ClassFindings) -> Iterator[str]:
    scores = cls.scores
    masks, backbone, finding = grade_masks(cls), grade_backbone(cls), grade_finding(cls)
    if masks:
        yield f"{MASKS[masks]} (Dice {scores['dice']:.3f})."
    if backbone and "true_box_dice" not in scores:
        yield f"{POOR_LABELS}."
    elif backbone:
        true_box, filled = scores["true_box_dice"], scores["box_fill_dice"]
        yield f"{BACKBONE[backbone]} (Dice {true_box:.3f}; filled boxes: {filled:.3f})."
    if finding and {"dice", "true_box_dice"} <= scores.keys():
        is_no_limit = (backbone, finding) == (Grade.BAD, Grade.GOOD)
        sentence = FINDING_IS_NO_LIMIT if is_no_limit else FINDING[finding]
        yield f"{sentence} ({scores['dice']:.3f}; in true boxes: {scores['true_box_dice']:.3f})."
    elif finding:
        yield f"{FINDING_BOXES[finding]} (overlap {scores['box_iou']:.3f})."


def _judge_learning(cls: ClassFindings) -> Iterator[str]:
    learning = grade_learning(cls)
    if learning:
        numbers = f"({main_score(cls):.3f}; mean box: {mean_box_score(cls):.3f})"
        if is_always_in_one_place(cls):
            yield (
                f"{ONE_PLACE} {numbers}: the object is in nearly the same place in all images, so "
                "this test says little about what was learned."
            )
        else:
            yield f"{LEARNING[learning]} {numbers}."


def _judge_presence(cls: ClassFindings) -> Iterator[str]:
    if cls.missed is None:
        yield from _judge_held_out_presence(cls)
        return
    if not cls.present:
        yield "No test image shows the object."
    elif cls.missed:
        masks = count_phrase(cls.left_empty, "of the masks is", "of the masks are")
        empty = f"; {masks} empty" if cls.left_empty else ""
        yield f"It misses the object altogether in {cls.missed} of {cls.present} images{empty}."
    else:
        yield f"It misses no object altogether (0 of {cls.present})."
    if not cls.absent:
        yield "All test images show the object, so it is unknown whether the model invents objects."
    elif cls.invented:
        yield f"{_invented(cls)} ({name_some(cls.invented_names)})."
    else:
        yield f"It invents no object (0 of {cls.absent} images without one)."


def _judge_held_out_presence(cls: ClassFindings) -> Iterator[str]:
    if cls.left_empty:
        yield f"It leaves the mask empty in {cls.left_empty} of {cls.present} images that show it."
    if cls.absent:
        yield f"{_invented(cls)}."


def _invented(cls: ClassFindings) -> str:
    return f"It invents the object in {cls.invented} of {cls.absent} images without one"
