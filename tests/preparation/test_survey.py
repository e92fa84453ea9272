"""The survey of a data set: its slices, and the boxes that they get."""

import numpy as np
import pytest

from automedsam.cases.boxes import tight_box
from automedsam.cases.classes import SINGLE_CLASS_VALUE, Classes, ObjectClass
from automedsam.preparation.simulated_boxes import BoxSimulation
from automedsam.preparation.survey import Surveyor
from automedsam.runtime.errors import InputError
from automedsam.scans.framing import Framing
from automedsam.scans.slicing import Slicing
from fake_scans import BOX, SIZE, make_scan, single_class

EMPTY_MASK = np.zeros(SIZE, np.int64)


def draw_mask(*boxes_xyxy, value=1):
    labels = EMPTY_MASK.copy()
    for x0, y0, x1, y1 in boxes_xyxy:
        labels[y0:y1, x0:x1] = value
    return labels


def fail_to_read():
    raise AssertionError("read a mask of a training or validation image")


def survey_scans(*scans, split="train", framing=None, mask_values=None, **rules):
    splits = {scan.name: scan.split or split for scan in scans}
    classes = Classes([ObjectClass("object", SINGLE_CLASS_VALUE, None, mask_values)])
    surveyor = Surveyor(splits, framing or Framing(), BoxSimulation(**rules), classes)
    return surveyor.survey(scans)


def boxes_of(*scans, **options):
    return [surveyed.all_boxes_xyxy for surveyed in survey_scans(*scans, **options).slices]


