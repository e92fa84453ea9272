"""The data sets that `dataset` names: their scans, and how these are prepared."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from automedsam.cases.classes import ObjectClass
from automedsam.datasets.annotations.placing import Annotations, find_annotations
from automedsam.datasets.folder import folder_scans
from automedsam.datasets.phantoms import PIXEL_RANGE
from automedsam.datasets.public import ARCHIVES
from automedsam.datasets.raw_scan import RawScan
from automedsam.datasets.synthetic import synthetic_scans
from automedsam.runtime.errors import InputError
from automedsam.runtime.options import SliceAxis
from automedsam.scans.framing import Framing
from automedsam.scans.intensity import Intensity
from automedsam.scans.prepared_scan import Preparation


@dataclass(frozen=True)
class Dataset:
    """What there is to prepare."""

    scans: list[RawScan]
    preparation: Preparation
    annotations: Annotations | None = None
    left_out: int = 0  # images that nobody boxed and that have no mask


def open_dataset(
    dataset: str,
    data_dir: Path,
    annotations: Path | None,
    classes: Sequence[ObjectClass],
    group_by: str | None,
    slice_axis: SliceAxis,
    window_low: float | None,
    window_high: float | None,
) -> Dataset:
    """List the scans of a data set; the arguments but `classes` are the parameters of these names.

    Raises:
      InputError: nothing to be found, or what was found is not as the data set has it.
    """
    if dataset == "synthetic":
        return Dataset(synthetic_scans(), Preparation(intensity=Intensity(PIXEL_RANGE)))
    intensity = Intensity.between(window_low, window_high)
    if not data_dir.is_dir():
        raise InputError(f"data_dir: expected a folder, found none at {data_dir}")
    if dataset == "folder":
        found = None if annotations is None else _read_annotations(data_dir, annotations, classes)
        listed = folder_scans(data_dir, group_by, slice_axis, found, classes)
        scans = [scan for scan in listed if scan.boxes is not None or scan.read_labels]
        _check_mask_values(scans, classes)
        return Dataset(
            scans, Preparation(slice_axis, intensity, Framing()), found, len(listed) - len(scans)
        )
    archive = ARCHIVES[dataset]
    return Dataset(
        archive.list_scans(data_dir, slice_axis),
        Preparation(slice_axis, intensity, archive.framing),
    )


def _read_annotations(data_dir: Path, path: Path, classes: Sequence[ObjectClass]) -> Annotations:
    annotations = find_annotations(data_dir, path)
    if unknown := [
        str(name) for of in classes for name in of.ids or () if name not in annotations.classes
    ]:
        found = ", ".join(map(str, annotations.classes)) or "none"
        raise InputError(
            f"class_ids: expected classes that {path} has boxes of ({found}), found {', '.join(unknown)}"
        )
    for box in annotations.boxes:
        if len(takers := [of.name for of in classes if of.takes(box.classes)]) > 1:
            raise InputError(
                f"class_ids: expected one class a box, found {' and '.join(takers)} for that of {box.where}"
            )
    return annotations


def _check_mask_values(scans: Sequence[RawScan], classes: Sequence[ObjectClass]) -> None:
    """Raises InputError if there are masks, and nobody said which of their values are which class."""
    if any(of.mask_values == () for of in classes) and any(scan.read_labels for scan in scans):
        names = ", ".join(of.name for of in classes)
        raise InputError(
            f"mask_ids: expected the values that {names} have in masks, as there are masks, found null"
        )
