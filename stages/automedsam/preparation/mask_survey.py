"""All masks of a data set at once: whether their values mean what they seem to mean."""

from collections import Counter
from collections.abc import Iterable, Sequence

from automedsam.cases.classes import Classes
from automedsam.preparation.mask_look import MaskLook
from automedsam.runtime.errors import InputError, count_phrase, name_some

MIN_CONTRAST = 32  # between the two values of a blurred mask; labels of classes are closer
NEAR = 0.25  # of the contrast; values this close to one of the two are that value, blurred
MIN_NEAR_SHARE = 0.85  # of all pixels, in a blurred mask of two values
MIN_BLURRED_VALUES = 3  # besides the two
MAX_FLAT_SHARE = 0.5  # of the other values; the areas of classes are flat
MAX_EVEN_SHARE = 0.5  # of the other values; small labelled objects touch no other values
MAX_CLASSES = 20  # masks with more values may be images, or were compressed
MAX_UNEQUAL_SHARE = 0.5  # of neighbours in objects; labels differ at their borders only
VOID = 255  # a usual label of pixels that belong to no class


def choose_threshold(looks: Sequence[MaskLook]) -> int | None:
    """Return the value over which pixels are the object, for masks of two values that are blurred.

    Compression as JPEG and smooth edges leave values beside the two. Nearly all pixels are near one
    of the two, and the others form neither areas nor small objects of their own.

    Returns:
      The mean of the two values, rounded down; None if the masks are not blurred.
    """
    # Without masks of another scale, such as 0 and 1, and without empty ones.
    top = max((max(look.counts) for look in looks), default=0)
    bright = [look for look in looks if 2 * max(look.counts) >= top]
    counts, flat_counts = _sum_counts(bright)
    even_counts = sum((look.even_counts for look in bright), Counter[int]())
    low, high = _two_values(counts)
    others = counts.keys() - {low, high}
    if high - low < MIN_CONTRAST or len(others) < MIN_BLURRED_VALUES:
        return None
    margin = NEAR * (high - low)
    near = sum(
        count for value, count in counts.items() if value <= low + margin or value >= high - margin
    )
    is_blurred = (
        _share(counts, flat_counts, others) <= MAX_FLAT_SHARE
        and _share(counts, even_counts, others) <= MAX_EVEN_SHARE
    )
    return (low + high) // 2 if is_blurred and near >= MIN_NEAR_SHARE * counts.total() else None


def check_masks(looks: Sequence[MaskLook], classes: Classes, key: str) -> list[str]:
    """Check the masks of all scans.

    Args:
      looks: All masks that were read.
      classes: The classes, with the threshold of a single class.
      key: Parameter that selects the values of masks.

    Returns:
      Warnings, one line each.

    Raises:
      InputError: If no mask has a background, or if the masks are images.
    """
    if not looks:
        return []
    counts, flat_counts = _sum_counts(looks)
    is_selected = any(cls.mask_values is not None for cls in classes)
    threshold = 0 if is_selected else classes[0].threshold
    if not is_selected:
        _check_background(looks, counts, threshold, key)
        if threshold == 0:
            _check_labels(looks, counts, key)
        else:
            _check_scale(looks, threshold)
    warnings = [
        _describe_threshold(looks, counts, threshold, key) if threshold else None,
        _describe_void(looks, key) if not is_selected and not threshold else None,
        _describe_unselected(counts, flat_counts, classes, key) if is_selected else None,
        _describe_filled(looks, counts, key),
        _describe_specks(looks),
    ]
    return [line for line in warnings if line]


def describe_masks(looks: Sequence[MaskLook]) -> str:
    """One line on the objects in all masks; at least one mask."""
    shares = [look.shares for look in looks if look.objects]
    slices, objects = sum(look.slices for look in looks), sum(look.objects for look in looks)
    line = f"masks: {objects} of {slices} show an object"
    if not shares:
        return line
    smallest = _percent(min(low for low, _ in shares))
    largest = _percent(max(high for _, high in shares))
    covered = smallest if smallest == largest else f"{smallest} to {largest}"
    fewest = min(look.parts[0] for look in looks if look.objects)
    most = max(look.parts[1] for look in looks)
    parts = count_phrase(most, "part") if fewest == most else f"{fewest} to {most} parts"
    return f"{line}, which covers {covered} of the image in {parts}"


def _sum_counts(looks: Sequence[MaskLook]) -> tuple[Counter[int], Counter[int]]:
    counts: Counter[int] = Counter()
    flat_counts: Counter[int] = Counter()
    for look in looks:
        counts.update(look.counts)
        flat_counts.update(look.flat_counts)
    return counts, flat_counts


def _two_values(counts: Counter[int]) -> tuple[int, int]:
    """The most frequent value, and the most frequent one of those far from it, in order."""
    if not counts:
        return 0, 0
    middle = (max(counts) - min(counts)) / 2
    first = max(counts, key=lambda value: counts[value])
    far = [value for value in counts if abs(value - first) >= middle]
    second = max(far, key=lambda value: counts[value], default=first)
    return min(first, second), max(first, second)


