"""Not a stage: a public data set from its official place, checked and unpacked.

python stages/download.py hc18 --to ../hc18
"""

import argparse
import shlex
from pathlib import Path

from automedsam.datasets.public_downloads import DATASETS, LANDING_PAGES, unpack
from automedsam.runtime.downloads import fetch
from automedsam.runtime.errors import InputError
from automedsam.runtime.script import run


def main() -> None:
    arguments = parse_arguments()
    dataset, folder = arguments.dataset, arguments.to.resolve()
    if dataset in LANDING_PAGES:
        raise InputError(
            f"{dataset}: expected a data set with a direct link, found one to be had by hand from "
            f"{LANDING_PAGES[dataset]}; unpack it, and name its folder: data_dir"
        )
    for source in DATASETS[dataset]:
        path = fetch(source, folder)
        print(
            f"{path}: {'sha256 as expected' if source.sha256 else 'no hash of it is known, so that none was checked'}"
        )
        if path.suffix == ".zip":
            fresh = unpack(path)
            print("unpacked:", ", ".join(map(str, fresh)) or "nothing, as all of it was there")
    print("licence:", "; ".join(sorted({source.licence for source in DATASETS[dataset]})))
    print(
        f"next: dvc exp run -S dataset={dataset} -S {shlex.quote(f'data_dir={folder.as_posix()}')}"
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", choices=sorted([*DATASETS, *LANDING_PAGES]))
    parser.add_argument(
        "--to", required=True, type=Path, help="folder for the files, outside the repository"
    )
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
