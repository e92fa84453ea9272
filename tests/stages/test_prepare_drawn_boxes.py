"""stages/prepare.py on drawn boxes: the boxes that it uses, and the masks that it reads."""

import json
from pathlib import Path

import numpy as np
import pytest

import prepare
from automedsam.runtime.errors import InputError
from automedsam.runtime.paths import BOXES, INDEX, PREPARED, TEST_BOXES, TEST_MASKS
from small_data import (
    IMAGES,
    MASKS,
    NAMES,
    RAW,
    box_of,
    contents,
    draw_labels,
    errors_of,
    names_of,
    pixels_of,
    read_cases,
    rows_of,
    save_case,
    save_cases,
    save_image,
    save_volumes,
)

SHARES = {"val_fraction": 0.2, "test_fraction": 0.3}  # few boxes are all for training by default


def write_boxes(rows, path=RAW / "boxes.csv", columns="image,x_min,y_min,x_max,y_max"):
    path.write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")


def test_a_table_of_boxes_needs_no_mask_anywhere(raw_project):
    raw_project(annotations="boxes.csv", train_cases=None, **SHARES)
    for name in "abcdefgh":
        save_image(IMAGES / f"{name}.png")
    write_boxes(
        [
            "a.png,2,3,9,7",
            "b.png,0,0,16,12",
            "b.png,1,1,2,2",
            "c,4,4,5,5",
            "d,,,,",
            "e.png,2,3,9,7",
            "f,2,3,9,7",
        ]
    )
    prepare.main()
    assert [row.split(",")[0:3] + row.split(",")[8:9] for row in rows_of(INDEX)[1:]] == [
        ["a", "a", "train", "0"],
        ["b", "b", "val", "0"],
        ["c", "c", "test", "0"],
        ["d", "d", "train", "0"],
        ["e", "e", "train", "0"],
        ["f", "f", "test", "0"],
    ]
    assert rows_of(BOXES)[1:] == [
        "a,255,2,3,9,7",
        "b,255,0,0,16,12",
        "b,255,1,1,2,2",
        "e,255,2,3,9,7",
    ]
    assert rows_of(TEST_BOXES)[1:] == ["c,255,4,4,5,5", "f,255,2,3,9,7"]
    assert list(TEST_MASKS.iterdir()) == []  # DVC expects the folder


def test_coco_boxes_of_images_in_the_data_folder_itself_are_used(raw_project):
    raw_project(annotations="set.json", train_cases=None, class_ids=["liver"], **SHARES)
    for name in "abcd":
        save_image(RAW / f"{name}.png")
    bbox = [2, 3, 7, 4]  # x, y, width, height
    coco = {
        "images": [
            {"id": number, "file_name": f"{name}.png"} for number, name in enumerate("abcd")
        ],
        "categories": [{"id": 7, "name": "liver"}, {"id": 8, "name": "spleen"}],
        "annotations": [
            *({"image_id": number, "category_id": 7, "bbox": bbox} for number in range(3)),
            {"image_id": 0, "category_id": 8, "bbox": [0, 0, 1, 1]},
            {"image_id": 3, "category_id": 8, "bbox": [0, 0, 1, 1]},
        ],
    }
    (RAW / "set.json").write_text(json.dumps(coco))
    prepare.main()
    assert [case.all_boxes_xyxy for case in read_cases()] == [((2, 3, 9, 7),)] * 3 + [()]
    raw_project(annotations="set.json", train_cases=None, class_ids=[8], **SHARES)
    assert errors_of()[0] == (
        "class_ids, val_fraction, test_fraction: no object in the 1 val images "
        "(classes in the data: 7, 8, liver, spleen)"
    )


def test_images_without_boxes_are_for_testing_if_they_have_a_mask(
    raw_project,
):
    raw_project(annotations="boxes.csv", train_cases=None, **SHARES)
    save_cases([f"m{number}" for number in range(3)])
    for number in range(8):
        save_image(IMAGES / f"b{number}.png")
    save_image(IMAGES / "unused.png")
    write_boxes([f"b{number}.png,2,3,9,7" for number in range(8)])
    prepare.main()
    assert names_of("test") == ["m0", "m1", "m2"]
    assert [case.all_boxes_xyxy for case in read_cases("test")] == [
        (box_of(0),),
        (box_of(1),),
        (box_of(2),),
    ]
    assert sorted(names_of("train") + names_of("val")) == [f"b{number}" for number in range(8)]
    assert len(names_of("val")) == 2  # a fifth of the boxed ones
    assert [path.name for path in sorted(TEST_MASKS.iterdir())] == ["m0.png", "m1.png", "m2.png"]


