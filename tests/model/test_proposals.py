"""Proposals from maps drawn by hand: the parts of each level, the largest first, no box twice."""

import numpy as np
import pytest

from automedsam.model.proposals import LARGEST, LEVELS, MIN_CELLS, propose_boxes

FAINTEST = LEVELS[-1]


def draw(*parts: tuple[int, int, int, int, float]) -> np.ndarray:
    """A map (20, 30) with rectangles x0, y0, x1, y1 of a probability."""
    probability = np.zeros((20, 30), np.float32)
    for x0, y0, x1, y1, value in parts:
        probability[y0:y1, x0:x1] = value
    return probability


def test_an_empty_map_proposes_nothing() -> None:
    assert propose_boxes(draw()) == []


def test_a_sure_part_is_proposed_once() -> None:
    assert propose_boxes(draw((3, 4, 9, 12, 0.9))) == [(3, 4, 9, 12)]


def test_what_reaches_a_level_exactly_belongs_to_it() -> None:
    probability = draw((3, 4, 9, 12, 0)).astype(np.float64)
    probability[4:12, 3:9] = FAINTEST
    assert propose_boxes(probability) == [(3, 4, 9, 12)]


def test_a_faint_part_is_proposed_as_long_as_it_reaches_the_lowest_level() -> None:
    assert propose_boxes(draw((3, 4, 9, 12, FAINTEST + 0.01)))[0] == (3, 4, 9, 12)
    assert propose_boxes(draw((3, 4, 9, 12, FAINTEST - 0.01))) == []


def test_a_core_and_its_faint_surroundings_are_two_proposals() -> None:
    found = propose_boxes(draw((2, 2, 20, 18, FAINTEST + 0.01), (8, 6, 14, 12, 0.9)))
    assert found == [(8, 6, 14, 12), (2, 2, 20, 18)]


def test_parts_come_from_the_largest() -> None:
    found = propose_boxes(draw((0, 0, 3, 3, 0.9), (10, 0, 16, 6, 0.9), (20, 0, 24, 4, 0.9)))
    assert found == [(10, 0, 16, 6), (20, 0, 24, 4), (0, 0, 3, 3)]


def test_no_more_than_the_largest_few_are_proposed_at_a_level() -> None:
    found = propose_boxes(draw(*((4 * n, 0, 4 * n + 3, 3 + n, 0.9) for n in range(7))))
    assert len(found) == LARGEST
    assert found[0] == (24, 0, 27, 9)


def test_parts_that_touch_at_a_corner_alone_are_two() -> None:
    found = propose_boxes(draw((0, 0, 4, 4, 0.9), (4, 4, 9, 9, 0.9)))
    assert set(found) == {(0, 0, 4, 4), (4, 4, 9, 9)}


@pytest.mark.parametrize(("cells", "count"), [(MIN_CELLS, 1), (MIN_CELLS - 1, 0)])
def test_specks_are_noise(cells: int, count: int) -> None:
    assert len(propose_boxes(draw((5, 5, 5 + cells, 6, 0.9)))) == count


def test_a_map_that_is_sure_all_over_proposes_all_of_it() -> None:
    assert propose_boxes(np.ones((20, 30), np.float32)) == [(0, 0, 30, 20)]


def test_boxes_hold_plain_integers() -> None:
    (box,) = propose_boxes(draw((3, 4, 9, 12, 0.9)))
    assert {type(side) for side in box} == {int}
