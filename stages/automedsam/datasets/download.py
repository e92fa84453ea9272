"""Download a public data set from its official address, verify and unpack it.

python stages/download.py hc18 --to ../hc18
automedsam download hc18 --to ../hc18      the same, after `pip install .`
"""

import logging
from argparse import Namespace
from pathlib import Path

from automedsam.datasets.public_downloads import DATASETS, LANDING_PAGES, unpack
from automedsam.runtime.downloads import fetch
from automedsam.runtime.errors import InputError
from automedsam.runtime.parameters.loading import format_change
from automedsam.runtime.script import argument_parser, parse

logger = logging.getLogger(__name__)


def main() -> None:
    arguments = _parse_arguments()
    dataset, folder = arguments.dataset, arguments.to.resolve()
    if dataset in LANDING_PAGES:
        raise InputError(
            f"{dataset}: this data set has no direct link; download it by hand from "
            f"{LANDING_PAGES[dataset]}, unpack it, and set data_dir to its folder"
        )
    for source in DATASETS[dataset]:
        path = fetch(source, folder)
        verified = "SHA-256 verified" if source.sha256 else "not verified, its hash is unknown"
        logger.info("%s: %s", path, verified)
        if path.suffix == ".zip":
            unpacked = ", ".join(map(str, unpack(path)))
            logger.info("unpacked: %s", unpacked or "nothing, all files exist")
    licences = sorted({source.licence for source in DATASETS[dataset]})
    logger.info("licence: %s", "; ".join(licences))
    data_dir = format_change("data_dir", folder.as_posix())
    logger.info("next: dvc exp run -S dataset=%s -S %s", dataset, data_dir)


def _parse_arguments() -> Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("dataset", choices=sorted([*DATASETS, *LANDING_PAGES]))
    parser.add_argument(
        "--to", required=True, type=Path, help="folder for the files, outside of the repository"
    )
    return parse(parser)
