"""The parameters of each stage.

A stage receives an instance of its own class, so it cannot read a key that dvc.yaml does not list
for it. A test keeps the two equal.
"""

from automedsam.runtime.parameters.backbone import AugmentationParams, BackboneParams
from automedsam.runtime.parameters.data import DataParams, SeedParams
from automedsam.runtime.parameters.losses import BoxLossParams
from automedsam.runtime.parameters.prompter import PrompterParams
from automedsam.runtime.parameters.unlabelled import UnlabelledParams


class PrepareParams(DataParams, UnlabelledParams, SeedParams):
    """Parameters of the prepare stage."""


class EmbedParams(BackboneParams, AugmentationParams):
    """Parameters of the embed stage."""


class LabelParams(BackboneParams):
    """Parameters of the label stage."""


class TrainParams(BackboneParams, AugmentationParams, PrompterParams, SeedParams, BoxLossParams):
    """Parameters of the train stage."""


class EvaluateParams(BackboneParams, BoxLossParams):
    """Parameters of the evaluate stage."""


class AllParams(PrepareParams, TrainParams):
    """All keys of params.yaml, each checked by itself."""
