"""Sentences of the verdict, in measured runs and with missing scores."""

from dataclasses import replace

import pytest

from automedsam.evaluation.findings import ClassFindings, Findings
from automedsam.evaluation.verdict import judge_class, judge_test, name_worst
from measured_runs import (
    BOXES_ONLY,
    CENTRED,
    FAIR_BACKBONE,
    FALSE_NEGATIVES,
    FOREIGN_BACKBONE,
    HEARTS,
    NO_TEST,
    PHANTOMS,
)

KNOWN_PRESENT = (
    "All test images show the object, so it is unknown whether the model invents objects."
)


def test_a_backbone_that_is_worse_than_the_filled_box_does_not_understand_the_images():
    assert judge_class(FOREIGN_BACKBONE.classes[0]) == [
        "The automatic masks are too inaccurate to use (Dice 0.698).",
        "The backbone does not understand these images: even in true boxes it draws poor masks "
        "(Dice 0.639; filled boxes: 0.785).",
        "Finding the objects does not limit the masks: they are as good as those in true boxes "
        "(0.698; in true boxes: 0.639).",
        "The model is better than a mean box, which needs no learning (0.698; mean box: 0.536).",
        "It misses no object altogether (0 of 27).",
        KNOWN_PRESENT,
    ]


def test_a_fair_backbone_and_one_missed_object():
    assert judge_class(FAIR_BACKBONE.classes[0]) == [
        "The automatic masks are a start for corrections by hand (Dice 0.743).",
        "The backbone understands these images only in part: in true boxes its masks are usable at "
        "best, or about as good as the filled boxes (Dice 0.819; filled boxes: 0.785).",
        "The model finds the objects less exactly than true boxes do (0.743; in true boxes: "
        "0.819).",
        "The model is better than a mean box, which needs no learning (0.743; mean box: 0.525).",
        "It misses the object altogether in 1 of 27 images.",
        KNOWN_PRESENT,
    ]


def test_a_model_that_leaves_masks_empty_does_not_find_the_object():
    assert judge_class(FALSE_NEGATIVES.classes[0]) == [
        "The automatic masks are too inaccurate to use (Dice 0.071).",
        "The backbone understands these images: in true boxes it draws good masks (Dice 0.844; "
        "filled boxes: 0.791).",
        "The model often does not find the object (0.071; in true boxes: 0.844).",
        "The model is worse than a mean box, which needs no learning (0.071; mean box: 0.640).",
        "It misses the object altogether in 6 of 7 images; 6 of the masks are empty.",
        "It invents no object (0 of 6 images without one).",
    ]
    assert judge_test(FALSE_NEGATIVES) == [
        "The test is small: the objects are from 7 patients, exams or files. Differences below "
        "about 0.1 may be chance."
    ]


def test_a_mean_box_that_is_nearly_as_good_says_little_about_learning():
    sentences = judge_class(CENTRED.classes[0])
    assert sentences[3] == (
        "A mean box, which needs no learning, is about as good (0.793; mean box: 0.762): the "
        "object is in nearly the same place in all images, so this test says little about what "
        "was learned."
    )
    assert judge_test(CENTRED) == []


def test_each_class_is_judged_by_itself():
    first_words = [" ".join(judge_class(cls)[1].split()[:5]) for cls in HEARTS.classes]
    assert first_words == [
        "The backbone understands these images:",
        "The backbone does not understand",
        "The backbone understands these images:",
    ]
    assert judge_test(HEARTS)[0].startswith(
        "The test is small: the objects are from 1 patient, exam or file."
    )


def test_a_good_model_is_called_good():
    assert [sentence.split(" (")[0] for sentence in judge_class(PHANTOMS.classes[0])] == [
        "The automatic masks are close to the true masks",
        "The backbone understands these images: in true boxes it draws good masks",
        "The model finds the objects: its masks are as good as those in true boxes",
        "The model is better than a mean box, which needs no learning",
        "It misses no object altogether",
        KNOWN_PRESENT,
    ]


