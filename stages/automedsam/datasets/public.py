"""HC18, ACDC and CAMUS as their official archives unpack, and the frame that the paper prepares each in."""

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
    """The fetal heads of HC18's training set, their annotated outlines filled; a group is an exam.

    `folder` holds `training_set`, or is it, if the table of pixel sizes does not lie beside it. The spacing is known if
    that table is there; as an image has no next slice, the distance to that one is the pixel size too.

    Raises:
      InputError: no images; images without an annotation or a pixel size: all at once.
    """
    images = _find(
        folder, ["training_set", "."], "[0-9]*_*HC.png", "training_set/000_HC.png as HC18 has it"
    )
    return _each(
        images,
        partial(_hc18_scan, slice_axis=slice_axis, sizes=_read_pixel_sizes(folder, images[0])),
    )


def acdc_scans(folder: Path, slice_axis: SliceAxis) -> list[RawScan]:
    """The end-diastolic frame of each of ACDC's patients; those of `testing` are there to test on.

    `folder` is `database`, holds it, or holds the patients' folders.

    Raises:
      InputError: no patients; patients without their frame, its mask or its number in Info.cfg: all at once.
    """
    places = [f"{top}/{part}" for top in (".", "database") for part in ("training", "testing", ".")]
    patients = _find(folder, places, "patient[0-9]*", "database/training/patient001 as ACDC has it")
    return _each(patients, partial(_acdc_scan, slice_axis=slice_axis, folder=folder))


def camus_scans(folder: Path, slice_axis: SliceAxis) -> list[RawScan]:
    """The end-diastolic two-chamber view of each of CAMUS's patients, split as `database_split` has it, if it is there.

    `folder` is `CAMUS_public` or holds it, or is `database_nifti`, if no `database_split` lies beside that.

    Raises:
      InputError: no patients; patients without the view or its mask, or in two splits: all at once.
    """
    places = ["CAMUS_public/database_nifti", "database_nifti", "."]
    patients = _find(folder, places, "patient[0-9]*", "database_nifti/patient0001 as CAMUS has it")
    return _each(
        patients,
        partial(_camus_scan, slice_axis=slice_axis, splits=_read_camus_splits(folder, patients[0])),
    )


@dataclass(frozen=True)
class _PixelSizes:
    table: Path
    rows: dict[str, tuple[int, str]]  # image's file name to line and value

    def spacing_mm(self, image: Path) -> Spacing:
        if image.name not in self.rows:
            raise InputError(f"{self.table}: expected a line for {image.name}, found none")
        line, text = self.rows[image.name]
        try:
            size = float(text)
        except ValueError:
            size = math.nan
        if not 0 < size < math.inf:
            raise InputError(
                f"{self.table}, line {line}: expected a pixel size over 0 mm, found {text!r}"
            )
        return size, size, size


def _read_pixel_sizes(folder: Path, image: Path) -> _PixelSizes | None:
    places = (image.absolute().parent / PIXEL_SIZES, image.absolute().parent.parent / PIXEL_SIZES)
    table = next((path for path in places if path.is_file()), None)
    if table is None:
        return None
    _check_watched(folder, table)
    reader = csv.DictReader(table.read_text(encoding="utf-8-sig", errors="replace").splitlines())
    expected, found = {"filename", "pixel size(mm)"}, reader.fieldnames or []
    if not expected.issubset(found):
        raise InputError(
            f"{table}: expected the columns {', '.join(sorted(expected))}, found {', '.join(found)}"
        )
    return _PixelSizes(
        table, {row["filename"]: (reader.line_num, row["pixel size(mm)"] or "") for row in reader}
    )


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
    """The number of the frame, which is not always the first."""
    _check_files(info)
    found = re.search(
        r"^ED:[ \t]*(\d+)[ \t]*$", info.read_text(encoding="utf-8", errors="replace"), re.MULTILINE
    )
    if not found:
        raise InputError(
            f"{info}: expected a line such as 'ED: 1', the end-diastolic frame, found none"
        )
    return int(found[1])


def _camus_scan(patient: Path, slice_axis: SliceAxis, splits: dict[str, Split]) -> RawScan:
    return _volume(patient, "2CH_ED", slice_axis, splits.get(patient.name))


def _read_camus_splits(folder: Path, patient: Path) -> dict[str, Split]:
    splits: dict[str, Split] = {}
    errors = ErrorCollector()
    for split, name in CAMUS_LISTS.items():
        path = patient.absolute().parent.parent / "database_split" / name
        if path.is_file():
            _check_watched(folder, path)
            for listed in path.read_text(encoding="utf-8", errors="replace").split():
                if splits.setdefault(listed, split) != split:
                    errors.add(
                        f"{path}: expected each patient in one split, found {listed} in {splits[listed]} too"
                    )
    errors.raise_if_any()
    return splits


def _check_watched(folder: Path, path: Path) -> None:
    """Raises InputError for a file that belongs to the data set but lies outside of `data_dir`, which DVC watches."""
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            f"data_dir: expected a folder that holds {path.resolve()} as well, found {folder}"
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


def _find(folder: Path, places: Iterable[str], pattern: str, layout: str) -> list[Path]:
    """What matches in any of the places, sorted by name."""
    found = {path for place in places for path in (folder / place).glob(pattern)}
    if not found:
        raise InputError(f"{folder}: expected {layout}, found none; see dataset and data_dir")
    return sorted(found, key=lambda path: (path.name, path))


def _each(paths: Iterable[Path], read: Callable[[Path], RawScan]) -> list[RawScan]:
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
            errors.add(f"{path}: expected a file, found none")
    errors.raise_if_any()


@dataclass(frozen=True)
class Archive:
    """How to list what an archive holds, and the frame that Gaillochet et al., arXiv 2409.20293, prepare it in."""

    list_scans: Callable[[Path, SliceAxis], list[RawScan]]
    framing: Framing


ARCHIVES = {
    "hc18": Archive(hc18_scans, Framing(canvas_px=640)),
    "acdc": Archive(acdc_scans, Framing(pixel_mm=1.0, canvas_px=256)),
    "camus": Archive(camus_scans, Framing(canvas_px=512)),
}
