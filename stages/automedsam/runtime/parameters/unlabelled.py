"""Parameters of images that nobody boxed."""

from pydantic import Field

from automedsam.runtime.options import Unlabelled
from automedsam.runtime.parameters.base import Params


class UnlabelledParams(Params):
    """The choice of unlabelled images."""

    unlabelled: Unlabelled = Field(
        "ignore",
        description=(
            "Whether to `use` for self-training the images of the training split that nobody "
            "boxed, or to `ignore` them. Images that somebody marked as empty, and images in the "
            "groups of validation and test, are never among them. Has no effect with "
            "`prompting: direct`."
        ),
    )
    max_unlabelled: int = Field(
        200,
        ge=1,
        description=(
            "Maximum number of unlabelled images or slices, chosen by `seed`. Each of them is "
            "embedded once. Has no effect with `unlabelled: ignore`."
        ),
    )
