"""How many images are used for what, where the parameters leave it open with `auto`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from automedsam.cases.case import Split
from automedsam.datasets.raw_scan import RawScan
from automedsam.runtime.errors import count_phrase
from automedsam.runtime.options import TEST_FRACTION, VAL_FRACTION

# The default shares of fewer would be at most 6 and 9 images. A mean over so few says little about
# a model, and half of the boxes would teach nothing. Images of one group resemble each other, so
# the same holds for groups: the shares of fewer would be one or two.
BOXED_IMAGES_TO_SPLIT, GROUPS_TO_SPLIT = 30, 10
GROUPS_TO_TEST = 3  # one for the test, two for the folds of a cross-validation
SIMULATED_TRAIN_CASES = 10  # of boxes from masks, which show what few drawn boxes would achieve


@dataclass(frozen=True)
class Amounts:
    """The shares of validation and test, and the number of boxed training images."""

    val_fraction: float
    test_fraction: float
    train_cases: int | None  # None: all
    reasons: Mapping[Split, str]  # for the shares of val and test that are 0


def choose_amounts(
    scans: Sequence[RawScan],
    val_fraction: Literal["auto"] | float,
    test_fraction: Literal["auto"] | float,
    train_cases: Literal["auto"] | int | None,
) -> Amounts:
    """Replace each `auto`; the arguments are the parameters of the same names.

    Few drawn boxes are all used for training: the epoch is then chosen by cross-validation. Test
    images are still set aside if most boxed images have masks, which serve no other purpose.
    """
    drawn = [scan for scan in scans if scan.boxes is not None]
    fixed = {scan.group for scan in scans if scan.split is not None}
    boxed = [scan for scan in drawn if scan.group not in fixed and scan.is_boxed]
    why_all = _reason_to_use_all(boxed) if drawn else None
    reasons: dict[Split, str] = {
        "val": _reason("val_fraction", val_fraction, why_all),
        "test": _reason("test_fraction", test_fraction, why_all),
    }
    if train_cases == "auto":
        train_cases = None if drawn else SIMULATED_TRAIN_CASES
    if val_fraction == "auto":
        val_fraction = 0 if why_all else VAL_FRACTION
    if test_fraction == "auto":
        test_fraction = 0 if why_all and not _can_test(boxed) else TEST_FRACTION
    return Amounts(val_fraction, test_fraction, train_cases, reasons)


def _reason(key: str, fraction: Literal["auto"] | float, why_all: str | None) -> str:
    return f"{key}: auto, {why_all}" if fraction == "auto" else f"{key}: {fraction:g}"


def _count_boxed(scan: RawScan) -> int:
    """The number of images of a scan that have a box."""
    return sum(any(boxes.values()) for boxes in (scan.boxes or {}).values())


def _count_groups(scans: Sequence[RawScan]) -> int:
    return len({scan.group for scan in scans})


def _can_test(boxed: Sequence[RawScan]) -> bool:
    """Whether most boxed scans have masks, and enough groups remain for a cross-validation."""
    masks = sum(scan.read_labels is not None for scan in boxed)
    return 2 * masks >= len(boxed) and _count_groups(boxed) >= GROUPS_TO_TEST


def _reason_to_use_all(boxed: Sequence[RawScan]) -> str | None:
    """Why no annotated image is set aside; `None` if some are."""
    images, groups = sum(map(_count_boxed, boxed)), _count_groups(boxed)
    if images < BOXED_IMAGES_TO_SPLIT:
        found, needed = count_phrase(images, "boxed image"), BOXED_IMAGES_TO_SPLIT
    elif groups < GROUPS_TO_SPLIT:
        found, needed = count_phrase(groups, "group"), GROUPS_TO_SPLIT
    else:
        return None
    return f"{found}; a split needs {needed}"
