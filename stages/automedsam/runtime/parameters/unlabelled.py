"""Parameters of images that nobody boxed."""

from pydantic import Field

from automedsam.runtime.options import Unlabelled
from automedsam.runtime.parameters.base import Params


class UnlabelledParams(Params):
    """The choice of unlabelled images."""

    unlabelled: Unlabelled = Field(
        "ignore",
        description=(
            "Whether to `use` images of the training split that nobody boxed for "
            "self-training, or to `ignore` them. Images that are known to show no object, and "
            "images in the groups of validation and test, are never among them."
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
