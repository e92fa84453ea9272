"""stages/prepare.py on small data sets: the images, masks and tables that it writes."""

import json
from pathlib import Path

import numpy as np
import pytest

import prepare
from automedsam.datasets.synthetic import synthetic_scans
from automedsam.runtime.errors import InputError
from automedsam.runtime.paths import (
    BOXES,
    CLASSES,
    DATA_REPORT,
    INDEX,
    PREPARATION,
    PREPARED,
    TEST_BOXES,
    TEST_MASKS,
)
from small_data import (
    HEADER,
    IMAGES,
    MASKS,
    NAMES,
    box_of,
    contents,
    draw_labels,
    names_of,
    pixels_of,
    read_cases,
    rows_of,
    save,
    save_case,
    save_cases,
)


def test_index_lists_all_images_and_box_tables_are_beside_it(raw_project):
    raw_project(train_cases=None)
    save_case("a", draw_labels((2, 3, 9, 7)))
    save_case("b", draw_labels((0, 0, 20, 10), size=(10, 20)))
    save_case("c", draw_labels((15, 11, 16, 12), value=255), suffix=".tif")
    save_case("d", draw_labels())
    prepare.main()
    assert rows_of(INDEX) == [
        HEADER,
        "a,a,train,,,,12,16,0,,,,1000,3000",
        "b,b,val,,,,10,20,0,,,,1000,3000",
        "c,c,test,,,,12,16,1,,,,1000,3000",
        "d,d,train,,,,12,16,0,,,,1000,3000",
    ]
    assert rows_of(BOXES) == [
        "case,class,x_min,y_min,x_max,y_max",
        "a,255,2,3,9,7",
        "b,255,0,0,20,10",
    ]
    assert rows_of(TEST_BOXES) == ["case,class,x_min,y_min,x_max,y_max", "c,255,15,11,16,12"]


def test_images_have_8_bits_and_test_masks_are_black_and_white(raw_project):
    raw_project(train_cases=None)
    save_cases()
    prepare.main()
    expected = draw_labels((8, 0, 16, 12), value=255)
    for name in NAMES:
        assert np.array_equal(pixels_of(PREPARED / "images" / f"{name}.png"), expected)
    assert len(names_of("test")) == 4
    for name in names_of("test"):
        mask = draw_labels(box_of(NAMES.index(name)), value=255)
        assert np.array_equal(pixels_of(TEST_MASKS / f"{name}.png"), mask)


def test_colour_images_stay_in_colour(raw_project):
    save_cases("abc")
    for name in "abc":
        save(
            IMAGES / f"{name}.png",
            np.zeros((12, 16, 3), np.uint8) + np.array([0, 10, 255], np.uint8),
        )
    prepare.main()
    assert pixels_of(PREPARED / "images/a.png")[5, 5].tolist() == [0, 10, 255]


def test_only_the_masks_of_test_cases_are_written(raw_project):
    save_cases()
    prepare.main()
    written = {str(path.relative_to(PREPARED)) for path in PREPARED.rglob("*") if path.is_file()}
    assert written == {
        "index.csv",
        "boxes.csv",
        "test_boxes.csv",
        "classes.csv",
        "preparation.json",
        *(f"images/{name}.png" for name in names_of()),
        *(f"test_masks/{name}.png" for name in names_of("test")),
    }
    assert [case.name for case in read_cases() if case.has_mask] == names_of("test")


def test_preparation_and_data_sheet_are_written_where_dvc_expects_them(raw_project):
    save_cases("abc")
    prepare.main()
    assert PREPARATION.read_bytes() == (
        b'{"framing": {"canvas_px": null, "pixel_mm": null}, '
        b'"intensity": {"window": null}, "slice_axis": "auto"}\n'
    )
    assert pixels_of(DATA_REPORT).shape[0] > 500


def test_names_with_dollar_signs_are_accepted(raw_project):
    save_cases(["a$b_$c^{", "b", "c"])
    prepare.main()
    assert names_of() == ["a$b_$c^{", "b", "c"]


def test_class_ids_select_the_object_in_boxes_and_test_masks(raw_project):
    for name in "abc":
        labels = (
            draw_labels((1, 1, 4, 4))
            + draw_labels((6, 2, 9, 8), value=2)
            + draw_labels((10, 3, 15, 9), value=3)
        )
        save_case(name, labels)
    boxes = []
    for class_ids in (None, [2], [[2, 3]]):
        raw_project(class_ids=class_ids)
        prepare.main()
        boxes.append({case.all_boxes_xyxy for case in read_cases()})
    assert boxes == [{((1, 1, 15, 9),)}, {((6, 2, 9, 8),)}, {((6, 2, 15, 9),)}]
    (name,) = names_of("test")
    expected = draw_labels((6, 2, 9, 8), (10, 3, 15, 9), value=255)
    assert np.array_equal(pixels_of(TEST_MASKS / f"{name}.png"), expected)


