"""Download the weights of a backbone, verify them, and print where they are stored.

automedsam weights lite_medsam
"""

import logging

from automedsam.backbone.backbones import BACKBONES
from automedsam.backbone.weights import Weights
from automedsam.runtime.script import argument_parser, parse

logger = logging.getLogger(__name__)


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("backbone", choices=list(BACKBONES))
    weights = Weights(parse(parser).backbone)
    logger.info("%s: SHA-256 %s", weights.path, weights.sha256())
    logger.info("license: %s", weights.backbone.licence)
    logger.info("training data: %s", weights.backbone.training_data)
