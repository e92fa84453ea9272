"""Rules that concern several parameters at once."""

from collections.abc import Iterator

from automedsam.runtime.options import (
    MAX_CLASSES,
    TEST_FRACTION,
    VAL_FRACTION,
    are_mask_values,
    class_name,
    flatten_ids,
    group_ids,
    repeated_ids,
)
from automedsam.runtime.parameters.stages import AllParams


def conflicts(params: AllParams) -> list[str]:
    """All violations, each as one sentence that names the keys and their values."""
    return [*_range_conflicts(params), *_class_conflicts(params), *_unused_keys(params)]


def _range_conflicts(params: AllParams) -> Iterator[str]:
    if params.size_lower >= params.size_upper:
        yield (
            "size_lower must be below size_upper, "
            f"found {params.size_lower} and {params.size_upper}"
        )
    val_fraction, test_fraction = params.val_fraction, params.test_fraction
    if _largest(val_fraction, VAL_FRACTION) + _largest(test_fraction, TEST_FRACTION) >= 1:
        limits = f"auto is at most {VAL_FRACTION} and {TEST_FRACTION}"
        is_auto = "auto" in (val_fraction, test_fraction)
        yield (
            "val_fraction + test_fraction must be below 1 to leave training images, "
            f"found {val_fraction} and {test_fraction}{f' ({limits})' if is_auto else ''}"
        )
    low, high = params.window_low, params.window_high
    if (low is None) != (high is None):
        yield f"window_low and window_high must be set together, found {low} and {high}"
    if low is not None and high is not None and low >= high:
        yield f"window_low must be below window_high, found {low} and {high}"


def _largest(share: str | float, automatic: float) -> float:
    """The share, or the largest one that `auto` stands for."""
    return automatic if isinstance(share, str) else share


def _class_conflicts(params: AllParams) -> Iterator[str]:
    count = len(params.class_ids or [])
    class_ids, mask_ids = flatten_ids(params.class_ids) or (), flatten_ids(params.mask_ids) or ()
    for key, ids in (("class_ids", class_ids), ("mask_ids", mask_ids)):
        if repeated := repeated_ids(ids):
            yield f"{key} must not repeat an id, found {', '.join(repeated)} more than once"
    if params.annotations is None and not are_mask_values(class_ids):
        yield (
            "class_ids must be whole numbers over 0 if boxes are derived from masks, "
            f"found {params.class_ids}"
        )
    if count > 1 and params.mask_ids is not None and len(params.mask_ids) != count:
        yield (
            "mask_ids must have one item per class in class_ids, "
            f"found {params.mask_ids} for {params.class_ids}"
        )
    if repeated := repeated_ids(map(class_name, group_ids(params.class_ids or []))):
        yield f"class_ids must have different names, found {', '.join(repeated)} more than once"
    if count > MAX_CLASSES:
        yield f"class_ids must have at most {MAX_CLASSES} classes, found {count}"
    if count > 1 and params.prompting == "direct":
        yield (
            "class_ids with several classes require prompting: locate, "
            f"found {params.class_ids} with direct"
        )


def _unused_keys(params: AllParams) -> Iterator[str]:
    """Keys that were set but would have no effect."""
    fields = type(params).model_fields
    changed = {
        key for key in params.model_fields_set if getattr(params, key) != fields[key].default
    }
    if params.prompting == "locate" and "sparse_prompt" in changed:
        yield f"sparse_prompt requires prompting: direct, found {params.sparse_prompt} with locate"
    if params.sparse_prompt != "box" and "lambda_box" in changed:
        yield (
            "lambda_box requires sparse_prompt: box, "
            f"found {params.lambda_box} with {params.sparse_prompt}"
        )
    if params.dataset != "folder":
        for key in sorted(changed & {"annotations", "group_by"}):
            yield f"{key} requires dataset: folder, found dataset: {params.dataset}"
    if params.dataset == "synthetic":
        for key in sorted(changed & {"slice_axis", "window_low", "window_high"}):
            yield f"{key} requires images from files, found dataset: synthetic"
    if params.annotations is not None and params.box_jitter:
        yield (
            "box_jitter applies to boxes derived from masks only, "
            f"found {params.box_jitter} with annotations"
        )
    if params.annotations is None and params.mask_ids is not None:
        yield (
            f"mask_ids requires annotations, found {params.mask_ids} without "
            "(the mask values are then class_ids)"
        )
