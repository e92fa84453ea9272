"""Not a stage: masks of new images and volumes from a trained model, with no box and no mask.

python stages/predict.py IMAGES_OR_FOLDER ... --out MASKS

A scan that cannot be read is told of and left out; the others get their masks, and the exit status is 1.
"""

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from automedsam.backbone.encoder import Encoder
from automedsam.backbone.quantization import pack, unpack
from automedsam.backbone.weights import Weights
from automedsam.cases.boxes import EDGES, tight_box
from automedsam.cases.classes import ObjectClass, write_classes
from automedsam.cases.colours import RED, SKY, class_colours
from automedsam.cases.masks import to_labels, to_soft_mask
from automedsam.figures.overlay import draw_overlay
from automedsam.model.segmenter import Segmenter
from automedsam.model.trained import load_model, trained_classes
from automedsam.runtime.compute import choose_compute
from automedsam.runtime.errors import ErrorCollector, InputError
from automedsam.runtime.files import write_table
from automedsam.runtime.image_files import write_image
from automedsam.runtime.paths import CLASSES, PROMPT_MODULE
from automedsam.runtime.script import run
from automedsam.runtime.tensors import load_header
from automedsam.scans.prepared_scan import Preparation, PreparedScan
from automedsam.scans.scan import SUFFIXES, ScanFile, find_scans, mask_path, open_scan

RESERVED_FOLDERS = ("soft", "overlays")  # folders beside the masks
PROJECT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Prediction:
    """Of one scan."""

    classes: list[ObjectClass]
    labels: np.ndarray  # (slices, H, W) uint8, the classes' values
    soft_masks: np.ndarray  # (slices, K, H, W) uint8, probability 0 to 255
    overlays: list[np.ndarray]  # (H, W, 3) uint8 each; none unless asked for

    def of_each_class(self) -> Iterator[tuple[ObjectClass, np.ndarray, np.ndarray]]:
        """A class, its mask (slices, H, W), bool, and its probabilities (slices, H, W), uint8."""
        for number, of in enumerate(self.classes):
            yield of, self.labels == of.value, self.soft_masks[:, number]


def main() -> None:
    arguments = parse_arguments()
    jobs = list_jobs(arguments.images, arguments.out)
    refuse_to_overwrite(jobs, arguments.out)
    header = load_header(arguments.model)
    weights = Weights(
        header.get("backbone", "sam_tiny"), arguments.medsam_checkpoint or used_checkpoint(header)
    )
    compute = choose_compute(arguments.device, use_amp=header.get("use_amp") == "True")
    segmenter = Segmenter(load_model(arguments.model, weights, compute.device), compute)
    encoder, dtype = Encoder(weights, compute), header.get("embedding_dtype", "float16")
    preparation, classes = (
        used_preparation(arguments.model, header),
        trained_classes(arguments.model),
    )
    print(f"{weights.name} on {compute}: {len(jobs)} scans")

    rows: list[dict[str, Any]] = []
    volumes: list[dict[str, Any]] = []
    errors = ErrorCollector()
    for target, path in tqdm(jobs.items(), "predict", unit="scan"):
        with errors.catch():
            scan = open_scan(path, preparation.slice_axis)
            prediction = predict(
                scan, preparation, encoder, dtype, segmenter, classes, arguments.overlay
            )
            write_prediction(scan, prediction, target, arguments.out, arguments.soft)
            named = {"image": str(path), "mask": target.as_posix()}
            rows += [named | row for row in describe_slices(scan, prediction)]
            volumes += (
                [named | row for row in describe_volume(scan, prediction)] if scan.is_volume else []
            )
    if rows:
        write_table(arguments.out / "predictions.csv", rows)
    if volumes:
        write_table(arguments.out / "volumes.csv", volumes)
    if rows and len(classes) > 1:
        write_classes(arguments.out / CLASSES.name, classes)
    print(f"{len(jobs) - len(errors.found)} masks written to {arguments.out}")
    if errors.found:
        done = len(jobs) - len(errors.found)
        raise InputError(
            "\n".join([f"{done} masks written, {len(errors.found)} scans left out:", *errors.found])
        )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "images", nargs="+", type=Path, help=f"files, or folders to search: {', '.join(SUFFIXES)}"
    )
    parser.add_argument(
        "--out", required=True, type=Path, help="folder for the masks and predictions.csv"
    )
    parser.add_argument("--soft", action="store_true", help="also write probabilities to OUT/soft")
    parser.add_argument(
        "--overlay", action="store_true", help="also draw contour and box, to OUT/overlays"
    )
    parser.add_argument(
        "--model", type=Path, default=PROJECT / PROMPT_MODULE, help="another trained PromptModule"
    )
    parser.add_argument(
        "--medsam-checkpoint", type=Path, help="where the backbone's weights lie now, if they moved"
    )
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    return parser.parse_args()


def list_jobs(inputs: list[Path], out: Path) -> dict[Path, Path]:
    """The mask's place below the output folder to the scan's, sorted; masks of an earlier run are no scans.

    Raises:
      InputError: a path that is not there, no scan at all, or two whose masks would be one file.
    """
    jobs: dict[Path, Path] = {}
    for given in inputs:
        if not given.exists():
            raise InputError(f"{given}: expected an image or a folder, found no such path")
        folder = given if given.is_dir() else given.parent
        for path in find_scans(given) if given.is_dir() else [given]:
            if given.resolve() in out.resolve().parents and out.resolve() in path.resolve().parents:
                continue
            target = mask_path(path, folder)
            if target in jobs:
                raise InputError(
                    f"{path}: expected another name than that of {jobs[target]}: both masks are {target}"
                )
            jobs[target] = path
    if not jobs:
        raise InputError(
            f"{', '.join(map(str, inputs))}: expected {', '.join(SUFFIXES)} files, found none"
        )
    return dict(sorted(jobs.items()))


