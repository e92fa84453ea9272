"""Images, and the slices of volumes, as PNGs to draw boxes on in an annotation tool.

python stages/slices.py ../my_data/images --out ../pictures
automedsam slices ../my_data/images --out ../pictures    the same, after `pip install .`

Volumes are cut, and intensities scaled, as params.yaml specifies. The pipeline recognizes the
pictures by their names: boxes that were drawn on `scan_s012.png` belong to slice 12, counted from
0, of `scan.nii.gz`.
"""

import logging
from argparse import Namespace
from pathlib import Path

from automedsam.runtime.errors import ErrorCollector, InputError, first_faults
from automedsam.runtime.image_files import write_image
from automedsam.runtime.parameters.loading import add_set_option, load_params
from automedsam.runtime.parameters.stages import PrepareParams
from automedsam.runtime.paths import image_path, project_folder
from automedsam.runtime.script import argument_parser, parse, progress_bar
from automedsam.scans.finding import describe_unread, search_folder
from automedsam.scans.intensity import Intensity
from automedsam.scans.notices import report_notices
from automedsam.scans.prepared_scan import Preparation, PreparedScan
from automedsam.scans.scan import open_scan, slice_name

logger = logging.getLogger(__name__)


def main() -> None:
    arguments = _parse_arguments()
    # Cutting and scaling apply to the given folder, whatever data set the pipeline uses.
    changes = {"dataset": "folder", **dict(arguments.set)}
    params = load_params(PrepareParams, changes, project_folder(), or_defaults=True)
    intensity = Intensity.between(params.window_low, params.window_high)
    export_pictures(arguments.folder, arguments.out, Preparation(params.slice_axis, intensity))


def export_pictures(folder: Path, out: Path, preparation: Preparation) -> None:
    """Write each slice of each scan in a folder as a PNG.

    Raises:
      InputError: the folder is missing, the output folder is not empty, or scans cannot be read;
        the pictures of all other scans are written.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: expected a folder, found a file")
    if out.exists() and any(out.iterdir()):
        raise InputError(f"--out {out}: the folder is not empty")
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    found = search_folder(folder)
    scans = found.by_name()
    for note in found.notes:
        logger.warning(note)
    errors = ErrorCollector()
    for name, path in progress_bar(scans.items(), "slices", "scan"):
        with errors.catch():
            _export_scan(name, path, preparation, out)
    logger.info("wrote the pictures of %d scans to %s", len(scans) - len(errors.found), out)
    report_notices()
    if found.unread:
        logger.warning("skipped %d: %s", len(found.unread), describe_unread(found.unread))
    if errors.found:
        skipped = f"{len(errors.found)} of {len(scans)} scans skipped:"
        raise InputError("\n".join([skipped, *first_faults(errors.found)]))


def _export_scan(name: str, path: Path, preparation: Preparation, out: Path) -> None:
    scan = open_scan(path, preparation.slice_axis)
    prepared = PreparedScan(scan, preparation)
    for number in range(scan.shape[0]):
        picture = slice_name(name, number) if scan.is_volume else name
        write_image(image_path(out, picture), prepared.picture(number))


def _parse_arguments() -> Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("folder", type=Path, help="folder of images and volumes")
    parser.add_argument("--out", required=True, type=Path, help="folder for the PNGs")
    add_set_option(
        parser, "use this value instead of the one in params.yaml: -S slice_axis=coronal"
    )
    return parse(parser)
