"""The look through a data set: which slices there are, with which boxes, and what is told of them."""

import numpy as np
import pytest

from automedsam.cases.classes import SINGLE_CLASS_VALUE, ObjectClass
from automedsam.preparation.simulated_boxes import BoxSimulation
from automedsam.preparation.survey import Survey, survey_scans
from automedsam.preparation.survey_report import describe_survey
from automedsam.runtime.errors import InputError
from automedsam.scans.framing import Framing
from automedsam.scans.slicing import Slicing
from fake_scans import BOX, OBJECT, SIZE, alone, make_scan, make_slice

NOTHING = np.zeros(SIZE, np.int64)


def draw(*boxes_xyxy, value=1):
    labels = NOTHING.copy()
    for x0, y0, x1, y1 in boxes_xyxy:
        labels[y0:y1, x0:x1] = value
    return labels


def refuse_to_read():
    raise AssertionError("read a mask that nobody may see")


def look(*scans, split="train", framing=None, mask_ids=None, **rules):
    splits = {scan.name: scan.split or split for scan in scans}
    classes = [ObjectClass("object", SINGLE_CLASS_VALUE, None, mask_ids)]
    return survey_scans(scans, splits, framing or Framing(), BoxSimulation(**rules), classes)


def boxes_of(*scans, **options):
    return [surveyed.boxes_xyxy for surveyed in look(*scans, **options).slices]


def test_an_image_is_one_slice_of_its_own_name_and_a_volume_has_one_name_a_slice():
    image, volume = (
        make_scan("a", draw(BOX)),
        make_scan("v", draw((0, 0, 1, 1)), NOTHING, draw(BOX), spacing_mm=(5, 1, 2)),
    )
    survey = look(image, volume, split="val")
    assert [
        (s.scan, s.name, s.number, s.is_volume, s.boxes_xyxy, s.spacing_mm) for s in survey.slices
    ] == [
        (image, "a", 0, False, (BOX,), None),
        (volume, "v_s000", 0, True, ((0, 0, 1, 1),), (5, 1, 2)),
        (volume, "v_s001", 1, True, (), (5, 1, 2)),
        (volume, "v_s002", 2, True, (BOX,), (5, 1, 2)),
    ]
    assert {(s.split, s.image_size, s.is_too_small, s.has_mask) for s in survey.slices} == {
        ("val", SIZE, False, False)
    }
    assert survey.mask_values == {0, 1}


def test_the_spacing_of_the_data_set_comes_before_that_of_the_file():
    files_own = make_scan("a", NOTHING, own_spacing_mm=(1, 2, 3))
    told = make_scan("b", NOTHING, own_spacing_mm=(1, 2, 3), spacing_mm=(7, 8, 9))
    assert [s.spacing_mm for s in look(files_own, told).slices] == [(1, 2, 3), (7, 8, 9)]


@pytest.mark.parametrize(
    ("mask_ids", "boxes"),
    [(None, ((1, 1, 15, 9),)), ([2], ((6, 2, 9, 8),)), ([2, 3], ((6, 2, 15, 9),)), ([7], ())],
)
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_mask_ids_say_which_values_are_the_object_and_all_values_are_told(mask_ids, boxes, split):
    labels = draw((1, 1, 4, 4)) + draw((6, 2, 9, 8), value=2) + draw((10, 3, 15, 9), value=3)
    survey = look(make_scan("a", labels), split=split, mask_ids=mask_ids)
    assert [s.boxes_xyxy for s in survey.slices] == [boxes]
    assert survey.mask_values == {0, 1, 2, 3}


PARTS = draw(
    (6, 0, 8, 2), (1, 1, 4, 3), (8, 2, 9, 3), (14, 9, 15, 10)
)  # 6 px, 5 px joined at a corner, and 1 px


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
        rules = {
            "boxes_per_object": boxes_per_object,
            "min_object_px": min_object_px,
            "box_jitter": 3,
        }
        (surveyed,) = look(make_scan("a", PARTS), split="test", **rules).slices
        assert (surveyed.boxes_xyxy, surveyed.is_too_small, surveyed.has_mask) == (
            boxes,
            is_too_small,
            True,
        )


def test_no_object_is_not_an_object_that_is_too_small():
    (surveyed,) = look(make_scan("a", NOTHING), min_object_px=5).slices
    assert (surveyed.boxes_xyxy, surveyed.is_too_small) == ((), False)


