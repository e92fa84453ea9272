"""Training of the locators on pseudo-labels of augmented views."""

import copy
import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from automedsam.cases.augmentation import embedded_view, sample_view
from automedsam.cases.boxes import Box, box_iou, enclosing_box, largest_box, mask_box_iou
from automedsam.cases.case import Case
from automedsam.cases.masks import to_mask
from automedsam.model.image_locator import THUMBNAIL_SIDE
from automedsam.model.locating import LocatingPrompter
from automedsam.runtime.options import Augmentation
from automedsam.supervision.targets import Targets, pseudo_label_loss, read_targets, stack_targets
from automedsam.training.context import TrainingContext
from automedsam.training.inputs import CACHE_SIZE
from automedsam.training.presence import PresenceScore, choose_presence_threshold
from automedsam.training.recipe import LossTerms, Recipe

WARM_UP = 0.15  # share of all steps
EMA_DECAY = 0.99
MAX_CALIBRATION_CASES = 100
VIEWS_PER_CASE = 2  # embedded views of a case in one step: they are small
VIEW_CACHE_SIZE = 1000  # embedded views in memory, 0.25 MB each; a cross-validation has 4 caches


class LocatingRecipe(Recipe):
    """AdamW with a one-cycle schedule and clipped gradients, on a copy of the prompter.

    The prompter itself is the exponential moving average of that copy, the learner. The image
    locator sees a new view of each image at every step. The frozen encoder is too slow for that, so
    the embedding locator draws from views that were embedded in advance.
    """

    max_gradient_norm = 1.0

    def __init__(
        self,
        context: TrainingContext,
        *,
        epochs: int,
        steps_per_epoch: int,
        learning_rate: float,
        weight_decay: float,
        views: int,
        augmentations: list[Augmentation],
    ) -> None:
        if not isinstance(context.model.prompter, LocatingPrompter):
            raise TypeError(
                "a LocatingRecipe requires a model that was created with prompting: locate"
            )
        self.context = context
        self.steps_per_epoch = steps_per_epoch
        self.views = views
        self.augmentations = augmentations
        self.average = context.model.prompter
        self.learner = copy.deepcopy(self.average).train()
        context.model.eval()  # only the learner drops channels
        self.optimizer = torch.optim.AdamW(
            self.learner.parameters(), learning_rate, weight_decay=weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            learning_rate,
            total_steps=epochs * steps_per_epoch + 1,
            pct_start=WARM_UP,
        )
        self._image_targets = lru_cache(CACHE_SIZE)(self._make_targets)
        # Smaller than those of images, and several per case.
        self._embedding_targets = lru_cache(VIEW_CACHE_SIZE)(self._make_targets)
        self._features = lru_cache(VIEW_CACHE_SIZE)(self._reduce_embedding)

    def losses(self, train_cases: list[Case], epoch: int) -> Iterator[tuple[list[Case], LossTerms]]:
        """`steps_per_epoch` batches, in which all cases occur equally often."""
        if epoch == 1 and "embedding" in self.average.locators:
            self._fit_reduction(train_cases)
        # At least 1: the cases of a cross-validation may lack a class.
        max_parts = [
            max(1, *(len(case.boxes[cls.value]) for case in train_cases))
            for cls in self.context.classes
        ]
        self.average.max_parts.copy_(torch.tensor(max_parts))
        rng = np.random.default_rng([self.context.seed, epoch])
        torch.manual_seed(int(rng.integers(2**31)))  # for the dropout
        count = self.steps_per_epoch * self.context.batch_size
        rounds = math.ceil(count / len(train_cases))
        order = [i for _ in range(rounds) for i in rng.permutation(len(train_cases))]
        for batch in self.context.batches([train_cases[i] for i in order[:count]]):
            yield batch, self._loss_terms(batch, rng)
            self.schedule.step()
            self._update_average()

    def validate_batch(self, cases: list[Case]) -> tuple[list[Tensor], list[float]]:
        """Masks from the maps only, which decide the prompts: the decoder would take long."""
        inputs = {}
        if "embedding" in self.average.locators:
            inputs["embedding"] = torch.stack([self._features(case, 0) for case in cases])
        if "image" in self.average.locators:
            inputs["image"] = torch.stack([self.context.inputs.thumbnail(case) for case in cases])
        inputs = {name: tensor.to(self.context.compute.device) for name, tensor in inputs.items()}
        with self.context.compute.autocast():
            maps = self.average.predict_maps(inputs, 4 * self.context.model.embedding_shape[-1])
        masks = self.context.to_images(maps.logit(eps=1e-4), cases)
        pairs = self.context.per_class(masks, cases)
        return masks, [_map_box_iou(to_mask(mask), boxes_xyxy) for mask, boxes_xyxy in pairs]

    @torch.inference_mode()
    def score_presence(self, val_cases: list[Case]) -> list[list[PresenceScore]]:
        """The presence of each class in at most `MAX_CALIBRATION_CASES` of the cases."""
        classes, model = self.context.classes, self.context.model
        scores: list[list[PresenceScore]] = [[] for _ in classes]
        order = np.random.default_rng(self.context.seed).permutation(len(val_cases))
        for case in [val_cases[i] for i in sorted(order[:MAX_CALIBRATION_CASES])]:
            with self.context.compute.autocast():
                _, prompts = model(*self.context.inputs.load([case]))
            boxes = model.preprocessing.box_to_image(prompts.boxes_xyxy, case.image_size)[0]
            presences = prompts.presence[0].tolist()
            for cls, class_scores, box, presence in zip(
                classes, scores, boxes.tolist(), presences, strict=True
            ):
                given = case.boxes[cls.value]
                overlap = box_iou(tuple(box), enclosing_box(given))
                class_scores.append(PresenceScore(presence, overlap, bool(given)))
        return scores

    def calibrate(self, scores: list[list[PresenceScore]]) -> None:
        """Choose the presence of each class below which its mask is left empty."""
        thresholds = [choose_presence_threshold(class_scores) for class_scores in scores]
        self.average.presence_threshold.copy_(torch.tensor(thresholds))

    def state_dict(self) -> dict[str, Any]:
        """The state of the learner."""
        return {"learner": self.learner.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the learner."""
        self.learner.load_state_dict(state["learner"])

    def _loss_terms(self, cases: list[Case], rng: np.random.Generator) -> LossTerms:
        terms = {}
        device = self.context.compute.device
        with self.context.compute.autocast():
            for name, locator in self.learner.locators.items():
                make_batch = self._embedded_views if name == "embedding" else self._new_views
                inputs, targets = make_batch(cases, rng)
                logits = locator(inputs.to(device))  # (N, K, side, side)
                terms[f"loss_{name}"] = pseudo_label_loss(logits, targets.to(device))
        return {"loss": torch.stack(list(terms.values())).sum(), **terms}

    def _update_average(self) -> None:
        """Move the average towards the learner, fast at first."""
        steps = self.schedule.last_epoch
        decay = min(EMA_DECAY, (1 + steps) / (10 + steps))
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self.learner.parameters(), strict=True)
            for average, value in pairs:
                average.lerp_(value, 1 - decay)

    def _embedded_views(
        self, cases: list[Case], rng: np.random.Generator
    ) -> tuple[Tensor, Targets]:
        """Reduced embeddings (N, R, side, side) of several views per case, and their targets."""
        cases = cases * VIEWS_PER_CASE
        views = rng.integers(self.views + 1, size=len(cases)).tolist()
        pairs = list(zip(cases, views, strict=True))
        features = torch.stack([self._features(case, view) for case, view in pairs])
        side = features.shape[-1]
        return features, stack_targets(
            [self._embedding_targets(case, view, side) for case, view in pairs]
        )

    def _fit_reduction(self, train_cases: list[Case]) -> None:
        """Fit the reduction of the embeddings to the training images and their views."""
        views = range(self.views + 1)
        self.average.reduction.fit(
            self._load_embedding(case, view) for case in train_cases for view in views
        )

    @torch.inference_mode()
    def _reduce_embedding(self, case: Case, view: int) -> Tensor:
        """The reduced embedding (R, side, side), fp32, of a view of a case."""
        return self.average.reduction(self._load_embedding(case, view))[0]

    def _load_embedding(self, case: Case, view: int) -> Tensor:
        """The embedding (1, C, grid, grid), fp32, of a view of a case."""
        return self.context.inputs.embeddings.load([case], self.context.compute.device, [view])

    def _new_views(self, cases: list[Case], rng: np.random.Generator) -> tuple[Tensor, Targets]:
        """Thumbnails (B, 3, side, side) of one new view per case, and their targets."""
        thumbnails, targets = [], []
        for view, case in zip(
            [sample_view(rng, self.augmentations) for _ in cases], cases, strict=True
        ):
            thumbnails.append(view.apply_to_image(self.context.inputs.thumbnail(case)))
            of_image = self._image_targets(case, 0, THUMBNAIL_SIDE)
            targets.append(of_image.warp(view.apply_to_map))
        return torch.stack(thumbnails), stack_targets(targets)

    def _make_targets(self, case: Case, view: int, side: int) -> Targets:
        """Targets (K, side, side) of a view of a case in the input frame; view 0 is the image."""
        targets = read_targets(self.context.pseudo_labels, case, self.context.classes)
        if view:
            targets = targets.warp(embedded_view(case.name, view, self.augmentations).apply_to_map)
        to_input = self.context.model.preprocessing.map_to_input
        targets = targets.warp(lambda values: to_input(values, side))
        padding = 1 - to_input(torch.ones(1, *case.image_size), side)  # surely shows no object
        return Targets(targets.probability, targets.weight + padding)


def _map_box_iou(mask: np.ndarray, boxes_xyxy: Sequence[Box]) -> float:
    """Overlap of a mask (H, W) with the boxes; with one box, of the mask's largest part only."""
    if len(boxes_xyxy) > 1:
        return mask_box_iou(mask, boxes_xyxy)
    return box_iou(largest_box(mask), enclosing_box(boxes_xyxy))
