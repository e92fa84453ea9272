"""Grades of classes, at their thresholds and in measured runs."""

import pytest

from automedsam.evaluation.findings import ClassFindings
from automedsam.evaluation.judgement import (
    Grade,
    grade_backbone,
    grade_finding,
    grade_learning,
    grade_masks,
    invents_many,
    is_always_in_one_place,
    leaves_many_empty,
    main_score,
    mean_box_score,
)
from measured_runs import (
    BOXES_ONLY,
    CENTRED,
    FAIR_BACKBONE,
    FALSE_NEGATIVES,
    FOREIGN_BACKBONE,
    HEARTS,
    PHANTOMS,
    dice_scores,
)

GOOD, FAIR, BAD = Grade.GOOD, Grade.FAIR, Grade.BAD
NOTHING = ClassFindings("object", {})


@pytest.mark.parametrize(
    ("cls", "masks", "backbone", "finding", "learning"),
    [
        (FOREIGN_BACKBONE.classes[0], BAD, BAD, GOOD, GOOD),
        (FAIR_BACKBONE.classes[0], FAIR, FAIR, FAIR, GOOD),
        (FALSE_NEGATIVES.classes[0], BAD, GOOD, BAD, BAD),
        (CENTRED.classes[0], FAIR, GOOD, GOOD, FAIR),
        (PHANTOMS.classes[0], GOOD, GOOD, GOOD, GOOD),
        (HEARTS.classes[0], BAD, GOOD, BAD, GOOD),
        (HEARTS.classes[1], BAD, BAD, GOOD, GOOD),
        (HEARTS.classes[2], FAIR, GOOD, FAIR, GOOD),
        (BOXES_ONLY.classes[0], None, None, BAD, GOOD),
        (NOTHING, None, None, None, None),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_grades_of_measured_runs(cls, masks, backbone, finding, learning):
    assert grade_masks(cls) is masks
    assert grade_backbone(cls) is backbone
    assert grade_finding(cls) is finding
    assert grade_learning(cls) is learning


@pytest.mark.parametrize(
    ("true_box", "filled", "grade"),
    [
        (0.76, 0.7, GOOD),
        (0.69, 0.6, FAIR),  # better, but not good
        (0.74, 0.7, FAIR),
        (0.87, 0.88, FAIR),  # a round object, whose filled box is nearly as good
        (0.66, 0.7, FAIR),
        (0.64, 0.7, BAD),
        (0.49, 0.3, BAD),  # more wrong than right, whatever the filled box gives
        (0.94, 0.97, GOOD),  # an object that fills its box
    ],
)
def test_a_good_backbone_is_better_than_the_filled_box(true_box, filled, grade):
    assert grade_backbone(ClassFindings("a", dice_scores(0.5, true_box, 0.1, filled))) is grade


@pytest.mark.parametrize(
    ("missed", "scores", "grade"),
    [
        (2, {"dice": 0.55, "true_box_dice": 0.6}, GOOD),
        (3, {"dice": 0.55, "true_box_dice": 0.6}, BAD),
        (3, {"box_iou": 0.8}, BAD),
    ],
)
def test_a_model_that_misses_a_third_of_the_objects_does_not_find_them(missed, scores, grade):
    assert grade_finding(ClassFindings("a", scores, present=9, missed=missed)) is grade


@pytest.mark.parametrize(("dice", "grade"), [(0.08, FAIR), (0.07, BAD)])
def test_less_than_half_of_the_true_box_is_bad_even_if_the_difference_is_small(dice, grade):
    scores = {"dice": dice, "true_box_dice": 0.15}
    assert grade_finding(ClassFindings("a", scores)) is grade


def test_without_dice_poor_labels_show_a_poor_backbone():
    poor = ClassFindings("a", {"box_iou": 0.9}, has_poor_labels=True)
    assert grade_backbone(poor) is BAD
    with_dice = ClassFindings("a", dice_scores(0.9, 0.95, 0.1, 0.8), has_poor_labels=True)
    assert grade_backbone(with_dice) is GOOD


@pytest.mark.parametrize(
    ("scores", "grade"),
    [
        ({"dice": 0.76, "true_box_dice": 0.8}, GOOD),
        ({"dice": 0.9, "true_box_dice": 0.8}, GOOD),
        ({"dice": 0.74, "true_box_dice": 0.8}, FAIR),
        ({"dice": 0.59, "true_box_dice": 0.8}, BAD),
        ({"box_iou": 0.75}, GOOD),
        ({"box_iou": 0.74}, FAIR),
        ({"box_iou": 0.49}, BAD),
        ({"box_iou": 0.2, "dice": 0.8, "true_box_dice": 0.8}, GOOD),
    ],
)
def test_finding_is_compared_with_the_true_box_or_with_drawn_boxes(scores, grade):
    assert grade_finding(ClassFindings("a", scores)) is grade


@pytest.mark.parametrize(
    ("automatic", "mean_box", "grade", "in_one_place"),
    [
        (0.8, 0.74, GOOD, False),
        (0.8, 0.76, FAIR, True),
        (0.8, 0.84, FAIR, True),
        (0.8, 0.86, BAD, False),
        (0.2, 0.18, FAIR, False),  # both poor
    ],
)
@pytest.mark.parametrize("kind", ["dice", "box_iou"])
def test_learning_is_compared_with_the_mean_box(automatic, mean_box, grade, in_one_place, kind):
    mean_kind = {"dice": "mean_box_dice", "box_iou": "mean_box_iou"}[kind]
    true_box = {"true_box_dice": 0.8} if kind == "dice" else {}
    cls = ClassFindings("a", {kind: automatic, mean_kind: mean_box, **true_box})
    assert (main_score(cls), mean_box_score(cls)) == (automatic, mean_box)
    assert grade_learning(cls) is grade
    assert is_always_in_one_place(cls) is in_one_place


def test_a_model_that_does_not_find_objects_says_nothing_about_their_place():
    cls = ClassFindings("a", dice_scores(0.6, 0.85, 0.58, 0.7))
    assert grade_learning(cls) is FAIR
    assert not is_always_in_one_place(cls)


@pytest.mark.parametrize(
    ("present", "left_empty", "train_absent", "expected"),
    [
        (7, 6, 14, True),
        (7, 3, 1, True),
        (7, 2, 1, False),
        (7, 6, 0, False),  # nothing taught the model to leave a mask empty
        (1, 1, 14, False),  # an exception
        (0, 0, 14, False),
    ],
)
def test_many_empty_masks_are_blamed_on_negative_examples(
    present, left_empty, train_absent, expected
):
    cls = ClassFindings("a", {}, present=present, left_empty=left_empty, train_absent=train_absent)
    assert leaves_many_empty(cls) is expected


@pytest.mark.parametrize(
    ("absent", "invented", "expected"),
    [(6, "ab", True), (7, "ab", False), (1, "a", False), (0, "", False)],
)
def test_many_invented_objects(absent, invented, expected):
    assert invents_many(ClassFindings("a", {}, absent=absent, invented=len(invented))) is expected