def test_images_are_one_slice_and_volumes_have_one_name_per_slice():
    image, volume = (
        make_scan("a", draw_mask(BOX)),
        make_scan("v", draw_mask((0, 0, 1, 1)), EMPTY_MASK, draw_mask(BOX), spacing_mm=(5, 1, 2)),
    )
    survey = survey_scans(image, volume, split="val")
    assert [
        (s.scan, s.name, s.number, s.is_volume, s.all_boxes_xyxy, s.spacing_mm)
        for s in survey.slices
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


def test_spacing_of_the_dataset_overrides_spacing_of_the_file():
    from_file = make_scan("a", EMPTY_MASK, own_spacing_mm=(1, 2, 3))
    from_dataset = make_scan("b", EMPTY_MASK, own_spacing_mm=(1, 2, 3), spacing_mm=(7, 8, 9))
    assert [s.spacing_mm for s in survey_scans(from_file, from_dataset).slices] == [
        (1, 2, 3),
        (7, 8, 9),
    ]


@pytest.mark.parametrize(
    ("mask_values", "boxes"),
    [(None, ((1, 1, 15, 9),)), ((2,), ((6, 2, 9, 8),)), ((2, 3), ((6, 2, 15, 9),)), ((7,), ())],
)
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_mask_values_select_the_object_and_all_values_are_collected(mask_values, boxes, split):
    labels = (
        draw_mask((1, 1, 4, 4))
        + draw_mask((6, 2, 9, 8), value=2)
        + draw_mask((10, 3, 15, 9), value=3)
    )
    survey = survey_scans(make_scan("a", labels), split=split, mask_values=mask_values)
    assert [s.all_boxes_xyxy for s in survey.slices] == [boxes]
    assert survey.mask_values == {0, 1, 2, 3}


PARTS = draw_mask(
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
def test_boxes_follow_boxes_per_object_and_min_object_px(
    boxes_per_object, min_object_px, boxes, is_too_small
):
    rules = {"boxes_per_object": boxes_per_object, "min_object_px": min_object_px}
    for split in ("train", "val"):
        (surveyed,) = survey_scans(make_scan("a", PARTS), split=split, **rules).slices
        assert (surveyed.all_boxes_xyxy, surveyed.is_too_small) == (boxes, is_too_small)


@pytest.mark.parametrize(
    ("boxes_per_object", "boxes"),
    [("union", ((1, 0, 15, 10),)), ("component", ((6, 0, 9, 3), (1, 1, 4, 3), (14, 9, 15, 10)))],
)
def test_test_slices_get_boxes_of_all_objects_of_any_size(boxes_per_object, boxes):
    for min_object_px, is_too_small in ((1, False), (2, False), (100, True)):
        rules = {
            "boxes_per_object": boxes_per_object,
            "min_object_px": min_object_px,
            "box_jitter": 3,
        }
        (surveyed,) = survey_scans(make_scan("a", PARTS), split="test", **rules).slices
        assert (surveyed.all_boxes_xyxy, surveyed.is_too_small, surveyed.has_mask) == (
            boxes,
            is_too_small,
            True,
        )


def test_an_empty_mask_is_not_too_small():
    (surveyed,) = survey_scans(make_scan("a", EMPTY_MASK), min_object_px=5).slices
    assert (surveyed.all_boxes_xyxy, surveyed.is_too_small) == ((), False)


def test_jitter_applies_to_simulated_train_and_val_boxes_only():
    masked, drawn = make_scan("a", draw_mask(BOX)), make_scan("b", boxes=single_class({0: (BOX,)}))
    expected = BoxSimulation(box_jitter=3).jitter((BOX,), SIZE, "a")
    assert expected != (BOX,)
    for split in ("train", "val"):
        assert boxes_of(masked, drawn, split=split, box_jitter=3) == [expected, (BOX,)]
    assert boxes_of(masked, drawn, split="test", box_jitter=3) == [(BOX,), (BOX,)]


def test_jitter_adds_no_box_to_an_empty_mask():
    assert boxes_of(make_scan("a", EMPTY_MASK), box_jitter=9) == [()]


def test_drawn_boxes_are_kept_and_unlisted_slices_are_skipped():
    drawn = {4: ((0, 0, 1, 1),), 1: (), 2: (BOX, (9, 9, 10, 10))}
    survey = survey_scans(
        make_scan("v", slices=6, boxes=single_class(drawn)),
        min_object_px=50,
        boxes_per_object="union",
        box_jitter=5,
    )
    assert [(s.name, s.number, s.all_boxes_xyxy, s.is_too_small) for s in survey.slices] == [
        ("v_s001", 1, (), False),
        ("v_s002", 2, (BOX, (9, 9, 10, 10)), False),
        ("v_s004", 4, ((0, 0, 1, 1),), False),
    ]
    assert survey.mask_values == set()


@pytest.mark.parametrize("split", ["train", "val"])
def test_masks_of_boxed_train_and_val_images_are_never_read(split):
    survey = survey_scans(
        make_scan("a", boxes=single_class({0: (BOX,)}), read_labels=fail_to_read), split=split
    )
    assert [(s.all_boxes_xyxy, s.has_mask) for s in survey.slices] == [((BOX,), False)]


def test_boxed_test_scans_use_all_slices_and_boxes_of_their_mask():
    scan = make_scan(
        "v",
        draw_mask((0, 0, 2, 2)),
        draw_mask((4, 4, 5, 5)),
        draw_mask(BOX),
        EMPTY_MASK,
        EMPTY_MASK,
        boxes=single_class({1: (), 2: ((1, 2, 10, 8), (0, 0, 1, 1)), 3: ((0, 0, 3, 3),), 4: ()}),
    )
    survey = survey_scans(scan, split="test")
    assert [(s.number, s.all_boxes_xyxy, s.has_mask, s.is_disputed) for s in survey.slices] == [
        (0, ((0, 0, 2, 2),), True, False),  # not annotated
        (1, ((4, 4, 5, 5),), True, True),
        (2, (BOX,), True, False),
        (3, (), True, True),
        (4, (), True, False),
    ]


def test_boxes_derived_from_masks_are_never_disputed():
    for split in ("train", "val", "test"):
        survey = survey_scans(
            make_scan("a", draw_mask(BOX)), make_scan("b", EMPTY_MASK), split=split
        )
        assert [s.is_disputed for s in survey.slices] == [False, False]


def test_mask_values_of_test_masks_are_collected_despite_drawn_boxes():
    scans = (
        make_scan("a", draw_mask(BOX, value=4), boxes=single_class({0: (BOX,)})),
        make_scan("b", boxes=single_class({0: (BOX,)})),
    )
    assert survey_scans(*scans, split="test", mask_values=(4,)).mask_values == {0, 4}
    ((boxes,),) = (
        s.all_boxes_xyxy for s in survey_scans(scans[0], split="test", mask_values=(4,)).slices
    )
    assert boxes == BOX
    (other,) = survey_scans(scans[0], split="test", mask_values=(1,)).slices
    assert (other.all_boxes_xyxy, other.is_disputed) == ((), True)


def test_plane_is_set_for_volumes_with_a_position_in_space_only():
    stack = Slicing((16, 12, 3), np.diag([-1, -1, 5, 1]), "auto")
    volume = make_scan("v", EMPTY_MASK, EMPTY_MASK, EMPTY_MASK, slicing=stack)
    image = make_scan("a", EMPTY_MASK, slicing=Slicing((16, 12, 1), np.eye(4), "auto"))
    assert [
        s.plane for s in survey_scans(volume, image, make_scan("b", EMPTY_MASK, EMPTY_MASK)).slices
    ] == (["axial"] * 3 + [None] * 3)


def test_boxed_test_images_need_no_mask():
    survey = survey_scans(make_scan("a", boxes=single_class({0: (BOX,)})), split="test")
    assert [(s.all_boxes_xyxy, s.has_mask) for s in survey.slices] == [((BOX,), False)]


def test_boxes_are_in_the_frame_and_sizes_are_of_the_image():
    (padded,) = survey_scans(make_scan("a", draw_mask(BOX)), framing=Framing(canvas_px=20)).slices
    assert padded.all_boxes_xyxy == ((4, 7, 11, 11),)  # 2 columns and 4 rows of padding before it
    assert padded.image_size == SIZE
    (resampled,) = survey_scans(
        make_scan("b", draw_mask(BOX), spacing_mm=(9, 3, 2)), framing=Framing(pixel_mm=1)
    ).slices
    assert resampled.all_boxes_xyxy == ((4, 9, 18, 21),)
    assert resampled.spacing_mm == (9, 3, 2)


def test_an_object_outside_of_the_frame_is_absent():
    (surveyed,) = survey_scans(
        make_scan("a", draw_mask((0, 0, 2, 2))), framing=Framing(canvas_px=8)
    ).slices
    assert (surveyed.all_boxes_xyxy, surveyed.is_too_small) == ((), False)


def test_min_object_px_and_jitter_are_measured_in_the_frame():
    scan, framing = (
        make_scan("a", draw_mask((5, 4, 6, 5)), spacing_mm=(1, 4, 4)),
        Framing(pixel_mm=1),
    )
    assert boxes_of(scan, framing=framing, min_object_px=16) == [((20, 16, 24, 20),)]
    assert boxes_of(scan, framing=framing, min_object_px=17) == [()]
    ((jittered,),) = boxes_of(scan, framing=framing, box_jitter=16)
    assert jittered == BoxSimulation(box_jitter=16).jitter(((20, 16, 24, 20),), (48, 64), "a")[0]


def test_survey_reports_all_broken_scans_and_repeated_names():
    def fail(text):
        def raise_fault():
            raise InputError(text)

        return raise_fault

    with pytest.raises(
        InputError,
        match=r"^a\.png: broken; c\.png: broken; v_s001: 2 images or slices have this name; .*$",
    ):
        survey_scans(
            make_scan("a", open=fail("a.png: broken")),
            make_scan("v", EMPTY_MASK, EMPTY_MASK),
            make_scan("c", EMPTY_MASK, read_labels=fail("c.png: broken")),
            make_scan("v_s001", EMPTY_MASK),
        )


def test_survey_rejects_two_slices_with_the_same_name():
    with pytest.raises(InputError) as caught:
        survey_scans(
            make_scan("v", EMPTY_MASK, EMPTY_MASK),
            make_scan("v_s001", EMPTY_MASK),
            make_scan("v_s002", EMPTY_MASK),
        )
    assert str(caught.value) == ("v_s001: 2 images or slices have this name; rename all but one")


TWO = Classes([ObjectClass("1", 1, (1,), (1,)), ObjectClass("3", 3, (3,), (3,))])


def survey_two_classes(*scans, split="train", **rules):
    splits = {scan.name: split for scan in scans}
    return Surveyor(splits, Framing(), BoxSimulation(**rules), TWO).survey(scans)


def test_each_class_has_its_own_boxes():
    labels = (
        draw_mask((1, 1, 4, 4))
        + draw_mask((6, 2, 9, 8), value=3)
        + draw_mask((10, 3, 15, 9), value=2)
    )
    for split in ("train", "test"):
        (surveyed,) = survey_two_classes(make_scan("a", labels), split=split).slices
        assert surveyed.boxes == {1: ((1, 1, 4, 4),), 3: ((6, 2, 9, 8),)}
        assert surveyed.all_boxes_xyxy == ((1, 1, 4, 4), (6, 2, 9, 8))


def test_a_slice_is_too_small_if_any_class_has_an_object_but_no_box():
    labels = draw_mask((1, 1, 4, 4)) + draw_mask((6, 2, 7, 3), value=3)
    (surveyed,) = survey_two_classes(make_scan("a", labels), min_object_px=2).slices
    assert (surveyed.boxes, surveyed.is_too_small) == ({1: ((1, 1, 4, 4),), 3: ()}, True)


def test_boxes_of_two_classes_are_jittered_independently():
    (surveyed,) = survey_two_classes(
        make_scan("a", draw_mask((6, 5, 9, 7)) + draw_mask((6, 7, 9, 9), value=3)), box_jitter=4
    ).slices
    ((one,), (other,)) = surveyed.boxes.values()
    assert (one[0], one[2]) != (other[0], other[2])


def test_a_slice_is_disputed_if_either_class_disagrees():
    scans = [
        make_scan(
            name,
            draw_mask((1, 1, 4, 4)) + draw_mask((6, 2, 9, 8), value=3),
            boxes={0: {1: (BOX,), 3: boxes}},
        )
        for name, boxes in (("a", (BOX,)), ("b", ()))
    ]
    assert [s.is_disputed for s in survey_two_classes(*scans, split="test").slices] == [False, True]


def test_boxes_that_do_not_meet_the_mask_are_disputed():
    """This happens if `mask_values` and `class_ids` are in different orders."""
    scans = [
        make_scan(
            name, draw_mask((1, 1, 4, 4)) + draw_mask((6, 2, 9, 8), value=3), boxes={0: boxes}
        )
        for name, boxes in (
            ("a", {1: ((0, 0, 5, 5),), 3: ((6, 2, 9, 8),)}),
            ("b", {1: ((6, 2, 9, 8),), 3: ((1, 1, 4, 4),)}),
        )
    ]
    assert [s.is_disputed for s in survey_two_classes(*scans, split="test").slices] == [False, True]


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_slice_that_is_listed_without_a_box_is_checked_against_its_mask(split):
    """Masks of training images are read for this check only: their boxes stay as drawn."""
    boxes = single_class({0: (), 1: (), 2: (BOX,), 3: ()})
    masks = [draw_mask(BOX), EMPTY_MASK, draw_mask(BOX), draw_mask(BOX)]
    volume = make_scan("v", *masks, boxes=boxes, listed_without_box=frozenset({0, 1}))
    survey = survey_scans(volume, split=split)
    assert [s.name for s in survey.slices if s.lacks_box] == ["v_s000"]
    drawn = [(), (), (BOX,), ()]
    of_masks = [(BOX,), (), (BOX,), (BOX,)]
    assert [s.all_boxes_xyxy for s in survey.slices] == (of_masks if split == "test" else drawn)
    assert survey.mask_values == ({0, 1} if split == "test" else set())


def test_masks_of_training_images_are_not_read_without_such_a_slice():
    scan = make_scan("a", boxes=single_class({0: (BOX,)}), read_labels=fail_to_read)
    assert not survey_scans(scan).slices[0].lacks_box
    unknown = make_scan(
        "v",
        slices=2,
        boxes=single_class({0: (BOX,)}),
        read_labels=fail_to_read,
        listed_without_box=frozenset({1}),
    )
    assert not survey_scans(unknown).slices[0].lacks_box


def test_a_test_image_that_is_unknown_is_checked_against_its_mask():
    listed = {"split": "test", "listed_without_box": frozenset({0})}
    scans = [make_scan("a", draw_mask(BOX), **listed), make_scan("b", EMPTY_MASK, **listed)]
    scans.append(make_scan("c", draw_mask(BOX), split="test"))
    assert [s.lacks_box for s in survey_scans(*scans).slices] == [True, False, False]


def blurred_mask():
    """An ellipse of 255 with a rim of lower values."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    distance = np.hypot((rows - 6) / 3, (columns - 8) / 5)
    return np.clip((1.1 - distance) * 800, 0, 255).astype(np.int64)


def test_blurred_masks_are_surveyed_again_with_their_threshold():
    scans = [make_scan(name, blurred_mask()) for name in "ab"]
    mask = blurred_mask() > 127
    assert tight_box(mask) != tight_box(blurred_mask() > 0)
    survey = survey_scans(*scans)
    assert [s.all_boxes_xyxy for s in survey.slices] == 2 * [(tight_box(mask),)]
    assert [cls.threshold for cls in survey.classes] == [127]
    assert [look.name for look in survey.looks] == ["a", "b"]


def test_selected_values_have_no_threshold():
    survey = survey_scans(make_scan("a", blurred_mask()), mask_values=(255,))
    assert [s.all_boxes_xyxy for s in survey.slices] == [(tight_box(blurred_mask() == 255),)]
    assert [cls.threshold for cls in survey.classes] == [0]


def test_looks_are_named_after_the_files_of_masks():
    scan = make_scan("p1__a", draw_mask(BOX), mask_name="p1/a.png")
    assert [look.name for look in survey_scans(scan).looks] == ["p1/a.png"]


def test_volumes_without_a_real_spacing_are_collected():
    default, real = (
        Slicing((16, 12, 2), np.diag([length, 1, 1, 1]).astype(float), "axial") for length in (1, 2)
    )
    scans = [
        make_scan("a", EMPTY_MASK, EMPTY_MASK, slicing=default),
        make_scan("b", EMPTY_MASK, EMPTY_MASK, slicing=real),
        make_scan("c", EMPTY_MASK, EMPTY_MASK, slicing=default, spacing_mm=(1, 2, 3)),
    ]
    assert survey_scans(*scans).default_geometry == ["a"]
