"""The user's own folder: images paired with masks of the same name or with drawn boxes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from automedsam.cases.classes import ObjectClass
from automedsam.datasets.annotations.drawn import Annotations
from automedsam.datasets.annotations.placing import Placement, place_boxes
from automedsam.datasets.raw_scan import RawScan
from automedsam.runtime.errors import ErrorCollector, InputError, name_some
from automedsam.runtime.options import SliceAxis, Unboxed
from automedsam.scans.scan import find_scans, name_scans, open_scan, read_mask


def folder_scans(
    folder: Path,
    group_by: str | None,
    slice_axis: SliceAxis,
    annotations: Annotations | None,
    unboxed: Unboxed,
    classes: Sequence[ObjectClass],
) -> tuple[list[RawScan], Placement | None]:
    """List the scans of a folder, sorted by name, each with its mask or its drawn boxes.

    Images are stored in `images/` and masks, under the same names, in `masks/`. Without
    annotations every image needs a mask. With annotations masks are optional, and images may be
    stored in `folder` itself if it has no `images/`. An image that is not annotated belongs to
    the test split if it has a mask; otherwise it has neither boxes nor a mask and cannot be used.

    Args:
      folder: the parameter `data_dir`.
      group_by: regular expression whose first group is the group of a scan name; None: every
        scan is its own group.
      slice_axis: axis along which volumes are cut into slices.
      annotations: drawn boxes; None: boxes are to be derived from the masks.
      unboxed: "unknown" treats images and slices that are listed without a box as if they were
        not listed, "empty" as images without the object.
      classes: classes to segment; boxes of other classes are ignored.

    Returns:
      The scans, and the placement of the drawn boxes; None without annotations.

    Raises:
      InputError: no images; images without a mask or with two; names that `group_by` does not
        match; boxes that do not fit their images. All errors of one kind are reported together.
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
    _check_masks(images, masks, masks_folder, is_required=annotations is None)
    groups = _group_names(images, group_by)
    scans = []
    for name, path in images.items():
        open_image = partial(open_scan, path, slice_axis)
        labels = partial(read_mask, path, masks[name], slice_axis) if name in masks else None
        scans.append(RawScan(name, groups[name], open_image, labels))
    if annotations is None:
        return scans, None
    by_path = {images[scan.name].relative_to(images_folder).as_posix(): scan for scan in scans}
    placement = _place_boxes(annotations, by_path, classes)
    annotated = [_annotate(scan, path, placement, unboxed) for path, scan in by_path.items()]
    return annotated, placement


def _check_masks(
    images: Mapping[str, Path], masks: Mapping[str, Path], folder: Path, is_required: bool
) -> None:
    """Raise InputError for missing masks, or if the names of masks match no image at all."""
    errors = ErrorCollector()
    for name, path in images.items():
        if is_required and name not in masks:
            errors.add(f"{path}: no mask of the same name in {folder}, and no annotations")
    if not is_required and masks and not masks.keys() & images.keys():
        raise InputError(f"{folder}: none of the {len(masks)} masks has the name of an image")
    errors.raise_if_any()


def _group_names(images: Mapping[str, Path], group_by: str | None) -> dict[str, str]:
    """Map scan names to group names."""
    matches = {name: re.search(group_by or "(.+)", name) for name in images}
    groups = {name: match[1] for name, match in matches.items() if match and match[1]}
    if ungrouped := [str(path) for name, path in images.items() if name not in groups]:
        raise InputError(
            f"group_by: the pattern {group_by} finds no group in {len(ungrouped)} of "
            f"{len(images)} names: {name_some(ungrouped)}"
        )
    return groups


def _annotate(scan: RawScan, path: str, placement: Placement, unboxed: Unboxed) -> RawScan:
    """Return the scan with its boxes; a scan with a mask and no boxes joins the test split."""
    slices = placement.boxes.get(path, {})
    without_box = {number for number in slices if (path, number) in placement.unboxed}
    marked_empty = {number for number in slices if (path, number) in placement.marked_empty}
    scan = replace(scan, listed_without_box=frozenset(without_box | marked_empty))
    left_out = without_box if unboxed == "unknown" else set()
    boxes = {number: boxes for number, boxes in slices.items() if number not in left_out}
    if boxes:
        return replace(scan, boxes=boxes)
    return replace(scan, split="test") if scan.read_labels else scan


def _place_boxes(
    annotations: Annotations, scans: Mapping[str, RawScan], classes: Sequence[ObjectClass]
) -> Placement:
    """Place the boxes on the scans by their paths; only an annotated scan must be readable."""
    shapes, unreadable = {}, {}
    for path, scan in scans.items():
        try:
            shapes[path] = scan.open().shape
        except InputError as error:
            unreadable[path] = str(error)
    return place_boxes(annotations, shapes, classes, unreadable)
