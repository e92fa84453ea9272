"""Parameters of the data: images, boxes, classes and splits."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    StrictInt,
    StrictStr,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from automedsam.runtime.options import BoxesPerObject, SliceAxis, Unboxed
from automedsam.runtime.parameters.base import Params

ClassId = StrictInt | StrictStr
MaskId = Annotated[StrictInt, Field(ge=0)]
Share = Literal["auto"] | Annotated[float, Field(ge=0, lt=1)]


class DatasetParams(Params):
    """The source of the images."""

    dataset: Literal["synthetic", "folder", "hc18", "acdc", "camus"] = Field(
        "synthetic",
        description=(
            "Source of the images. `synthetic` draws phantoms and needs no files, `folder` "
            "reads your own images from `data_dir`, and `hc18`, `acdc` and `camus` read the "
            "unpacked official archives of these data sets."
        ),
    )


class DataParams(DatasetParams):
    """Raw data, annotations, boxes and splits."""

    data_dir: Path = Field(
        Path("data/raw"),
        description=(
            "Folder of the images, or of the unpacked archive if `dataset` is `hc18`, `acdc` "
            "or `camus`. DVC hashes every file in it, so a changed file re-runs the stages "
            "that depend on it. It must be an absolute path for runs with `--temp` or "
            "`--queue`."
        ),
    )
    annotations: Path | None = Field(
        None,
        description=(
            "File or folder with the drawn boxes, relative to `data_dir`: a CSV, a COCO JSON, "
            "or a folder of YOLO txt or Pascal VOC XML files. `null` derives tight boxes from "
            "masks instead. Requires `dataset: folder`."
        ),
    )
    unboxed: Unboxed = Field(
        "unknown",
        description=(
            "Meaning of an image or slice that is listed in `annotations` without a box. "
            "Annotation tools export every image of a task, whether somebody has looked at it "
            "or not. `unknown` leaves it out, unless it has a mask and is a test image; "
            "`empty` states that it does not show the object. A row of a CSV table without "
            "numbers, and an image with the label `empty`, do not show the object in either "
            "case. Requires `annotations`."
        ),
    )
    class_ids: list[ClassId | Annotated[list[ClassId], Field(min_length=1)]] | None = Field(
        None,
        min_length=1,
        description=(
            "Classes to segment, one list item per class: ids or names used in `annotations`, "
            "or mask values if `annotations` is `null`. A nested list merges several ids into "
            "one class: `[1, 3]` defines two classes, `[[1, 2], 3]` merges 1 and 2 into the "
            "first of two. `null` merges everything into a single class. Several classes "
            "require `prompting: locate`."
        ),
    )
    mask_ids: list[MaskId | Annotated[list[MaskId], Field(min_length=1)]] | None = Field(
        None,
        min_length=1,
        description=(
            "Values of each class in the test masks, one list item per class in `class_ids`. "
            "`null` uses `class_ids`; for a single class, it means every value above 0, or what "
            "viewers show brighter in a mask of two colours. Listed values are those in the file. "
            "Requires `annotations`; required if there are test masks and a class among "
            "several is identified by name or by id 0."
        ),
    )
    boxes_per_object: BoxesPerObject = Field(
        "union",
        description=(
            "Number of boxes derived from one mask. `union` encloses the whole object in one "
            "box, `component` draws one box around each connected part. Drawn boxes "
            "(`annotations`) are not changed."
        ),
    )
    min_object_px: int = Field(
        1,
        ge=1,
        description=(
            "Minimum area, in pixels, of an object (with `boxes_per_object: component`, of "
            "each part) to receive a box derived from a mask. A training or validation image "
            "in which any class gets no box for this reason is not used. Test boxes ignore "
            "this limit, but with `keep_empty: false` a test image with such an object is "
            "left out."
        ),
    )
    keep_empty: bool = Field(
        True,
        description=(
            "Also use images and slices that are known not to show the object, from their mask, "
            "or from their annotation as `unboxed` specifies. They serve as negative examples in "
            "training, and a volume Dice requires all slices of a volume."
        ),
    )
    box_jitter: int = Field(
        0,
        ge=0,
        description=(
            "Maximum distance, in pixels, by which each side of a training or validation box "
            "derived from a mask is moved outward at random. Use it to simulate imprecise "
            "drawing. Test boxes stay tight. Cannot be combined with `annotations`."
        ),
    )
    slice_axis: SliceAxis = Field(
        "auto",
        description=(
            "Axis along which volumes are cut into slices. `auto` uses the scanner's slice "
            "direction if the slices are clearly thicker than the other voxel edges, and "
            "axial slices otherwise. Requires images from files."
        ),
    )
    window_low: float | None = Field(
        None,
        description=(
            "Raw intensity that becomes black (0), in Hounsfield units for CT. `null` uses "
            "percentile 0.5 of each image or whole volume. Requires `window_high` and images "
            "from files."
        ),
    )
    window_high: float | None = Field(
        None,
        description=(
            "Raw intensity that becomes white (255), in Hounsfield units for CT. `null` uses "
            "percentile 99.5 of each image or whole volume. Requires `window_low` and images "
            "from files."
        ),
    )
    group_by: str | None = Field(
        None,
        description=(
            "Regular expression that is searched in each image name (`subfolder__name` for "
            "files in subfolders); its first group identifies the patient or exam. All images "
            "of one group stay in the same split. `null` treats each file as its own group. "
            "Requires `dataset: folder`."
        ),
    )
    val_fraction: Share = Field(
        "auto",
        description=(
            "Share of the images and volumes used for validation, whose boxes select the best "
            "epoch. 0 selects it by cross-validation over the training boxes. `auto` is 0 if "
            "boxes are drawn on fewer than 30 images or slices, or on fewer than ten groups, "
            "and 0.2 otherwise. Ignored where the data set defines its own validation split. "
            "`val_fraction + test_fraction` must be below 1."
        ),
    )
    test_fraction: Share = Field(
        "auto",
        description=(
            "Share of the images and volumes used for testing. 0 tests on none. `auto` is 0 "
            "where `val_fraction: auto` is 0, unless most images with a drawn box have masks and "
            "belong to at least three groups, and 0.3 otherwise. Ignored where the data set "
            "defines its own test split, and where images with a mask but no drawn box form the "
            "test split."
        ),
    )
    train_cases: Literal["auto"] | Annotated[int, Field(ge=1)] | None = Field(
        "auto",
        description=(
            "Number of boxed images or slices to train on, chosen from the training split by "
            "`seed`. Images without the object are added in their natural proportion. `null` "
            "uses the whole training split. `auto` is `null` if boxes are drawn "
            "(`annotations`), and 10 otherwise."
        ),
    )

    @field_validator("class_ids", "mask_ids", mode="wrap")
    @classmethod
    def _check_ids(
        cls, value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        """Report one error instead of one per type that an item may have."""
        try:
            return validate(value)
        except ValidationError:
            kind = "ids or names" if info.field_name == "class_ids" else "whole numbers from 0 on"
            raise ValueError(
                f"must be null or a non-empty list of {kind}, or of such lists"
            ) from None

    @field_validator("val_fraction", "test_fraction", "train_cases", mode="wrap")
    @classmethod
    def _check_amount(
        cls, value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        """Report one error instead of one per type that the value may have."""
        try:
            return validate(value)
        except ValidationError:
            if info.field_name == "train_cases":
                raise ValueError("must be auto, null or a whole number of at least 1") from None
            raise ValueError("must be auto or a number from 0 to below 1") from None

    @field_validator("group_by")
    @classmethod
    def _check_pattern(cls, pattern: str | None) -> str | None:
        try:
            groups = re.compile(pattern).groups if pattern is not None else 1
        except re.error as error:
            raise ValueError(f"must be a valid regular expression ({error})") from None
        if groups == 0:
            raise ValueError("must have a group in parentheses")
        return pattern


class SeedParams(Params):
    """The seed."""

    seed: int = Field(
        0,
        ge=0,
        description=(
            "Seed of everything random: the choice of training images, the initial weights, "
            "the order of the batches, the augmentations drawn during training and "
            "`box_jitter`. The splits and the embedded `views` do not depend on it."
        ),
    )
