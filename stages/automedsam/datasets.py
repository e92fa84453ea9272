"""The data sets that `dataset` names: their scans, and how these are prepared."""

from dataclasses import dataclass
from pathlib import Path

from automedsam.annotations import Annotations, find_annotations
from automedsam.archives import ARCHIVES
from automedsam.errors import InputError
from automedsam.framing import Framing
from automedsam.intensity import Intensity
from automedsam.phantoms import PIXEL_RANGE
from automedsam.preparation import Preparation
from automedsam.slicing import SliceAxis
from automedsam.sources import ClassIds, RawScan, folder_scans, synthetic_scans


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
    class_ids: ClassIds,
    group_by: str | None,
    slice_axis: SliceAxis,
    window_low: float | None,
    window_high: float | None,
) -> Dataset:
    """List the scans of a data set; the arguments are the parameters of these names.

    Raises:
      InputError: nothing to be found, or what was found is not as the data set has it.
    """
    if dataset == "synthetic":
        return Dataset(synthetic_scans(), Preparation(intensity=Intensity(PIXEL_RANGE)))
    intensity = Intensity.between(window_low, window_high)
    if not data_dir.is_dir():
        raise InputError(f"data_dir: expected a folder, found none at {data_dir}")
    if dataset == "folder":
        found = None if annotations is None else _read_annotations(data_dir, annotations, class_ids)
        listed = folder_scans(data_dir, group_by, slice_axis, found, class_ids)
        scans = [scan for scan in listed if scan.boxes is not None or scan.read_labels]
        return Dataset(scans, Preparation(slice_axis, intensity, Framing()), found, len(listed) - len(scans))
    archive = ARCHIVES[dataset]
    return Dataset(archive.list_scans(data_dir, slice_axis), Preparation(slice_axis, intensity, archive.framing))


def _read_annotations(data_dir: Path, path: Path, class_ids: ClassIds) -> Annotations:
    annotations = find_annotations(data_dir, path)
    if unknown := [str(name) for name in class_ids or [] if name not in annotations.classes]:
        found = ", ".join(map(str, annotations.classes)) or "none"
        raise InputError(f"class_ids: expected classes that {path} has boxes of ({found}), found {', '.join(unknown)}")
    return annotations
