"""HC18, ACDC and CAMUS as unpacked from their official archives."""

import csv
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from automedsam.cases.boxes import Spacing
from automedsam.cases.case import Split
from automedsam.datasets.outlines import fill_outline
from automedsam.datasets.raw_scan import RawScan
from automedsam.runtime.errors import ErrorCollector, InputError
from automedsam.runtime.options import SliceAxis
from automedsam.scans.framing import Framing
from automedsam.scans.scan import open_scan, read_mask, stem

PIXEL_SIZES = "training_set_pixel_size_and_HC.csv"
CAMUS_LISTS: dict[Split, str] = {
    "train": "subgroup_training.txt",
    "val": "subgroup_validation.txt",
    "test": "subgroup_testing.txt",
}


def hc18_scans(folder: Path, slice_axis: SliceAxis) -> list[RawScan]:
    """List the fetal heads of HC18's training set; a group is an exam.

    The annotated outlines are filled. The spacing is read from the table of pixel sizes, if the
    data set has it. A single image has no slice distance; the pixel size is used for it.

    Args:
      folder: contains `training_set`; or `training_set` itself, unless the table of pixel sizes
        is stored next to it.
      slice_axis: as in `open_scan`.

    Raises:
      InputError: no images; or all images without an annotation or a valid pixel size.
    """
    pattern, example = "[0-9]*_*HC.png", "training_set/000_HC.png"
    images = _find(folder, ["training_set", "."], pattern, f"images of HC18, such as {example}")
    sizes = _read_pixel_sizes(folder, images[0])
    return _read_all(images, partial(_hc18_scan, slice_axis=slice_axis, sizes=sizes))


def acdc_scans(folder: Path, slice_axis: SliceAxis) -> list[RawScan]:
    """List the end-diastolic frame of each ACDC patient; patients in `testing` are test scans.

    Args:
      folder: `database`, its parent, or a folder of patients.
      slice_axis: as in `open_scan`.

    Raises:
      InputError: no patients; or all patients without the frame, its mask, or its number in
        Info.cfg.
    """
    places = [f"{top}/{part}" for top in (".", "database") for part in ("training", "testing", ".")]
    example = "database/training/patient001"
    patients = _find(folder, places, "patient[0-9]*", f"patients of ACDC, such as {example}")
    return _read_all(patients, partial(_acdc_scan, slice_axis=slice_axis, folder=folder))


def camus_scans(folder: Path, slice_axis: SliceAxis) -> list[RawScan]:
    """List the end-diastolic two-chamber view of each CAMUS patient.

    The splits are those of `database_split`, if the data set has it.

    Args:
      folder: `CAMUS_public` or its parent; or `database_nifti`, unless `database_split` is
        stored next to it.
      slice_axis: as in `open_scan`.

    Raises:
      InputError: no patients; or all patients without the view or its mask, or in two splits.
    """
    places = ["CAMUS_public/database_nifti", "database_nifti", "."]
    example = "database_nifti/patient0001"
    patients = _find(folder, places, "patient[0-9]*", f"patients of CAMUS, such as {example}")
    splits = _read_camus_splits(folder, patients[0])
    return _read_all(patients, partial(_camus_scan, slice_axis=slice_axis, splits=splits))


@dataclass(frozen=True)
class _PixelSizes:
    """HC18's table of pixel sizes; values are checked when they are needed."""

    table: Path
    rows: dict[str, tuple[int, str]]  # file name of the image to line number and value

    def spacing_mm(self, image: Path) -> Spacing:
        """Return the pixel size of an image, for all three axes."""
        if image.name not in self.rows:
            raise InputError(f"{self.table}: no row for {image.name}")
        line, text = self.rows[image.name]
        try:
            size = float(text)
        except ValueError:
            size = math.nan
        if not 0 < size < math.inf:
            raise InputError(
                f"{self.table}, line {line}: expected a pixel size above 0 mm, found {text!r}"
            )
        return size, size, size


def _read_pixel_sizes(folder: Path, image: Path) -> _PixelSizes | None:
    """Read the table in the folder of the images or in its parent; None: there is no table."""
    places = (image.absolute().parent / PIXEL_SIZES, image.absolute().parent.parent / PIXEL_SIZES)
    table = next((path for path in places if path.is_file()), None)
    if table is None:
        return None
    _check_inside(folder, table)
    reader = csv.DictReader(table.read_text(encoding="utf-8-sig", errors="replace").splitlines())
    columns = reader.fieldnames or []
    if not {"filename", "pixel size(mm)"}.issubset(columns):
        raise InputError(
            f"{table}: expected the columns filename, pixel size(mm), found {', '.join(columns)}"
        )
    rows = {row["filename"]: (reader.line_num, row["pixel size(mm)"] or "") for row in reader}
    return _PixelSizes(table, rows)


