"""Training of the locators on pseudo-labels: maps of each class, drawn from ever new views of the boxed images."""

import copy
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from automedsam.cases.augmentation import embedded_view, sample_view
from automedsam.cases.boxes import box_iou, enclosing_box, largest_box, mask_box_iou
from automedsam.cases.case import Case
from automedsam.cases.masks import to_mask
from automedsam.model.locating import LocatingPrompter
from automedsam.model.locators import SIDE
from automedsam.runtime.options import Augmentation
from automedsam.supervision.targets import label_folders, pseudo_label_loss, read_targets
from automedsam.training.inputs import CACHE_SIZE
from automedsam.training.trainer import Setup, Terms, Training

WARM_UP = 0.15  # of all steps
EMA_DECAY = 0.99
CALIBRATED_CASES = 100
MAX_OVERLAP_LOSS = 0.01  # of the validation boxes' overlap may be lost for the sake of empty masks
VIEWS_PER_CASE = (
    4  # embedded views of a case in one step: they are cheap to look at, and the head wants many
)


class LocatingTraining(Training):
    """AdamW in one cycle, gradients clipped; the model is the running mean of what learns.

    The image locator sees a new view each time. The frozen encoder is too slow for that: the embedding locator
    draws from the views that were embedded once.
    """

    max_gradient = 1.0

    def __init__(
        self,
        setup: Setup,
        *,
        epochs: int,
        steps_per_epoch: int,
        learning_rate: float,
        weight_decay: float,
        views: int,
        augmentations: list[Augmentation],
    ) -> None:
        super().__init__(setup)
        self.steps_per_epoch = steps_per_epoch
        self.views = views
        self.augmentations = augmentations
        if not isinstance(self.model.prompt_module, LocatingPrompter):
            raise TypeError("expected a model that locates")
        self.mean = self.model.prompt_module
        self.learner = copy.deepcopy(self.mean).train()
        self.model.eval()  # the mean is asked, and the learner learns: only that one drops channels
        self.optimizer = torch.optim.AdamW(
            self.learner.parameters(), learning_rate, weight_decay=weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            learning_rate,
            total_steps=epochs * steps_per_epoch + 1,
            pct_start=WARM_UP,
        )
        self._known_of_image = lru_cache(CACHE_SIZE)(self._make_known)
        self._known_of_view = lru_cache(10 * CACHE_SIZE)(
            self._make_known
        )  # smaller, and several a case

    def take_steps(self, train_cases: list[Case], epoch: int) -> Iterator[Terms]:
        """As many cases as the steps take, each as often as any other in the epoch; the same order in a resumed run."""
        parts = [
            max(len(case.of_class(of.value).boxes_xyxy) for case in train_cases)
            for of in self.classes
        ]
        self.mean.max_parts.copy_(torch.tensor(parts))
        rng = np.random.default_rng([self.seed, epoch])
        torch.manual_seed(int(rng.integers(2**31)))  # of what is dropped
        count = self.steps_per_epoch * self.batch_size
        rounds = -(-count // len(train_cases))
        order = [i for _ in range(rounds) for i in rng.permutation(len(train_cases))]
        for batch in self.batches([train_cases[i] for i in order[:count]]):
            yield self._step(batch, rng, epoch)

    def judge(self, cases: list[Case]) -> tuple[list[Tensor], list[float]]:
        """By the map alone, whose part of most promise is the prompt's box: the decoder would take long."""
        with self.compute.autocast():
            maps = self.model.prompt_module(*self.inputs.load(cases))
        masks = self.to_images(maps.logit(eps=1e-4), cases)
        return masks, [_overlap(to_mask(mask), case) for mask, case in self.per_class(masks, cases)]

    @torch.inference_mode()
    def calibrate(self, val_cases: list[Case]) -> None:
        """Settle below which presence a class's mask is left empty."""
        found: list[list[tuple[float, float, bool]]] = [[] for _ in self.classes]
        chosen = np.random.default_rng(self.seed).permutation(len(val_cases))[:CALIBRATED_CASES]
        for case in [val_cases[i] for i in sorted(chosen)]:
            with self.compute.autocast():
                _, prompts = self.model(*self.inputs.load([case]))
            boxes = self.model.preprocessing.box_to_image(prompts.boxes_xyxy, case.image_size)[
                0
            ].tolist()
            presences = prompts.presence[0].tolist()
            for of_class, of, box, presence in zip(
                found, self.classes, boxes, presences, strict=True
            ):
                given = case.of_class(of.value)
                overlap = box_iou(tuple(box), enclosing_box(given.boxes_xyxy))
                of_class.append((presence, overlap, given.has_object))
        self.mean.presence_threshold.copy_(
            torch.tensor([choose_presence_threshold(of_class) for of_class in found])
        )

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"learner": self.learner.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.learner.load_state_dict(state["learner"])

    def _step(self, cases: list[Case], rng: np.random.Generator, epoch: int) -> Terms:
        terms = {}
        with self.compute.autocast():
            for name, locator in self.learner.locators.items():
                seen, known = (
                    self._embedded_views(cases, rng)
                    if name == "embedding"
                    else self._new_views(cases, rng)
                )
                logits = locator(seen.to(self.compute.device)).flatten(0, 1)[
                    :, None
                ]  # (N K, 1, side, side)
                terms[f"loss_{name}"] = pseudo_label_loss(
                    logits, known.to(self.compute.device).unflatten(1, (-1, 2)).flatten(0, 1)
                )
        loss = torch.stack(list(terms.values())).sum()
        self.descend(loss, cases, epoch)
        self.schedule.step()
        self._average()
        return {"loss": loss, **terms}

    def _average(self) -> None:
        """Let the model follow the learner, closely at first."""
        taken = self.schedule.last_epoch
        decay = min(EMA_DECAY, (1 + taken) / (10 + taken))
        with torch.no_grad():
            for mean, value in zip(self.mean.parameters(), self.learner.parameters(), strict=True):
                mean.lerp_(value, 1 - decay)

    def _embedded_views(self, cases: list[Case], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Embeddings (N, C, grid, grid) of several views a case, and what is known of them, (N, 2 K, grid, grid)."""
        cases = cases * VIEWS_PER_CASE
        numbers = rng.integers(self.views + 1, size=len(cases)).tolist()
        embeddings = self.inputs.embeddings.load(cases, self.compute.device, numbers)
        side = embeddings.shape[-1]
        sights = zip(cases, numbers, strict=True)
        return embeddings, torch.stack(
            [self._known_of_view(case, number, side) for case, number in sights]
        )

    def _new_views(self, cases: list[Case], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """New views (B, 3, side, side) of the cases, and what is known of them, (B, 2 K, side, side)."""
        views = [sample_view(rng, self.augmentations) for _ in cases]
        pairs = list(zip(views, cases, strict=True))
        seen = torch.stack(
            [view.apply_to_image(self.inputs.thumbnail(case)) for view, case in pairs]
        )
        return seen, torch.stack(
            [view.apply_to_map(self._known_of_image(case, 0, SIDE)) for view, case in pairs]
        )

    def _make_known(self, case: Case, view: int, side: int) -> Tensor:
        """What is known of a view of a case, (2 K, side, side), class by class: see `read_targets`."""
        folders = zip(label_folders(self.pseudo_labels, self.classes), self.classes, strict=True)
        known = torch.cat([read_targets(folder, case.of_class(of.value)) for folder, of in folders])
        if view:
            known = embedded_view(case.name, view, self.augmentations).apply_to_map(known)
        to_input = self.model.preprocessing.map_to_input
        padding = 1 - to_input(torch.ones(1, *case.image_size), side)  # is surely no object
        surely = torch.cat([torch.zeros_like(padding), padding])
        return to_input(known, side) + surely.repeat(len(self.classes), 1, 1)


def _overlap(mask: np.ndarray, case: Case) -> float:
    """Of a mask (H, W) with the boxes of a case; of its largest part alone, if the object has one."""
    if len(case.boxes_xyxy) > 1:
        return mask_box_iou(mask, case.boxes_xyxy)
    return box_iou(largest_box(mask), enclosing_box(case.boxes_xyxy))


def choose_presence_threshold(found: list[tuple[float, float, bool]]) -> float:
    """The presence below which a mask is left empty: the highest that pays, and that costs hardly any object.

    Args:
      found: of each case presence, overlap of the located box with the given one, and whether there is an object.

    Returns:
      Just over the presence found in a case without an object, such that at most `MAX_OVERLAP_LOSS` of the overlap is lost; 0
      if there is no such case, or no overlap.
    """
    whole = sum(overlap for _, overlap, has_object in found if has_object)
    if not whole:
        return 0.0
    candidates = [0.0, *(presence + 1e-6 for presence, _, has_object in found if not has_object)]
    lost = {
        threshold: sum(
            overlap
            for presence, overlap, has_object in found
            if has_object and presence < threshold
        )
        for threshold in candidates
    }
    return max(threshold for threshold in candidates if lost[threshold] <= MAX_OVERLAP_LOSS * whole)
