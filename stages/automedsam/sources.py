"""Where raw scans come from: a data set is a list of names, groups and ways to read each."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np

from automedsam.annotations import Annotations, place_boxes
from automedsam.boxes import BoxesOf
from automedsam.cases import Spacing, Split
from automedsam.choices import SliceAxis
from automedsam.errors import Faults, InputError, name_some
from automedsam.object_classes import ObjectClass
from automedsam.phantoms import Phantom, draw_phantom
from automedsam.scans import Scan, find_scans, name_scans, open_scan, read_mask

SYNTHETIC_SEED = 2026  # the data set is one and the same, whatever `seed` trains on it
SYNTHETIC_COUNTS: dict[Split, int] = {"train": 40, "val": 20, "test": 60}


@dataclass(frozen=True)
class RawScan:
    """An image or a volume, with a mask, with boxes that somebody drew, or with both."""

    name: str
    group: str
    open: Callable[[], Scan]
    read_labels: Callable[[], np.ndarray] | None = None  # (slices, H, W), whole numbers; None: no mask
    boxes: Mapping[int, BoxesOf] | None = None  # of each slice that somebody looked at; None: of none
    split: Split | None = None  # as the data set has it; None: by hash
    spacing_mm: Spacing | None = None  # where the file itself does not tell


def synthetic_scans() -> list[RawScan]:
    """120 phantoms: 40 to train on, 20 to validate, 60 to test."""
    scans: list[RawScan] = []
    for split, count in SYNTHETIC_COUNTS.items():
        for _ in range(count):
            name, draw = f"phantom_{len(scans):03d}", partial(_draw, len(scans))
            scans.append(
                RawScan(name, name, partial(PhantomScan, name, draw), partial(_draw_labels, draw), split=split)
            )
    return scans


def folder_scans(
    folder: Path,
    group_by: str | None,
    slice_axis: SliceAxis,
    annotations: Annotations | None,
    classes: Sequence[ObjectClass],
) -> list[RawScan]:
    """The scans of `images/`, each with the mask of the same name in `masks/` or with boxes from an annotation tool.

    With annotations, images may lie in the folder itself and need no masks. An image that is not annotated is there to
    test on if it has a mask, and is left out if it has none. Without annotations every image needs a mask.

    Raises:
      InputError: no images; images without a mask or with two; names that `group_by` does not match; boxes that do not
        fit their images: all of a kind at once.
    """
    images_folder, masks_folder = folder / "images", folder / "masks"
    if annotations is not None and not images_folder.is_dir():
        images_folder = folder
    images = {name: path for name, path in name_scans(images_folder).items() if not path.is_relative_to(masks_folder)}
    masks = name_scans(masks_folder) if annotations is None or find_scans(masks_folder) else {}
    _check_masks(images, masks, masks_folder, is_needed=annotations is None)
    groups = _groups(images, group_by)
    scans = []
    for name, path in images.items():
        open_image = partial(open_scan, path, slice_axis)
        labels = partial(read_mask, path, masks[name], slice_axis) if name in masks else None
        scans.append(RawScan(name, groups[name], open_image, labels))
    return scans if annotations is None else _annotated(scans, images, images_folder, annotations, classes)


class PhantomScan:
    """A drawn image, as a scan."""

    is_volume = False
    slicing = None
    spacing_mm = None

    def __init__(self, name: str, draw: Callable[[], Phantom]) -> None:
        self.path = Path(name)  # for messages; there is no file
        self._phantom = draw()
        self.shape = (1, *self._phantom.image.shape)

    def read_values(self) -> np.ndarray:
        """(1, 256, 256), uint8."""
        return self._phantom.image[None]


@cache  # looked at twice, and 15 MB in all
def _draw(number: int) -> Phantom:
    return draw_phantom(np.random.default_rng([SYNTHETIC_SEED, number]))


def _draw_labels(draw: Callable[[], Phantom]) -> np.ndarray:
    return draw().mask[None].astype(np.int64)


def _check_masks(images: Mapping[str, Path], masks: Mapping[str, Path], folder: Path, is_needed: bool) -> None:
    faults = Faults()
    for name, path in images.items():
        if is_needed and name not in masks:
            faults.add(f"{path}: expected a mask of the same name in {folder}, or annotations, found none")
    if not is_needed and masks and not masks.keys() & images.keys():
        raise InputError(f"{folder}: expected masks of the same names as images, found no such name in {len(masks)}")
    faults.raise_all()


def _groups(images: Mapping[str, Path], group_by: str | None) -> dict[str, str]:
    found = {name: re.search(group_by or "(.+)", name) for name in images}
    groups = {name: match[1] for name, match in found.items() if match and match[1]}
    if lost := [str(path) for name, path in images.items() if name not in groups]:
        raise InputError(
            f"group_by: expected {group_by} to match all names, with something in its group, found {len(lost)} of "
            f"{len(images)} that it does not: {name_some(lost)}"
        )
    return groups


def _annotated(
    scans: list[RawScan],
    images: Mapping[str, Path],
    images_folder: Path,
    annotations: Annotations,
    classes: Sequence[ObjectClass],
) -> list[RawScan]:
    """The scans with their boxes; those without boxes are test scans if they have a mask, and else of no use."""
    paths = {name: path.relative_to(images_folder).as_posix() for name, path in images.items()}
    boxes = _place(annotations, {paths[scan.name]: scan for scan in scans}, classes)
    boxed = [replace(scan, boxes=boxes[paths[scan.name]]) for scan in scans if paths[scan.name] in boxes]
    others = [scan for scan in scans if paths[scan.name] not in boxes]
    of_others = [replace(scan, split="test") if scan.read_labels else scan for scan in others]
    return sorted([*boxed, *of_others], key=lambda scan: scan.name)


def _place(
    annotations: Annotations, scans: Mapping[str, RawScan], classes: Sequence[ObjectClass]
) -> dict[str, dict[int, BoxesOf]]:
    """The boxes of each scan, by its path; scans that cannot be opened are no fault as long as nobody boxed them."""
    shapes, faults = dict.fromkeys(scans, (0, 0, 0)), Faults()
    for path, scan in scans.items():
        with faults.gather():
            shapes[path] = scan.open().shape
    try:
        return place_boxes(annotations, shapes, classes)
    except InputError as error:
        raise InputError("; ".join([*faults.found, str(error)])) from None
