"""Parameters of the prompter and its optimization."""

from pydantic import Field

from automedsam.runtime.options import Prompting, PromptSource, SparsePrompt
from automedsam.runtime.parameters.base import Params


class PrompterParams(Params):
    """The prompter and its optimization."""

    prompting: Prompting = Field(
        "locate",
        description=(
            "Method that generates the prompt. `locate` finds the object and prompts the "
            "decoder with its box; `direct` predicts prompts from the embedding, as "
            "published, for a single class."
        ),
    )
    prompt_source: PromptSource = Field(
        "both",
        description=(
            "Input in which the object is located: the image's `embedding`, a small copy of "
            "the `image`, or the mean of `both`. Has no effect with `prompting: direct`."
        ),
    )
    sparse_prompt: SparsePrompt = Field(
        "box",
        description=(
            "Sparse prompt predicted in addition to the dense prompt: a `box`, a `point`, or "
            "two free `tokens` as in the paper. Requires `prompting: direct`."
        ),
    )
    epochs: int = Field(
        20,
        ge=1,
        description=(
            "Number of training epochs, in each round of self-training. The module is validated "
            "after each one and the best epoch is kept. With `prompting: direct`, the learning "
            "rate drops to a tenth after half of them."
        ),
    )
    steps_per_epoch: int = Field(
        30,
        ge=1,
        description=(
            "Number of optimiser steps per epoch with `prompting: locate`. With `prompting: "
            "direct`, an epoch passes over each training image once and this key has no "
            "effect."
        ),
    )
    self_training_rounds: int = Field(
        1,
        ge=0,
        description=(
            "Number of further trainings of `epochs` epochs with `prompting: locate`, if there "
            "are unlabelled images. Each starts again, and also learns from the masks that the "
            "training before predicts for them. 0 trains on the boxed images only."
        ),
    )
    batch_size: int = Field(
        8,
        ge=1,
        description=(
            "Number of images per optimiser step, and per validation batch. Larger batches "
            "need more memory."
        ),
    )
    learning_rate: float = Field(
        2e-3,
        gt=0,
        description=(
            "Peak learning rate of the optimiser: AdamW with a one-cycle schedule for "
            "`prompting: locate`, Adam for `prompting: direct`."
        ),
    )
    weight_decay: float = Field(
        1e-2,
        ge=0,
        description=(
            "Weight decay of the optimiser: decoupled (AdamW) for `prompting: locate`, an L2 "
            "penalty (Adam) for `prompting: direct`."
        ),
    )
    save_every: int | None = Field(
        None,
        ge=1,
        description=(
            "Interval, in epochs, at which additional checkpoints are written to "
            "`data/model`. `null` keeps the best epoch only."
        ),
    )
    lambda_pseudo: float = Field(
        1.0,
        ge=0,
        description=(
            "Weight of the pseudo-label loss with `prompting: direct`; 0 trains on the box "
            "losses alone, as published. Has no effect with `prompting: locate`, which learns "
            "from the pseudo-labels only."
        ),
    )
    lambda_box: float = Field(
        0.0,
        ge=0,
        description=(
            "Weight of the distance between the predicted and the given box, 1 - generalised "
            "IoU. Requires `prompting: direct` with `sparse_prompt: box`."
        ),
    )

    @property
    def trains_itself(self) -> bool:
        """Whether unlabelled images are used."""
        return self.prompting == "locate" and self.self_training_rounds > 0
