"""stages/prepare.py on boxes that somebody drew: which are taken, which masks are read, and what is told."""

import json
from pathlib import Path

import numpy as np
import pytest

import prepare
from automedsam.cases.index import read_index
from automedsam.runtime.paths import BOXES, INDEX, PREPARED, TEST_BOXES, TEST_MASKS
from small_data import (
    IMAGES,
    MASKS,
    NAMES,
    RAW,
    box_of,
    contents,
    draw_labels,
    faults_of,
    names_of,
    pixels_of,
    rows_of,
    save_case,
    save_cases,
    save_image,
    save_volumes,
)


def write_boxes(rows, path=RAW / "boxes.csv", columns="image,x_min,y_min,x_max,y_max"):
    path.write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")


def test_a_table_of_boxes_needs_no_mask_anywhere(raw_project):
    raw_project(annotations="boxes.csv", train_cases=None)
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
    assert rows_of(BOXES)[1:] == ["a,,2,3,9,7", "b,,0,0,16,12", "b,,1,1,2,2", "e,,2,3,9,7"]
    assert rows_of(TEST_BOXES)[1:] == ["c,,4,4,5,5", "f,,2,3,9,7"]
    assert list(TEST_MASKS.iterdir()) == []  # but the folder is there, as DVC expects it


def test_cocos_boxes_of_images_that_lie_in_the_folder_itself_are_taken(raw_project):
    raw_project(annotations="set.json", train_cases=None, class_ids=["liver"])
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
    assert [case.boxes_xyxy for case in read_index(INDEX)] == [((2, 3, 9, 7),)] * 3 + [()]
    raw_project(annotations="set.json", train_cases=None, class_ids=[8])
    assert faults_of()[0] == (
        "class_ids, val_fraction, test_fraction: expected an object in the val images, found none in 1, "
        "of the classes 7, 8, liver, spleen"
    )


def test_images_that_nobody_boxed_are_the_test_set_if_they_have_a_mask_and_else_left_out(
    raw_project,
):
    raw_project(annotations="boxes.csv", train_cases=None)
    save_cases([f"m{number}" for number in range(3)])
    for number in range(8):
        save_image(IMAGES / f"b{number}.png")
    save_image(IMAGES / "nobody.png")
    write_boxes([f"b{number}.png,2,3,9,7" for number in range(8)])
    prepare.main()
    assert names_of("test") == ["m0", "m1", "m2"]
    assert [case.boxes_xyxy for case in read_index(INDEX, "test")] == [
        (box_of(0),),
        (box_of(1),),
        (box_of(2),),
    ]
    assert sorted(names_of("train") + names_of("val")) == [f"b{number}" for number in range(8)]
    assert len(names_of("val")) == 2  # a fifth of the boxed ones
    assert [path.name for path in sorted(TEST_MASKS.iterdir())] == ["m0.png", "m1.png", "m2.png"]


def test_masks_of_boxed_images_are_never_read_where_others_are_there_to_test_on(raw_project):
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


def test_of_boxed_images_with_masks_only_the_test_images_masks_are_read(raw_project):
    raw_project(annotations="boxes.csv", train_cases=None)
    save_cases()
    write_boxes([f"{name}.png,1,1,10,10" for name in NAMES])
    prepare.main()
    before = contents(PREPARED)
    assert [path.stem for path in sorted(TEST_MASKS.iterdir())] == names_of("test")
    for case in read_index(INDEX):
        drawn, from_mask = (1, 1, 10, 10), box_of(NAMES.index(case.name))
        assert case.boxes_xyxy == ((from_mask if case.split == "test" else drawn),)
    for name in names_of("train") + names_of("val"):
        (MASKS / f"{name}.png").write_text("broken")
    prepare.main()
    assert contents(PREPARED) == before
    broken = names_of("test")[0]
    (MASKS / f"{broken}.png").write_text("broken")
    assert [fault.split(":")[0] for fault in faults_of()] == [str(MASKS / f"{broken}.png")]


def test_mask_ids_cut_the_masks_to_test_on_where_boxes_were_drawn(raw_project):
    raw_project(annotations="boxes.csv", train_cases=None, class_ids=["liver"], mask_ids=[2])
    for name in NAMES:
        save_case(name, draw_labels((1, 1, 4, 4)) + draw_labels((6, 2, 9, 8), value=2))
    rows = [f"{name}.png,{kind},5,1,10,9" for name in NAMES for kind in ("liver", "spleen")]
    write_boxes(rows, columns="image,class,x_min,y_min,x_max,y_max")
    prepare.main()
    boxes = {case.split: case.boxes_xyxy for case in read_index(INDEX)}
    assert boxes == {"train": ((5, 1, 10, 9),), "val": ((5, 1, 10, 9),), "test": ((6, 2, 9, 8),)}
    expected = draw_labels((6, 2, 9, 8), value=255)
    for name in names_of("test"):
        assert np.array_equal(pixels_of(TEST_MASKS / f"{name}.png"), expected)


