"""Catalogue of data sets: the parameter `dataset` to its scans and their preparation."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from automedsam.cases.classes import ObjectClass
from automedsam.datasets.annotations.drawn import Annotations
from automedsam.datasets.annotations.formats import find_annotations
from automedsam.datasets.annotations.placing import Placement
from automedsam.datasets.folder import beside_boxes, folder_scans
from automedsam.datasets.folder_files import find_files
from automedsam.datasets.phantoms import PIXEL_RANGE
from automedsam.datasets.public import ARCHIVES
from automedsam.datasets.raw_scan import RawScan
from automedsam.datasets.synthetic import synthetic_scans
from automedsam.runtime.errors import InputError, count_phrase, name_some
from automedsam.runtime.options import SliceAxis, Unboxed
from automedsam.scans.framing import Framing
from automedsam.scans.intensity import Intensity
from automedsam.scans.prepared_scan import Preparation

MAX_NAMED = 20  # classes in a message


@dataclass(frozen=True)
class Dataset:
    """The scans of a data set and how the prepare stage converts them."""

    scans: list[RawScan]
    preparation: Preparation
    annotations: Annotations | None = None
    placement: Placement | None = None  # of the boxes of `annotations` on the scans
    unboxed: list[RawScan] = field(default_factory=list)  # neither annotated nor with a mask
    beside_boxes: int = 0  # number of unused images with a mask, in groups with boxed images
    unread: list[Path] = field(default_factory=list)  # files in formats that are not read
    notes: list[str] = field(default_factory=list)  # a line about everything else that is left out


def open_dataset(
    dataset: str,
    data_dir: Path,
    annotations: Path | None,
    unboxed: Unboxed,
    classes: Sequence[ObjectClass],
    group_by: str | None,
    slice_axis: SliceAxis,
    window_low: float | None,
    window_high: float | None,
) -> Dataset:
    """List the scans of a data set.

    All arguments except `classes` are the parameters of the same names.

    Raises:
      InputError: no scans, or files that do not follow the layout of the data set.
    """
    if dataset == "synthetic":
        return Dataset(synthetic_scans(), Preparation(intensity=Intensity(PIXEL_RANGE)))
    intensity = Intensity.between(window_low, window_high)
    if not data_dir.is_dir():
        raise InputError(f"data_dir: expected a folder, found none at {data_dir}")
    if dataset == "folder":
        drawn = None if annotations is None else _read_annotations(data_dir, annotations, classes)
        files = find_files(data_dir, annotations is not None)
        listed, placement = folder_scans(files, group_by, slice_axis, drawn, unboxed, classes)
        unused = beside_boxes(listed)
        unused_names = {scan.name for scan in unused}
        usable = [scan for scan in listed if scan.name not in unused_names]
        scans = [scan for scan in usable if scan.boxes is not None or scan.read_labels]
        _check_mask_values(scans, classes)
        return Dataset(
            scans=scans,
            preparation=Preparation(slice_axis, intensity, Framing()),
            annotations=drawn,
            placement=placement,
            unboxed=[scan for scan in usable if scan.boxes is None and not scan.read_labels],
            beside_boxes=len(unused),
            unread=files.unread,
            notes=[*files.notes, *_describe_beside_boxes(unused)],
        )
    archive = ARCHIVES[dataset]
    preparation = Preparation(slice_axis, intensity, archive.framing)
    return Dataset(archive.list_scans(data_dir, slice_axis), preparation)


def _describe_beside_boxes(unused: Sequence[RawScan]) -> list[str]:
    if not unused:
        return []
    count = count_phrase(len(unused), "image")
    return [
        f"not used: {count} with a mask and no box, in groups with boxed images, which are for "
        f"training: {name_some([scan.name for scan in unused])}; for testing, draw masks of other "
        "groups (see group_by), or of the boxed images"
    ]


def _read_annotations(data_dir: Path, path: Path, classes: Sequence[ObjectClass]) -> Annotations:
    """Read annotations and check that every box belongs to at most one class."""
    annotations = find_annotations(data_dir, path)
    unknown = [
        str(name)
        for object_class in classes
        for name in object_class.ids or ()
        if name not in annotations.classes
    ]
    if unknown:
        available = name_some([str(name) for name in annotations.classes], MAX_NAMED) or "none"
        raise InputError(
            f"class_ids: {path} has no boxes of {', '.join(unknown)} (its classes: {available})"
        )
    for box in annotations.boxes:
        names = [object_class.name for object_class in classes if object_class.takes(box.classes)]
        if len(names) > 1:
            raise InputError(
                f"class_ids: the box at {box.location} belongs to {' and '.join(names)}, "
                "but a box must belong to one class"
            )
    return annotations


def _check_mask_values(scans: Sequence[RawScan], classes: Sequence[ObjectClass]) -> None:
    """Raise InputError if there are masks but their values are not assigned to the classes."""
    is_unassigned = any(object_class.mask_values == () for object_class in classes)
    if is_unassigned and any(scan.read_labels for scan in scans):
        names = ", ".join(object_class.name for object_class in classes)
        raise InputError(
            f"mask_ids: the folder has masks, so specify the values of {names} in them"
        )
