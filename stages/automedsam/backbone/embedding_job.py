"""The embed stage: which images and views need an embedding, and how they are computed."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from torch import Tensor

from automedsam.backbone.embeddings import EmbeddingStore
from automedsam.backbone.encoder import Encoder
from automedsam.cases.augmentation import View, embedded_view, embedded_view_count
from automedsam.cases.case import Split
from automedsam.runtime.image_files import read_image
from automedsam.runtime.options import Augmentation
from automedsam.runtime.paths import IMAGES, image_path
from automedsam.runtime.script import progress_bar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class EmbeddingJob:
    """An image, or one of its augmented views, that needs an embedding."""

    case: str
    number: int  # of the view; 0: the image itself
    view: View | None

    @property
    def image(self) -> Path:
        """The prepared image."""
        return image_path(IMAGES, self.case)

    def describe(self) -> str:
        """Text that identifies the view; empty for the image itself."""
        return self.view.describe() if self.view else ""

    def load(self) -> np.ndarray:
        """The pixels, (H, W) or (H, W, 3), uint8."""
        pixels = read_image(self.image)
        return self.view.apply_to_uint8(pixels) if self.view else pixels


def list_jobs(
    splits: Mapping[str, Split], views: int, augmentations: list[Augmentation]
) -> list[EmbeddingJob]:
    """Every image, followed by the views of the training images.

    Args:
      splits: case name -> split.
      views: number of views per training image.
      augmentations: what the views vary; nothing means no views.
    """
    images = [EmbeddingJob(name, 0, None) for name in splits]
    numbers = range(1, embedded_view_count(views, augmentations) + 1)
    return images + [
        EmbeddingJob(name, number, embedded_view(name, number, augmentations))
        for name, split in splits.items()
        if split == "train"
        for number in numbers
    ]


def embed(
    jobs: Sequence[tuple[EmbeddingJob, Path]], encoder: Encoder, store: EmbeddingStore
) -> None:
    """Embed each job into its file of the store.

    The next images are read, and the last embeddings written, while the encoder computes.
    """
    lookahead = 2 * encoder.batch_size
    inputs = prefetch(lambda job: encoder.prepare(job.load()), [job for job, _ in jobs], lookahead)
    paths = (path for _, path in jobs)
    results = zip(paths, _encode(encoder, inputs, len(jobs)), strict=True)
    for _ in prefetch(lambda result: store.write(*result), results, lookahead):
        pass


def prefetch(function: Callable[[T], R], items: Iterable[T], lookahead: int) -> Iterator[R]:
    """Results of a function in the order of the items, computed ahead in one other thread.

    An exception of the function is raised in place of its result. However the loop over the results
    ends, including by Ctrl-C, the thread first completes what it was given.

    Args:
      function: applied to each item.
      items: the items.
      lookahead: number of results that are computed before they are requested.
    """
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(max_workers=1) as thread:
        for item in items:
            pending.append(thread.submit(function, item))
            if len(pending) > lookahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _encode(encoder: Encoder, inputs: Iterator[Tensor], total: int) -> Iterator[Tensor]:
    """The embeddings of the inputs, one by one, computed in batches."""
    batches = iter(lambda: list(islice(inputs, encoder.batch_size)), [])
    embeddings = (embedding for batch in batches for embedding in encoder.encode(batch))
    yield from progress_bar(embeddings, "embed", "image", total)