def _share(counts: Counter[int], part_counts: Counter[int], values: set[int]) -> float:
    pixels = sum(counts[value] for value in values)
    return sum(part_counts[value] for value in values) / pixels if pixels else 1.0


def _check_background(
    looks: Sequence[MaskLook], counts: Counter[int], threshold: int, key: str
) -> None:
    if min(counts) > threshold:
        raise InputError(
            f"{key}: no mask has a background of 0, the values are {list_values(counts)}; "
            f"specify those of the object ({_name(looks)})"
        )


def _check_scale(looks: Sequence[MaskLook], threshold: int) -> None:
    """Raise InputError for masks of two values of which both are below the threshold."""
    dark = [
        look
        for look in looks
        if 0 < max(look.counts) <= threshold
        and _share(look.counts, look.flat_counts, look.counts.keys() - {0}) > MAX_FLAT_SHARE
    ]
    if dark:
        raise InputError(
            f"masks: the values of {count_phrase(len(dark), 'mask')} are {threshold} or less "
            f"({_name(dark)}), although others reach higher; save all masks with the same values"
        )


def _check_labels(looks: Sequence[MaskLook], counts: Counter[int], key: str) -> None:
    pairs = sum(look.pairs for look in looks)
    is_varied = sum(look.unequal_pairs for look in looks) > MAX_UNEQUAL_SHARE * pairs
    if len(counts) > MAX_CLASSES and is_varied:
        raise InputError(
            f"{key}: the masks have {len(counts)} values, {list_values(counts)}, that vary from "
            "pixel to pixel, as in images or probabilities; save masks of two values, or specify "
            f"those of the object ({_name(looks)})"
        )


def _describe_threshold(
    looks: Sequence[MaskLook], counts: Counter[int], threshold: int, key: str
) -> str:
    low, high = _two_values(counts)
    blurred = [look for look in looks if look.counts.keys() - {low, high}]
    return (
        f"{len(blurred)} of {count_phrase(len(looks), 'mask')} have values beside {low} and "
        f"{high}, as JPEG compression and smooth edges leave them ({_name(blurred)}); values over "
        f"{threshold} are read as the object, unless {key} specifies values"
    )


def _describe_void(looks: Sequence[MaskLook], key: str) -> str | None:
    named = [look for look in looks if _has_void(look)]
    if not named:
        return None
    labels = sorted({value for look in named for value in look.counts} - {0, VOID})
    return (
        f"{count_phrase(len(named), 'mask')} with the values {list_values([*labels, VOID])} "
        f"({_name(named)}), which are all read as the object; if {VOID} marks pixels of no class, "
        f"specify the others, of one class: {key}={[labels]}"
    )


def _has_void(look: MaskLook) -> bool:
    labels = look.counts.keys() - {0, VOID}
    return VOID in look.counts and bool(labels) and max(labels) <= MAX_CLASSES


def _describe_unselected(
    counts: Counter[int], flat_counts: Counter[int], classes: Classes, key: str
) -> str | None:
    selected = {value for cls in classes for value in cls.mask_values or ()}
    others = counts.keys() - selected - {0}
    is_blurred = _share(counts, flat_counts, others) <= MAX_FLAT_SHARE
    if len(others) <= MAX_CLASSES or not is_blurred:
        return None
    return (
        f"{key} selects {list_values(selected)} of {len(counts)} mask values; the others, "
        f"{list_values(others)}, look like blurred edges, which are not read as the object"
    )


def _describe_filled(looks: Sequence[MaskLook], counts: Counter[int], key: str) -> str | None:
    objects, filled = sum(look.objects for look in looks), sum(look.filled for look in looks)
    if not filled:
        return None
    named = [look for look in looks if look.filled]
    return (
        f"the object touches all four edges in {filled} of {count_phrase(objects, 'slice')}, so "
        f"that its box is the whole slice ({_name(named)}); if this is the background, set {key} "
        f"to the values of the object as they are stored; stored are {list_values(counts)}"
    )


def _describe_specks(looks: Sequence[MaskLook]) -> str | None:
    named = [look for look in looks if look.has_far_specks]
    if not named:
        return None
    count = count_phrase(len(named), "mask")
    return (
        f"{count} with specks, parts of less than 1 % of the object, which enlarge its box "
        f"({_name(named)}); remove them, or set boxes_per_object=component and min_object_px"
    )


def list_values(values: Iterable[int]) -> str:
    """Values in order; of more than 20, the first and the last three."""
    found = sorted(values)
    if len(found) <= MAX_CLASSES:
        return ", ".join(map(str, found))
    return f"{', '.join(map(str, found[:3]))}, ..., {', '.join(map(str, found[-3:]))}"


def _name(looks: Sequence[MaskLook]) -> str:
    return name_some([look.name for look in looks])


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