def refuse_to_overwrite(jobs: dict[Path, Path], out: Path) -> None:
    """Raises InputError if anything that is written could take the place of an image, or of something else written."""
    for path in jobs.values():
        if out.resolve() in path.resolve().parents:
            raise InputError(
                f"--out {out}: expected another folder than the images', found {path} in it"
            )
    for target in jobs:
        if target.parts[0] in RESERVED_FOLDERS and len(target.parts) > 1:
            raise InputError(
                f"{jobs[target]}: expected no folder of that name, as OUT/{target.parts[0]} is written to"
            )


def used_preparation(model: Path, header: dict[str, str]) -> Preparation:
    """How images were prepared when the model was trained."""
    if "preparation" not in header:
        raise InputError(
            f"{model}: expected a model that tells how its images were prepared, found an older one"
        )
    return Preparation.from_json(header["preparation"])


def used_checkpoint(header: dict[str, str]) -> Path | None:
    """The weights file that the model was trained on, as its header has it; None for the backbone's own."""
    checkpoint = header.get("medsam_checkpoint", "None")
    return None if checkpoint == "None" else PROJECT / checkpoint


def predict(
    scan: ScanFile,
    preparation: Preparation,
    encoder: Encoder,
    dtype: str,
    segmenter: Segmenter,
    classes: list[ObjectClass],
    with_overlays: bool,
) -> Prediction:
    """Segment every slice, seen as `dtype` stores it, and bring the masks back to the scan's own pixels."""
    prepared = PreparedScan(scan, preparation)
    labels, soft_masks, overlays = [], [], []
    for number in range(scan.shape[0]):
        image = prepared.slice(number)
        embedding = unpack(pack(encoder(image), dtype))[None].to(segmenter.compute.device)
        logits = prepared.unframe(segmenter.segment(embedding, image)[0])
        labels.append(to_labels(logits, classes))
        soft_masks.append(np.stack([to_soft_mask(one) for one in logits.split(1, dim=1)]))
        if with_overlays:
            overlays.append(overlay_classes(prepared.picture(number), labels[-1], classes))
    return Prediction(classes, np.stack(labels), np.stack(soft_masks), overlays)


def overlay_classes(
    picture: np.ndarray, labels: np.ndarray, classes: list[ObjectClass]
) -> np.ndarray:
    """The picture with each class's contour and box: of several, both in the class's colour."""
    if len(classes) == 1:
        return draw_overlay(picture, labels > 0, RED, SKY)
    for of, colour in zip(classes, class_colours(len(classes)), strict=True):
        picture = draw_overlay(picture, labels == of.value, colour, colour)
    return picture


def write_prediction(
    scan: ScanFile, prediction: Prediction, target: Path, out: Path, with_soft: bool
) -> None:
    """The mask under the scan's own name; probabilities, of several classes apart, and pictures in their folders."""
    is_alone = len(prediction.classes) == 1
    scan.write(out / target, prediction.labels > 0 if is_alone else prediction.labels)
    for of, _, soft_masks in prediction.of_each_class() if with_soft else ():
        scan.write_soft(out / "soft" / ("" if is_alone else str(of.value)) / target, soft_masks)
    for number, overlay in enumerate(prediction.overlays):
        name = target if target.suffix == ".png" else target.with_name(f"{target.name}.png")
        write_image(
            out / "overlays" / (target / f"s{number:03d}.png" if scan.is_volume else name), overlay
        )


def describe_slices(scan: ScanFile, prediction: Prediction) -> list[dict[str, Any]]:
    """A row a slice and class: box (half open, px), area, and mean probability inside the mask, 0 if it is empty."""
    pixel_mm2 = scan.spacing_mm and scan.spacing_mm[1] * scan.spacing_mm[2]
    of_classes = list(prediction.of_each_class())
    rows = []
    for number in range(len(prediction.labels)):
        for of, masks, soft_masks in of_classes:
            mask = masks[number]
            area = int(mask.sum())
            rows.append(
                {"slice": number if scan.is_volume else None, "class": of.name}
                | dict(zip(EDGES, tight_box(mask), strict=True))
                | {"area_px": area, "area_mm2": pixel_mm2 and pixel_mm2 * area}
                | rate(mask, soft_masks[number])
            )
    return rows


def describe_volume(scan: ScanFile, prediction: Prediction) -> list[dict[str, Any]]:
    """A row a class, of the whole: slices with the object, voxels, and the same mean probability."""
    voxel_mm3 = scan.spacing_mm and math.prod(scan.spacing_mm)
    rows = []
    for of, masks, soft_masks in prediction.of_each_class():
        voxels, slices = int(masks.sum()), int(masks.any(axis=(1, 2)).sum())
        size = {"slices": len(masks), "slices_with_object": slices, "voxels": voxels}
        rows.append(
            {"class": of.name}
            | size
            | {"volume_mm3": voxel_mm3 and voxel_mm3 * voxels}
            | rate(masks, soft_masks)
        )
    return rows


def rate(mask: np.ndarray, soft_mask: np.ndarray) -> dict[str, Any]:
    return {"confidence": float(soft_mask[mask].mean() / 255) if mask.any() else 0.0}


if __name__ == "__main__":
    run(main)
