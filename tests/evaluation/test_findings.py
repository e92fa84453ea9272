"""The numbers of the verdict, collected from the results of test cases."""

from automedsam.cases.case import Case
from automedsam.cases.classes import Classes, ObjectClass
from automedsam.evaluation.evaluator import CaseResult, ClassResult
from automedsam.evaluation.findings import ClassFindings, Findings, ObjectScore, collect_findings
from automedsam.evaluation.scores import Scores
from automedsam.evaluation.volumes import Overlap

CLASSES = Classes([ObjectClass("liver", 1), ObjectClass("spleen", 7)])
MEANS = {"liver": {"dice": 0.4}, "spleen": {"left_empty": 0.5}}
PRESENT, MISSED, ELSEWHERE = (
    (Scores(dice=0.8, box_iou=0.7), False),
    (Scores(dice=0.0, box_iou=0.0), True),
    (Scores(dice=0.0, box_iou=0.0), False),
)
LEFT_EMPTY, INVENTED = (Scores(left_empty=1.0), True), (Scores(left_empty=0.0), False)


def make_case(name: str, group: str, *present: int, split: str = "test") -> Case:
    boxes = {cls.value: ((1, 2, 5, 6),) if cls.value in present else () for cls in CLASSES}
    return Case(name, group, split, 24, 30, boxes)


def make_result(case: Case, *pairs: tuple[Scores, bool], mask: bool = True) -> CaseResult:
    """The result of a case, from the scores of each class and whether its mask is empty."""
    overlap = Overlap(4, 4, 2) if mask else None
    classes = [ClassResult(scores, overlap, is_empty) for scores, is_empty in pairs]
    return CaseResult(case, [], classes)


def test_missed_empty_and_invented_objects_are_counted():
    results = [
        make_result(make_case("a", "p1", 1), PRESENT, LEFT_EMPTY),
        make_result(make_case("b", "p1", 1), ELSEWHERE, INVENTED),
        make_result(make_case("c", "p2", 1), MISSED, INVENTED),
        make_result(make_case("d", "p3"), LEFT_EMPTY, LEFT_EMPTY),
    ]
    train_cases = [make_case("t", "t", 1, split="train"), make_case("u", "u", split="train")]
    findings = collect_findings(results, train_cases, CLASSES, MEANS, {"dice": 0.4}, "sam_tiny")
    assert findings == Findings(
        classes=[
            ClassFindings(
                "liver",
                {"dice": 0.4},
                present=3,
                missed=2,
                left_empty=1,
                absent=1,
                invented_names=[],
                train_present=1,
                train_absent=1,
            ),
            ClassFindings(
                "spleen",
                {"left_empty": 0.5},
                absent=4,
                missed=0,
                invented=2,
                invented_names=["b", "c"],
                train_present=0,
                train_absent=2,
            ),
        ],
        backbone="sam_tiny",
        summary={"dice": 0.4},
        objects=[
            ObjectScore("b", "liver", 0.0),
            ObjectScore("c", "liver", 0.0),
            ObjectScore("a", "liver", 0.8),
        ],
        images=4,
        masks=4,
        groups=2,  # d shows no object
    )
    assert findings.has_dice


def test_without_masks_objects_have_the_overlap_of_their_boxes():
    results = [
        make_result(make_case(name, name, 1), (Scores(box_iou=overlap), False), mask=False)
        for name, overlap in (("a", 0.5), ("b", 0.25), ("c", 0.0))
    ]
    means = {"liver": {"box_iou": 0.25}}
    findings = collect_findings(results, [], Classes(CLASSES[:1]), means, {}, "sam_tiny")
    assert [(one.case, one.score) for one in findings.objects] == [
        ("c", 0),
        ("b", 0.25),
        ("a", 0.5),
    ]
    assert (findings.classes[0].missed, findings.masks, findings.has_dice) == (1, 0, False)


def test_if_some_images_have_masks_only_dice_is_ranked():
    results = [
        make_result(make_case("a", "a", 1), (Scores(dice=0.9, box_iou=0.9), False)),
        make_result(make_case("b", "b", 1), (Scores(box_iou=0.1), False), mask=False),
    ]
    means = {"liver": {"dice": 0.9, "box_iou": 0.5}}
    findings = collect_findings(results, [], Classes(CLASSES[:1]), means, {}, "sam_tiny")
    assert findings.objects == [ObjectScore("a", "liver", 0.9)]
    assert (findings.images, findings.masks) == (2, 1)


def test_classes_with_poor_labels_are_marked():
    means = {"liver": {}, "spleen": {}}
    findings = collect_findings([], [], CLASSES, means, {}, "sam_tiny", {"spleen"})
    assert [cls.has_poor_labels for cls in findings.classes] == [False, True]