def test_boxes_of_other_classes_are_told_of(raw_project, call_prepare):
    """A class that is spelt in two ways, say."""
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


def test_boxes_and_masks_that_disagree_and_images_of_no_use_are_told(raw_project, call_prepare):
    raw_project(annotations="boxes.csv", train_cases=None)
    save_cases()
    write_boxes([f"{name}.png,1,1,10,10" for name in NAMES])
    call_prepare()
    one, other, _, _ = names_of("test")
    save_cases(empty=[one])
    rows = [f"{name}.png,1,1,10,10" for name in NAMES if name != other]
    write_boxes([*rows, f"{other}.png,,,,"])
    for name in ("nobody", "knows"):
        save_image(IMAGES / f"{name}.png")
    assert call_prepare() == [
        "found: 12 images, 0 volumes of 0 slices, 12 groups",
        "size (rows x columns, px): 12 x 16",
        "spacing (slices, rows, columns, mm): unknown",
        "mask values: 0, 1",
        "annotated classes: 1",
        "train: 6 cases of 6 groups, 6 with an object",
        "val: 2 cases of 2 groups, 2 with an object",
        "test: 4 cases of 4 groups, 3 with an object, 4 with a mask",
        "left out: 0 of the training split, 0 of the others",
        "drawn boxes of test slices overlap those of their masks by 0.05 (IoU): "
        "are these their masks, and mask_ids in the order of class_ids?",
        f"look at these: 2 test slices whose drawn boxes do not meet the mask's: {one}, {other}",
        "no use: 2 images with neither boxes nor a mask",
    ]
    boxes = {case.name: case.boxes_xyxy for case in read_index(INDEX, "test")}
    assert (boxes[one], boxes[other]) == ((), (box_of(NAMES.index(other)),))


def test_a_broken_image_that_nobody_boxed_is_left_out(raw_project):
    raw_project(annotations="boxes.csv")
    for name in "abc":
        save_image(IMAGES / f"{name}.png")
    (IMAGES / "broken.png").write_text("broken")
    write_boxes([f"{name}.png,2,3,9,7" for name in "abc"])
    prepare.main()
    assert names_of() == ["a", "b", "c"]


def test_slices_of_volumes_are_boxed_by_number(raw_project):
    raw_project(annotations="boxes.csv", train_cases=None)
    save_volumes(count=4, slices=5)
    for number in (0, 1, 2):
        (MASKS / f"v{number}.nii.gz").unlink()
    rows = [f"v{number}.nii.gz,{index},2,3,9,7" for number in (0, 1, 2) for index in (1, 3)]
    write_boxes([*rows, "v0.nii.gz,4,,,,"], columns="image,slice,x_min,y_min,x_max,y_max")
    prepare.main()
    boxed = {case.name: case.boxes_xyxy for case in read_index(INDEX) if case.volume != "v3"}
    assert boxed == {
        f"v{number}_s{index:03d}": ((2, 3, 9, 7),) for number in (0, 1, 2) for index in (1, 3)
    } | {"v0_s004": ()}
    assert names_of("test") == [f"v3_s{index:03d}" for index in range(5)]
    assert {case.volume_slices for case in read_index(INDEX)} == {5}


@pytest.mark.parametrize("named", ["boxes.csv", "./boxes.csv", "data/raw/boxes.csv", "in full"])
def test_annotations_are_named_below_data_dir_or_in_full(raw_project, named):
    raw_project(annotations=str((RAW / "boxes.csv").resolve()) if named == "in full" else named)
    for name in "abc":
        save_image(IMAGES / f"{name}.png")
    write_boxes([f"{name}.png,2,3,9,7" for name in "abc"])
    prepare.main()
    assert names_of() == ["a", "b", "c"]


@pytest.mark.parametrize("named", ["../boxes.csv", "data/boxes.csv", "in full", "missing.csv"])
def test_annotations_outside_of_data_dir_are_refused_as_dvc_would_not_see_them_change(
    raw_project, named
):
    outside = Path("data/boxes.csv")
    write_boxes(["a.png,2,3,9,7"], outside)
    named = str(outside.resolve()) if named == "in full" else named
    raw_project(annotations=named)
    assert faults_of() == [
        f"annotations: no file or folder {named} in data_dir (data/raw), "
        "which is the only folder that DVC tracks"
    ]


def test_faults_of_annotations_are_told_all_at_once(raw_project):
    raw_project(annotations="boxes.csv")
    for name in "abc":
        save_image(IMAGES / f"{name}.png")
    write_boxes(["a.png,2,3,9,7", "x.png,2,3,9,7", "b.png,9,3,2,7", "c.png,2,3,17,7"])
    assert [fault.split(":")[0] for fault in faults_of()] == [
        f"boxes.csv, line {line}" for line in (3, 4, 5)
    ]
    assert not PREPARED.exists()