def test_without_masks_boxes_are_judged():
    assert judge_test(BOXES_ONLY) == [
        "No test image has a true mask. Overlaps of boxes show whether objects are found, and not "
        "whether the outlines are right: look at plots/snapshots."
    ]
    assert judge_class(BOXES_ONLY.classes[0]) == [
        "The model often does not find the object: its boxes are not the given boxes (overlap "
        "0.410).",
        "The model is better than a mean box, which needs no learning (0.410; mean box: 0.200).",
        "It misses the object altogether in 3 of 20 images.",
        "It invents the object in 3 of 4 images without one (a, b, c).",
    ]


def test_masks_without_the_object_are_no_dice():
    cls = ClassFindings("a", {"box_iou": 0.8}, missed=0)
    findings = Findings([cls], "sam_tiny", images=3, masks=1)
    assert judge_test(findings)[0].startswith("No test image shows an object and has a true mask.")


def test_a_class_that_no_test_image_shows():
    cls = ClassFindings(
        "spleen", {"left_empty": 0.5}, missed=0, absent=4, invented=2, invented_names=["a", "b"]
    )
    assert judge_class(cls) == [
        "No test image shows the object.",
        "It invents the object in 2 of 4 images without one (a, b).",
    ]


def test_a_lower_score_than_the_mean_box_of_the_same_quality_is_no_progress():
    cls = ClassFindings("a", {"box_iou": 0.12, "mean_box_iou": 0.1}, present=12)
    assert judge_class(cls)[1].startswith("The model is about as good as a mean box")


def test_without_a_test_held_out_boxes_are_judged():
    assert judge_test(NO_TEST) == [
        "The model learned from 10 boxed images, with masks of the backbone lite_medsam.",
        "There is no test image, so no mask was compared with a true one.",
        "The overlaps of boxes (0 to 1) are from a cross-validation: each training box is compared "
        "with the mask of a model that has not learned from it. The same boxes chose the best "
        "epoch.",
    ]
    assert judge_class(NO_TEST.classes[0]) == [
        "The model finds the objects, but its boxes fit the given boxes only roughly (overlap "
        "0.610).",
        "The model is better than a mean box, which needs no learning (0.610; mean box: 0.300).",
        "It leaves the mask empty in 1 of 10 images that show it.",
        "It invents the object in 1 of 3 images without one.",
    ]
    assert name_worst(NO_TEST) == ""


def test_without_a_test_validation_boxes_are_no_independent_measurement():
    cls = ClassFindings("object", {"box_iou": 0.8}, train_present=24, has_poor_labels=True)
    findings = Findings([cls], "sam_tiny", measured_on="validation")
    assert judge_test(findings)[2:] == [
        "The overlap of boxes (0 to 1) is that with the validation boxes. They also chose the best "
        "epoch, so this is no independent measurement."
    ]
    assert judge_class(cls) == [
        "The backbone may not understand these images: its masks fit the training boxes poorly "
        "(plots/pseudo_labels.png).",
        "The model finds the objects: its boxes fit the given boxes (overlap 0.800).",
    ]


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (1, "The boxes are from 1 patient, exam or file. Expect less on others. Differences"),
        (9, "The boxes are from 9 patients, exams or files. Differences"),
    ],
)
def test_held_out_boxes_of_few_groups_say_little_about_others(groups, expected):
    assert judge_test(replace(NO_TEST, groups=groups))[-1].startswith(expected)


def test_the_worst_five_are_named():
    assert name_worst(PHANTOMS) == (
        "The worst images: image_0 (0.000); image_1 (0.100); image_2 (0.200); image_3 (0.300); "
        "image_4 (0.400)."
    )
    assert name_worst(HEARTS) == (
        "The worst images: heart_s001, ring (0.000); heart_s002, RV (0.250)."
    )


def test_one_empty_mask_is_singular():
    cls = ClassFindings("a", {"dice": 0.5}, present=12, missed=2, left_empty=1)
    assert "in 2 of 12 images; 1 of the masks is empty." in judge_class(cls)[-2]
