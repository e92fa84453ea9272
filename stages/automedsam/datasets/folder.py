"""The user's own folder: images paired with masks of the same name or with drawn boxes."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from automedsam.cases.classes import ObjectClass
from automedsam.datasets.annotations.drawn import Annotations
from automedsam.datasets.annotations.placing import Placement, place_boxes
from automedsam.datasets.folder_files import FolderFiles
from automedsam.datasets.raw_scan import RawScan
from automedsam.runtime.errors import InputError, name_some
from automedsam.runtime.options import SliceAxis, Unboxed
from automedsam.scans.scan import open_scan, read_mask
from automedsam.scans.shapes import LazyShapes


def folder_scans(
    files: FolderFiles,
    group_by: str | None,
    slice_axis: SliceAxis,
    annotations: Annotations | None,
    unboxed: Unboxed,
    classes: Sequence[ObjectClass],
) -> tuple[list[RawScan], Placement | None]:
    """List the scans of a folder, sorted by name, each with its mask or its drawn boxes.

    An image that is not annotated belongs to the test split if it has a mask, except in a group
    with boxed images, see `beside_boxes`. Without a mask, it cannot be used.

    Args:
      files: images and masks.
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
      InputError: names that `group_by` does not match; boxes that do not fit their images. All
        errors of one kind are reported together.
    """
    groups = _group_names(files, group_by)
    # Classes that list mask values mean the stored ones.
    as_shown = all(cls.mask_values is None for cls in classes)
    scans = []
    for name, path in files.images.items():
        open_image = partial(open_scan, path, slice_axis)
        mask = files.masks.get(name)
        labels = partial(read_mask, path, mask, slice_axis, as_shown) if mask else None
        mask_name = mask.relative_to(files.masks_folder).as_posix() if mask else None
        scans.append(RawScan(name, groups[name], open_image, labels, mask_name=mask_name))
    if annotations is None:
        return scans, None
    paths = {
        name: path.relative_to(files.images_folder).as_posix()
        for name, path in files.images.items()
    }
    by_path = {paths[scan.name]: scan for scan in scans}
    shapes = LazyShapes({path: scan.open for path, scan in by_path.items()})
    placement = place_boxes(annotations, shapes, classes, files.images_folder.resolve())
    annotated = [_annotate(scan, path, placement, unboxed) for path, scan in by_path.items()]
    return annotated, placement


def beside_boxes(scans: Sequence[RawScan]) -> list[RawScan]:
    """The scans with a mask, but no box, whose group has boxed scans.

    They cannot be used. As test images they would move the boxed scans of their group, which are
    there to train, to the test split. For training, boxes would have to be derived from the masks,
    although the boxes are drawn.
    """
    boxed_groups = {scan.group for scan in scans if scan.is_boxed}
    return [scan for scan in scans if scan.split == "test" and scan.group in boxed_groups]


def _group_names(files: FolderFiles, group_by: str | None) -> dict[str, str]:
    """Map scan names to group names."""
    matches = {name: re.search(group_by or "(.+)", full) for name, full in files.full_names.items()}
    groups = {name: match[1] for name, match in matches.items() if match and match[1]}
    if ungrouped := [str(path) for name, path in files.images.items() if name not in groups]:
        raise InputError(
            f"group_by: the pattern {group_by} finds no group in {len(ungrouped)} of "
            f"{len(files.images)} names: {name_some(ungrouped)}"
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
