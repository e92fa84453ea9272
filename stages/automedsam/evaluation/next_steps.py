"""What to try next, from the findings of an evaluation."""

from collections.abc import Callable, Sequence

from automedsam.backbone.backbones import other_backbones
from automedsam.evaluation.findings import ClassFindings, Findings
from automedsam.evaluation.judgement import (
    Grade,
    grade_backbone,
    grade_finding,
    grade_learning,
    grade_masks,
    invents_many,
    is_always_in_one_place,
    leaves_many_empty,
)

NOTHING = (
    "Nothing stands out. Look at the worst images in plots/snapshots, then segment new images with "
    "`python stages/predict.py`."
)
PREDICT = "Segment new images with `python stages/predict.py`, and look at their masks."
TEST = (
    "Keep some boxed images for a test (`-S test_fraction=0.3`), or draw masks of some images that "
    "have no box."
)
MASKS = "Draw masks of a few test images (docs/data.md, Masks for testing) to measure the outlines."

Advice = Callable[[Sequence[ClassFindings], Findings], str]


def next_steps(findings: Findings) -> list[str]:
    """What to try next, the most important first; never empty."""
    steps = []
    for applies, advise in ADVICE:
        if concerned := [cls for cls in findings.classes if applies(cls)]:
            names = ", ".join(cls.name for cls in concerned)
            of_classes = f"{names}: " if len(findings.classes) > 1 else ""
            steps.append(f"{of_classes}{advise(concerned, findings)}")
    if findings.measured_on != "test":
        steps += [TEST] if steps else [PREDICT, TEST]
    elif not findings.has_dice:
        steps.append(MASKS)
    return steps or [NOTHING]


def _needs_other_backbone(cls: ClassFindings) -> bool:
    is_poor_but_found = grade_masks(cls) is Grade.BAD and grade_finding(cls) is Grade.GOOD
    return grade_backbone(cls) is Grade.BAD or is_poor_but_found


def _needs_better_outlines(cls: ClassFindings) -> bool:
    return grade_backbone(cls) is Grade.FAIR and not _needs_other_backbone(cls)


def _needs_training(cls: ClassFindings) -> bool:
    finds_badly = grade_finding(cls) in (Grade.FAIR, Grade.BAD)
    learned_nothing = grade_learning(cls) is Grade.BAD
    return (finds_badly or learned_nothing) and not leaves_many_empty(cls)


def _check_negatives(concerned: Sequence[ClassFindings], findings: Findings) -> str:
    counts = _count_absent(concerned, findings)
    empty = ", ".join(f"{cls.left_empty} of {cls.present}" for cls in concerned)
    return (
        f"Check the negative examples: {counts}, and the model leaves {empty} objects empty. If "
        "some of those images do show the object, draw its boxes. `-S unboxed=unknown` leaves out "
        "images that are listed without a box, and `-S keep_empty=false` all images that show no "
        "object."
    )


def _change_backbone(_: Sequence[ClassFindings], findings: Findings) -> str:
    return (
        f"Try another backbone ({_suggest_backbones(findings)}), and see in "
        "plots/pseudo_labels.png whether its masks follow the objects. Rings and thin, branched "
        "objects are hard for every backbone."
    )


def _train_more(concerned: Sequence[ClassFindings], findings: Findings) -> str:
    counts = ", ".join(
        f"{cls.train_present} training images show {_object(cls, findings)}" for cls in concerned
    )
    return (
        f"Train on more boxes ({counts}; `-S train_cases=null` uses all that are drawn), or longer "
        "(`epochs`, `steps_per_epoch`)."
    )


def _vary_places(_: Sequence[ClassFindings], __: Findings) -> str:
    return (
        "Test on images in which the object is in other places. If there are none, a mean box "
        "may be enough."
    )


def _improve_outlines(_: Sequence[ClassFindings], findings: Findings) -> str:
    return f"Another backbone may draw better outlines ({_suggest_backbones(findings)})."


def _add_negatives(concerned: Sequence[ClassFindings], findings: Findings) -> str:
    return (
        "Train on more images without the object "
        f"({_count_absent(concerned, findings)}): see docs/data.md, Negative examples."
    )


ADVICE: tuple[tuple[Callable[[ClassFindings], bool], Advice], ...] = (
    (leaves_many_empty, _check_negatives),
    (_needs_other_backbone, _change_backbone),
    (_needs_training, _train_more),
    (is_always_in_one_place, _vary_places),
    (_needs_better_outlines, _improve_outlines),
    (invents_many, _add_negatives),
)


def _suggest_backbones(findings: Findings) -> str:
    own_weights = " -S medsam_checkpoint=null" if findings.has_checkpoint else ""
    names = other_backbones(findings.backbone)[:2]
    return " or ".join(f"`-S backbone={name}{own_weights}`" for name in names)


def _count_absent(concerned: Sequence[ClassFindings], findings: Findings) -> str:
    return ", ".join(
        f"{cls.train_absent} of {cls.train_absent + cls.train_present} training images do not show "
        f"{_object(cls, findings)}"
        for cls in concerned
    )


def _object(cls: ClassFindings, findings: Findings) -> str:
    return "the object" if len(findings.classes) == 1 else cls.name
