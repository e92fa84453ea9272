"""The choice of slices that become cases."""

from collections.abc import Collection, Sequence

from automedsam.cases.case import SPLITS, Split
from automedsam.cases.classes import Classes, ObjectClass
from automedsam.preparation.splits import name_hash
from automedsam.preparation.survey import SurveyedSlice
from automedsam.runtime.errors import ErrorCollector, count_phrase


def choose_slices(
    slices: Sequence[SurveyedSlice], train_cases: int | None, keep_empty: bool, seed: int
) -> list[SurveyedSlice]:
    """Choose the slices that are used, sorted by name.

    Slices whose object is too small to be boxed are not used for training and validation; for
    testing they are used if `keep_empty`, because a volume's Dice needs all of its slices. Training
    slices are drawn at random until `train_cases` of them have a box, so that slices without one
    have their natural share.

    Args:
      slices: all slices.
      train_cases: number of training slices with a box; `None`: all.
      keep_empty: whether slices without an object are used.
      seed: of the random order of training slices.
    """
    usable = [s for s in slices if _is_usable(s, keep_empty)]
    chosen = [s for s in usable if s.split != "train"]
    candidates = sorted(
        (s for s in usable if s.split == "train"), key=lambda s: name_hash(s.name, seed)
    )
    boxed = 0
    for candidate in candidates:
        if boxed == train_cases:
            break
        chosen.append(candidate)
        boxed += bool(candidate.all_boxes_xyxy)
    return sorted(chosen, key=lambda s: s.name)


def check_splits(
    slices: Sequence[SurveyedSlice],
    chosen: Sequence[SurveyedSlice],
    classes: Classes,
    available: Sequence[int | str],
    splits: Collection[Split] = SPLITS,
) -> None:
    """Raise InputError for each split that shows no object of some class.

    Args:
      slices: all slices.
      chosen: the slices that are used.
      classes: the classes.
      available: the ids of classes that the data contain, for the message.
      splits: the splits that are used; training is among them in any case.
    """
    errors = ErrorCollector()
    for split in sorted({"train", *splits}, key=SPLITS.index):
        split_slices = [s for s in slices if s.split == split]
        split_chosen = [s for s in chosen if s.split == split]
        for cls in classes:
            if not any(s.boxes[cls.value] for s in split_chosen):
                missing = "no object" if classes.is_single else f"no object of class {cls.name}"
                errors.add(
                    _describe_fixed(missing, split_slices)
                    if split == "test" and _are_fixed(slices)
                    else _describe_missing(
                        cls, missing, split, split_slices, split_chosen, available
                    )
                )
    errors.raise_if_any()


def _describe_missing(
    cls: ObjectClass,
    missing: str,
    split: Split,
    slices: Sequence[SurveyedSlice],
    chosen: Sequence[SurveyedSlice],
    available: Sequence[int | str],
) -> str:
    too_small = sum(s.is_too_small for s in slices)
    note = f", {count_phrase(too_small, 'object')} below min_object_px" if too_small else ""
    if any(s.boxes[cls.value] for s in slices):
        return (
            f"train_cases, seed, keep_empty: {missing} in the {len(chosen)} chosen {split} images, "
            f"although other {split} images show one{note}"
        )
    return (
        f"class_ids, val_fraction, test_fraction: {missing} in the {len(slices)} {split} images "
        f"(classes in the data: {', '.join(map(str, available)) or 'none'}){note}"
    )


def _are_fixed(slices: Sequence[SurveyedSlice]) -> bool:
    """Return whether the test images are those with a mask and without a drawn box."""
    is_annotated = any(s.scan.boxes is not None for s in slices)
    return is_annotated and any(s.scan.split == "test" for s in slices)


def _describe_fixed(missing: str, slices: Sequence[SurveyedSlice]) -> str:
    count = count_phrase(len(slices), "test image")
    return (
        f"masks, unboxed, class_ids: {missing} in the {count}, chosen because of a mask "
        "and no box; add masks that show one, or remove these masks; if the images show none "
        "and are listed, unboxed: empty takes them for negative examples"
    )


def _is_usable(surveyed: SurveyedSlice, keep_empty: bool) -> bool:
    if surveyed.is_too_small:
        return keep_empty and surveyed.split == "test"
    return keep_empty or bool(surveyed.all_boxes_xyxy)
