"""The presence threshold: as high as possible without losing objects."""

import pytest

from automedsam.training.presence import (
    MAX_OVERLAP_LOSS,
    PresenceScore,
    choose_presence_threshold,
)


def scores_of(*rows: tuple[float, float, bool]) -> list[PresenceScore]:
    """Scores from rows of presence, overlap and whether there is an object."""
    return [PresenceScore(*row) for row in rows]


@pytest.mark.parametrize(
    ("scores", "threshold"),
    [
        pytest.param(
            scores_of((0.9, 0.8, True), (0.1, 0.5, True)), 0.0, id="an object in each case"
        ),
        pytest.param(
            scores_of((0.9, 0.8, True), (0.3, 0.0, False), (0.5, 0.6, True)),
            0.3,
            id="absent below all present",
        ),
        pytest.param(
            scores_of((0.9, 0.8, True), (0.6, 0.0, False), (0.5, 0.6, True)),
            0.0,
            id="an object would be lost",
        ),
        pytest.param(
            scores_of((0.9, 0.8, True), (0.6, 0.0, False), (0.5, 0.0, True)),
            0.6,
            id="a lost object was missed anyway",
        ),
        pytest.param(
            scores_of((0.9, 0.8, True), (0.6, 0.0, False), (0.5, 0.6, True), (0.2, 0.0, False)),
            0.2,
            id="one of two",
        ),
        pytest.param(
            scores_of((0.2, 0.0, False), (0.7, 0.0, False)), 0.0, id="no object in any case"
        ),
        pytest.param(scores_of((0.7, 0.0, False), (0.6, 0.0, True)), 0.0, id="no object located"),
        pytest.param([], 0.0, id="no case"),
    ],
)
def test_the_threshold_is_the_highest_that_loses_no_object(
    scores: list[PresenceScore], threshold: float
) -> None:
    assert choose_presence_threshold(scores) == pytest.approx(threshold, abs=1e-5)


@pytest.mark.parametrize(("share", "threshold"), [(0.9, 0.6), (1.1, 0.0)])
def test_a_small_share_of_the_overlap_may_be_lost(share: float, threshold: float) -> None:
    small = share * MAX_OVERLAP_LOSS
    scores = scores_of((0.9, 1 - small, True), (0.5, small, True), (0.6, 0.0, False))
    assert choose_presence_threshold(scores) == pytest.approx(threshold, abs=1e-5)


def test_the_threshold_separates_present_from_absent() -> None:
    scores = scores_of((0.9, 0.8, True), (0.3, 0.0, False), (0.5, 0.6, True))
    threshold = choose_presence_threshold(scores)
    assert [score.presence >= threshold for score in scores] == [True, False, True]
