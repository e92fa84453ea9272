"""Scores of whole volumes, from the overlaps of their slices."""

from dataclasses import replace

import numpy as np
import pytest

from automedsam.cases.boxes import fill_boxes
from automedsam.cases.case import Case
from automedsam.evaluation.volumes import Overlap, VolumeScores, score_volumes

NOTHING = np.zeros((24, 30), bool)


def rectangle(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    return fill_boxes([(x0, y0, x1, y1)], (24, 30))


def slice_of(volume: str, number: int, slices: int = 3) -> Case:
    return Case(
        name=f"{volume}_s{number:03d}",
        group=volume,
        split="test",
        height=24,
        width=30,
        boxes={255: ()},
        volume=volume,
        slice=number,
        volume_slices=slices,
        has_mask=True,
        spacing_mm=(5.0, 2.0, 0.5),
    )


def test_a_volume_is_scored_as_a_whole() -> None:
    truths = [NOTHING, rectangle(5, 4, 15, 14), rectangle(5, 4, 15, 14)]
    masks = [rectangle(0, 0, 10, 4), rectangle(5, 4, 15, 14), NOTHING]
    overlaps = [Overlap.of_masks(*pair) for pair in zip(masks, truths, strict=True)]
    assert overlaps[0] == Overlap(predicted=40, true=0, common=0)
    slices = [(slice_of("v", number), overlap) for number, overlap in enumerate(overlaps)]
    assert score_volumes(slices) == [
        VolumeScores(
            volume="v",
            slices=3,
            volume_dice=pytest.approx(2 * 100 / (140 + 200)),
            predicted_ml=pytest.approx(140 * 5 / 1000),
            true_ml=pytest.approx(200 * 5 / 1000),
        )
    ]


def test_a_volume_with_a_missing_slice_or_mask_is_not_scored() -> None:
    cases = [slice_of("v", 0), slice_of("v", 2), *(slice_of("w", number) for number in range(3))]
    slices = [(case, Overlap(3, 4, 2)) for case in cases]
    assert [scores.volume for scores in score_volumes(slices)] == ["w"]
    without = [(case, overlap) for case, overlap in slices if case.name != "w_s001"]
    assert score_volumes(without) == []


def test_an_empty_volume_that_is_left_empty_has_dice_1() -> None:
    (scores,) = score_volumes([(slice_of("v", 0, slices=1), Overlap(0, 0, 0))])
    assert (scores.volume_dice, scores.predicted_ml, scores.true_ml) == (1, 0, 0)


def test_a_volume_of_unknown_spacing_has_no_ml() -> None:
    case = replace(slice_of("v", 0, slices=1), spacing_mm=None)
    (scores,) = score_volumes([(case, Overlap(3, 5, 2))])
    assert (scores.volume_dice, scores.predicted_ml, scores.true_ml) == (0.5, None, None)


def test_volumes_are_sorted_by_name_in_any_order_of_slices() -> None:
    cases = [slice_of(volume, number, slices=2) for number in (1, 0) for volume in "wv"]
    volumes = score_volumes([(case, Overlap(case.slice or 0, 2, 0)) for case in cases])
    assert [(scores.volume, scores.slices, scores.true_ml) for scores in volumes] == [
        ("v", 2, 0.02),
        ("w", 2, 0.02),
    ]


def test_single_images_are_not_volumes() -> None:
    case = Case("a", "a", "test", 24, 30, {255: ()})
    assert score_volumes([(case, Overlap(1, 1, 1))]) == []


def test_an_overlap_counts_pixels_of_both_masks_and_their_intersection() -> None:
    overlap = Overlap.of_masks(rectangle(8, 4, 18, 14), rectangle(5, 4, 15, 12))
    assert overlap == Overlap(predicted=100, true=80, common=56)
    assert {type(count) for count in (overlap.predicted, overlap.true, overlap.common)} == {int}


def test_overlaps_are_added_pixel_by_pixel() -> None:
    total = Overlap(10, 8, 5) + Overlap(1, 2, 1)
    assert total == Overlap(11, 10, 6)
    assert total.dice == pytest.approx(12 / 21)
    assert Overlap(0, 0, 0).dice == 1
