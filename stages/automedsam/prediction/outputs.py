"""Masks, probabilities, overlays and tables of predictions on disk."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from automedsam.cases.boxes import EDGES, tight_box
from automedsam.cases.classes import Classes, write_classes
from automedsam.figures.overlay import draw_classes
from automedsam.prediction.jobs import OVERLAYS, SOFT
from automedsam.prediction.predictor import Prediction
from automedsam.runtime.files import write_table
from automedsam.runtime.image_files import write_image
from automedsam.runtime.names import fit_name
from automedsam.runtime.paths import CLASSES
from automedsam.scans.scan import ScanFile


class PredictionWriter:
    """Writes the masks of one scan after another into a folder, and tables of all of them.

    Attributes:
      written: Paths of the scans whose masks were written.
      default_geometry: Names of those volumes among them whose files may have lost the spacing.
    """

    def __init__(self, out: Path, with_soft: bool, with_overlays: bool) -> None:
        """Select what is written.

        Args:
          out: the folder.
          with_soft: also write probabilities.
          with_overlays: also write images with contours and boxes.
        """
        self.written: list[Path] = []
        self.default_geometry: list[str] = []
        self._out = out
        self._with_soft = with_soft
        self._with_overlays = with_overlays
        self._slice_rows: list[dict[str, Any]] = []
        self._volume_rows: list[dict[str, Any]] = []

    def write(self, scan: ScanFile, prediction: Prediction, target: Path) -> None:
        """Write the masks of one scan, and keep its rows for the tables.

        Args:
          scan: the scan, in whose geometry the masks are written.
          prediction: the masks.
          target: path of the mask below the folder.
        """
        classes = prediction.classes
        labels = prediction.labels
        scan.write(self._out / target, labels > 0 if classes.is_single else labels)
        if self._with_soft:
            for cls, _, soft_masks in prediction.per_class():
                folder = classes.folder_of(self._out / SOFT, cls)
                scan.write_soft(folder / target, soft_masks)
        if self._with_overlays:
            self._write_overlays(scan, prediction, target)
        names = {"image": str(scan.path), "mask": target.as_posix()}
        self._slice_rows += [{**names, **row} for row in slice_rows(scan, prediction)]
        if scan.is_volume:
            self._volume_rows += [{**names, **row} for row in volume_rows(scan, prediction)]
        if scan.slicing and scan.slicing.is_default:
            self.default_geometry.append(target.as_posix())
        self.written.append(scan.path)

    def write_tables(self, classes: Classes) -> None:
        """Write the tables of all scans so far; nothing if there are none."""
        if self._slice_rows:
            write_table(self._out / "predictions.csv", self._slice_rows)
            if not classes.is_single:
                write_classes(self._out / CLASSES.name, classes)
        if self._volume_rows:
            write_table(self._out / "volumes.csv", self._volume_rows)

    def _write_overlays(self, scan: ScanFile, prediction: Prediction, target: Path) -> None:
        for number, labels in enumerate(prediction.labels):
            picture = prediction.prepared.picture(number)
            overlay = draw_classes(picture, labels, prediction.classes)
            suffix = "" if target.suffix == ".png" else ".png"
            name = target.with_name(fit_name(target.name, suffix))
            if scan.is_volume:
                name = target / f"s{number:03d}.png"
            write_image(self._out / OVERLAYS / name, overlay)


def slice_rows(scan: ScanFile, prediction: Prediction) -> list[dict[str, Any]]:
    """One row per slice and class: tight box (px, half open), area, confidence and prompt.

    The confidence is the mean probability inside the mask, 0 for an empty mask. The prompt is a
    given or a predicted one.
    """
    pixel_mm2 = None if scan.spacing_mm is None else math.prod(scan.spacing_mm[1:])
    classes = list(prediction.per_class())
    rows = []
    for number in range(len(prediction.labels)):
        for cls, masks, soft_masks in classes:
            mask = masks[number]
            area_px = int(mask.sum())
            rows.append(
                {
                    "slice": number if scan.is_volume else None,
                    "class": cls.name,
                    **dict(zip(EDGES, tight_box(mask), strict=True)),
                    "area_px": area_px,
                    "area_mm2": None if pixel_mm2 is None else pixel_mm2 * area_px,
                    "confidence": _confidence(mask, soft_masks[number]),
                    "prompt": "given" if (number, cls.value) in prediction.given else "predicted",
                }
            )
    return rows


def volume_rows(scan: ScanFile, prediction: Prediction) -> list[dict[str, Any]]:
    """One row per class of a volume: slices with the object, size and confidence."""
    voxel_mm3 = None if scan.spacing_mm is None else math.prod(scan.spacing_mm)
    rows = []
    for cls, masks, soft_masks in prediction.per_class():
        voxels = int(masks.sum())
        rows.append(
            {
                "class": cls.name,
                "slices": len(masks),
                "slices_with_object": int(masks.any(axis=(1, 2)).sum()),
                "voxels": voxels,
                "volume_mm3": None if voxel_mm3 is None else voxel_mm3 * voxels,
                "confidence": _confidence(masks, soft_masks),
            }
        )
    return rows


def _confidence(mask: np.ndarray, soft_mask: np.ndarray) -> float:
    return float(soft_mask[mask].mean() / 255) if mask.any() else 0.0
