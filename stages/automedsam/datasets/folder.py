"""The user's own folder: images paired with masks of the same name or with drawn boxes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from automedsam.cases.boxes import BoxesByClass
from automedsam.cases.classes import ObjectClass
from automedsam.datasets.annotations.placing import Annotations, place_boxes
from automedsam.datasets.folder_files import FolderFiles
from automedsam.datasets.raw_scan import RawScan
from automedsam.runtime.errors import ErrorCollector, InputError, name_some
from automedsam.runtime.options import SliceAxis
from automedsam.scans.scan import open_scan, read_mask

UNREADABLE = (0, 0, 0)  # shape of a scan that cannot be opened


def folder_scans(
    files: FolderFiles,
    group_by: str | None,
    slice_axis: SliceAxis,
    annotations: Annotations | None,
    classes: Sequence[ObjectClass],
) -> list[RawScan]:
    """List the scans of a folder, sorted by name, each with its mask or its drawn boxes.

    An image that is not annotated belongs to the test split if it has a mask; otherwise it has
    neither boxes nor a mask and cannot be used.

    Args:
      files: images and masks.
      group_by: regular expression whose first group is the group of a scan name; None: every
        scan is its own group.
      slice_axis: axis along which volumes are cut into slices.
      annotations: drawn boxes; None: boxes are to be derived from the masks.
      classes: classes to segment; boxes of other classes are ignored.

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
        scans.append(RawScan(name, groups[name], open_image, labels, mask))
    if annotations is None:
        return scans
    return _annotate(scans, files.images, files.images_folder, annotations, classes)


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


def _annotate(
    scans: list[RawScan],
    images: Mapping[str, Path],
    images_folder: Path,
    annotations: Annotations,
    classes: Sequence[ObjectClass],
) -> list[RawScan]:
    """Return the scans with their boxes; scans with a mask and no boxes join the test split."""
    paths = {name: path.relative_to(images_folder).as_posix() for name, path in images.items()}
    boxes = _place_boxes(annotations, {paths[scan.name]: scan for scan in scans}, classes)
    annotated = []
    for scan in scans:
        if paths[scan.name] in boxes:
            annotated.append(replace(scan, boxes=boxes[paths[scan.name]]))
        elif scan.read_labels:
            annotated.append(replace(scan, split="test"))
        else:
            annotated.append(scan)
    return annotated


def _place_boxes(
    annotations: Annotations, scans: Mapping[str, RawScan], classes: Sequence[ObjectClass]
) -> dict[str, dict[int, BoxesByClass]]:
    """Map scan paths to their boxes; an unreadable scan is an error only if it is annotated."""
    shapes, errors = dict.fromkeys(scans, UNREADABLE), ErrorCollector()
    for path, scan in scans.items():
        with errors.catch():
            shapes[path] = scan.open().shape
    try:
        return place_boxes(annotations, shapes, classes)
    except InputError as error:
        raise InputError("; ".join([*errors.found, str(error)])) from None