def test_several_classes_have_their_own_boxes_and_label_values(raw_project):
    for name in "abc":
        labels = (
            draw_labels((1, 1, 4, 4))
            + draw_labels((6, 2, 9, 8), value=2)
            + draw_labels((10, 3, 15, 9), value=3)
        )
        save_case(name, labels)
    raw_project(class_ids=[[3, 1], 2])
    prepare.main()
    assert rows_of(CLASSES) == ["class,value", "3+1,3", "2,2"]
    for case in read_cases():
        assert case.boxes == {3: ((1, 1, 15, 9),), 2: ((6, 2, 9, 8),)}
    (name,) = names_of("test")
    expected = draw_labels((1, 1, 4, 4), (10, 3, 15, 9), value=3) + draw_labels(
        (6, 2, 9, 8), value=2
    )
    assert np.array_equal(pixels_of(TEST_MASKS / f"{name}.png"), expected)


def test_a_split_without_one_of_the_classes_is_rejected(raw_project):
    for name in "abc":
        second_value = 0 if name == "b" else 2
        save_case(name, draw_labels((1, 1, 4, 4)) + draw_labels((6, 2, 9, 8), value=second_value))
    raw_project(class_ids=[1, 2])
    with pytest.raises(InputError) as caught:
        prepare.main()
    assert str(caught.value) == (
        "class_ids, val_fraction, test_fraction: no object of class 2 in the 1 val images "
        "(classes in the data: 0, 1, 2)"
    )


def test_small_parts_get_a_box_in_the_test_split_only(raw_project):
    raw_project(boxes_per_object="component", min_object_px=2)
    parts = draw_labels(
        (1, 1, 4, 4), (4, 4, 6, 5), (10, 8, 11, 9)
    )  # two that touch at a corner, and a pixel
    for name in "abc":
        save_case(name, parts)
    prepare.main()
    boxes = {case.split: case.all_boxes_xyxy for case in read_cases()}
    assert boxes == {
        "train": ((1, 1, 6, 5),),
        "val": ((1, 1, 6, 5),),
        "test": ((1, 1, 6, 5), (10, 8, 11, 9)),
    }
    assert np.array_equal(pixels_of(TEST_MASKS / "c.png"), 255 * parts)


def test_too_small_objects_are_left_out_but_kept_for_testing(raw_project):
    raw_project(train_cases=None)
    save_cases()
    prepare.main()
    split_of = {case.name: case.split for case in read_cases()}
    small = {
        split: next(name for name in NAMES if split_of[name] == split)
        for split in ("train", "val", "test")
    }
    for name in small.values():
        save_case(name, draw_labels((5, 5, 7, 6)))
    for keep_empty, left_out in ((True, {"train", "val"}), (False, {"train", "val", "test"})):
        raw_project(train_cases=None, min_object_px=3, keep_empty=keep_empty)
        prepare.main()
        assert set(NAMES) - set(names_of()) == {small[split] for split in left_out}
        if keep_empty:
            (tested,) = [case for case in read_cases() if case.name == small["test"]]
            assert tested.all_boxes_xyxy == ((5, 5, 7, 6),)
            assert np.array_equal(
                pixels_of(TEST_MASKS / f"{tested.name}.png"), draw_labels((5, 5, 7, 6), value=255)
            )


def test_box_jitter_spares_test_boxes_and_is_reproducible(raw_project):
    save_cases()
    results = []
    for changes in ({}, {"box_jitter": 3}, {"box_jitter": 3}, {"box_jitter": 3, "seed": 1}):
        raw_project(train_cases=None, **changes)
        prepare.main()
        results.append({case.name: case.all_boxes_xyxy[0] for case in read_cases()})
    tight, loose, again, reseeded = results
    assert loose == again != reseeded
    assert {name for name in NAMES if loose[name] == tight[name]} >= set(names_of("test"))
    assert sum(loose[name] != tight[name] for name in NAMES) == 8
    for name in NAMES:
        (x0, y0, x1, y1), (left, above, right, below) = tight[name], loose[name]
        assert max(x0 - 3, 0) <= left <= x0
        assert max(y0 - 3, 0) <= above <= y0
        assert x1 <= right <= min(x1 + 3, 16)
        assert y1 <= below <= min(y1 + 3, 12)


