"""The choice of unlabelled images: of the training split, and without any statement about them.

They are used for self-training. Groups of validation and test images are never among them.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from automedsam.cases.classes import Classes
from automedsam.datasets.raw_scan import RawScan
from automedsam.preparation.splits import name_hash
from automedsam.preparation.survey import SurveyedSlice
from automedsam.runtime.errors import InputError
from automedsam.scans.scan import slice_name

logger = logging.getLogger(__name__)


def choose_unlabelled(
    slices: Sequence[SurveyedSlice],
    used: Sequence[SurveyedSlice],
    others: Iterable[RawScan],
    classes: Classes,
    max_unlabelled: int,
    seed: int,
) -> list[SurveyedSlice]:
    """Choose slices at random, sorted by name; all of them have the split `unlabelled`.

    Args:
      slices: the surveyed slices; those of the training split are candidates, unless they are used
        or known to show no object.
      used: the slices that are used otherwise.
      others: scans that were not surveyed, because they have no box, with or without a mask. Those
        in the groups of validation and test are no candidates.
      classes: the classes.
      max_unlabelled: maximum number of slices.
      seed: of the random order.
    """
    names = {s.name for s in used}
    train = [s for s in slices if s.split == "train"]
    held_out = {s.group for s in slices if s.split != "train"}
    scans = {s.scan.name: s.scan for s in train if s.scan.boxes is not None}
    scans |= {scan.name: scan for scan in others if scan.group not in held_out}
    nearest = sorted(scans.values(), key=lambda scan: name_hash(scan.name, seed))
    candidates = [_without_boxes(s) for s in train if s.name not in names and _is_unknown(s)]
    candidates += [s for scan in nearest[:max_unlabelled] for s in _survey(scan, classes)]
    candidates.sort(key=lambda s: name_hash(s.name, seed))
    return sorted(candidates[:max_unlabelled], key=lambda s: s.name)


def _is_unknown(surveyed: SurveyedSlice) -> bool:
    """Whether nobody has stated anything about a slice that is not used."""
    return surveyed.scan.boxes is None


def _without_boxes(surveyed: SurveyedSlice) -> SurveyedSlice:
    boxes = dict.fromkeys(surveyed.boxes, ())
    return replace(surveyed, split="unlabelled", boxes=boxes, is_too_small=False)


def _survey(scan: RawScan, classes: Classes) -> Iterator[SurveyedSlice]:
    """The slices of a scan that nothing was drawn on; none if it cannot be read."""
    try:
        opened = scan.open()
    except InputError as error:
        logger.warning("not used: %s", error)
        return
    for number in range(opened.shape[0]):
        if number not in (scan.boxes or {}):
            yield SurveyedSlice(
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
