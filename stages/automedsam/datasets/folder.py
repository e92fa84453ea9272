"""TODO"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from automedsam.cases.boxes import BoxesByClass
from automedsam.cases.classes import ObjectClass
from automedsam.datasets.annotations.placing import Annotations, place_boxes
from automedsam.datasets.raw_scan import RawScan
from automedsam.runtime.errors import ErrorCollector, InputError, name_some
from automedsam.runtime.options import SliceAxis
from automedsam.scans.scan import find_scans, name_scans, open_scan, read_mask


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
    images = {
        name: path
        for name, path in name_scans(images_folder).items()
        if not path.is_relative_to(masks_folder)
    }
    masks = name_scans(masks_folder) if annotations is None or find_scans(masks_folder) else {}
    _check_masks(images, masks, masks_folder, is_needed=annotations is None)
    groups = _groups(images, group_by)
    scans = []
    for name, path in images.items():
        open_image = partial(open_scan, path, slice_axis)
        labels = partial(read_mask, path, masks[name], slice_axis) if name in masks else None
        scans.append(RawScan(name, groups[name], open_image, labels))
    return (
        scans
        if annotations is None
        else _annotated(scans, images, images_folder, annotations, classes)
    )


def _check_masks(
    images: Mapping[str, Path], masks: Mapping[str, Path], folder: Path, is_needed: bool
) -> None:
    errors = ErrorCollector()
    for name, path in images.items():
        if is_needed and name not in masks:
            errors.add(
                f"{path}: expected a mask of the same name in {folder}, or annotations, found none"
            )
    if not is_needed and masks and not masks.keys() & images.keys():
        raise InputError(
            f"{folder}: expected masks of the same names as images, found no such name in {len(masks)}"
        )
    errors.raise_if_any()


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
    boxed = [
        replace(scan, boxes=boxes[paths[scan.name]]) for scan in scans if paths[scan.name] in boxes
    ]
    others = [scan for scan in scans if paths[scan.name] not in boxes]
    of_others = [replace(scan, split="test") if scan.read_labels else scan for scan in others]
    return sorted([*boxed, *of_others], key=lambda scan: scan.name)


def _place(
    annotations: Annotations, scans: Mapping[str, RawScan], classes: Sequence[ObjectClass]
) -> dict[str, dict[int, BoxesByClass]]:
    """The boxes of each scan, by its path; scans that cannot be opened are no fault as long as nobody boxed them."""
    shapes, errors = dict.fromkeys(scans, (0, 0, 0)), ErrorCollector()
    for path, scan in scans.items():
        with errors.catch():
            shapes[path] = scan.open().shape
    try:
        return place_boxes(annotations, shapes, classes)
    except InputError as error:
        raise InputError("; ".join([*errors.found, str(error)])) from None