def test_boxes_to_learn_and_choose_from_are_jittered_and_no_others():
    masked, drawn = make_scan("a", draw(BOX)), make_scan("b", boxes=alone({0: (BOX,)}))
    expected = BoxSimulation(box_jitter=3).jitter((BOX,), SIZE, "a")
    assert expected != (BOX,)
    for split in ("train", "val"):
        assert boxes_of(masked, drawn, split=split, box_jitter=3) == [expected, (BOX,)]
    assert boxes_of(masked, drawn, split="test", box_jitter=3) == [(BOX,), (BOX,)]


def test_an_absent_object_stays_absent_however_loose_the_boxes():
    assert boxes_of(make_scan("a", NOTHING), box_jitter=9) == [()]


def test_drawn_boxes_are_taken_as_they_are_and_slices_that_nobody_looked_at_left_out():
    drawn = {4: ((0, 0, 1, 1),), 1: (), 2: (BOX, (9, 9, 10, 10))}
    survey = look(
        make_scan("v", slices=6, boxes=alone(drawn)),
        min_object_px=50,
        boxes_per_object="union",
        box_jitter=5,
    )
    assert [(s.name, s.number, s.boxes_xyxy, s.is_too_small) for s in survey.slices] == [
        ("v_s001", 1, (), False),
        ("v_s002", 2, (BOX, (9, 9, 10, 10)), False),
        ("v_s004", 4, ((0, 0, 1, 1),), False),
    ]
    assert survey.mask_values == set()


@pytest.mark.parametrize("split", ["train", "val"])
def test_masks_of_boxed_images_to_learn_or_choose_from_are_never_read(split):
    survey = look(make_scan("a", boxes=alone({0: (BOX,)}), read_labels=refuse_to_read), split=split)
    assert [(s.boxes_xyxy, s.has_mask) for s in survey.slices] == [((BOX,), False)]


def test_boxed_scans_to_test_on_have_all_the_slices_of_their_mask_and_the_masks_own_boxes():
    scan = make_scan(
        "v", draw((0, 0, 2, 2)), draw((4, 4, 5, 5)), draw(BOX), NOTHING, NOTHING,
        boxes=alone({1: (), 2: ((1, 2, 10, 8), (0, 0, 1, 1)), 3: ((0, 0, 3, 3),), 4: ()}),
    )  # fmt: skip
    survey = look(scan, split="test")
    assert [(s.number, s.boxes_xyxy, s.has_mask, s.is_disputed) for s in survey.slices] == [
        (0, ((0, 0, 2, 2),), True, False),  # nobody looked at it
        (1, ((4, 4, 5, 5),), True, True),
        (2, (BOX,), True, False),
        (3, (), True, True),
        (4, (), True, False),
    ]


def test_boxes_from_masks_alone_are_never_disputed():
    for split in ("train", "val", "test"):
        survey = look(make_scan("a", draw(BOX)), make_scan("b", NOTHING), split=split)
        assert [s.is_disputed for s in survey.slices] == [False, False]


def test_the_values_of_test_masks_are_told_even_where_boxes_were_drawn():
    scans = (
        make_scan("a", draw(BOX, value=4), boxes=alone({0: (BOX,)})),
        make_scan("b", boxes=alone({0: (BOX,)})),
    )
    assert look(*scans, split="test", mask_ids=[4]).mask_values == {0, 4}
    ((boxes,),) = (s.boxes_xyxy for s in look(scans[0], split="test", mask_ids=[4]).slices)
    assert boxes == BOX
    (other,) = look(scans[0], split="test", mask_ids=[1]).slices
    assert (other.boxes_xyxy, other.is_disputed) == ((), True)


def test_the_plane_is_told_of_volumes_in_space_alone():
    stack = Slicing((16, 12, 3), np.diag([-1, -1, 5, 1]), "auto")
    volume = make_scan("v", NOTHING, NOTHING, NOTHING, slicing=stack)
    image = make_scan("a", NOTHING, slicing=Slicing((16, 12, 1), np.eye(4), "auto"))
    assert [s.plane for s in look(volume, image, make_scan("b", NOTHING, NOTHING)).slices] == (
        ["axial"] * 3 + [None] * 3
    )


def test_boxed_images_to_test_on_need_no_mask():
    survey = look(make_scan("a", boxes=alone({0: (BOX,)})), split="test")
    assert [(s.boxes_xyxy, s.has_mask) for s in survey.slices] == [((BOX,), False)]


