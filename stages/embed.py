"""data/prepared/images -> data/embeddings: run the frozen image encoder once per image.

python stages/embed.py
python stages/embed.py --prune      delete cached embeddings that the current parameters do not use
"""

import logging

from automedsam.backbone.embedding_job import embed, list_jobs
from automedsam.backbone.embeddings import (
    EmbeddingStore,
    describe_encoder,
    embedding_path,
    link_or_copy,
)
from automedsam.backbone.encoder import Encoder
from automedsam.backbone.weights import Weights
from automedsam.cases.index import read_splits
from automedsam.runtime.compute import choose_compute
from automedsam.runtime.files import atomic_folder
from automedsam.runtime.parameters.leftovers import names_leftovers
from automedsam.runtime.parameters.loading import load_params
from automedsam.runtime.parameters.stages import EmbedParams
from automedsam.runtime.paths import EMBEDDINGS, INDEX, cache_folder
from automedsam.runtime.script import argument_parser, parse, run

logger = logging.getLogger("automedsam.embed")


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--prune", action="store_true", help="delete unused cached embeddings, and exit"
    )
    arguments = parse(parser)
    params = load_params(EmbedParams)
    compute = choose_compute(params.device, params.use_amp)
    weights = Weights(params.backbone_name, params.medsam_checkpoint)
    encoder_id = describe_encoder(weights, params.embedding_dtype)
    store = EmbeddingStore(cache_folder() / "embeddings", encoder_id, compute.precision)

    # Each image and view has a file in the store, named by its content.
    jobs = [
        (job, store.path(job.image, job.describe()))
        for job in list_jobs(read_splits(INDEX), params.views, params.augmentations)
    ]
    if arguments.prune:
        files, size = store.prune(path for _, path in jobs)
        logger.info("deleted %d unused embeddings, %.1f MiB", files, size / 2**20)
        return

    # Embed what the store lacks.
    missing = [(job, path) for job, path in jobs if not store.holds(path)]
    counts = f"{len(missing)} images to embed, {len(jobs) - len(missing)} in the store"
    logger.info("%s on %s: %s", params.backbone_name, compute, counts)
    if missing:
        embed(missing, Encoder(weights, compute), store)

    # The output of the stage links to the store.
    with atomic_folder(EMBEDDINGS) as folder:
        for job, path in jobs:
            link_or_copy(path, embedding_path(folder, job.case, job.number))


if __name__ == "__main__":
    run(names_leftovers(main))
