"""params.yaml: one flat, validated set of keys, of which a stage can read only those that dvc.yaml gives it."""

import re
from argparse import ArgumentTypeError
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictInt,
    StrictStr,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from automedsam.runtime.errors import InputError
from automedsam.runtime.options import (
    MAX_CLASSES,
    Augmentation,
    BoxesPerObject,
    Prompting,
    PromptSource,
    SliceAxis,
    SparsePrompt,
    are_mask_values,
    class_name,
    flatten_ids,
    group_ids,
    repeated_ids,
)

ClassId = StrictInt | StrictStr
MaskId = Annotated[StrictInt, Field(gt=0)]


class AutoMedSAMConfig(BaseModel):
    """Every key of params.yaml, with its default; params.yaml says what each does.

    Ordinary (not strict) mode: DVC writes small numbers as `1e-05`, which YAML 1.1 reads as text.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    dataset: Literal["synthetic", "folder", "hc18", "acdc", "camus"] = "synthetic"
    data_dir: Path = Path("data/raw")
    annotations: Path | None = None
    class_ids: list[ClassId | Annotated[list[ClassId], Field(min_length=1)]] | None = Field(
        None, min_length=1
    )
    mask_ids: list[MaskId | Annotated[list[MaskId], Field(min_length=1)]] | None = Field(
        None, min_length=1
    )
    boxes_per_object: BoxesPerObject = "union"
    min_object_px: int = Field(1, ge=1)
    keep_empty: bool = True
    box_jitter: int = Field(0, ge=0)
    slice_axis: SliceAxis = "auto"
    window_low: float | None = None
    window_high: float | None = None
    group_by: str | None = None
    val_fraction: float = Field(0.2, gt=0, lt=1)
    test_fraction: float = Field(0.3, gt=0, lt=1)
    train_cases: int | None = Field(10, ge=1)

    backbone: Literal["sam_tiny", "medsam_vit_b", "sam_vit_b", "sam_vit_l", "sam_vit_h"] = (
        "sam_tiny"
    )
    medsam_checkpoint: Path | None = None
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    use_amp: bool = True
    embedding_dtype: Literal["float16", "int8"] = "float16"

    augmentations: list[Augmentation] = Field(["rotate", "scale", "shift", "intensity"])
    views: int = Field(8, ge=0)

    prompting: Prompting = "locate"
    prompt_source: PromptSource = "both"
    sparse_prompt: SparsePrompt = "box"
    epochs: int = Field(20, ge=1)
    steps_per_epoch: int = Field(30, ge=1)
    batch_size: int = Field(8, ge=1)
    learning_rate: float = Field(2e-3, gt=0)
    weight_decay: float = Field(1e-2, ge=0)
    seed: int = Field(0, ge=0)
    save_every: int | None = Field(None, ge=1)

    lambda_pseudo: float = Field(1.0, ge=0)
    lambda_box: float = Field(0.0, ge=0)
    lambda_tightness: float = Field(1e-4, ge=0)
    lambda_size: float = Field(1e-2, ge=0)
    barrier_t: float = Field(5.0, gt=0)
    band_width: int = Field(5, ge=1)
    size_lower: float = Field(0.5, ge=0, le=1)
    size_upper: float = Field(0.9, ge=0, le=1)
    box_margin: int = Field(0, ge=0)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_truth_values(cls, value: Any, info: ValidationInfo) -> Any:
        """Python would take true for the number 1."""
        if isinstance(value, bool) and info.field_name not in ("use_amp", "keep_empty"):
            raise ValueError("expected a value")
        return value

    @field_validator("class_ids", "mask_ids", mode="wrap")
    @classmethod
    def _check_ids(
        cls, value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        """One fault in place of one for each kind that an item may be."""
        try:
            return validate(value)
        except ValidationError:
            kind = "ids or names" if info.field_name == "class_ids" else "whole numbers over 0"
            raise ValueError(f"expected null, or {kind} and lists of such") from None

    @field_validator("group_by")
    @classmethod
    def _check_pattern(cls, pattern: str | None) -> str | None:
        try:
            groups = re.compile(pattern).groups if pattern is not None else 1
        except re.error as error:
            raise ValueError(f"expected a regular expression ({error})") from None
        if groups == 0:
            raise ValueError("expected a regular expression with a group in parentheses")
        return pattern

    @model_validator(mode="after")
    def _check_together(self) -> "AutoMedSAMConfig":
        if faults := [
            *self._faults_of_pairs(),
            *self._faults_of_classes(),
            *self._faults_of_unread(),
        ]:
            raise ValueError("; ".join(faults))
        return self

    def _faults_of_pairs(self) -> Iterator[str]:
        if self.size_lower >= self.size_upper:
            yield f"size_lower must be below size_upper, found {self.size_lower} and {self.size_upper}"
        if self.val_fraction + self.test_fraction >= 1:
            yield "val_fraction + test_fraction must be below 1, or nothing is left to train on"
        low, high = self.window_low, self.window_high
        if (low is None) != (high is None):
            yield f"window_low and window_high must come together, found {low} and {high}"
        if low is not None and high is not None and low >= high:
            yield f"window_low must be below window_high, found {low} and {high}"

    def _faults_of_classes(self) -> Iterator[str]:
        count = len(self.class_ids or [])
        class_ids, mask_ids = flatten_ids(self.class_ids) or (), flatten_ids(self.mask_ids) or ()
        for key, ids in (("class_ids", class_ids), ("mask_ids", mask_ids)):
            if twice := repeated_ids(ids):
                yield f"{key} must hold no id twice, found {', '.join(twice)} more than once"
        if self.annotations is None and not are_mask_values(class_ids):
            yield f"class_ids of masks must be whole numbers over 0, found {self.class_ids}"
        if count > 1 and self.mask_ids is not None and len(self.mask_ids) != count:
            yield f"mask_ids must have an item for each of class_ids, {self.class_ids}, found {self.mask_ids}"
        if twice := repeated_ids(map(class_name, group_ids(self.class_ids or []))):
            yield f"class_ids must differ in their names, found {', '.join(twice)} more than once"
        if count > MAX_CLASSES:
            yield f"class_ids must be at most {MAX_CLASSES} classes, found {count}"
        if count > 1 and self.prompting == "direct":
            yield f"class_ids of several classes want prompting: locate, found {self.class_ids} with direct"

    def _faults_of_unread(self) -> Iterator[str]:
        """Keys that would be left unread: whoever set them would wonder."""
        given = {
            key
            for key in self.model_fields_set
            if getattr(self, key) != type(self).model_fields[key].default
        }
        if self.prompting == "locate" and "sparse_prompt" in given:
            yield f"sparse_prompt belongs to prompting: direct, found {self.sparse_prompt} with locate"
        if self.sparse_prompt != "box" and "lambda_box" in given:
            yield f"lambda_box belongs to sparse_prompt: box, found {self.lambda_box} with {self.sparse_prompt}"
        if self.dataset != "folder":
            for key in sorted(given & {"annotations", "group_by"}):
                yield f"{key} belongs to dataset: folder, found it with {self.dataset}"
        if self.dataset == "synthetic":
            for key in sorted(given & {"slice_axis", "window_low", "window_high"}):
                yield f"{key} belongs to images from files, found it with dataset: synthetic"
        if self.annotations is not None and self.box_jitter:
            yield f"box_jitter loosens boxes from masks, found {self.box_jitter} with annotations"
        if self.annotations is None and self.mask_ids is not None:
            yield f"mask_ids belongs to annotations, found {self.mask_ids} without; class_ids are the mask values then"


class StageParams:
    """The keys that dvc.yaml declares for one stage, as attributes; reading any other is a fault of the code."""

    def __init__(self, stage: str, values: dict[str, Any]) -> None:
        self._stage = stage
        self._values = values

    def __getattr__(self, key: str) -> Any:
        if key not in self._values:
            raise AttributeError(
                f"stage {self._stage} reads {key}, which dvc.yaml does not list in its params"
            )
        return self._values[key]

    def pick(self, *keys: str) -> dict[str, Any]:
        """Several keys at once, to pass on by name."""
        return {key: getattr(self, key) for key in keys}

    def as_text(self) -> dict[str, str]:
        """Key to value, all as text: for file headers and fingerprints."""
        return {key: str(value) for key, value in sorted(self._values.items())}


def load_config(path: Path, changes: Mapping[str, Any] | None = None) -> AutoMedSAMConfig:
    """Read and validate a params.yaml, with `changes` in place of its own values.

    Raises:
      InputError: naming, at once, every key that is unknown, of a wrong type or out of range.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: expected the parameters, found no such file") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: expected YAML, found {' '.join(str(error).split())}") from None
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise InputError(f"{path}: expected keys and values, found {values!r:.60}")
    try:
        return AutoMedSAMConfig(**{**values, **(changes or {})})
    except ValidationError as error:
        raise InputError(
            "; ".join(f"{path}: {_describe(fault)}" for fault in error.errors())
        ) from None


def load_params(
    stage: str, root: Path = Path(), changes: Mapping[str, Any] | None = None
) -> StageParams:
    """The validated keys of params.yaml that `stage` declares in dvc.yaml, both in the folder `root`.

    Args:
      changes: values to take in place of the file's.
    """
    config = load_config(root / "params.yaml", changes)
    declared = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"][stage][
        "params"
    ]
    return StageParams(stage, {key: getattr(config, key) for key in declared})


def parse_change(text: str) -> tuple[str, Any]:
    """One `KEY=VALUE` of a command line, the value in YAML.

    Raises:
      argparse.ArgumentTypeError: another form.
    """
    key, separator, value = text.partition("=")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        separator = ""
    if not separator:
        raise ArgumentTypeError(f"expected KEY=VALUE, found {text}")
    return key, parsed


def _describe(fault: Any) -> str:
    """One pydantic error as `key: what was expected, what was found`."""
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{key}: no such key"
    message = fault["msg"].removeprefix("Value error, ")
    return f"{key}: {message}, found {fault['input']!r}" if key else message
