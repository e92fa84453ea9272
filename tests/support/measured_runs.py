"""The results of real runs, as a verdict must read them.

Means of Dice, measured on breast ultrasound, hearts (MR) and nuclei (microscopy) with one seed.
"""

from dataclasses import replace

from automedsam.evaluation.findings import ClassFindings, Findings, ObjectScore


def dice_scores(dice: float, true_box: float, mean_box: float, filled: float) -> dict[str, float]:
    return {
        "dice": dice,
        "true_box_dice": true_box,
        "mean_box_dice": mean_box,
        "box_fill_dice": filled,
    }


def one_class(cls: ClassFindings, backbone: str = "sam_tiny", masks: int | None = None) -> Findings:
    """The findings of a run with one class, whose groups are single images."""
    images = cls.present + cls.absent
    return Findings(
        classes=[replace(cls, missed=cls.missed or 0)],
        backbone=backbone,
        summary=cls.scores,
        objects=[ObjectScore(f"image_{n}", cls.name, n / 10) for n in range(7)],
        images=images,
        masks=images if masks is None else masks,
        groups=cls.present,
    )


# Breast ultrasound behind a backbone of phantoms: the backbone fails.
FOREIGN_BACKBONE = one_class(
    ClassFindings("object", dice_scores(0.698, 0.639, 0.536, 0.785), present=27, train_present=10)
)
# The same images behind a backbone of real images.
FAIR_BACKBONE = one_class(
    ClassFindings(
        "object", dice_scores(0.743, 0.819, 0.525, 0.785), present=27, missed=1, train_present=10
    )
)
# The same, with images that show a lesion listed without a box: the model leaves masks empty.
FALSE_NEGATIVES = one_class(
    ClassFindings(
        "object",
        dice_scores(0.071, 0.844, 0.640, 0.791),
        present=7,
        missed=6,
        left_empty=6,
        absent=6,
        train_present=7,
        train_absent=14,
    )
)
# Nuclei in the middle of their images.
CENTRED = one_class(
    ClassFindings("object", dice_scores(0.793, 0.774, 0.762, 0.711), present=30, train_present=10),
    backbone="lite_medsam",
)
# Hearts of one patient; the mean and the filled boxes of the classes are chosen to fit their means.
HEARTS = Findings(
    classes=[
        replace(one, present=18, missed=0)
        for one in (
            ClassFindings("RV", dice_scores(0.557, 0.862, 0.208, 0.727), train_present=9),
            ClassFindings("ring", dice_scores(0.508, 0.427, 0.2, 0.48), train_present=10),
            ClassFindings("LV", dice_scores(0.838, 0.928, 0.3, 0.8), train_present=10),
        )
    ],
    backbone="sam_tiny",
    summary=dice_scores(0.635, 0.739, 0.236, 0.669) | {"volume_dice": 0.687},
    objects=[ObjectScore("heart_s001", "ring", 0.0), ObjectScore("heart_s002", "RV", 0.25)],
    images=18,
    masks=18,
    groups=1,
)
# Synthetic images.
PHANTOMS = one_class(
    ClassFindings("object", dice_scores(0.972, 0.965, 0.298, 0.869), present=60, train_present=10)
)
# Boxes without any mask.
BOXES_ONLY = one_class(
    ClassFindings(
        "object",
        {"box_iou": 0.41, "mean_box_iou": 0.2, "left_empty": 0.25},
        present=20,
        missed=3,
        absent=4,
        invented=3,
        invented_names=["a", "b", "c"],
        train_present=10,
        train_absent=1,
    ),
    masks=0,
)
# Ten boxes and three images without the object, each held out once.
NO_TEST = Findings(
    classes=[
        ClassFindings(
            "object",
            {"box_iou": 0.61, "mean_box_iou": 0.3, "missed": 0.1, "left_empty": 2 / 3},
            present=10,
            left_empty=1,
            absent=3,
            invented=1,
            train_present=10,
            train_absent=3,
        )
    ],
    backbone="lite_medsam",
    groups=10,
    measured_on="cross-validation",
)
RUNS = [
    BOXES_ONLY,
    CENTRED,
    FAIR_BACKBONE,
    FALSE_NEGATIVES,
    FOREIGN_BACKBONE,
    HEARTS,
    NO_TEST,
    PHANTOMS,
]
