"""The look through a data set: which slices there are, with which boxes, and which of them are used."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest

from automedsam.errors import InputError
from automedsam.framing import Framing
from automedsam.sources import RawScan
from automedsam.survey import (
    BoxRules,
    Survey,
    SurveyedSlice,
    choose_slices,
    describe_survey,
    jitter_boxes,
    survey_scans,
)

SIZE = (12, 16)
NOTHING = np.zeros(SIZE, np.int64)
BOX = (2, 3, 9, 7)


@dataclass(frozen=True)
class Stack:
    """A scan with nothing in it."""

    shape: tuple
    is_volume: bool = False
    spacing_mm: tuple | None = None


def draw(*boxes_xyxy, value=1):
    labels = NOTHING.copy()
    for x0, y0, x1, y1 in boxes_xyxy:
        labels[y0:y1, x0:x1] = value
    return labels


def make_scan(name, *masks, slices=1, spacing_mm=None, own_spacing_mm=None, **fields):
    """A scan with a mask for each of its slices, or of so many slices without any."""
    stack = Stack((len(masks) or slices, *SIZE), max(len(masks), slices) > 1, own_spacing_mm)
    read_labels = (lambda: np.stack(masks)) if masks else None
    return RawScan(
        name, **{"group": name, "open": lambda: stack, "read_labels": read_labels} | fields, spacing_mm=spacing_mm
    )


def refuse_to_read():
    raise AssertionError("read a mask that nobody may see")


def look(*scans, split="train", framing=None, **rules):
    return survey_scans(
        scans, {scan.name: scan.split or split for scan in scans}, framing or Framing(), BoxRules(**rules)
    )


def boxes_of(*scans, **options):
    return [surveyed.boxes_xyxy for surveyed in look(*scans, **options).slices]


def make_slice(name, split="train", boxes_xyxy=(BOX,), is_too_small=False, scan=None, **fields):
    fields = {"is_volume": False, "image_size": SIZE, "spacing_mm": None, "has_mask": False} | fields
    scan = scan or make_scan(name)
    return SurveyedSlice(scan, split, name, 0, boxes_xyxy=boxes_xyxy, is_too_small=is_too_small, **fields)


def names_of(slices, split=None):
    return [surveyed.name for surveyed in slices if split in (None, surveyed.split)]


def test_an_image_is_one_slice_of_its_own_name_and_a_volume_has_one_name_a_slice():
    image, volume = (
        make_scan("a", draw(BOX)),
        make_scan("v", draw((0, 0, 1, 1)), NOTHING, draw(BOX), spacing_mm=(5, 1, 2)),
    )
    survey = look(image, volume, split="val")
    assert [(s.scan, s.name, s.number, s.is_volume, s.boxes_xyxy, s.spacing_mm) for s in survey.slices] == [
        (image, "a", 0, False, (BOX,), None),
        (volume, "v_s000", 0, True, ((0, 0, 1, 1),), (5, 1, 2)),
        (volume, "v_s001", 1, True, (), (5, 1, 2)),
        (volume, "v_s002", 2, True, (BOX,), (5, 1, 2)),
    ]
    assert {(s.split, s.image_size, s.is_too_small, s.has_mask) for s in survey.slices} == {("val", SIZE, False, False)}
    assert survey.faults == []


def test_the_spacing_of_the_data_set_comes_before_that_of_the_file():
    files_own = make_scan("a", NOTHING, own_spacing_mm=(1, 2, 3))
    told = make_scan("b", NOTHING, own_spacing_mm=(1, 2, 3), spacing_mm=(7, 8, 9))
    assert [s.spacing_mm for s in look(files_own, told).slices] == [(1, 2, 3), (7, 8, 9)]


@pytest.mark.parametrize(
    ("class_ids", "boxes"),
    [
        (None, ((1, 1, 15, 9),)),
        ([2], ((6, 2, 9, 8),)),
        ([2, 3], ((6, 2, 15, 9),)),
        ([7], ()),
        (["liver"], ((1, 1, 15, 9),)),
        (["liver", 2], ((6, 2, 9, 8),)),
        ([0], ((0, 0, 16, 12),)),
    ],
)
def test_class_ids_say_which_mask_values_are_the_object_and_names_alone_say_nothing(class_ids, boxes):
    labels = draw((1, 1, 4, 4)) + draw((6, 2, 9, 8), value=2) + draw((10, 3, 15, 9), value=3)
    survey = look(make_scan("a", labels), class_ids=class_ids)
    assert [s.boxes_xyxy for s in survey.slices] == [boxes]
    assert survey.classes == {0, 1, 2, 3}


PARTS = draw((6, 0, 8, 2), (1, 1, 4, 3), (8, 2, 9, 3), (14, 9, 15, 10))  # 6 px, 5 px joined at a corner, and 1 px


@pytest.mark.parametrize(
    ("boxes_per_object", "min_object_px", "boxes", "is_too_small"),
    [
        ("union", 1, ((1, 0, 15, 10),), False),
        ("union", 12, ((1, 0, 15, 10),), False),
        ("union", 13, (), True),
        ("component", 1, ((6, 0, 9, 3), (1, 1, 4, 3), (14, 9, 15, 10)), False),
        ("component", 2, ((6, 0, 9, 3), (1, 1, 4, 3)), False),
        ("component", 6, ((1, 1, 4, 3),), False),
        ("component", 7, (), True),
    ],
)
def test_boxes_go_round_the_whole_or_each_part_and_none_round_what_is_too_small(
    boxes_per_object, min_object_px, boxes, is_too_small
):
    rules = {"boxes_per_object": boxes_per_object, "min_object_px": min_object_px}
    for split in ("train", "val"):
        (surveyed,) = look(make_scan("a", PARTS), split=split, **rules).slices
        assert (surveyed.boxes_xyxy, surveyed.is_too_small) == (boxes, is_too_small)


@pytest.mark.parametrize(
    ("boxes_per_object", "boxes"),
    [("union", ((1, 0, 15, 10),)), ("component", ((6, 0, 9, 3), (1, 1, 4, 3), (14, 9, 15, 10)))],
)
def test_the_truth_to_test_on_has_all_its_boxes_however_small(boxes_per_object, boxes):
    for min_object_px, is_too_small in ((1, False), (2, False), (100, True)):
        rules = {"boxes_per_object": boxes_per_object, "min_object_px": min_object_px, "box_jitter": 3}
        (surveyed,) = look(make_scan("a", PARTS), split="test", **rules).slices
        assert (surveyed.boxes_xyxy, surveyed.is_too_small, surveyed.has_mask) == (boxes, is_too_small, True)


def test_no_object_is_not_an_object_that_is_too_small():
    (surveyed,) = look(make_scan("a", NOTHING), min_object_px=5).slices
    assert (surveyed.boxes_xyxy, surveyed.is_too_small) == ((), False)


def test_jitter_moves_each_side_out_by_at_most_so_much():
    rules = BoxRules(box_jitter=2)
    moves = Counter()
    for number in range(200):
        ((x0, y0, x1, y1),) = jitter_boxes(((5, 5, 9, 8),), SIZE, rules, f"case_{number}")
        moves.update([("left", 5 - x0), ("above", 5 - y0), ("right", x1 - 9), ("below", y1 - 8)])
    assert moves.keys() == {(side, px) for side in ("left", "above", "right", "below") for px in (0, 1, 2)}
    assert min(moves.values()) > 40  # of 67


def test_jitter_never_leaves_the_image():
    for number in range(50):
        boxes = jitter_boxes(((0, 0, 16, 12), (1, 2, 15, 11)), SIZE, BoxRules(box_jitter=100), f"case_{number}")
        assert boxes[0] == (0, 0, 16, 12)
        assert 0 <= boxes[1][0] <= 1
        assert 0 <= boxes[1][1] <= 2
        assert 15 <= boxes[1][2] <= 16
        assert 11 <= boxes[1][3] <= 12


def test_jitter_depends_on_name_and_seed_alone():
    boxes, rules = ((50, 50, 60, 60),), BoxRules(box_jitter=40)
    once = jitter_boxes(boxes, (200, 200), rules, "a")
    assert jitter_boxes(boxes, (200, 200), rules, "a") == once
    assert jitter_boxes(boxes, (200, 200), rules, "b") != once
    assert jitter_boxes(boxes, (200, 200), replace(rules, seed=1), "a") != once


def test_boxes_of_one_image_are_jittered_each_in_its_own_way():
    one, other = jitter_boxes(((50, 50, 60, 60),) * 2, (200, 200), BoxRules(box_jitter=40), "a")
    assert one != other


def test_no_jitter_leaves_boxes_alone():
    assert jitter_boxes((BOX, (0, 0, 1, 1)), SIZE, BoxRules(), "a") == (BOX, (0, 0, 1, 1))


def test_boxes_to_learn_and_choose_from_are_jittered_and_no_others():
    masked, drawn = make_scan("a", draw(BOX)), make_scan("b", boxes={0: (BOX,)})
    expected = jitter_boxes((BOX,), SIZE, BoxRules(box_jitter=3), "a")
    assert expected != (BOX,)
    for split in ("train", "val"):
        assert boxes_of(masked, drawn, split=split, box_jitter=3) == [expected, (BOX,)]
    assert boxes_of(masked, drawn, split="test", box_jitter=3) == [(BOX,), (BOX,)]


def test_an_absent_object_stays_absent_however_loose_the_boxes():
    assert boxes_of(make_scan("a", NOTHING), box_jitter=9) == [()]


def test_drawn_boxes_are_taken_as_they_are_and_slices_that_nobody_looked_at_left_out():
    drawn = {4: ((0, 0, 1, 1),), 1: (), 2: (BOX, (9, 9, 10, 10))}
    survey = look(make_scan("v", slices=6, boxes=drawn), min_object_px=50, boxes_per_object="union", box_jitter=5)
    assert [(s.name, s.number, s.boxes_xyxy, s.is_too_small) for s in survey.slices] == [
        ("v_s001", 1, (), False),
        ("v_s002", 2, (BOX, (9, 9, 10, 10)), False),
        ("v_s004", 4, ((0, 0, 1, 1),), False),
    ]
    assert survey.classes == set()


@pytest.mark.parametrize("split", ["train", "val"])
def test_masks_of_boxed_images_to_learn_or_choose_from_are_never_read(split):
    survey = look(make_scan("a", boxes={0: (BOX,)}, read_labels=refuse_to_read), split=split)
    assert [(s.boxes_xyxy, s.has_mask) for s in survey.slices] == [((BOX,), False)]


def test_boxed_scans_to_test_on_have_all_the_slices_of_their_mask():
    scan = make_scan(
        "v", draw((0, 0, 2, 2)), draw((4, 4, 5, 5)), draw(BOX), NOTHING, boxes={1: (), 2: ((1, 2, 10, 8),)}
    )
    survey = look(scan, split="test")
    assert [(s.number, s.boxes_xyxy, s.has_mask) for s in survey.slices] == [
        (0, ((0, 0, 2, 2),), True),
        (1, (), True),
        (2, ((1, 2, 10, 8),), True),
        (3, (), True),
    ]


def test_boxed_images_to_test_on_need_no_mask():
    survey = look(make_scan("a", boxes={0: (BOX,)}), split="test")
    assert [(s.boxes_xyxy, s.has_mask) for s in survey.slices] == [((BOX,), False)]


def test_boxes_are_those_of_the_frame_and_sizes_those_of_the_image():
    (padded,) = look(make_scan("a", draw(BOX)), framing=Framing(canvas_px=20)).slices
    assert padded.boxes_xyxy == ((4, 7, 11, 11),)  # 2 columns and 4 rows of padding before it
    assert padded.image_size == SIZE
    (resampled,) = look(make_scan("b", draw(BOX), spacing_mm=(9, 3, 2)), framing=Framing(pixel_mm=1)).slices
    assert resampled.boxes_xyxy == ((4, 9, 18, 21),)
    assert resampled.spacing_mm == (9, 3, 2)


def test_an_object_that_is_cropped_away_is_none():
    (surveyed,) = look(make_scan("a", draw((0, 0, 2, 2))), framing=Framing(canvas_px=8)).slices
    assert (surveyed.boxes_xyxy, surveyed.is_too_small) == ((), False)


def test_pixels_are_counted_and_jitter_measured_in_the_frame():
    scan, framing = make_scan("a", draw((5, 4, 6, 5)), spacing_mm=(1, 4, 4)), Framing(pixel_mm=1)
    assert boxes_of(scan, framing=framing, min_object_px=16) == [((20, 16, 24, 20),)]
    assert boxes_of(scan, framing=framing, min_object_px=17) == [()]
    ((jittered,),) = boxes_of(scan, framing=framing, box_jitter=16)
    assert jittered == jitter_boxes(((20, 16, 24, 20),), (48, 64), BoxRules(box_jitter=16), "a")[0]


def test_every_broken_scan_is_told_and_the_others_are_looked_at():
    def fail(text):
        def raise_fault():
            raise InputError(text)

        return raise_fault

    survey = look(
        make_scan("a", open=fail("a.png: broken")),
        make_scan("b", draw(BOX)),
        make_scan("c", NOTHING, read_labels=fail("c.png: broken")),
    )
    assert survey.faults == ["a.png: broken", "c.png: broken"]
    assert names_of(survey.slices) == ["b"]


def test_two_slices_of_one_name_are_told():
    survey = look(make_scan("v", NOTHING, NOTHING), make_scan("v_s001", NOTHING), make_scan("v_s002", NOTHING))
    assert survey.faults == ["v_s001: expected a name of its own for each image and slice, found 2"]


def test_chosen_slices_are_sorted_by_name():
    slices = [make_slice("c", "val"), make_slice("a", "test"), make_slice("b")]
    assert names_of(choose_slices(slices, None, True, 0)) == ["a", "b", "c"]


def test_slices_without_the_object_are_used_only_if_empty_ones_are_kept():
    slices = [make_slice(f"{split}_{kind}", split, boxes) for split in ("train", "val", "test")
              for kind, boxes in (("boxed", (BOX,)), ("empty", ()))]  # fmt: skip
    assert names_of(choose_slices(slices, None, True, 0)) == sorted(names_of(slices))
    assert names_of(choose_slices(slices, None, False, 0)) == ["test_boxed", "train_boxed", "val_boxed"]


def test_slices_whose_object_is_too_small_are_at_most_tested_on():
    slices = [make_slice(split, split, (BOX,) if split == "test" else (), True) for split in ("train", "val", "test")]
    assert names_of(choose_slices(slices, None, True, 0)) == ["test"]
    assert choose_slices(slices, None, False, 0) == []


def test_training_slices_are_drawn_until_so_many_have_a_box_and_empty_ones_come_along():
    slices = [make_slice(f"{number:02d}", boxes_xyxy=(BOX,) if number % 3 else ()) for number in range(60)]
    for seed in range(20):
        chosen = choose_slices(slices, 12, True, seed)
        boxed = [s for s in chosen if s.boxes_xyxy]
        assert len(boxed) == 12
        # The last draw had a box: the next one smaller has as many empty ones, or fewer.
        assert set(names_of(choose_slices(slices, 11, True, seed))) < set(names_of(chosen))
    empty = [len(choose_slices(slices, 12, True, seed)) - 12 for seed in range(20)]
    assert 4 < np.mean(empty) < 8  # a third of the slices are empty: 6 to 12
    assert len(choose_slices(slices, 12, False, 0)) == 12


def test_all_training_slices_are_used_where_boxes_run_out_or_none_are_counted():
    slices = [make_slice(f"{number:02d}", boxes_xyxy=(BOX,) if number % 3 else ()) for number in range(9)]
    assert choose_slices(slices, 100, True, 0) == choose_slices(slices, None, True, 0) == slices


def test_more_training_slices_keep_the_ones_drawn_before_and_the_seed_draws_others():
    slices = [make_slice(f"{number:02d}") for number in range(30)]
    picks = [set(names_of(choose_slices(slices, count, True, 0))) for count in (1, 4, 9, 29)]
    assert [len(pick) for pick in picks] == [1, 4, 9, 29]
    assert picks[0] < picks[1] < picks[2] < picks[3]
    assert len({tuple(names_of(choose_slices(slices, 4, True, seed))) for seed in range(5)}) == 5


def test_what_is_validated_and_tested_on_depends_on_neither_count_nor_seed():
    slices = [make_slice(f"{split}_{n}", split) for split in ("train", "val", "test") for n in range(5)]
    for count, seed in ((1, 0), (3, 1), (None, 2)):
        chosen = choose_slices(slices, count, True, seed)
        assert names_of(chosen, "val") == [f"val_{n}" for n in range(5)]
        assert names_of(chosen, "test") == [f"test_{n}" for n in range(5)]


def test_the_order_in_which_slices_were_found_does_not_matter():
    slices = [make_slice(f"{number:02d}") for number in range(30)]
    assert choose_slices(slices, 7, True, 3) == choose_slices(slices[::-1], 7, True, 3)


def test_description_tells_what_was_found_and_what_is_used():
    volume = make_scan("v", NOTHING, NOTHING, NOTHING)
    of_volume = {"scan": volume, "is_volume": True, "spacing_mm": (5, 0.703125, 1.25), "image_size": (512, 512)}
    slices = [
        make_slice("a", spacing_mm=(1, 1, 1)),
        make_slice("b", boxes_xyxy=(BOX, (0, 0, 1, 1))),
        make_slice("c", boxes_xyxy=()),
        make_slice("d", is_too_small=True, boxes_xyxy=()),
        make_slice("e", "val"),
        make_slice("f", "val", is_too_small=True, boxes_xyxy=()),
        make_slice("v_s000", "test", has_mask=True, **of_volume),
        make_slice("v_s001", "test", boxes_xyxy=(), has_mask=True, **of_volume),
        make_slice("g", "test"),
    ]
    survey = Survey(slices, classes={0, 2, 10, "liver"})
    assert describe_survey(survey, [s for s in slices if s.name not in ("c", "d", "f")]) == [
        "found: 7 images, 1 volumes of 2 slices, 8 groups",
        "sizes (rows x columns, px): 2 kinds, 12 x 16 to 512 x 512",
        "spacing (slices, rows, columns, mm): 2 kinds, 1 x 1 x 1 to 5 x 0.7031 x 1.25",
        "classes: 0, 2, 10, liver",
        "train: 2 cases of 2 groups, 2 with an object in 3 boxes",
        "val: 1 cases of 1 groups, 1 with an object",
        "test: 3 cases of 2 groups, 2 with an object, 2 with a mask",
        "left out: 2 of the training split, 1 of the others; 2 objects are below min_object_px",
    ]


def test_description_of_plain_images_says_what_is_not_known():
    lines = describe_survey(Survey([make_slice("a")]), [])
    assert lines[1:4] == [
        "sizes (rows x columns, px): 12 x 16",
        "spacing (slices, rows, columns, mm): unknown",
        "classes: none",
    ]
    assert lines[4] == "train: 0 cases of 0 groups, 0 with an object"
