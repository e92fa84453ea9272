"""Data without a validation or a test split: what replaces it, and what cannot work."""

from collections.abc import Collection, Sequence

from automedsam.cases.case import Split
from automedsam.cases.classes import Classes
from automedsam.cases.folds import assign_folds, check_folds, describe_folds, divided_groups
from automedsam.preparation.amounts import Amounts
from automedsam.preparation.survey import SurveyedSlice
from automedsam.runtime.errors import name_some


def describe_missing_splits(
    train: Sequence[SurveyedSlice], splits: Collection[Split], amounts: Amounts
) -> list[str]:
    """What the later stages do without validation or test images, one line per missing split.

    Args:
      train: the training slices that are used.
      splits: the splits that are used.
      amounts: the shares, and why they are 0.

    Raises:
      InputError: as `check_folds`.
    """
    lines = []
    if "val" not in splits:
        lines.append(
            f"val: none ({amounts.reasons['val']}); train chooses the epoch by cross-validation in "
            f"{describe_folds(assign_folds(train))}, and the final model learns from all of them"
        )
    if "test" not in splits:
        measure = "the validation boxes" if "val" in splits else "cross-validation"
        lines.append(
            f"test: none ({amounts.reasons['test']}); evaluate reports the overlap of boxes from "
            f"{measure}"
        )
    return lines


def warn_about_folds(train: Sequence[SurveyedSlice], classes: Classes) -> list[str]:
    """Warnings about what a cross-validation over these slices cannot show.

    Args:
      train: the training slices that are used.
      classes: the classes.

    Raises:
      InputError: as `check_folds`.
    """
    check_folds(train, classes)
    folds = assign_folds(train)
    warnings = []
    if divided := divided_groups(folds):
        warnings.append(
            f"all boxes are in the group {name_some(divided)}, which the folds divide: the "
            "cross-validated overlap will be higher than that on other patients (see group_by)"
        )
    for cls in classes:
        if sum(any(s.boxes[cls.value] for s in fold) for fold in folds) == 1:
            groups = sorted({s.group for s in train if s.boxes[cls.value]})
            warnings.append(
                f"class {cls.name} is boxed in one fold only (group {name_some(groups)}): "
                "cross-validation counts it as missed, because the other folds do not show it"
            )
    return warnings