def test_boxes_are_those_of_the_frame_and_sizes_those_of_the_image():
    (padded,) = look(make_scan("a", draw(BOX)), framing=Framing(canvas_px=20)).slices
    assert padded.boxes_xyxy == ((4, 7, 11, 11),)  # 2 columns and 4 rows of padding before it
    assert padded.image_size == SIZE
    (resampled,) = look(
        make_scan("b", draw(BOX), spacing_mm=(9, 3, 2)), framing=Framing(pixel_mm=1)
    ).slices
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
    assert jittered == BoxSimulation(box_jitter=16).jitter(((20, 16, 24, 20),), (48, 64), "a")[0]


def test_every_broken_scan_and_every_name_that_is_taken_are_told_at_once():
    def fail(text):
        def raise_fault():
            raise InputError(text)

        return raise_fault

    with pytest.raises(
        InputError,
        match=r"^a\.png: broken; c\.png: broken; v_s001: expected a name of its own .* 2$",
    ):
        look(
            make_scan("a", open=fail("a.png: broken")),
            make_scan("v", NOTHING, NOTHING),
            make_scan("c", NOTHING, read_labels=fail("c.png: broken")),
            make_scan("v_s001", NOTHING),
        )


def test_two_slices_of_one_name_are_told():
    with pytest.raises(InputError) as told:
        look(
            make_scan("v", NOTHING, NOTHING),
            make_scan("v_s001", NOTHING),
            make_scan("v_s002", NOTHING),
        )
    assert str(told.value) == "v_s001: expected a name of its own for each image and slice, found 2"


def test_description_tells_what_was_found_and_what_is_used():
    volume = make_scan("v", NOTHING, NOTHING, NOTHING)
    of_volume = {"scan": volume, "is_volume": True, "spacing_mm": (5, 0.703125, 1.25), "image_size": (512, 512),
                 "plane": "axial", "has_mask": True}  # fmt: skip
    slices = [
        make_slice("a", spacing_mm=(1, 1, 1)),
        make_slice("b", boxes_xyxy=(BOX, (0, 0, 1, 1))),
        make_slice("c", boxes_xyxy=()),
        make_slice("d", is_too_small=True, boxes_xyxy=()),
        make_slice("e", "val"),
        make_slice("f", "val", is_too_small=True, boxes_xyxy=()),
        make_slice("v_s000", "test", overlaps=(0.0, 0.9), **of_volume),
        make_slice("v_s001", "test", boxes_xyxy=(), **of_volume),
        make_slice("g", "test"),
    ]
    survey = Survey(slices, mask_values={0, 2, 10})
    chosen = [s for s in slices if s.name not in ("c", "d", "f")]
    assert describe_survey(survey, chosen, OBJECT, [3, "liver"], not_annotated=4) == [
        "found: 7 images, 1 volume of 2 slices, 8 groups",
        "size (rows x columns, px): 2 kinds, 12 x 16 to 512 x 512",
        "spacing (slices, rows, columns, mm): 2 kinds, 1 x 1 x 1 to 5 x 0.7031 x 1.25",
        "cut: 1 axial",
        "mask values: 0, 2, 10",
        "annotated classes: 3, liver",
        "train: 2 cases of 2 groups, 2 with an object in 3 boxes",
        "val: 1 case of 1 group, 1 with an object",
        "test: 3 cases of 2 groups, 2 with an object, 2 with a mask",
        "left out: 2 of the training split, 1 of the others; 2 objects below min_object_px",
        "drawn boxes of test slices overlap those of their masks by 0.45 (IoU): "
        "are these their masks, and mask_ids in the order of class_ids?",
        "look at these: 1 test slice whose drawn boxes do not meet the mask's: v_s000",
        "no use: 4 images with neither boxes nor a mask",
    ]


def test_of_many_disputed_slices_three_are_named() -> None:
    slices = [make_slice(name, "test", overlaps=(0.0,)) for name in "abcd"]
    slices += [make_slice(f"e{n}", "test", overlaps=(1.0,)) for n in range(12)]
    lines = describe_survey(Survey(slices), slices, OBJECT, [], 0)
    assert lines[-2:] == [
        "drawn boxes of test slices overlap those of their masks by 0.75 (IoU)",
        "look at these: 4 test slices whose drawn boxes do not meet the mask's: a, b, c and 1 more",
    ]


