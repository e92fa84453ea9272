"""What to try next, in measured runs."""

import re
from dataclasses import replace

import pytest

from automedsam.evaluation import next_steps as module
from automedsam.evaluation.findings import ClassFindings, Findings
from automedsam.evaluation.next_steps import NOTHING, next_steps
from automedsam.runtime.parameters.config import AutoMedSAMConfig
from docs_pages import anchors
from measured_runs import (
    BOXES_ONLY,
    CENTRED,
    FAIR_BACKBONE,
    FALSE_NEGATIVES,
    FOREIGN_BACKBONE,
    HEARTS,
    NO_TEST,
    PHANTOMS,
    RUNS,
    dice_scores,
    one_class,
)
from repository import ROOT

OTHER_BACKBONE = (
    "Try another backbone (`-S backbone=lite_medsam` or `-S backbone=medsam_vit_b`), and see in "
    "plots/pseudo_labels.png whether its masks follow the objects. Rings and thin, branched "
    "objects are hard for every backbone."
)


def test_a_foreign_backbone_is_to_be_replaced():
    assert next_steps(FOREIGN_BACKBONE) == [OTHER_BACKBONE]


def test_the_backbone_in_use_is_not_suggested():
    findings = Findings(FOREIGN_BACKBONE.classes, "lite_medsam", images=27)
    (step,) = next_steps(findings)
    assert "`-S backbone=medsam_vit_b` or `-S backbone=sam_vit_b`" in step


def test_negative_examples_are_to_be_checked_and_nothing_else():
    assert next_steps(FALSE_NEGATIVES) == [
        "Check the negative examples: 14 of 21 training images do not show the object, and the "
        "model leaves 6 of 7 objects empty. If some of those images do show the object, draw its "
        "boxes. `-S unboxed=unknown` leaves out images that are listed without a box, and "
        "`-S keep_empty=false` all images that show no object."
    ]


def test_more_boxes_and_then_better_outlines():
    assert next_steps(FAIR_BACKBONE) == [
        "Train on more boxes (10 training images show the object; `-S train_cases=null` uses all "
        "that are drawn), or longer (`epochs`, `steps_per_epoch`).",
        "Another backbone may draw better outlines (`-S backbone=lite_medsam` or "
        "`-S backbone=medsam_vit_b`).",
    ]


def test_objects_in_one_place_require_another_test():
    assert next_steps(CENTRED) == [
        "Test on images in which the object is in other places. If there are none, a mean box may "
        "be enough."
    ]


def test_steps_name_the_classes_that_they_concern():
    backbone, boxes = next_steps(HEARTS)
    assert backbone == f"ring: {OTHER_BACKBONE}"
    assert boxes.startswith(
        "RV, LV: Train on more boxes (9 training images show RV, 10 training images show LV;"
    )


def test_invented_objects_require_negative_examples_and_outlines_require_masks():
    more_boxes, negatives, masks = next_steps(BOXES_ONLY)
    assert more_boxes.startswith("Train on more boxes")
    assert negatives == (
        "Train on more images without the object (1 of 11 training images do not show the "
        "object): see docs/data.md, Negative examples."
    )
    assert masks.startswith("Draw masks of a few test images")


def test_a_good_model_needs_nothing():
    assert next_steps(PHANTOMS) == [NOTHING]


def test_without_a_test_one_is_suggested():
    (cls,) = NO_TEST.classes
    good = replace(cls, scores={"box_iou": 0.75})
    assert next_steps(replace(NO_TEST, classes=[good])) == [module.PREDICT, module.TEST]
    more_boxes, test = next_steps(NO_TEST)
    assert more_boxes.startswith("Train on more boxes (10 training images show the object;")
    assert test == module.TEST
    poor_labels = replace(good, has_poor_labels=True)
    backbone, test = next_steps(replace(NO_TEST, classes=[poor_labels]))
    assert backbone.startswith("Try another backbone (`-S backbone=medsam_vit_b`")


def test_the_classes_that_the_held_out_boxes_concern_are_named():
    good = ClassFindings("liver", {"box_iou": 0.95}, present=9)
    poor = ClassFindings("spleen", {"box_iou": 0.4}, present=9, train_present=9)
    step, _ = next_steps(replace(NO_TEST, classes=[good, poor]))
    assert step.startswith("spleen: Train on more boxes (9 training images show spleen;")


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        # Poor masks in true boxes, too.
        (dice_scores(0.66, 0.68, 0.2, 0.45), "Try another backbone"),
        # Worse than a mean box, although the objects are found.
        (dice_scores(0.80, 0.82, 0.86, 0.70), "Train on more boxes"),
    ],
)
def test_poor_results_never_end_without_advice(scores, expected):
    (step,) = next_steps(one_class(ClassFindings("object", scores, present=20, train_present=10)))
    assert step.startswith(expected)


def test_the_own_weights_of_a_backbone_are_not_kept_for_another():
    step = next_steps(replace(FOREIGN_BACKBONE, has_checkpoint=True))[0]
    assert "`-S backbone=lite_medsam -S medsam_checkpoint=null`" in step


def test_empty_masks_without_negative_examples_require_more_boxes():
    cls = ClassFindings(
        "object", FALSE_NEGATIVES.classes[0].scores, present=7, left_empty=6, train_present=7
    )
    assert [step.split(" (")[0] for step in next_steps(one_class(cls))] == ["Train on more boxes"]


@pytest.mark.parametrize("findings", RUNS)
def test_the_keys_values_and_pages_that_steps_name_exist(findings):
    text = " ".join(next_steps(findings))
    changes = dict(re.findall(r"-S (\w+)=(\w+)", text))
    for key in [*changes, *re.findall(r"`([a-z_]+)`", text)]:
        assert key in AutoMedSAMConfig.model_fields
    for path in re.findall(r"\b(?:docs|stages)/[\w/]+\.\w+", text):
        assert (ROOT / path).is_file()
    names = anchors(ROOT / "docs/data.md")
    assert {"negative-examples-and-unlisted-images", "masks-for-testing"} <= names