def _hc18_scan(image: Path, slice_axis: SliceAxis, sizes: _PixelSizes | None) -> RawScan:
    mask = image.with_name(f"{image.stem}_Annotation.png")
    _check_files(image, mask)
    return RawScan(
        name=image.stem,
        group=image.stem.split("_")[0],
        open=partial(open_scan, image, slice_axis),
        read_labels=partial(_read_outline, image, mask, slice_axis),
        spacing_mm=sizes.spacing_mm(image) if sizes else None,
    )


def _read_outline(image: Path, mask: Path, slice_axis: SliceAxis) -> np.ndarray:
    outlines = read_mask(image, mask, slice_axis) > 0
    return np.stack([fill_outline(outline) for outline in outlines]).astype(np.int64)


def _acdc_scan(patient: Path, slice_axis: SliceAxis, folder: Path) -> RawScan:
    frame = _end_diastole(patient / "Info.cfg")
    is_test = "testing" in patient.relative_to(folder).parts
    return _volume(patient, f"frame{frame:02d}", slice_axis, "test" if is_test else None)


def _end_diastole(info: Path) -> int:
    """Return the number of the end-diastolic frame, which is not always the first."""
    _check_files(info)
    text = info.read_text(encoding="utf-8", errors="replace")
    match = re.search(r"^ED:[ \t]*(\d+)[ \t]*$", text, re.MULTILINE)
    if not match:
        raise InputError(
            f"{info}: no line such as 'ED: 1' with the number of the end-diastolic frame"
        )
    return int(match[1])


def _camus_scan(patient: Path, slice_axis: SliceAxis, splits: dict[str, Split]) -> RawScan:
    return _volume(patient, "2CH_ED", slice_axis, splits.get(patient.name))


def _read_camus_splits(folder: Path, patient: Path) -> dict[str, Split]:
    """Map patients to splits; empty if the data set has no lists."""
    splits: dict[str, Split] = {}
    errors = ErrorCollector()
    for split, file_name in CAMUS_LISTS.items():
        path = patient.absolute().parent.parent / "database_split" / file_name
        if path.is_file():
            _check_inside(folder, path)
            for name in path.read_text(encoding="utf-8", errors="replace").split():
                if splits.setdefault(name, split) != split:
                    errors.add(f"{path}: {name} is listed in the {splits[name]} split as well")
    errors.raise_if_any()
    return splits


def _check_inside(folder: Path, path: Path) -> None:
    """Raise InputError for a file outside of `data_dir`: DVC would not see it change."""
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            f"data_dir: {folder} must also contain {path.resolve()}, which belongs to the data set"
        )


def _volume(patient: Path, part: str, slice_axis: SliceAxis, split: Split | None) -> RawScan:
    image, mask = (patient / f"{patient.name}_{part}{end}.nii.gz" for end in ("", "_gt"))
    _check_files(image, mask)
    return RawScan(
        name=stem(image),
        group=patient.name,
        open=partial(open_scan, image, slice_axis),
        read_labels=partial(read_mask, image, mask, slice_axis),
        split=split,
    )


def _find(folder: Path, places: Iterable[str], pattern: str, description: str) -> list[Path]:
    """Return the paths that match in any of the places, sorted by name."""
    paths = {path for place in places for path in (folder / place).glob(pattern)}
    if not paths:
        raise InputError(f"{folder}: no {description}; check dataset and data_dir")
    return sorted(paths, key=lambda path: (path.name, path))


def _read_all(paths: Iterable[Path], read: Callable[[Path], RawScan]) -> list[RawScan]:
    scans, errors = [], ErrorCollector()
    for path in paths:
        with errors.catch():
            scans.append(read(path))
    errors.raise_if_any()
    return scans


def _check_files(*paths: Path) -> None:
    errors = ErrorCollector()
    for path in paths:
        if not path.is_file():
            errors.add(f"{path}: file not found")
    errors.raise_if_any()


@dataclass(frozen=True)
class Archive:
    """An official archive: how to list its scans, and the framing of its images.

    The framing is that of Gaillochet et al., arXiv 2409.20293.
    """

    list_scans: Callable[[Path, SliceAxis], list[RawScan]]
    framing: Framing


ARCHIVES = {
    "hc18": Archive(hc18_scans, Framing(canvas_px=640)),
    "acdc": Archive(acdc_scans, Framing(pixel_mm=1.0, canvas_px=256)),
    "camus": Archive(camus_scans, Framing(canvas_px=512)),
}