def test_volumes_are_counted_by_the_plane_that_they_are_cut_in():
    slices = [
        make_slice(f"{name}_{n}", scan=make_scan(name), is_volume=True, plane=plane)
        for name, plane in (("u", "axial"), ("v", "coronal"), ("w", "axial"), ("x", None))
        for n in range(3)
    ]
    lines = describe_survey(Survey(slices), slices, OBJECT, [], 0)
    assert lines[0] == "found: 0 images, 4 volumes of 12 slices, 4 groups"
    assert lines[3] == "cut: 2 axial, 1 coronal"


def test_description_of_plain_images_says_what_is_not_known_and_nothing_of_what_is_not_there():
    assert describe_survey(Survey([make_slice("a")]), [], OBJECT, [], 0) == [
        "found: 1 image, 0 volumes of 0 slices, 1 group",
        "size (rows x columns, px): 12 x 16",
        "spacing (slices, rows, columns, mm): unknown",
        "train: 0 cases of 0 groups, 0 with an object",
        "val: 0 cases of 0 groups, 0 with an object",
        "test: 0 cases of 0 groups, 0 with an object, 0 with a mask",
        "left out: 1 of the training split, 0 of the others",
    ]


TWO = [ObjectClass("1", 1, (1,), (1,)), ObjectClass("3", 3, (3,), (3,))]


def look_for_two(*scans, split="train", **rules):
    return survey_scans(
        scans,
        dict.fromkeys((scan.name for scan in scans), split),
        Framing(),
        BoxSimulation(**rules),
        TWO,
    )


def test_each_class_has_boxes_of_its_own():
    labels = draw((1, 1, 4, 4)) + draw((6, 2, 9, 8), value=3) + draw((10, 3, 15, 9), value=2)
    for split in ("train", "test"):
        (surveyed,) = look_for_two(make_scan("a", labels), split=split).slices
        assert surveyed.boxes == {1: ((1, 1, 4, 4),), 3: ((6, 2, 9, 8),)}
        assert (surveyed.boxes_xyxy, surveyed.box_classes) == (((1, 1, 4, 4), (6, 2, 9, 8)), (1, 3))


def test_a_slice_is_too_small_if_any_class_has_an_object_and_no_box():
    labels = draw((1, 1, 4, 4)) + draw((6, 2, 7, 3), value=3)
    (surveyed,) = look_for_two(make_scan("a", labels), min_object_px=2).slices
    assert (surveyed.boxes, surveyed.is_too_small) == ({1: ((1, 1, 4, 4),), 3: ()}, True)


def test_boxes_of_two_classes_are_loosened_each_by_its_own_chance():
    (surveyed,) = look_for_two(
        make_scan("a", draw((6, 5, 9, 7)) + draw((6, 7, 9, 9), value=3)), box_jitter=4
    ).slices
    ((one,), (other,)) = surveyed.boxes.values()
    assert (one[0], one[2]) != (other[0], other[2])


def test_boxes_and_masks_may_disagree_on_either_class():
    scans = [
        make_scan(
            name, draw((1, 1, 4, 4)) + draw((6, 2, 9, 8), value=3), boxes={0: {1: (BOX,), 3: boxes}}
        )
        for name, boxes in (("a", (BOX,)), ("b", ()))
    ]
    assert [s.is_disputed for s in look_for_two(*scans, split="test").slices] == [False, True]


def test_boxes_that_lie_elsewhere_than_the_mask_are_disputed():
    """As when `mask_ids` name the classes in another order."""
    scans = [
        make_scan(name, draw((1, 1, 4, 4)) + draw((6, 2, 9, 8), value=3), boxes={0: boxes})
        for name, boxes in (
            ("a", {1: ((0, 0, 5, 5),), 3: ((6, 2, 9, 8),)}),
            ("b", {1: ((6, 2, 9, 8),), 3: ((1, 1, 4, 4),)}),
        )
    ]
    assert [s.is_disputed for s in look_for_two(*scans, split="test").slices] == [False, True]


def test_description_counts_the_boxes_of_each_class():
    slices = [
        make_slice("a", boxes={1: (BOX, BOX), 3: ()}),
        make_slice("b", boxes={1: (BOX,), 3: (BOX,)}),
    ]
    lines = describe_survey(Survey(slices), slices, TWO, [], 0)
    assert lines[3] == "train: 2 cases of 2 groups, 2 with an object in 4 boxes (1: 3, 3: 1)"