def test_masks_of_boxed_images_are_not_read_if_others_are_for_testing(raw_project):
    raw_project(annotations="boxes.csv", train_cases=None)
    save_cases([f"m{number}" for number in range(3)])
    for number in range(8):
        save_image(IMAGES / f"b{number}.png")
    write_boxes([f"b{number}.png,2,3,9,7" for number in range(8)])
    prepare.main()
    before = contents(PREPARED)
    for number in range(8):
        (MASKS / f"b{number}.png").write_text("broken")
    prepare.main()
    assert contents(PREPARED) == before


def test_only_test_masks_are_read_if_all_images_have_boxes_and_masks(raw_project):
    raw_project(annotations="boxes.csv", train_cases=None)
    save_cases()
    write_boxes([f"{name}.png,1,1,10,10" for name in NAMES])
    prepare.main()
    before = contents(PREPARED)
    assert [path.stem for path in sorted(TEST_MASKS.iterdir())] == names_of("test")
    for case in read_cases():
        drawn, from_mask = (1, 1, 10, 10), box_of(NAMES.index(case.name))
        assert case.all_boxes_xyxy == ((from_mask if case.split == "test" else drawn),)
    for name in names_of("train") + names_of("val"):
        (MASKS / f"{name}.png").write_text("broken")
    prepare.main()
    assert contents(PREPARED) == before
    broken = names_of("test")[0]
    (MASKS / f"{broken}.png").write_text("broken")
    assert [error.split(":")[0] for error in errors_of()] == [str(MASKS / f"{broken}.png")]


def test_mask_ids_select_the_object_in_test_masks(raw_project):
    raw_project(annotations="boxes.csv", class_ids=["liver"], mask_ids=[2], **SHARES)
    for name in NAMES:
        save_case(name, draw_labels((1, 1, 4, 4)) + draw_labels((6, 2, 9, 8), value=2))
    rows = [f"{name}.png,{kind},5,1,10,9" for name in NAMES for kind in ("liver", "spleen")]
    write_boxes(rows, columns="image,class,x_min,y_min,x_max,y_max")
    prepare.main()
    boxes = {case.split: case.all_boxes_xyxy for case in read_cases()}
    assert boxes == {"train": ((5, 1, 10, 9),), "val": ((5, 1, 10, 9),), "test": ((6, 2, 9, 8),)}
    expected = draw_labels((6, 2, 9, 8), value=255)
    for name in names_of("test"):
        assert np.array_equal(pixels_of(TEST_MASKS / f"{name}.png"), expected)


def test_boxes_of_other_classes_are_reported(raw_project, call_prepare):
    """For example, if a class is spelt in two ways."""
    raw_project(annotations="boxes.csv", train_cases=None, class_ids=["rv"])
    save_cases()
    columns = "image,x_min,y_min,x_max,y_max,class"
    rows = [f"{name}.png,1,1,10,10,rv" for name in NAMES]
    write_boxes(rows, columns=columns)
    assert not [line for line in call_prepare() if line.startswith("not used")]
    write_boxes(
        [*rows, f"{NAMES[0]}.png,2,2,9,9,RV", f"{NAMES[1]}.png,2,2,9,9,RV"], columns=columns
    )
    assert call_prepare()[0] == "not used: 2 drawn boxes of other classes, RV"


