"""The choice of unlabelled images: of the training split, and without any statement about them.

They are used for self-training. Groups of validation and test images are never among them.
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from itertools import chain, islice

from automedsam.cases.classes import Classes
from automedsam.datasets.raw_scan import RawScan
from automedsam.preparation.splits import name_hash
from automedsam.preparation.survey import SurveyedSlice
from automedsam.runtime.errors import InputError, count_phrase, name_some
from automedsam.scans.scan import slice_name

logger = logging.getLogger(__name__)


def choose_unlabelled(
    slices: Sequence[SurveyedSlice],
    used: Sequence[SurveyedSlice],
    unboxed: Sequence[RawScan],
    classes: Classes,
    max_unlabelled: int,
    seed: int,
) -> list[SurveyedSlice]:
    """Choose slices at random, sorted by name; all of them have the split `unlabelled`.

    Args:
      slices: the surveyed slices; those of the training split are candidates, unless they are used
        or somebody stated that they show no object.
      used: the slices that are used otherwise.
      unboxed: scans that were not surveyed, because they have neither boxes nor a mask. Those in
        the groups of validation and test are no candidates.
      classes: the classes.
      max_unlabelled: maximum number of slices.
      seed: of the random order.
    """
    train = [s for s in slices if s.split == "train"]
    names = {s.name for s in used}
    candidates = [_without_boxes(s) for s in train if s.name not in names and _is_unknown(s)]
    held_out = {s.group for s in slices if s.split != "train"}
    volumes = {s.scan.name: s.scan for s in train if s.is_volume and s.scan.boxes is not None}
    scans = [*volumes.values(), *(scan for scan in unboxed if scan.group not in held_out)]
    scans.sort(key=lambda scan: name_hash(scan.name, seed))
    # Each scan that can be used has at least one slice: this is enough, and opens few of many.
    found = filter(None, (_survey(scan, classes) for scan in scans))
    others = chain.from_iterable(islice(found, max_unlabelled))
    candidates += _without_clashes(others, {s.name for s in slices})
    candidates.sort(key=lambda s: name_hash(s.name, seed))
    return sorted(candidates[:max_unlabelled], key=lambda s: s.name)


def _without_clashes(
    slices: Iterable[SurveyedSlice], taken: Collection[str]
) -> list[SurveyedSlice]:
    """The slices whose names are not taken; the others are reported."""
    unique: dict[str, SurveyedSlice] = {}
    clashes = []
    for surveyed in slices:
        if surveyed.name in taken or surveyed.name in unique:
            clashes.append(surveyed.name)
        else:
            unique[surveyed.name] = surveyed
    if clashes:
        logger.warning(
            "not used: %s with the name of another image: %s",
            count_phrase(len(clashes), "unlabelled image"),
            name_some(clashes),
        )
    return list(unique.values())


def _is_unknown(surveyed: SurveyedSlice) -> bool:
    """Whether nobody has stated anything about a slice that is not used."""
    return surveyed.scan.boxes is None


def _without_boxes(surveyed: SurveyedSlice) -> SurveyedSlice:
    boxes = dict.fromkeys(surveyed.boxes, ())
    return replace(surveyed, split="unlabelled", boxes=boxes, is_too_small=False)


def _survey(scan: RawScan, classes: Classes) -> list[SurveyedSlice]:
    """The slices of a scan that nothing was drawn on; none if it cannot be read."""
    try:
        opened = scan.open()
    except InputError as error:
        logger.warning("not used: %s", error)
        return []
    return [
        SurveyedSlice(
            scan=scan,
            split="unlabelled",
            name=slice_name(scan.name, number) if opened.is_volume else scan.name,
            number=number,
            is_volume=opened.is_volume,
            plane=opened.slicing.plane if opened.slicing and opened.is_volume else None,
            image_size=opened.shape[1:],
            spacing_mm=scan.spacing_mm or opened.spacing_mm,
            boxes={cls.value: () for cls in classes},
            is_too_small=False,
            has_mask=False,
            overlaps=(),
        )
        for number in range(opened.shape[0])
        if number not in (scan.boxes or {})
    ]
