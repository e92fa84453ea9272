"""The base class of all sets of parameters."""

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


class Params(BaseModel):
    """A set of validated parameters; its field names are the keys of params.yaml.

    Ordinary (not strict) mode: DVC writes small numbers as `1e-05`, which YAML 1.1 reads as text.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _reject_booleans(cls, value: Any, info: ValidationInfo) -> Any:
        """Pydantic would read true as the number 1."""
        field = cls.model_fields[info.field_name or ""]
        if isinstance(value, bool) and field.annotation is not bool:
            raise ValueError("must not be true or false")
        return value

    def only(self, group: "type[Params]") -> dict[str, Any]:
        """The keys of one group and their values, to pass on as keyword arguments."""
        return {key: getattr(self, key) for key in group.model_fields}
