"""The report on a surveyed data set in words."""

from automedsam.cases.classes import Classes, ObjectClass
from automedsam.datasets.annotations.drawn import Annotations, DrawnBox
from automedsam.preparation.survey import Survey
from automedsam.preparation.survey_report import describe_survey
from fake_scans import BOX, OBJECT, make_scan, make_slice

TWO = Classes([ObjectClass("1", 1, (1,), (1,)), ObjectClass("3", 3, (3,), (3,))])


def annotate(*classes):
    """Drawn boxes with these classes."""
    boxes = [DrawnBox(f"line {n}", "a", None, (cls,), BOX) for n, cls in enumerate(classes)]
    return Annotations(boxes, {})


def test_report_lists_what_was_found_and_what_is_used():
    volume_fields = {
        "scan": make_scan("v", slices=3),
        "is_volume": True,
        "spacing_mm": (5, 0.703125, 1.25),
        "image_size": (512, 512),
        "plane": "axial",
        "has_mask": True,
    }
    slices = [
        make_slice("a", spacing_mm=(1, 1, 1)),
        make_slice("b", boxes_xyxy=(BOX, (0, 0, 1, 1))),
        make_slice("c", boxes_xyxy=()),
        make_slice("d", is_too_small=True, boxes_xyxy=()),
        make_slice("e", "val"),
        make_slice("f", "val", is_too_small=True, boxes_xyxy=()),
        make_slice("v_s000", "test", overlaps=(0.0, 0.9), **volume_fields),
        make_slice("v_s001", "test", boxes_xyxy=(), **volume_fields),
        make_slice("g", "test"),
    ]
    survey = Survey(slices, mask_values={0, 2, 10})
    chosen = [s for s in slices if s.name not in ("c", "d", "f")]
    annotations = annotate("liver", 3)
    unboxed = [make_scan(f"unboxed {n}") for n in range(4)]
    assert describe_survey(survey, chosen, OBJECT, annotations, unboxed) == [
        "found: 7 images, 1 volume with 2 slices, 8 groups",
        "size (rows x columns, px): 2 kinds, 12 x 16 to 512 x 512",
        "spacing (slices, rows, columns, mm): 2 kinds, 1 x 1 x 1 to 5 x 0.7031 x 1.25",
        "slice planes: 1 axial",
        "mask values: 0, 2, 10",
        "annotated classes: 3, liver",
        "train: 2 cases of 2 groups, 2 with an object in 3 boxes",
        "val: 1 case of 1 group, 1 with an object",
        "test: 3 cases of 2 groups, 2 with an object, 2 with a mask",
        "left out: 2 of the training split, 1 of the others; 2 objects below min_object_px",
        "drawn boxes of test slices overlap the boxes of their masks by 0.45 (IoU): "
        "check that the masks belong to these images, and the order of mask_ids",
        "check 1 test slice whose drawn boxes do not meet the mask: v_s000",
        "not used: 4 images with neither boxes nor a mask",
    ]


def test_report_starts_with_the_drawn_boxes_of_other_classes():
    slices = [make_slice("a", boxes={1: (BOX,), 3: ()})]
    lines = describe_survey(Survey(slices), slices, TWO, annotate(3, "RV", 8, 1, 8), [])
    assert lines[0] == "not used: 3 drawn boxes of other classes, 8, RV"
    assert lines[4] == "annotated classes: 1, 3, 8, RV"
    lines = describe_survey(Survey(slices), slices, TWO, annotate(3, 1), [])
    assert lines[0].startswith("found: ")


def test_report_names_the_first_three_disputed_slices():
    slices = [make_slice(name, "test", overlaps=(0.0,)) for name in "abcd"]
    slices += [make_slice(f"e{n}", "test", overlaps=(1.0,)) for n in range(12)]
    lines = describe_survey(Survey(slices), slices, OBJECT, None, [])
    assert lines[-2:] == [
        "drawn boxes of test slices overlap the boxes of their masks by 0.75 (IoU)",
        "check 4 test slices whose drawn boxes do not meet the mask: a, b, c and 1 more",
    ]


def test_report_counts_volumes_by_their_slice_plane():
    slices = [
        make_slice(f"{name}_{n}", scan=make_scan(name), is_volume=True, plane=plane)
        for name, plane in (("u", "axial"), ("v", "coronal"), ("w", "axial"), ("x", None))
        for n in range(3)
    ]
    lines = describe_survey(Survey(slices), slices, OBJECT, None, [])
    assert lines[0] == "found: 0 images, 4 volumes with 12 slices, 4 groups"
    assert lines[3] == "slice planes: 2 axial, 1 coronal"


def test_report_on_plain_images_omits_what_does_not_apply():
    assert describe_survey(Survey([make_slice("a")]), [], OBJECT, None, []) == [
        "found: 1 image, 0 volumes with 0 slices, 1 group",
        "size (rows x columns, px): 12 x 16",
        "spacing (slices, rows, columns, mm): unknown",
        "train: 0 cases of 0 groups, 0 with an object",
        "left out: 1 of the training split, 0 of the others",
    ]


def test_report_names_the_splits_that_have_images():
    slices = [make_slice("a"), make_slice("b", "test")]
    lines = describe_survey(Survey(slices), slices[:1], OBJECT, None, [])
    assert lines[3:5] == [
        "train: 1 case of 1 group, 1 with an object",
        "test: 0 cases of 0 groups, 0 with an object, 0 with a mask",
    ]


def test_report_counts_the_boxes_of_each_class():
    slices = [
        make_slice("a", boxes={1: (BOX, BOX), 3: ()}),
        make_slice("b", boxes={1: (BOX,), 3: (BOX,)}),
    ]
    lines = describe_survey(Survey(slices), slices, TWO, None, [])
    assert lines[3] == "train: 2 cases of 2 groups, 2 with an object in 4 boxes (1: 3, 3: 1)"


def test_unlabelled_slices_are_counted_and_not_listed_as_unused():
    scan = make_scan("u")
    slices = [make_slice("a"), make_slice("b")]
    chosen = [
        slices[0],
        make_slice("b", "unlabelled", ()),
        make_slice("u", "unlabelled", (), scan=scan),
    ]
    lines = describe_survey(Survey(slices), chosen, OBJECT, None, [scan, make_scan("v")])
    assert "unlabelled: 2 cases of 2 groups, for self-training" in lines
    assert "left out: 0 of the training split, 0 of the others" in lines
    assert lines[-1] == "not used: 1 image with neither boxes nor a mask"
