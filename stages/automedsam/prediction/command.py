"""Predict the masks of new images and volumes with a trained model, without masks.

python stages/predict.py ../new_images --out ../new_masks
python stages/predict.py ../new_images --out ../new_masks --annotations ../boxes.csv
automedsam predict ../new_images --out ../new_masks      the same, after `pip install .`

A scan that cannot be read is skipped; the exit status is then 1. Files in formats that are not read
are counted in the last line, and do not change the exit status.
"""

import logging
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import format_exception

from automedsam.prediction.given_boxes import GivenBoxes, read_given_boxes
from automedsam.prediction.jobs import Jobs, list_jobs
from automedsam.prediction.outputs import PredictionWriter
from automedsam.prediction.predictor import Predictor
from automedsam.runtime.errors import ErrorCollector, InputError, count_phrase, first_faults
from automedsam.runtime.script import argument_parser, parse, progress_bar
from automedsam.scans.finding import describe_unread
from automedsam.scans.notices import report_notices
from automedsam.scans.scan import SUFFIXES, open_scan
from automedsam.scans.slicing import describe_default_geometry

logger = logging.getLogger(__name__)


def main() -> None:
    arguments = _parse_arguments()
    jobs = list_jobs(arguments.images, arguments.out)
    for note in jobs.notes:
        logger.warning(note)
    predictor = Predictor.load(arguments.model, arguments.medsam_checkpoint, arguments.device)
    logger.info("%s on %s: %d scans", predictor.backbone, predictor.compute, len(jobs.scans))
    boxes = _read_boxes(arguments.annotations, jobs, predictor)

    writer = PredictionWriter(arguments.out, arguments.soft, arguments.overlay)
    faults, table_faults = ErrorCollector(), ErrorCollector()
    try:
        for target, path in progress_bar(jobs.scans.items(), "predict", "scan", len(jobs.scans)):
            with _catch_all(faults, path):
                scan = open_scan(path, predictor.preparation.slice_axis)
                prediction = predictor(scan, boxes.get(jobs.image_name(target), {}))
                writer.write(scan, prediction, target)
    finally:  # also of the scans before Ctrl-C
        with table_faults.catch():
            writer.write_tables(predictor.classes)
    _report(jobs, writer, [*faults.found, *table_faults.found], arguments.out)


def _read_boxes(annotations: Path | None, jobs: Jobs, predictor: Predictor) -> GivenBoxes:
    if annotations is None:
        return {}
    images = {jobs.image_name(target): path for target, path in jobs.scans.items()}
    folders = {jobs.image_name(target): folder for target, folder in jobs.folders.items()}
    slice_axis = predictor.preparation.slice_axis
    return read_given_boxes(annotations, images, folders, slice_axis, predictor.classes)


@contextmanager
def _catch_all(faults: ErrorCollector, path: Path) -> Iterator[None]:
    """Record every fault of one scan, so that the others are predicted."""
    with faults.catch():
        try:
            yield
        except InputError:
            raise
        except Exception as error:
            logger.debug("".join(format_exception(error)))
            raise InputError(f"{path}: {type(error).__name__}: {error}") from error


def _report(jobs: Jobs, writer: PredictionWriter, faults: list[str], out: Path) -> None:
    """Log the numbers of scans that were read and skipped.

    Raises:
      InputError: scans were skipped because of a fault, or a table cannot be written.
    """
    logger.info("wrote %d masks to %s", len(writer.written), out)
    report_notices()
    if writer.default_geometry:
        logger.warning(describe_default_geometry(writer.default_geometry))
    failed = len(jobs.scans) - len(writer.written)
    reasons = [f"{failed} with a fault"] if failed else []
    reasons += [describe_unread(jobs.unread)] if jobs.unread else []
    summary = f"read {len(writer.written)}, skipped {failed + len(jobs.unread)}"
    summary = ": ".join([summary, *filter(None, [", ".join(reasons)])])
    if faults:
        head = f"{count_phrase(len(faults), 'fault')}:"
        raise InputError("\n".join([head, *first_faults(faults), summary]))
    logger.log(logging.WARNING if jobs.unread else logging.INFO, summary)


def _parse_arguments() -> Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument(
        "images", nargs="+", type=Path, help=f"files, or folders to search: {', '.join(SUFFIXES)}"
    )
    parser.add_argument("--out", required=True, type=Path, help="folder for masks and tables")
    parser.add_argument(
        "--annotations",
        type=Path,
        help="boxes drawn on some of the images: CSV, COCO, YOLO or Pascal VOC, as for `prepare`; "
        "they are segmented in place of predicted boxes",
    )
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
