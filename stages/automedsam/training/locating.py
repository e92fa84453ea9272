"""Training of the locators on pseudo-labels of augmented views, and on self-labels."""

import copy
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from automedsam.cases.boxes import Box, box_iou, enclosing_box, largest_box, mask_box_iou
from automedsam.cases.case import Case
from automedsam.cases.masks import to_mask
from automedsam.model.locating import LocatingPrompter
from automedsam.runtime.options import Augmentation
from automedsam.supervision.targets import pseudo_label_loss
from automedsam.training.context import TrainingContext
from automedsam.training.presence import PresenceScore, choose_presence_threshold
from automedsam.training.recipe import LossTerms, Recipe
from automedsam.training.self_labels import (
    SelfLabel,
    choose_self_labels,
    predict_self_labels,
    self_label_targets,
)
from automedsam.training.views import TrainingViews

WARM_UP = 0.15  # share of the steps of a round
EMA_DECAY = 0.99
MAX_CALIBRATION_CASES = 100


class LocatingRecipe(Recipe):
    """AdamW with a one-cycle schedule and clipped gradients, on a copy of the prompter.

    The prompter itself is the exponential moving average of that copy, the learner.

    With unlabelled cases, the training has several rounds. Each of them but the first starts again
    from the initial weights, and also learns from the self-labels of the round before.
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
        """Prepare the first round.

        The keyword arguments are the parameters of the same names; `epochs` are those of a round.
        """
        if not isinstance(context.model.prompter, LocatingPrompter):
            raise TypeError(
                "a LocatingRecipe requires a model that was created with prompting: locate"
            )
        self.context = context
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.self_labels: list[SelfLabel] = []  # of the last round
        self.average = context.model.prompter
        self._initial = [parameter.detach().clone() for parameter in self.average.parameters()]
        context.model.eval()  # only the learner drops channels
        self.views = TrainingViews(context, self.average.reduction, views, augmentations)
        self._start_round()

    def _start_round(self) -> None:
        """Set learner and average to the initial weights, and create optimizer and schedule."""
        with torch.no_grad():
            for parameter, initial in zip(self.average.parameters(), self._initial, strict=True):
                parameter.copy_(initial)
        self.learner = copy.deepcopy(self.average).train()
        self.optimizer = torch.optim.AdamW(
            self.learner.parameters(), self.learning_rate, weight_decay=self.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            self.learning_rate,
            total_steps=self.epochs * self.steps_per_epoch + 1,
            pct_start=WARM_UP,
        )

    def begin_epoch(self, train_cases: list[Case], epoch: int) -> None:
        """Start the next round after the last epoch of the one before."""
        if epoch == 1 and "embedding" in self.average.locators:
            self.average.reduction.fit(self.views.load_embeddings(train_cases))
        # At least 1: the cases of a cross-validation may lack a class.
        max_parts = [
            max(1, *(len(case.boxes[cls.value]) for case in train_cases))
            for cls in self.context.classes
        ]
        self.average.max_parts.copy_(torch.tensor(max_parts))
        if epoch > 1 and (epoch - 1) % self.epochs == 0:
            answers = predict_self_labels(self.context, self.context.unlabelled, max_parts)
            self._learn_from(choose_self_labels(answers, train_cases))
            self._start_round()

    def losses(self, train_cases: list[Case], epoch: int) -> Iterator[tuple[list[Case], LossTerms]]:
        """`steps_per_epoch` batches, in which all cases occur equally often.

        If there are self-labelled cases, every second case is one of them.
        """
        rng = np.random.default_rng([self.context.seed, epoch])
        torch.manual_seed(int(rng.integers(2**31)))  # for the dropout
        count = self.steps_per_epoch * self.context.batch_size
        labelled = [case for case in self.context.unlabelled if case.name in self.views.self_labels]
        half = count // 2 if labelled else 0
        order = _sample(train_cases, count - half, rng)
        for place, case in enumerate(_sample(labelled, half, rng) if half else []):
            order.insert(2 * place + 1, case)
        for batch in self.context.batches(order):
            yield batch, self._loss_terms(batch, rng)
            self.schedule.step()
            self._update_average()

    def validate_batch(self, cases: list[Case]) -> tuple[list[Tensor], list[float]]:
        """Masks from the maps only, which decide the prompts: the decoder would take long."""
        inputs = {}
        if "embedding" in self.average.locators:
            inputs["embedding"] = torch.stack([self.views.features(case, 0) for case in cases])
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
        """The state of the learner, and the self-labels that it learns from."""
        labels = [label.state_dict() for label in self.self_labels]
        return {"learner": self.learner.state_dict(), "self_labels": labels}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the learner and its self-labels."""
        self.learner.load_state_dict(state["learner"])
        cases = {case.name: case for case in self.context.unlabelled}
        classes = {cls.value: cls for cls in self.context.classes}
        self._learn_from(
            SelfLabel.from_state(label, cases, classes) for label in state["self_labels"]
        )

    def _learn_from(self, labels: Iterable[SelfLabel]) -> None:
        self.self_labels = [*labels]
        self.views.learn_from(self_label_targets(self.self_labels, self.context.classes))

    def _loss_terms(self, cases: list[Case], rng: np.random.Generator) -> LossTerms:
        terms = {}
        device = self.context.compute.device
        with self.context.compute.autocast():
            for name, locator in self.learner.locators.items():
                make_batch = self.views.embedded if name == "embedding" else self.views.new
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


def _sample(cases: Sequence[Case], count: int, rng: np.random.Generator) -> list[Case]:
    """`count` of at least one case, in random order, in which all occur equally often."""
    rounds = math.ceil(count / len(cases))
    order = [i for _ in range(rounds) for i in rng.permutation(len(cases))]
    return [cases[i] for i in order[:count]]


def _map_box_iou(mask: np.ndarray, boxes_xyxy: Sequence[Box]) -> float:
    """Overlap of a mask (H, W) with the boxes; with one box, of the mask's largest part only."""
    if len(boxes_xyxy) > 1:
        return mask_box_iou(mask, boxes_xyxy)
    return box_iou(largest_box(mask), enclosing_box(boxes_xyxy))
