"""Which of the slices that there are will be used."""

from collections import Counter
from collections.abc import Sequence

from automedsam.cases.case import SPLITS
from automedsam.cases.classes import ObjectClass
from automedsam.preparation.splits import name_hash
from automedsam.preparation.survey import SurveyedSlice
from automedsam.preparation.survey_report import count_phrase
from automedsam.runtime.errors import ErrorCollector


def choose_slices(
    slices: list[SurveyedSlice], train_cases: int | None, keep_empty: bool, seed: int
) -> list[SurveyedSlice]:
    """Those to be used, by name.

    Slices without the object are used if `keep_empty`. Those whose object is too small to be boxed are neither trained
    nor validated on, and tested on only if `keep_empty`, as a volume's Dice needs all of its slices. Training slices
    are drawn by the seed until `train_cases` of them have a box, so that those without come in their natural share.
    """
    usable = [s for s in slices if _is_usable(s, keep_empty)]
    chosen = [s for s in usable if s.split != "train"]
    boxed = 0
    for candidate in sorted(
        (s for s in usable if s.split == "train"), key=lambda s: name_hash(s.name, seed)
    ):
        if boxed == train_cases:
            break
        chosen.append(candidate)
        boxed += bool(candidate.boxes_xyxy)
    return sorted(chosen, key=lambda s: s.name)


def check_splits(
    slices: list[SurveyedSlice],
    chosen: list[SurveyedSlice],
    classes: Sequence[ObjectClass],
    found: list[int | str],
) -> None:
    """Raises InputError for each split without an object of each class.

    Args:
      found: the classes that there are, for the message.
    """
    too_small = Counter(surveyed.split for surveyed in slices if surveyed.is_too_small)
    errors = ErrorCollector()
    for split in SPLITS:
        of_split = [surveyed for surveyed in slices if surveyed.split == split]
        for of in classes:
            if any(surveyed.split == split and surveyed.boxes[of.value] for surveyed in chosen):
                continue
            lost = (
                f", and {count_phrase(too_small[split], 'object')} below min_object_px"
                if too_small[split]
                else ""
            )
            wanted = f"an object{f' of class {of.name}' if len(classes) > 1 else ''} in the {split} images"
            if any(surveyed.boxes[of.value] for surveyed in of_split):
                used = sum(surveyed.split == split for surveyed in chosen)
                errors.add(
                    f"train_cases, seed, keep_empty: expected {wanted}, found none in the {used} chosen ones{lost}"
                )
                continue
            errors.add(
                f"class_ids, val_fraction, test_fraction: expected {wanted}, found none in {len(of_split)}, "
                f"of the classes {', '.join(map(str, found)) or 'none'}{lost}"
            )
    errors.raise_if_any()


def _is_usable(surveyed: SurveyedSlice, keep_empty: bool) -> bool:
    if surveyed.is_too_small:
        return keep_empty and surveyed.split == "test"
    return keep_empty or bool(surveyed.boxes_xyxy)
