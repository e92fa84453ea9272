"""Views of training cases, and their targets: the inputs of the locators in one step."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from automedsam.cases.augmentation import embedded_view, sample_view
from automedsam.cases.case import Case
from automedsam.model.image_locator import THUMBNAIL_SIDE
from automedsam.runtime.options import Augmentation
from automedsam.supervision.targets import Targets, read_targets, stack_targets
from automedsam.training.context import TrainingContext
from automedsam.training.inputs import CACHE_SIZE

VIEWS_PER_CASE = 2  # embedded views of a case in one step: they are small
VIEW_CACHE_SIZE = 1000  # embedded views in memory, 0.25 MB each; a cross-validation has 4 caches


class TrainingViews:
    """Makes views of boxed cases, whose targets are their pseudo-labels, and of self-labelled ones.

    The image locator sees a new view of each image at every step. The frozen encoder is too slow
    for that, so the embedding locator draws from views that were embedded in advance.
    """

    def __init__(
        self,
        context: TrainingContext,
        reduce: Callable[[Tensor], Tensor],
        views: int,
        augmentations: list[Augmentation],
    ) -> None:
        """Prepare the views.

        Args:
          context: the inputs, the pseudo-labels and the classes.
          reduce: the reduction of embeddings (1, C, grid, grid).
          views: number of embedded views of each boxed case.
          augmentations: what the views vary.
        """
        self.self_labels: Mapping[str, Targets] = {}  # case name -> (K, side, side) of a thumbnail
        self._context = context
        self._reduce = reduce
        self.count = views
        self.augmentations = augmentations
        self._image_targets = lru_cache(CACHE_SIZE)(self._make_targets)
        # Smaller than those of images, and several per case.
        self._embedding_targets = lru_cache(VIEW_CACHE_SIZE)(self._make_targets)
        self.features = lru_cache(VIEW_CACHE_SIZE)(self._reduce_embedding)

    def load_embeddings(self, cases: Iterable[Case]) -> Iterable[Tensor]:
        """The embeddings (1, C, grid, grid), fp32, of all embedded views of boxed cases."""
        numbers = range(self.count + 1)
        return (self._load_embedding(case, number) for case in cases for number in numbers)

    def embedded(self, cases: Sequence[Case], rng: np.random.Generator) -> tuple[Tensor, Targets]:
        """Reduced embeddings (N, R, side, side) of several views per case, and their targets."""
        cases = [*cases] * VIEWS_PER_CASE
        numbers = rng.integers(self.count + 1, size=len(cases)).tolist()
        # Self-labelled images have no embedded views.
        pairs = [
            (case, 0 if case.name in self.self_labels else number)
            for case, number in zip(cases, numbers, strict=True)
        ]
        features = torch.stack([self.features(case, number) for case, number in pairs])
        side = features.shape[-1]
        return features, stack_targets(
            [self._embedding_targets(case, number, side) for case, number in pairs]
        )

    def new(self, cases: Sequence[Case], rng: np.random.Generator) -> tuple[Tensor, Targets]:
        """Thumbnails (B, 3, side, side) of one new view per case, and their targets."""
        thumbnails, targets = [], []
        for view, case in zip(
            [sample_view(rng, self.augmentations) for _ in cases], cases, strict=True
        ):
            thumbnails.append(view.apply_to_image(self._context.inputs.thumbnail(case)))
            of_image = self._image_targets(case, 0, THUMBNAIL_SIDE)
            targets.append(of_image.warp(view.apply_to_map))
        return torch.stack(thumbnails), stack_targets(targets)

    def learn_from(self, self_labels: Mapping[str, Targets]) -> None:
        """Replace the self-labels: case name -> targets (K, side, side) of the thumbnail."""
        self.self_labels = self_labels
        self._image_targets.cache_clear()
        self._embedding_targets.cache_clear()

    @torch.inference_mode()
    def _reduce_embedding(self, case: Case, number: int) -> Tensor:
        """The reduced embedding (R, side, side), fp32, of a view of a case."""
        return self._reduce(self._load_embedding(case, number))[0]

    def _load_embedding(self, case: Case, number: int) -> Tensor:
        """The embedding (1, C, grid, grid), fp32, of a view of a case."""
        inputs = self._context.inputs
        return inputs.embeddings.load([case], self._context.compute.device, [number])

    def _make_targets(self, case: Case, number: int, side: int) -> Targets:
        """Targets (K, side, side) of a view of a case in the input frame; view 0 is the image."""
        if case.name in self.self_labels:
            targets = self.self_labels[case.name]
            return targets.warp(lambda values: F.adaptive_avg_pool2d(values, side))
        targets = read_targets(self._context.pseudo_labels, case, self._context.classes)
        if number:
            view = embedded_view(case.name, number, self.augmentations)
            targets = targets.warp(view.apply_to_map)
        to_input = self._context.model.preprocessing.map_to_input
        targets = targets.warp(lambda values: to_input(values, side))
        padding = 1 - to_input(torch.ones(1, *case.image_size), side)  # surely shows no object
        return Targets(targets.probability, targets.weight + padding)