def test_empty_images_are_used_if_keep_empty(raw_project):
    raw_project(train_cases=None)
    save_cases()
    prepare.main()
    empty = [names_of(split)[0] for split in ("train", "val", "test")]
    save_cases(empty=empty)
    prepare.main()
    assert names_of() == NAMES
    assert not pixels_of(TEST_MASKS / f"{empty[2]}.png").any()
    raw_project(train_cases=None, keep_empty=False)
    prepare.main()
    assert set(NAMES) - set(names_of()) == set(empty)


def test_seed_chooses_train_cases_and_changes_no_other_split(raw_project):
    save_cases()
    choices, others = set(), set()
    for seed in range(3):
        raw_project(train_cases=3, seed=seed)
        prepare.main()
        assert len(names_of("train")) == 3
        choices.add(tuple(names_of("train")))
        others.add((*names_of("val"), *names_of("test")))
    assert len(choices) > 1
    assert len(others) == 1


def test_more_train_cases_keep_the_ones_chosen_before(raw_project):
    save_cases()
    choices = []
    for count in (1, 3, None):
        raw_project(train_cases=count)
        prepare.main()
        choices.append(set(names_of("train")))
    assert [len(choice) for choice in choices] == [1, 3, 6]
    assert choices[0] < choices[1] < choices[2]


def test_train_cases_counts_boxed_images_and_adds_empty_ones(raw_project):
    raw_project(train_cases=None)
    save_cases()
    prepare.main()
    others = {split: names_of(split) for split in ("val", "test")}
    empty = set(names_of("train")[:3])
    save_cases(empty=empty)
    choices = []
    for count, keep_empty in ((2, True), (2, False), (100, True)):
        raw_project(train_cases=count, keep_empty=keep_empty)
        prepare.main()
        assert {split: names_of(split) for split in ("val", "test")} == others
        assert sum(case.has_object for case in read_cases("train")) == min(count, 3)
        choices.append(set(names_of("train")))
    assert choices[1] == choices[0] - empty
    assert len(choices[2]) == 6
    assert 0 < len(choices[0] & empty) < 3


def test_groups_never_cross_splits(raw_project):
    raw_project(group_by=r"^(p\d+)_", train_cases=None)
    save_cases()
    prepare.main()
    cases = read_cases()
    assert [case.group for case in cases] == [name.split("_")[0] for name in sorted(NAMES)]
    assert len({(case.group, case.split) for case in cases}) == 6


def test_same_input_gives_the_same_bytes(raw_project):
    save_cases()
    prepare.main()
    before = contents(Path())
    prepare.main()
    assert contents(Path()) == before


def test_an_earlier_result_is_replaced_as_a_whole(raw_project):
    save_cases()
    prepare.main()
    gone = names_of("test")[0]
    (IMAGES / f"{gone}.png").unlink()
    prepare.main()
    assert not any(gone in path for path in contents(PREPARED))
    assert [path.name for path in sorted(Path("data").iterdir())] == ["prepared", "raw"]


def test_a_window_is_recorded_and_applied(raw_project):
    raw_project(window_low=1500, window_high=2500.5)
    save_cases("abc")
    save(
        IMAGES / "a.png",
        np.tile(np.array([[0, 1500, 1700.1, 2500.5, 9999]]), (4, 1)).astype(np.uint16),
    )
    save(MASKS / "a.png", draw_labels((1, 1, 2, 2), size=(4, 5)))
    prepare.main()
    assert json.loads(PREPARATION.read_text())["intensity"] == {"window": [1500.0, 2500.5]}
    assert {case.value_range for case in read_cases()} == {(1500, 2500.5)}
    assert pixels_of(PREPARED / "images/a.png")[0].tolist() == [
        0,
        0,
        51,
        255,
        255,
    ]  # 255 * 200 / 1000.5


def test_synthetic_images_are_written_unchanged(raw_project):
    raw_project(dataset="synthetic")
    prepare.main()
    assert [len(names_of(split)) for split in ("train", "val", "test")] == [10, 20, 60]
    scans = {scan.name: scan for scan in synthetic_scans()}
    for case in read_cases():
        drawn = scans[case.name].open().read_values()[0]
        assert np.array_equal(pixels_of(PREPARED / "images" / f"{case.name}.png"), drawn)
        if case.split == "test":
            assert np.array_equal(
                pixels_of(TEST_MASKS / f"{case.name}.png"), 255 * scans[case.name].read_labels()[0]
            )
    assert {case.value_range for case in read_cases()} == {(0, 255)}
    assert json.loads(PREPARATION.read_text())["intensity"] == {"window": [0.0, 255.0]}
