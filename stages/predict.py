"""Not a stage: masks of new images from a trained model, with no box and no mask.

python stages/predict.py IMAGES_OR_FOLDER ... --out MASKS

An image that cannot be read is told of and left out; the others get their masks, and the exit status is 1.
"""

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from automedsam.boxes import tight_box
from automedsam.checkpoints import load_model
from automedsam.device import choose_compute
from automedsam.encoder import Encoder
from automedsam.errors import InputError
from automedsam.images import SUFFIXES, read_image, write_image
from automedsam.outputs import write_table
from automedsam.overlays import draw_overlay
from automedsam.paths import PROMPT_MODULE
from automedsam.sam import Weights
from automedsam.segmenter import Segmenter, to_mask, to_soft_mask
from automedsam.stage import run
from automedsam.tensors import load_header

PROJECT = Path(__file__).parent.parent


def main() -> None:
    arguments = parse_arguments()
    jobs = list_jobs(arguments.images)
    refuse_to_overwrite(jobs, arguments.out)
    header = load_header(arguments.model)
    weights = Weights(header.get("backbone", "sam_tiny"), arguments.medsam_checkpoint or used_checkpoint(header))
    compute = choose_compute(arguments.device, use_amp=header.get("use_amp") == "True")
    segmenter = Segmenter(load_model(arguments.model, weights, compute.device), compute)
    encoder = Encoder(weights, compute)
    print(f"{weights.name} on {compute}: {len(jobs)} images")

    rows, faults = [], []
    for target, path in tqdm(jobs.items(), "predict", unit="image"):
        try:
            image = read_image(path)
        except InputError as fault:
            faults.append(str(fault))
            continue
        embedding = encoder(image)[None].to(compute.device).float()
        logits, _ = segmenter.segment(embedding, image.shape[:2])
        mask, soft_mask = to_mask(logits), to_soft_mask(logits)
        write_image(arguments.out / target, mask)
        if arguments.soft:
            write_image(arguments.out / "soft" / target, soft_mask)
        if arguments.overlay:
            write_image((arguments.out / "overlays" / target).with_suffix(".png"), draw_overlay(image, mask))
        rows.append({"image": str(path), "mask": target.as_posix(), **describe(mask, soft_mask)})
    if rows:
        write_table(arguments.out / "predictions.csv", rows)
    if faults:
        raise InputError("\n".join([f"{len(rows)} masks written, {len(faults)} images left out:", *faults]))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="+", type=Path, help=f"files, or folders to search: {', '.join(SUFFIXES)}")
    parser.add_argument("--out", required=True, type=Path, help="folder for the masks (0 and 255) and predictions.csv")
    parser.add_argument("--soft", action="store_true", help="also write probabilities, 0 to 255, to OUT/soft")
    parser.add_argument("--overlay", action="store_true", help="also draw contour and box, to OUT/overlays")
    parser.add_argument("--model", type=Path, default=PROJECT / PROMPT_MODULE, help="another trained PromptModule")
    parser.add_argument("--medsam-checkpoint", type=Path, help="where the backbone's weights lie now, if they moved")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    return parser.parse_args()


def list_jobs(inputs: list[Path]) -> dict[Path, Path]:
    """The mask's place below the output folder (a JPEG's mask is a PNG) to the image's, sorted.

    Raises:
      InputError: a path that is not there, no image at all, or two images whose masks would be one file.
    """
    jobs: dict[Path, Path] = {}
    for given in inputs:
        if not given.exists():
            raise InputError(f"{given}: expected an image or a folder, found no such path")
        folder = given if given.is_dir() else given.parent
        found = [path for path in given.rglob("*") if path.suffix.lower() in SUFFIXES] if given.is_dir() else [given]
        for path in sorted(found):
            target = path.relative_to(folder)
            if target.suffix.lower() in (".jpg", ".jpeg"):
                target = target.with_suffix(".png")
            if target in jobs:
                raise InputError(f"{path}: expected another name than that of {jobs[target]}: both masks are {target}")
            jobs[target] = path
    if not jobs:
        raise InputError(f"{', '.join(map(str, inputs))}: expected {', '.join(SUFFIXES)} files, found none")
    return dict(sorted(jobs.items()))


def refuse_to_overwrite(jobs: dict[Path, Path], out: Path) -> None:
    """Raises InputError if a mask would take the place of one of the images."""
    images = {path.resolve() for path in jobs.values()}
    for target in jobs:
        if (out / target).resolve() in images:
            raise InputError(f"--out {out}: expected another folder than the images', found that of {out / target}")


def used_checkpoint(header: dict[str, str]) -> Path | None:
    """The weights file that the model was trained on, as its header has it; None for the packaged one."""
    checkpoint = header.get("medsam_checkpoint", "None")
    return None if checkpoint == "None" else PROJECT / checkpoint


def describe(mask: np.ndarray, soft_mask: np.ndarray) -> dict[str, float | int]:
    """Box (half open, px), area, and the mean probability inside the mask: 0 if it is empty."""
    x_min, y_min, x_max, y_max = tight_box(mask)
    confidence = float(soft_mask[mask].mean() / 255) if mask.any() else 0.0
    box = {"x_min": x_min, "y_min": y_min, "x_max": x_max, "y_max": y_max}
    return box | {"area_px": int(mask.sum()), "confidence": confidence}


if __name__ == "__main__":
    run(main)
