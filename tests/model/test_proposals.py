"""Tests of the boxes that a map proposes, with maps drawn by hand."""

import numpy as np
import pytest

from automedsam.model.proposals import LEVELS, MAX_PARTS_PER_LEVEL, MIN_CELLS, propose_boxes

FAINTEST = LEVELS[-1]


def draw(*parts: tuple[int, int, int, int, float]) -> np.ndarray:
    """A map (20, 30) with rectangles x0, y0, x1, y1, probability."""
    probability = np.zeros((20, 30), np.float32)
    for x0, y0, x1, y1, value in parts:
        probability[y0:y1, x0:x1] = value
    return probability


def test_an_empty_map_gives_no_box() -> None:
    assert propose_boxes(draw()) == []


def test_a_certain_part_is_proposed_once() -> None:
    assert propose_boxes(draw((3, 4, 9, 12, 0.9))) == [(3, 4, 9, 12)]


def test_a_level_includes_cells_of_its_exact_value() -> None:
    probability = draw((3, 4, 9, 12, 0)).astype(np.float64)
    probability[4:12, 3:9] = FAINTEST
    assert propose_boxes(probability) == [(3, 4, 9, 12)]


def test_a_faint_part_is_proposed_down_to_the_lowest_level() -> None:
    assert propose_boxes(draw((3, 4, 9, 12, FAINTEST + 0.01)))[0] == (3, 4, 9, 12)
    assert propose_boxes(draw((3, 4, 9, 12, FAINTEST - 0.01))) == []


def test_a_core_and_its_faint_surroundings_are_two_proposals() -> None:
    boxes = propose_boxes(draw((2, 2, 20, 18, FAINTEST + 0.01), (8, 6, 14, 12, 0.9)))
    assert boxes == [(8, 6, 14, 12), (2, 2, 20, 18)]


def test_the_largest_part_is_first() -> None:
    boxes = propose_boxes(draw((0, 0, 3, 3, 0.9), (10, 0, 16, 6, 0.9), (20, 0, 24, 4, 0.9)))
    assert boxes == [(10, 0, 16, 6), (20, 0, 24, 4), (0, 0, 3, 3)]


def test_the_number_of_parts_per_level_is_limited() -> None:
    boxes = propose_boxes(draw(*((4 * n, 0, 4 * n + 3, 3 + n, 0.9) for n in range(7))))
    assert len(boxes) == MAX_PARTS_PER_LEVEL
    assert boxes[0] == (24, 0, 27, 9)


def test_objects_of_more_parts_raise_the_limit_per_level() -> None:
    probability = draw(*((4 * n, 0, 4 * n + 3, 3 + n, 0.9) for n in range(7)))
    assert len(propose_boxes(probability, MAX_PARTS_PER_LEVEL - 1)) == MAX_PARTS_PER_LEVEL
    assert len(propose_boxes(probability, MAX_PARTS_PER_LEVEL + 2)) == MAX_PARTS_PER_LEVEL + 2


def test_parts_that_touch_only_at_a_corner_are_separate() -> None:
    boxes = propose_boxes(draw((0, 0, 4, 4, 0.9), (4, 4, 9, 9, 0.9)))
    assert set(boxes) == {(0, 0, 4, 4), (4, 4, 9, 9)}


@pytest.mark.parametrize(("cells", "count"), [(MIN_CELLS, 1), (MIN_CELLS - 1, 0)])
def test_parts_with_too_few_cells_are_ignored(cells: int, count: int) -> None:
    assert len(propose_boxes(draw((5, 5, 5 + cells, 6, 0.9)))) == count


def test_a_map_that_is_certain_everywhere_proposes_the_whole_image() -> None:
    assert propose_boxes(np.ones((20, 30), np.float32)) == [(0, 0, 30, 20)]


def test_boxes_contain_python_integers() -> None:
    (box,) = propose_boxes(draw((3, 4, 9, 12, 0.9)))
    assert {type(side) for side in box} == {int}
