"""Predict the masks of new images and volumes with a trained model, without boxes and masks.

python stages/predict.py ../new_images --out ../new_masks
automedsam predict ../new_images --out ../new_masks      the same, after `pip install .`

A scan that cannot be read is skipped; the exit status is then 1.
"""

import logging
from argparse import Namespace
from pathlib import Path

from automedsam.prediction.jobs import list_jobs
from automedsam.prediction.outputs import PredictionWriter
from automedsam.prediction.predictor import Predictor
from automedsam.runtime.errors import ErrorCollector, InputError
from automedsam.runtime.script import argument_parser, parse, progress_bar
from automedsam.scans.scan import SUFFIXES, open_scan

logger = logging.getLogger(__name__)


def main() -> None:
    arguments = _parse_arguments()
    jobs = list_jobs(arguments.images, arguments.out)
    predictor = Predictor.load(arguments.model, arguments.medsam_checkpoint, arguments.device)
    logger.info("%s on %s: %d scans", predictor.backbone, predictor.compute, len(jobs))

    writer = PredictionWriter(arguments.out, arguments.soft, arguments.overlay)
    errors = ErrorCollector()
    for target, path in progress_bar(jobs.items(), "predict", "scan", len(jobs)):
        with errors.catch():
            scan = open_scan(path, predictor.preparation.slice_axis)
            writer.write(scan, predictor(scan), target)
    writer.write_tables(predictor.classes)

    written = len(jobs) - len(errors.found)
    logger.info("wrote %d masks to %s", written, arguments.out)
    if errors.found:
        skipped = f"{written} masks written, {len(errors.found)} scans skipped:"
        raise InputError("\n".join([skipped, *errors.found]))


def _parse_arguments() -> Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument(
        "images", nargs="+", type=Path, help=f"files, or folders to search: {', '.join(SUFFIXES)}"
    )
    parser.add_argument("--out", required=True, type=Path, help="folder for masks and tables")
    parser.add_argument("--soft", action="store_true", help="also write probabilities to OUT/soft")
    parser.add_argument(
        "--overlay", action="store_true", help="also write contours and boxes to OUT/overlays"
    )
    parser.add_argument(
        "--model",
        type=Path,
        help="trained model; default: data/model/prompt_module.safetensors of the project",
    )
    parser.add_argument(
        "--medsam-checkpoint",
        type=Path,
        help="backbone weights, if different from those of the training",
    )
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    return parse(parser)
