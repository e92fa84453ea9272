"""The validated content of params.yaml."""

from pydantic import model_validator

from automedsam.runtime.parameters.rules import conflicts
from automedsam.runtime.parameters.stages import AllParams


class AutoMedSAMConfig(AllParams):
    """All keys of params.yaml with their defaults, checked one by one and together."""

    @model_validator(mode="after")
    def _check_together(self) -> "AutoMedSAMConfig":
        if violations := conflicts(self):
            raise ValueError("; ".join(violations))
        return self
