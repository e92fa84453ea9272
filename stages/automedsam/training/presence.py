"""The presence threshold, which decides that a mask is left empty."""

from collections.abc import Sequence
from dataclasses import dataclass

MAX_OVERLAP_LOSS = 0.01  # share of the validation overlap that may be traded for empty masks
MARGIN = 1e-6  # above the presence that is to be rejected


@dataclass(frozen=True)
class PresenceScore:
    """One class in one validation case."""

    presence: float  # 0 to 1, predicted
    overlap: float  # IoU of the located box with the given box
    has_object: bool


def choose_presence_threshold(scores: Sequence[PresenceScore]) -> float:
    """The presence of a class below which its mask is left empty.

    It is just above the presence of a case without the object, and the highest such value that
    loses at most `MAX_OVERLAP_LOSS` of the overlap with the boxes.

    Returns:
      0, which leaves no mask empty, if there is no case without the object, or no overlap at all.
    """
    with_object = [score for score in scores if score.has_object]
    total_overlap = sum(score.overlap for score in with_object)
    if not total_overlap:
        return 0.0
    candidates = [0.0, *(score.presence + MARGIN for score in scores if not score.has_object)]
    return max(
        threshold
        for threshold in candidates
        if sum(score.overlap for score in with_object if score.presence < threshold)
        <= MAX_OVERLAP_LOSS * total_overlap
    )
