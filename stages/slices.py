"""Not a stage: images, and the slices of volumes, as PNGs to draw boxes on in an annotation tool.

python stages/slices.py FOLDER --out PICTURES

Cut and scaled as params.yaml says. What the tool exports for these pictures is what `annotations` takes: it knows
`scan_s012.png` as slice 12 of `scan.nii.gz`, from 0.
"""

import argparse
from pathlib import Path

from tqdm import tqdm

from automedsam.runtime.errors import ErrorCollector, InputError
from automedsam.runtime.image_files import write_image
from automedsam.runtime.params import load_config, parse_change
from automedsam.runtime.script import run
from automedsam.scans.intensity import Intensity
from automedsam.scans.prepared_scan import Preparation, PreparedScan
from automedsam.scans.scan import name_scans, open_scan, slice_name

PROJECT = Path(__file__).parent.parent


def main() -> None:
    arguments = parse_arguments()
    # A folder of images, whatever the pipeline's own data set is: all that is said of cutting and scaling holds.
    config = load_config(PROJECT / "params.yaml", {"dataset": "folder"} | dict(arguments.set))
    preparation = Preparation(
        config.slice_axis, Intensity.between(config.window_low, config.window_high)
    )
    if arguments.out.exists() and any(arguments.out.iterdir()):
        raise InputError(
            f"--out {arguments.out}: expected an empty folder or none, found files in it"
        )
    if not arguments.folder.is_dir():
        raise InputError(f"{arguments.folder}: expected a folder, found none")
    scans = name_scans(arguments.folder)
    errors = ErrorCollector()
    for name, path in tqdm(scans.items(), "slices", unit="scan"):
        with errors.catch():
            write_pictures(name, path, preparation, arguments.out)
    print(f"pictures of {len(scans) - len(errors.found)} scans written to {arguments.out}")
    if errors.found:
        raise InputError(
            "\n".join([f"{len(errors.found)} of {len(scans)} scans left out:", *errors.found])
        )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the images and volumes lie")
    parser.add_argument("--out", required=True, type=Path, help="folder for the PNGs")
    parser.add_argument("-S", "--set", action="append", default=[], type=parse_change, metavar="KEY=VALUE",
                        help="take this value in place of that in params.yaml: -S slice_axis=coronal")  # fmt: skip
    return parser.parse_args()


def write_pictures(name: str, path: Path, preparation: Preparation, out: Path) -> None:
    scan = open_scan(path, preparation.slice_axis)
    prepared = PreparedScan(scan, preparation)
    for number in range(scan.shape[0]):
        picture = slice_name(name, number) if scan.is_volume else name
        write_image(out / f"{picture}.png", prepared.picture(number))


if __name__ == "__main__":
    run(main)