def test_disputed_boxes_and_unused_images_are_reported(raw_project, call_prepare):
    raw_project(annotations="boxes.csv", train_cases=None, **SHARES)
    save_cases()
    write_boxes([f"{name}.png,1,1,10,10" for name in NAMES])
    call_prepare()
    one, other, _, _ = names_of("test")
    save_cases(empty=[one])
    rows = [f"{name}.png,1,1,10,10" for name in NAMES if name != other]
    write_boxes([*rows, f"{other}.png,,,,"])
    for name in ("unused_1", "unused_2"):
        save_image(IMAGES / f"{name}.png")
    assert call_prepare() == [
        "found: 12 images, 0 volumes with 0 slices, 12 groups",
        "size (rows x columns, px): 12 x 16",
        "spacing (slices, rows, columns, mm): unknown",
        "mask values: 0, 1",
        "masks: 3 of 4 show an object, which covers 6.2 % of the image in 1 part",
        "annotated classes: 1",
        "train: 6 cases of 6 groups, 6 with an object",
        "val: 2 cases of 2 groups, 2 with an object",
        "test: 4 cases of 4 groups, 3 with an object, 4 with a mask",
        "left out: 0 of the training split, 0 of the others",
        "drawn boxes of test slices overlap the boxes of their masks by 0.05 (IoU): "
        "check that the masks belong to these images, and the order of mask_ids",
        f"check 2 test slices whose drawn boxes do not meet the mask: {one}, {other}",
        "not used: 2 images with neither boxes nor a mask",
        "marked as showing no object: 1 image",
        "read 14, skipped 0",
    ]
    boxes = {case.name: case.all_boxes_xyxy for case in read_cases("test")}
    assert (boxes[one], boxes[other]) == ((), (box_of(NAMES.index(other)),))


def test_a_broken_image_without_boxes_is_left_out(raw_project):
    raw_project(annotations="boxes.csv")
    for name in "abc":
        save_image(IMAGES / f"{name}.png")
    (IMAGES / "broken.png").write_text("broken")
    write_boxes([f"{name}.png,2,3,9,7" for name in "abc"])
    prepare.main()
    assert names_of() == ["a", "b", "c"]


def test_boxes_of_volumes_name_the_slice_by_number(raw_project):
    raw_project(annotations="boxes.csv", train_cases=None)
    save_volumes(count=4, slices=5)
    for number in (0, 1, 2):
        (MASKS / f"v{number}.nii.gz").unlink()
    rows = [f"v{number}.nii.gz,{index},2,3,9,7" for number in (0, 1, 2) for index in (1, 3)]
    write_boxes([*rows, "v0.nii.gz,4,,,,"], columns="image,slice,x_min,y_min,x_max,y_max")
    prepare.main()
    boxed = {case.name: case.all_boxes_xyxy for case in read_cases() if case.volume != "v3"}
    assert boxed == {
        f"v{number}_s{index:03d}": ((2, 3, 9, 7),) for number in (0, 1, 2) for index in (1, 3)
    } | {"v0_s004": ()}
    assert names_of("test") == [f"v3_s{index:03d}" for index in range(5)]
    assert {case.volume_slices for case in read_cases()} == {5}


@pytest.mark.parametrize(
    "annotations", ["boxes.csv", "./boxes.csv", "data/raw/boxes.csv", "absolute"]
)
def test_annotations_may_be_relative_to_data_dir_or_absolute(raw_project, annotations):
    if annotations == "absolute":
        annotations = str((RAW / "boxes.csv").resolve())
    raw_project(annotations=annotations)
    for name in "abc":
        save_image(IMAGES / f"{name}.png")
    write_boxes([f"{name}.png,2,3,9,7" for name in "abc"])
    prepare.main()
    assert names_of() == ["a", "b", "c"]


@pytest.mark.parametrize(
    "annotations", ["../boxes.csv", "data/boxes.csv", "absolute", "missing.csv"]
)
def test_annotations_outside_of_data_dir_are_rejected(raw_project, annotations):
    outside = Path("data/boxes.csv")
    write_boxes(["a.png,2,3,9,7"], outside)
    if annotations == "absolute":
        annotations = str(outside.resolve())
    raw_project(annotations=annotations)
    assert errors_of() == [
        f"annotations: no file or folder {annotations} in data_dir (data/raw), "
        "which is the only folder that DVC tracks"
    ]


def test_all_faults_of_annotations_are_reported_at_once(raw_project):
    raw_project(annotations="boxes.csv")
    for name in "abc":
        save_image(IMAGES / f"{name}.png")
    write_boxes(["a.png,2,3,9,7", "x.png,2,3,9,7", "b.png,9,3,2,7", "c.png,2,3,19,7"])
    assert [error.split(":")[0] for error in errors_of()] == [
        f"boxes.csv, line {line}" for line in (3, 4, 5)
    ]
    assert not PREPARED.exists()


