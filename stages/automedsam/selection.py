"""Which of the slices that there are will be used."""

from collections import Counter

from automedsam.cases import SPLITS
from automedsam.errors import Faults
from automedsam.splits import rank
from automedsam.survey import SurveyedSlice, tell


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
    for candidate in sorted((s for s in usable if s.split == "train"), key=lambda s: rank(s.name, seed)):
        if boxed == train_cases:
            break
        chosen.append(candidate)
        boxed += bool(candidate.boxes_xyxy)
    return sorted(chosen, key=lambda s: s.name)


def check_splits(slices: list[SurveyedSlice], chosen: list[SurveyedSlice], classes: list[int | str]) -> None:
    """Raises InputError for each split without an object, naming the classes that were found."""
    boxed = {surveyed.split for surveyed in chosen if surveyed.boxes_xyxy}
    too_small = Counter(surveyed.split for surveyed in slices if surveyed.is_too_small)
    faults = Faults()
    for split in SPLITS:
        if split not in boxed:
            faults.add(
                f"class_ids, val_fraction, test_fraction: expected an object in the {split} images, found none in "
                f"{sum(s.split == split for s in slices)}, of the classes {', '.join(map(str, classes)) or 'none'}"
                + (f", and {tell(too_small[split], 'object')} below min_object_px" if too_small[split] else "")
            )
    faults.raise_all()


def _is_usable(surveyed: SurveyedSlice, keep_empty: bool) -> bool:
    if surveyed.is_too_small:
        return keep_empty and surveyed.split == "test"
    return keep_empty or bool(surveyed.boxes_xyxy)