def write_coco(names, boxed):
    images = [{"id": number, "file_name": f"{name}.png"} for number, name in enumerate(names)]
    annotations = [
        {"image_id": names.index(name), "category_id": 1, "bbox": [2, 3, 7, 4]} for name in boxed
    ]
    content = {"images": images, "categories": [{"id": 1, "name": "cell"}]}
    (RAW / "set.json").write_text(json.dumps(content | {"annotations": annotations}))


@pytest.mark.parametrize("masks", [(), ("q1", "q7")])
def test_an_export_of_all_images_gives_the_same_data_as_one_of_the_boxed_ones(raw_project, masks):
    raw_project(annotations="set.json")
    boxed, others = [f"p{n}" for n in range(15)], [f"q{n}" for n in range(27)]
    for name in [*boxed, *others]:
        save_image(IMAGES / f"{name}.png")
    for name in masks:
        save_case(name, draw_labels((1, 1, 5, 5)))
    write_coco(boxed, boxed)
    prepare.main()
    alone = contents(PREPARED)
    write_coco(sorted([*boxed, *others]), boxed)
    prepare.main()
    assert contents(PREPARED) == alone


def test_unboxed_images_and_their_masks_are_reported(raw_project, call_prepare):
    save_cases()
    write_coco(NAMES, NAMES[4:])
    arguments = "--check", "-S", "annotations=set.json"
    assert (
        "4 of 12 listed images have no box; they are left out (unboxed: unknown); with unboxed: "
        "empty they would teach that nothing is there, but the masks of 4 of them show an object"
    ) in call_prepare(*arguments)
    printed = call_prepare(*arguments, "-S", "unboxed=empty")
    assert any("they teach that nothing is there (unboxed: empty)" in line for line in printed)


def test_negatives_with_an_object_in_the_mask_are_a_warning(raw_project, capsys):
    raw_project(annotations="boxes.csv")
    save_cases()
    write_boxes([f"{name}.png,1,1,10,10" for name in NAMES[:8]] + ["p4_1,,,,"])
    prepare.main()
    assert "warning: 1 image listed without a box, but with an object in the mask: p4_1; " in (
        capsys.readouterr().err
    )


def test_boxes_on_the_background_of_volumes_are_a_warning(raw_project, capsys):
    raw_project(annotations="boxes.csv")
    save_volumes(count=4, slices=3)
    columns = "image,slice,x_min,y_min,x_max,y_max"
    write_boxes([f"v{number},1,2,3,9,7" for number in range(4)], columns=columns)
    for path in MASKS.iterdir():
        path.unlink()
    prepare.main()
    captured = capsys.readouterr()
    assert "boxes on axial slices: slice 0 is at the feet" in captured.out
    assert "warning: in 4 of 4 slices of volumes, the image is not brighter" in captured.err


def test_corrected_predictions_are_annotations(raw_project):
    raw_project(annotations="predictions.csv", train_cases=None)
    for name in "abcd":
        save_image(IMAGES / f"{name}.png")
    columns = "image,mask,slice,class,x_min,y_min,x_max,y_max,area_px,area_mm2,confidence"
    rows = [f"../new/{name}.png,{name}.png,,object,2,3,9,7,28,,0.9" for name in "abc"]
    rows.append("../new/d.png,d.png,,object,0,0,0,0,0,,0")
    write_boxes(rows, RAW / "predictions.csv", columns)
    prepare.main()
    assert {case.name: case.all_boxes_xyxy for case in read_cases()} == {
        **dict.fromkeys("abc", ((2, 3, 9, 7),)),
        "d": (),
    }


def test_two_thousand_wrong_names_are_a_short_message(raw_project):
    raw_project(annotations="boxes.csv")
    save_image(IMAGES / "a.png")
    write_boxes([f"x/y/img {number}.png,2,3,9,7" for number in range(2000)])
    with pytest.raises(InputError) as caught:
        prepare.main()
    lines = str(caught.value).splitlines()
    assert (len(lines), lines[0]) == (7, "2000 faults, of which the first 5 are:")
    assert lines[1] == "  boxes.csv, line 2: no image matches the name 'x/y/img 0.png'"
