"""stages/prepare.py on small data sets: what it writes, what it leaves out, what it only looks at, and how it fails."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml
from PIL import Image

import prepare
from automedsam.cases import read_index
from automedsam.errors import InputError
from automedsam.paths import BOXES, CLASSES, DATA_REPORT, INDEX, PREPARATION, PREPARED, TEST_BOXES, TEST_MASKS
from automedsam.sources import synthetic_scans

ROOT = Path(__file__).parent.parent
RAW = Path("data/raw")
IMAGES, MASKS = RAW / "images", RAW / "masks"
NAMES = [f"p{patient}_{number}" for patient in range(6) for number in (1, 2)]
HEADER = "case,group,split,volume,slice,of_slices,height,width,mask,slice_mm,row_mm,column_mm,value_low,value_high"
NO_OBJECT = "class_ids, val_fraction, test_fraction: expected an object"
LOW, HIGH = 1000, 3000  # the values of the left and the right half of an image


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The working folder: a clone's params.yaml and dvc.yaml, and an empty data/raw; changes go to params.yaml."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["prepare.py"])
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    RAW.mkdir(parents=True)

    def set_params(**changes):
        values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8")) | {"dataset": "folder"} | changes
        Path("params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")

    set_params()
    return set_params


@pytest.fixture
def call(monkeypatch, capsys):
    """`prepare.py` with arguments, in this process; returns what it printed."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["prepare.py", *arguments])
        capsys.readouterr()
        prepare.main()
        return capsys.readouterr().out.splitlines()

    return run


def run_script(*arguments):
    command = [sys.executable, ROOT / "stages" / "prepare.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def draw_labels(*boxes_xyxy, value=1, size=(12, 16)):
    labels = np.zeros(size, np.uint8)
    for x0, y0, x1, y1 in boxes_xyxy:
        labels[y0:y1, x0:x1] = value
    return labels


def save(path, values, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path, **options)


def save_image(path, size=(12, 16), **options):
    values = np.full(size, LOW, np.uint16)
    values[:, size[1] // 2 :] = HIGH
    save(path, values, **options)


def save_case(name, labels, suffix=".png"):
    save_image(IMAGES / f"{name}.png", labels.shape)
    save(MASKS / f"{name}{suffix}", labels)


def save_cases(names=NAMES, empty=(), value=1):
    """Boxes that tell the cases apart; those named `empty` hold nothing."""
    for number, name in enumerate(names):
        save_case(name, draw_labels(box_of(number), value=0 if name in empty else value))


def box_of(number):
    x0, y0 = number % 5, number // 5
    return x0, y0, x0 + 4, y0 + 3


def save_nifti(path, stack):
    """A stack (slices, rows, columns) of thick slices: 8 mm, with pixels of 2 x 1.5 mm."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.asarray(stack, np.int16).T, np.diag([-1.5, -2, 8, 1])), path)


def save_pages(path, stack):
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *others = [Image.fromarray(page) for page in np.asarray(stack, np.uint8)]
    first.save(path, save_all=True, append_images=others)


def save_volumes(count=4, slices=3, empty=()):
    """NIfTI volumes v0, v1 ..: an object in each slice but the `empty` ones, further right from slice to slice."""
    for number in range(count):
        labels = [draw_labels((n, 1, n + 3, 5), value=n not in empty) for n in range(slices)]
        save_nifti(IMAGES / f"v{number}.nii.gz", np.arange(slices)[:, None, None] * 100 + np.zeros((12, 16)))
        save_nifti(MASKS / f"v{number}.nii.gz", np.stack(labels))


def write_boxes(rows, path=RAW / "boxes.csv", columns="image,x_min,y_min,x_max,y_max"):
    path.write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")


def contents(folder):
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def pixels_of(path):
    with Image.open(path) as image:
        return np.asarray(image)


def names_of(split=None):
    return [case.name for case in read_index(INDEX, split)]


def rows_of(path):
    return path.read_text(encoding="utf-8").splitlines()


def faults_of(*arguments, call=None):
    with pytest.raises(InputError) as told:
        call(*arguments) if call else prepare.main()
    return str(told.value).split("; ")


# ---- images with masks


def test_index_holds_every_image_and_boxes_lie_beside_it(project):
    project(train_cases=None)
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
    assert rows_of(BOXES) == ["case,class,x_min,y_min,x_max,y_max", "a,,2,3,9,7", "b,,0,0,20,10"]
    assert rows_of(TEST_BOXES) == ["case,class,x_min,y_min,x_max,y_max", "c,,15,11,16,12"]


def test_images_are_8_bits_and_test_masks_are_black_and_white(project):
    project(train_cases=None)
    save_cases()
    prepare.main()
    expected = draw_labels((8, 0, 16, 12), value=255)
    for name in NAMES:
        assert np.array_equal(pixels_of(PREPARED / "images" / f"{name}.png"), expected)
    assert len(names_of("test")) == 4
    for name in names_of("test"):
        mask = draw_labels(box_of(NAMES.index(name)), value=255)
        assert np.array_equal(pixels_of(TEST_MASKS / f"{name}.png"), mask)


def test_colour_images_stay_coloured(project):
    save_cases("abc")
    for name in "abc":
        save(IMAGES / f"{name}.png", np.zeros((12, 16, 3), np.uint8) + np.array([0, 10, 255], np.uint8))
    prepare.main()
    assert pixels_of(PREPARED / "images/a.png")[5, 5].tolist() == [0, 10, 255]


def test_only_the_masks_of_test_cases_are_written(project):
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
    assert [case.name for case in read_index(INDEX) if case.has_mask] == names_of("test")


def test_preparation_and_the_picture_of_the_data_lie_where_dvc_expects_them(project):
    save_cases("abc")
    prepare.main()
    assert PREPARATION.read_bytes() == (
        b'{"framing": {"canvas_px": null, "pixel_mm": null}, "intensity": {"window": null}, "slice_axis": "auto"}\n'
    )
    assert pixels_of(DATA_REPORT).shape[0] > 500


def test_names_with_dollar_signs_are_drawn_like_others(project):
    save_cases(["a$b_$c^{", "b", "c"])
    prepare.main()
    assert names_of() == ["a$b_$c^{", "b", "c"]


def test_class_ids_choose_the_object_and_cut_the_test_masks_too(project):
    for name in "abc":
        labels = draw_labels((1, 1, 4, 4)) + draw_labels((6, 2, 9, 8), value=2) + draw_labels((10, 3, 15, 9), value=3)
        save_case(name, labels)
    boxes = []
    for class_ids in (None, [2], [[2, 3]]):
        project(class_ids=class_ids)
        prepare.main()
        boxes.append({case.boxes_xyxy for case in read_index(INDEX)})
    assert boxes == [{((1, 1, 15, 9),)}, {((6, 2, 9, 8),)}, {((6, 2, 15, 9),)}]
    (name,) = names_of("test")
    expected = draw_labels((6, 2, 9, 8), (10, 3, 15, 9), value=255)
    assert np.array_equal(pixels_of(TEST_MASKS / f"{name}.png"), expected)


def test_several_classes_have_boxes_and_labels_of_their_own(project):
    for name in "abc":
        labels = draw_labels((1, 1, 4, 4)) + draw_labels((6, 2, 9, 8), value=2) + draw_labels((10, 3, 15, 9), value=3)
        save_case(name, labels)
    project(class_ids=[[3, 1], 2])
    prepare.main()
    assert rows_of(CLASSES) == ["class,value", "3+1,3", "2,2"]
    for case in read_index(INDEX):
        assert (case.boxes_xyxy, case.box_classes) == (((1, 1, 15, 9), (6, 2, 9, 8)), (3, 2))
    (name,) = names_of("test")
    expected = draw_labels((1, 1, 4, 4), (10, 3, 15, 9), value=3) + draw_labels((6, 2, 9, 8), value=2)
    assert np.array_equal(pixels_of(TEST_MASKS / f"{name}.png"), expected)


def test_a_split_without_one_of_the_classes_is_told_with_its_name(project):
    for name in "abc":
        save_case(name, draw_labels((1, 1, 4, 4)) + draw_labels((6, 2, 9, 8), value=2 * (name != "b")))
    project(class_ids=[1, 2])
    with pytest.raises(InputError) as told:
        prepare.main()
    assert str(told.value) == (
        "class_ids, val_fraction, test_fraction: expected an object of class 2 in the val images, found none in 1, "
        "of the classes 0, 1, 2"
    )


def test_parts_get_a_box_each_and_those_that_are_too_small_none_but_in_the_test_set(project):
    project(boxes_per_object="component", min_object_px=2)
    parts = draw_labels((1, 1, 4, 4), (4, 4, 6, 5), (10, 8, 11, 9))  # two that touch at a corner, and a pixel
    for name in "abc":
        save_case(name, parts)
    prepare.main()
    boxes = {case.split: case.boxes_xyxy for case in read_index(INDEX)}
    assert boxes == {
        "train": ((1, 1, 6, 5),),
        "val": ((1, 1, 6, 5),),
        "test": ((1, 1, 6, 5), (10, 8, 11, 9)),
    }
    assert np.array_equal(pixels_of(TEST_MASKS / "c.png"), 255 * parts)


def test_objects_that_are_too_small_leave_the_training_but_not_the_truth(project):
    project(train_cases=None)
    save_cases()
    prepare.main()
    split_of = {case.name: case.split for case in read_index(INDEX)}
    small = {split: next(name for name in NAMES if split_of[name] == split) for split in ("train", "val", "test")}
    for name in small.values():
        save_case(name, draw_labels((5, 5, 7, 6)))
    for keep_empty, left_out in ((True, {"train", "val"}), (False, {"train", "val", "test"})):
        project(train_cases=None, min_object_px=3, keep_empty=keep_empty)
        prepare.main()
        assert set(NAMES) - set(names_of()) == {small[split] for split in left_out}
        if keep_empty:
            (tested,) = [case for case in read_index(INDEX) if case.name == small["test"]]
            assert tested.boxes_xyxy == ((5, 5, 7, 6),)
            assert np.array_equal(pixels_of(TEST_MASKS / f"{tested.name}.png"), draw_labels((5, 5, 7, 6), value=255))


def test_loose_boxes_are_for_training_and_validation_alone_and_the_same_each_time(project):
    save_cases()
    found = []
    for changes in ({}, {"box_jitter": 3}, {"box_jitter": 3}, {"box_jitter": 3, "seed": 1}):
        project(train_cases=None, **changes)
        prepare.main()
        found.append({case.name: case.boxes_xyxy[0] for case in read_index(INDEX)})
    tight, loose, again, reseeded = found
    assert loose == again != reseeded
    assert {name for name in NAMES if loose[name] == tight[name]} >= set(names_of("test"))
    assert sum(loose[name] != tight[name] for name in NAMES) == 8
    for name in NAMES:
        (x0, y0, x1, y1), (left, above, right, below) = tight[name], loose[name]
        assert max(x0 - 3, 0) <= left <= x0
        assert max(y0 - 3, 0) <= above <= y0
        assert x1 <= right <= min(x1 + 3, 16)
        assert y1 <= below <= min(y1 + 3, 12)


def test_empty_images_are_used_only_if_they_are_to_be_kept(project):
    project(train_cases=None)
    save_cases()
    prepare.main()
    empty = [names_of(split)[0] for split in ("train", "val", "test")]
    save_cases(empty=empty)
    prepare.main()
    assert names_of() == NAMES
    assert not pixels_of(TEST_MASKS / f"{empty[2]}.png").any()
    project(train_cases=None, keep_empty=False)
    prepare.main()
    assert set(NAMES) - set(names_of()) == set(empty)


def test_train_cases_are_picked_by_the_seed_and_touch_no_other_split(project):
    save_cases()
    picks, others = set(), set()
    for seed in range(3):
        project(train_cases=3, seed=seed)
        prepare.main()
        assert len(names_of("train")) == 3
        picks.add(tuple(names_of("train")))
        others.add((*names_of("val"), *names_of("test")))
    assert len(picks) > 1
    assert len(others) == 1


def test_more_train_cases_keep_the_ones_picked_before(project):
    save_cases()
    picks = []
    for wanted in (1, 3, None):
        project(train_cases=wanted)
        prepare.main()
        picks.append(set(names_of("train")))
    assert [len(pick) for pick in picks] == [1, 3, 6]
    assert picks[0] < picks[1] < picks[2]


def test_train_cases_count_boxes_and_negatives_come_along_if_they_are_kept(project):
    project(train_cases=None)
    save_cases()
    prepare.main()
    others = {split: names_of(split) for split in ("val", "test")}
    empty = set(names_of("train")[:3])
    save_cases(empty=empty)
    picks = []
    for wanted, keep_empty in ((2, True), (2, False), (100, True)):
        project(train_cases=wanted, keep_empty=keep_empty)
        prepare.main()
        assert {split: names_of(split) for split in ("val", "test")} == others
        assert sum(case.has_object for case in read_index(INDEX, "train")) == min(wanted, 3)
        picks.append(set(names_of("train")))
    assert picks[1] == picks[0] - empty
    assert len(picks[2]) == 6
    assert 0 < len(picks[0] & empty) < 3


def test_groups_never_cross_splits(project):
    project(group_by=r"^(p\d+)_", train_cases=None)
    save_cases()
    prepare.main()
    cases = read_index(INDEX)
    assert [case.group for case in cases] == [name.split("_")[0] for name in sorted(NAMES)]
    assert len({(case.group, case.split) for case in cases}) == 6


def test_same_input_gives_the_same_bytes(project):
    save_cases()
    prepare.main()
    before = contents(Path())
    prepare.main()
    assert contents(Path()) == before


def test_what_was_prepared_before_is_replaced_as_a_whole(project):
    save_cases()
    prepare.main()
    gone = names_of("test")[0]
    (IMAGES / f"{gone}.png").unlink()
    prepare.main()
    assert not any(gone in path for path in contents(PREPARED))
    assert [path.name for path in sorted(Path("data").iterdir())] == ["prepared", "raw"]


def test_a_window_is_recorded_and_applied(project):
    project(window_low=1500, window_high=2500.5)
    save_cases("abc")
    save(IMAGES / "a.png", np.tile(np.array([[0, 1500, 1700.1, 2500.5, 9999]]), (4, 1)).astype(np.uint16))
    save(MASKS / "a.png", draw_labels((1, 1, 2, 2), size=(4, 5)))
    prepare.main()
    assert json.loads(PREPARATION.read_text())["intensity"] == {"window": [1500.0, 2500.5]}
    assert {case.value_range for case in read_index(INDEX)} == {(1500, 2500.5)}
    assert pixels_of(PREPARED / "images/a.png")[0].tolist() == [0, 0, 51, 255, 255]  # 255 * 200 / 1000.5


# ---- volumes


def test_slices_of_a_nifti_volume_are_cases_with_their_place_and_spacing(project):
    project(train_cases=None)
    save_volumes(count=3, slices=2)
    save_nifti(IMAGES / "v0.nii.gz", [draw_labels((8, 0, 16, 12), value=200), draw_labels((0, 0, 4, 12), value=50)])
    save_nifti(MASKS / "v0.nii.gz", [draw_labels(), draw_labels((2, 3, 9, 7))])
    prepare.main()
    assert rows_of(INDEX) == [
        HEADER,
        "v0_s000,v0,test,v0,0,2,12,16,1,8,2,1.5,0,200",
        "v0_s001,v0,test,v0,1,2,12,16,1,8,2,1.5,0,200",
        "v1_s000,v1,val,v1,0,2,12,16,0,8,2,1.5,0,100",
        "v1_s001,v1,val,v1,1,2,12,16,0,8,2,1.5,0,100",
        "v2_s000,v2,train,v2,0,2,12,16,0,8,2,1.5,0,100",
        "v2_s001,v2,train,v2,1,2,12,16,0,8,2,1.5,0,100",
    ]
    assert rows_of(TEST_BOXES)[1:] == ["v0_s001,,2,3,9,7"]
    # The range is that of the whole volume, not of each slice.
    assert np.array_equal(pixels_of(PREPARED / "images/v0_s000.png"), draw_labels((8, 0, 16, 12), value=255))
    assert np.array_equal(pixels_of(PREPARED / "images/v0_s001.png"), draw_labels((0, 0, 4, 12), value=64))
    assert not pixels_of(TEST_MASKS / "v0_s000.png").any()
    assert np.array_equal(pixels_of(TEST_MASKS / "v0_s001.png"), draw_labels((2, 3, 9, 7), value=255))


def test_pages_of_a_tiff_are_slices_of_no_known_spacing(project):
    for name in "abc":
        save_pages(IMAGES / f"{name}.tif", np.stack([draw_labels((0, 0, 8, 12), value=value) for value in (40, 200)]))
        save_pages(MASKS / f"{name}.tif", np.stack([draw_labels((2, 3, 9, 7)), draw_labels()]))
    prepare.main()
    assert rows_of(INDEX)[-2:] == ["c_s000,c,test,c,0,2,12,16,1,,,,0,200", "c_s001,c,test,c,1,2,12,16,1,,,,0,200"]
    assert np.array_equal(pixels_of(PREPARED / "images/a_s000.png"), draw_labels((0, 0, 8, 12), value=51))
    assert not pixels_of(TEST_MASKS / "c_s001.png").any()


def test_volumes_are_cut_along_the_axis_asked_for(project):
    project(slice_axis="coronal", train_cases=None)
    save_volumes(count=3, slices=5)
    prepare.main()
    cases = read_index(INDEX)
    assert {(case.height, case.width, case.volume_slices, case.spacing_mm) for case in cases} == {
        (5, 16, 12, (2, 8, 1.5))
    }
    assert json.loads(PREPARATION.read_text())["slice_axis"] == "coronal"


def test_all_slices_of_a_volume_are_in_one_split(project):
    project(train_cases=None)
    save_volumes(count=7, slices=4)
    prepare.main()
    cases = read_index(INDEX)
    assert Counter(case.volume for case in cases) == {f"v{number}": 4 for number in range(7)}
    assert len({(case.volume, case.split) for case in cases}) == 7
    assert {case.split for case in cases} == {"train", "val", "test"}


def test_train_cases_of_volumes_are_slices(project):
    project(train_cases=5, keep_empty=False)
    save_volumes(count=6, slices=4, empty=[3])
    prepare.main()
    assert len(names_of("train")) == 5
    assert not any(name.endswith("_s003") for name in names_of())
    assert {case.volume_slices for case in read_index(INDEX)} == {4}


def test_an_image_that_is_named_like_a_slice_is_refused(project):
    save_volumes(count=3)
    save_case("v1_s002", draw_labels((2, 3, 9, 7)))
    assert faults_of() == ["v1_s002: expected a name of its own for each image and slice, found 2"]
    assert not PREPARED.exists()


# ---- drawn boxes


def test_a_table_of_boxes_needs_no_mask_anywhere(project):
    project(annotations="boxes.csv", train_cases=None)
    for name in "abcdefgh":
        save_image(IMAGES / f"{name}.png")
    write_boxes(
        ["a.png,2,3,9,7", "b.png,0,0,16,12", "b.png,1,1,2,2", "c,4,4,5,5", "d,,,,", "e.png,2,3,9,7", "f,2,3,9,7"]
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


def test_cocos_boxes_of_images_that_lie_in_the_folder_itself_are_taken(project):
    project(annotations="set.json", train_cases=None, class_ids=["liver"])
    for name in "abcd":
        save_image(RAW / f"{name}.png")
    bbox = [2, 3, 7, 4]  # x, y, width, height
    coco = {
        "images": [{"id": number, "file_name": f"{name}.png"} for number, name in enumerate("abcd")],
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
    project(annotations="set.json", train_cases=None, class_ids=[8])
    assert faults_of()[0] == (
        "class_ids, val_fraction, test_fraction: expected an object in the val images, found none in 1, "
        "of the classes 7, 8, liver, spleen"
    )


def test_images_that_nobody_boxed_are_the_test_set_if_they_have_a_mask_and_else_left_out(project):
    project(annotations="boxes.csv", train_cases=None)
    save_cases([f"m{number}" for number in range(3)])
    for number in range(8):
        save_image(IMAGES / f"b{number}.png")
    save_image(IMAGES / "nobody.png")
    write_boxes([f"b{number}.png,2,3,9,7" for number in range(8)])
    prepare.main()
    assert names_of("test") == ["m0", "m1", "m2"]
    assert [case.boxes_xyxy for case in read_index(INDEX, "test")] == [(box_of(0),), (box_of(1),), (box_of(2),)]
    assert sorted(names_of("train") + names_of("val")) == [f"b{number}" for number in range(8)]
    assert len(names_of("val")) == 2  # a fifth of the boxed ones
    assert [path.name for path in sorted(TEST_MASKS.iterdir())] == ["m0.png", "m1.png", "m2.png"]


def test_masks_of_boxed_images_are_never_read_where_others_are_there_to_test_on(project):
    project(annotations="boxes.csv", train_cases=None)
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


def test_of_boxed_images_with_masks_only_the_test_images_masks_are_read(project):
    project(annotations="boxes.csv", train_cases=None)
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


def test_mask_ids_cut_the_masks_to_test_on_where_boxes_were_drawn(project):
    project(annotations="boxes.csv", train_cases=None, class_ids=["liver"], mask_ids=[2])
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


def test_boxes_of_other_classes_are_told_of(project, call):
    """A class that is spelt in two ways, say."""
    project(annotations="boxes.csv", train_cases=None, class_ids=["rv"])
    save_cases()
    columns = "image,x_min,y_min,x_max,y_max,class"
    rows = [f"{name}.png,1,1,10,10,rv" for name in NAMES]
    write_boxes(rows, columns=columns)
    assert not [line for line in call() if line.startswith("not used")]
    write_boxes([*rows, f"{NAMES[0]}.png,2,2,9,9,RV", f"{NAMES[1]}.png,2,2,9,9,RV"], columns=columns)
    assert call()[0] == "not used: 2 drawn boxes of other classes, RV"


def test_boxes_and_masks_that_disagree_and_images_of_no_use_are_told(project, call):
    project(annotations="boxes.csv", train_cases=None)
    save_cases()
    write_boxes([f"{name}.png,1,1,10,10" for name in NAMES])
    call()
    one, other, _, _ = names_of("test")
    save_cases(empty=[one])
    rows = [f"{name}.png,1,1,10,10" for name in NAMES if name != other]
    write_boxes([*rows, f"{other}.png,,,,"])
    for name in ("nobody", "knows"):
        save_image(IMAGES / f"{name}.png")
    assert call() == [
        "found: 12 images, 0 volumes of 0 slices, 12 groups",
        "size (rows x columns, px): 12 x 16",
        "spacing (slices, rows, columns, mm): unknown",
        "mask values: 0, 1",
        "annotated classes: 1",
        "train: 6 cases of 6 groups, 6 with an object",
        "val: 2 cases of 2 groups, 2 with an object",
        "test: 4 cases of 4 groups, 3 with an object, 4 with a mask",
        "left out: 0 of the training split, 0 of the others",
        "look at these: of 2 test slices boxes and masks do not agree whether there is an object",
        "no use: 2 images with neither boxes nor a mask",
    ]
    boxes = {case.name: case.boxes_xyxy for case in read_index(INDEX, "test")}
    assert (boxes[one], boxes[other]) == ((), (box_of(NAMES.index(other)),))


def test_a_broken_image_that_nobody_boxed_is_left_out(project):
    project(annotations="boxes.csv")
    for name in "abc":
        save_image(IMAGES / f"{name}.png")
    (IMAGES / "broken.png").write_text("broken")
    write_boxes([f"{name}.png,2,3,9,7" for name in "abc"])
    prepare.main()
    assert names_of() == ["a", "b", "c"]


def test_slices_of_volumes_are_boxed_by_number(project):
    project(annotations="boxes.csv", train_cases=None)
    save_volumes(count=4, slices=5)
    for number in (0, 1, 2):
        (MASKS / f"v{number}.nii.gz").unlink()
    rows = [f"v{number}.nii.gz,{index},2,3,9,7" for number in (0, 1, 2) for index in (1, 3)]
    write_boxes([*rows, "v0.nii.gz,4,,,,"], columns="image,slice,x_min,y_min,x_max,y_max")
    prepare.main()
    boxed = {case.name: case.boxes_xyxy for case in read_index(INDEX) if case.volume != "v3"}
    assert boxed == {f"v{number}_s{index:03d}": ((2, 3, 9, 7),) for number in (0, 1, 2) for index in (1, 3)} | {
        "v0_s004": ()
    }
    assert names_of("test") == [f"v3_s{index:03d}" for index in range(5)]
    assert {case.volume_slices for case in read_index(INDEX)} == {5}


@pytest.mark.parametrize("named", ["boxes.csv", "./boxes.csv", "data/raw/boxes.csv", "in full"])
def test_annotations_are_named_below_data_dir_or_in_full(project, named):
    project(annotations=str((RAW / "boxes.csv").resolve()) if named == "in full" else named)
    for name in "abc":
        save_image(IMAGES / f"{name}.png")
    write_boxes([f"{name}.png,2,3,9,7" for name in "abc"])
    prepare.main()
    assert names_of() == ["a", "b", "c"]


@pytest.mark.parametrize("named", ["../boxes.csv", "data/boxes.csv", "in full", "missing.csv"])
def test_annotations_outside_of_data_dir_are_refused_as_dvc_would_not_see_them_change(project, named):
    outside = Path("data/boxes.csv")
    write_boxes(["a.png,2,3,9,7"], outside)
    named = str(outside.resolve()) if named == "in full" else named
    project(annotations=named)
    assert faults_of() == [
        f"annotations: expected a file or folder in data_dir, data/raw, as DVC watches no other, found {named}"
    ]


def test_faults_of_annotations_are_told_all_at_once(project):
    project(annotations="boxes.csv")
    for name in "abc":
        save_image(IMAGES / f"{name}.png")
    write_boxes(["a.png,2,3,9,7", "x.png,2,3,9,7", "b.png,9,3,2,7", "c.png,2,3,17,7"])
    assert [fault.split(":")[0] for fault in faults_of()] == [f"boxes.csv, line {line}" for line in (3, 4, 5)]
    assert not PREPARED.exists()


# ---- other data sets


def test_synthetic_images_are_written_exactly_as_they_were_drawn(project):
    project(dataset="synthetic")
    prepare.main()
    assert [len(names_of(split)) for split in ("train", "val", "test")] == [10, 20, 60]
    scans = {scan.name: scan for scan in synthetic_scans()}
    for case in read_index(INDEX):
        drawn = scans[case.name].open().read_values()[0]
        assert np.array_equal(pixels_of(PREPARED / "images" / f"{case.name}.png"), drawn)
        if case.split == "test":
            assert np.array_equal(pixels_of(TEST_MASKS / f"{case.name}.png"), 255 * scans[case.name].read_labels()[0])
    assert {case.value_range for case in read_index(INDEX)} == {(0, 255)}
    assert json.loads(PREPARATION.read_text())["intensity"] == {"window": [0.0, 255.0]}


def test_hc18_is_prepared_in_frames_of_640_px(project):
    project(dataset="hc18")
    outline = draw_labels((5, 4, 16, 12), value=255, size=(20, 30))
    outline[5:11, 6:15] = 0
    for number in range(4):
        save(RAW / f"training_set/00{number}_HC.png", np.full((20, 30), 7, np.uint8) + np.arange(30, dtype=np.uint8))
        save(RAW / f"training_set/00{number}_HC_Annotation.png", outline)
    lines = [f"00{number}_HC.png,0.12,44.3" for number in range(4)]
    (RAW / "training_set_pixel_size_and_HC.csv").write_text("\n".join(["filename,pixel size(mm),hc", *lines]))
    prepare.main()
    cases = read_index(INDEX)
    assert {case.image_size for case in cases} == {(640, 640)}
    assert {case.boxes_xyxy for case in cases} == {((310, 314, 321, 322),)}  # 305 columns, 310 rows of padding
    assert {case.spacing_mm for case in cases} == {(0.12, 0.12, 0.12)}
    assert [case.group for case in cases] == ["000", "001", "002", "003"]
    image = pixels_of(PREPARED / "images/000_HC.png")
    assert image.shape == (640, 640)
    assert image[310:330, 334].tolist() == [255] * 20
    assert not image[:, 335:].any()
    (tested,) = names_of("test")
    expected = draw_labels((310, 314, 321, 322), value=255, size=(640, 640))
    assert np.array_equal(pixels_of(TEST_MASKS / f"{tested}.png"), expected)  # the outline is filled
    assert json.loads(PREPARATION.read_text())["framing"] == {"canvas_px": 640, "pixel_mm": None}


def test_acdc_is_prepared_in_frames_of_256_mm(project):
    project(dataset="acdc", train_cases=None)
    labels = np.stack([draw_labels(), draw_labels((4, 4, 8, 9))])
    for part, number in (("training", 1), ("training", 2), ("training", 3), ("testing", 101)):
        patient = RAW / f"database/{part}/patient{number:03d}"
        patient.mkdir(parents=True)
        (patient / "Info.cfg").write_text("ED: 1\nES: 9\n")
        for ending, stack in (("", 100 * labels + 5), ("_gt", labels)):
            save_nifti(patient / f"{patient.name}_frame01{ending}.nii.gz", stack)
    prepare.main()
    cases = read_index(INDEX)
    assert names_of("test") == ["patient101_frame01_s000", "patient101_frame01_s001"]
    assert {(case.image_size, case.spacing_mm, case.volume_slices) for case in cases} == {((256, 256), (8, 1, 1), 2)}
    # 12 x 16 pixels of 2 x 1.5 mm become 24 x 24 of 1 mm, 116 px from the edges.
    assert {case.boxes_xyxy for case in cases if case.slice == 1} == {((122, 124, 128, 134),)}
    assert {case.boxes_xyxy for case in cases if case.slice == 0} == {()}
    assert pixels_of(TEST_MASKS / "patient101_frame01_s001.png").shape == (256, 256)
    assert json.loads(PREPARATION.read_text())["framing"] == {"canvas_px": 256, "pixel_mm": 1.0}


def test_camus_is_prepared_in_frames_of_512_px_in_its_own_split(project):
    project(dataset="camus")
    labels = draw_labels((3, 4, 7, 9)) + draw_labels((10, 4, 12, 9), value=2)
    (RAW / "database_split").mkdir()
    for number, word in enumerate(("training", "validation", "testing"), start=1):
        patient = RAW / f"database_nifti/patient000{number}"
        for ending, stack in (("", 100 * labels), ("_gt", labels)):
            save_nifti(patient / f"{patient.name}_2CH_ED{ending}.nii.gz", stack[None])
        (RAW / f"database_split/subgroup_{word}.txt").write_text(f"{patient.name}\n")
    project(dataset="camus", class_ids=[1])
    prepare.main()
    cases = read_index(INDEX)
    assert [(case.name, case.group, case.split) for case in cases] == [
        ("patient0001_2CH_ED", "patient0001", "train"),
        ("patient0002_2CH_ED", "patient0002", "val"),
        ("patient0003_2CH_ED", "patient0003", "test"),
    ]
    assert {(case.image_size, case.volume, case.slice) for case in cases} == {((512, 512), None, None)}
    assert {case.boxes_xyxy for case in cases} == {((251, 254, 255, 259),)}  # 248 columns, 250 rows of padding
    assert pixels_of(TEST_MASKS / "patient0003_2CH_ED.png").shape == (512, 512)


# ---- what is told


def test_what_was_found_and_what_is_used_is_printed(project, call):
    project(train_cases=4, min_object_px=12)
    save_cases(NAMES[:10])
    save_case("extra", draw_labels((0, 0, 1, 1), value=3, size=(8, 8)))
    assert call() == [
        "found: 11 images, 0 volumes of 0 slices, 11 groups",
        "size (rows x columns, px): 2 kinds, 8 x 8 to 12 x 16",
        "spacing (slices, rows, columns, mm): unknown",
        "mask values: 0, 1, 3",
        "train: 4 cases of 4 groups, 4 with an object",
        "val: 2 cases of 2 groups, 2 with an object",
        "test: 3 cases of 3 groups, 3 with an object, 3 with a mask",
        "left out: 2 of the training split, 0 of the others; 1 object below min_object_px",
    ]


def test_a_check_prints_the_same_and_writes_nothing(project, call):
    save_volumes()
    before = contents(Path())
    checked = call("--check")
    assert contents(Path()) == before
    assert [path.name for path in sorted(Path().iterdir())] == ["data", "dvc.yaml", "params.yaml"]
    assert call() == checked
    assert checked[0] == "found: 0 images, 4 volumes of 12 slices, 4 groups"


def test_a_check_leaves_what_was_prepared_before(project, call):
    save_cases("abc")
    call()
    before = contents(Path())
    save_cases("abcdefg")
    assert call("--check")[0].startswith("found: 7 images")
    assert {path: bytes_ for path, bytes_ in contents(Path()).items() if not path.startswith("data/raw")} == {
        path: bytes_ for path, bytes_ in before.items() if not path.startswith("data/raw")
    }


def test_a_value_can_be_changed_for_one_look(project, call):
    save_cases()
    before = contents(Path())
    checked = call("--check", "-S", "train_cases=3", "--set", "class_ids=[[1, 7]]", "-S", r"group_by=^(p\d+)_")
    assert checked[0] == "found: 12 images, 0 volumes of 0 slices, 6 groups"
    assert checked[4].startswith("train: 3 cases")
    assert call("--check", "-S", "train_cases=")[4].startswith("train: 6 cases")  # nothing is null
    assert (
        call("--check", "-S", "data_dir=data/raw", "-S", "train_cases=3", "-S", "train_cases=2")[4][:14]
        == "train: 2 cases"
    )
    assert contents(Path()) == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("train_cases", "expected KEY=VALUE, found train_cases"),
        ("class_ids=[1,", "expected KEY=VALUE, found class_ids=[1,"),
        ("group_by=%", "expected KEY=VALUE, found group_by=%"),
    ],
)
def test_a_change_that_is_none_is_an_error_line(project, call, capsys, change, told):
    with pytest.raises(SystemExit) as ended:
        call("--check", "-S", change)
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"prepare.py: error: argument -S/--set: {told}"


def test_what_is_written_is_what_the_parameters_say_so_that_changes_go_with_a_look_alone(project, call, capsys):
    save_cases("abc")
    with pytest.raises(SystemExit) as ended:
        call("-S", "train_cases=3")
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("prepare.py: error: -S goes with --check alone")
    assert not PREPARED.exists()


def test_a_change_to_what_cannot_be_is_told_by_its_key(project, call):
    save_cases()
    faults = faults_of("--check", "-S", "train_cases=0", "-S", "lr=1", call=call)
    assert [fault.split(":")[1].strip() for fault in faults] == ["train_cases", "lr"]


def test_a_check_fails_like_the_run(project, call):
    save_cases()
    (IMAGES / f"{NAMES[3]}.png").write_text("broken")
    (MASKS / f"{NAMES[5]}.png").unlink()
    assert faults_of("--check", call=call) == faults_of(call=call)
    save_cases(value=0)
    assert faults_of("--check", call=call) == faults_of(call=call)
    assert not PREPARED.exists()
    assert not DATA_REPORT.exists()


# ---- how it fails


def test_broken_files_are_all_named_and_the_old_result_is_untouched(project):
    save_cases()
    prepare.main()
    before = contents(PREPARED)
    broken_image, broken_mask = names_of("test")[1], names_of("val")[1]
    (IMAGES / f"{broken_image}.png").write_text("not an image")
    (MASKS / f"{broken_mask}.png").write_text("not an image")
    ended = run_script()
    assert (ended.returncode, ended.stdout) == (1, "")
    message = ended.stderr.splitlines()[-1]
    assert message.startswith("prepare: ")
    assert f"{IMAGES / broken_image}.png: expected an image, found" in message
    assert f"{MASKS / broken_mask}.png: expected an image, found" in message
    assert "Traceback" not in ended.stderr
    assert contents(PREPARED) == before
    assert [path.name for path in sorted(Path("data").iterdir())] == ["prepared", "raw"]


def test_faults_that_show_only_in_the_image_data_are_all_named_and_the_old_result_is_untouched(project, call):
    for name in NAMES:
        save_image(IMAGES / f"{name}.tif", compression="tiff_adobe_deflate")
        save(MASKS / f"{name}.png", draw_labels((2, 3, 9, 7)))
    checked = call()
    before = contents(Path())
    broken = {str(IMAGES / f"{names_of(split)[0]}.tif") for split in ("train", "val", "test")}
    for path in broken:
        content = Path(path).read_bytes()
        Path(path).write_bytes(content[:8] + bytes(8) + content[16:])  # in the pixels: the header is whole
    assert call("--check") == checked
    message = "; ".join(faults_of(call=call))
    assert message.count(": expected an image, found ") == 3
    assert all(f"{path}: expected an image, found " in message for path in broken)
    after = contents(Path())
    assert {path for path in before if before[path] != after[path]} == broken
    assert after.keys() == before.keys()


def test_a_volume_that_breaks_off_is_named_and_the_old_result_is_untouched(project):
    save_volumes()
    prepare.main()
    before = contents(PREPARED)
    path = IMAGES / "v2.nii.gz"
    save_nifti(path, np.random.default_rng(0).integers(0, 30_000, (3, 12, 16)))
    path.write_bytes(path.read_bytes()[:-60])
    (fault,) = faults_of()
    assert fault.startswith(f"{path}: expected voxels, found data that cannot be read")
    assert contents(PREPARED) == before


def test_masks_that_do_not_fit_their_images_are_all_told(project):
    save_cases("abcd")
    save(MASKS / "a.png", draw_labels((2, 3, 9, 7), size=(16, 12)))
    save(MASKS / "c.png", np.zeros((12, 16, 3), np.uint8) + np.array([1, 2, 3], np.uint8))
    faults = faults_of()
    assert [fault.split(":")[0] for fault in faults] == [str(MASKS / "a.png"), str(MASKS / "c.png")]


def test_a_split_with_broken_files_alone_is_not_blamed_on_class_ids(project):
    save_cases("abc")
    prepare.main()
    (name,) = names_of("test")
    (MASKS / f"{name}.png").write_text("not an image")
    with pytest.raises(InputError, match=rf"{name}\.png: expected an image") as caught:
        prepare.main()
    assert "class_ids" not in str(caught.value)


def test_no_object_anywhere_names_class_ids_and_the_values_found(project):
    project(class_ids=[7])
    save_cases(value=200)
    assert faults_of() == [
        f"{NO_OBJECT} in the {split} images, found none in {count}, of the classes 0, 200"
        for split, count in (("train", 6), ("val", 2), ("test", 4))
    ]
    assert not PREPARED.exists()


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_split_without_an_object_is_named_alone(project, split, call):
    project(train_cases=None)
    save_cases()
    call()
    save_cases(empty=names_of(split))
    assert faults_of("--check", call=call) == [
        f"{NO_OBJECT} in the {split} images, found none in {len(names_of(split))}, of the classes 0, 1"
    ]


def test_objects_that_are_all_too_small_are_not_blamed_on_class_ids_alone(project):
    project(min_object_px=13)
    save_cases()
    assert faults_of() == [
        f"{NO_OBJECT} in the {split} images, found none in {count}, of the classes 0, 1, and {count} objects "
        "below min_object_px"
        for split, count in (("train", 6), ("val", 2))
    ]


def test_the_data_are_in_place_before_their_picture_is_drawn(project):
    save_cases()
    DATA_REPORT.parent.write_text("no folder")
    with pytest.raises(OSError, match=str(DATA_REPORT.parent)):
        prepare.main()
    assert names_of() == NAMES


def test_a_missing_data_folder_is_told_by_its_key(project):
    project(data_dir="data/gone")
    assert faults_of() == ["data_dir: expected a folder, found none at data/gone"]


def test_too_few_groups_are_refused(project):
    project(group_by=r"^(p)")
    save_cases()
    (fault,) = [" ".join(faults_of())]
    assert fault.startswith("expected at least 3 groups (patients, volumes) to split, found 1: see group_by")


def test_empty_data_folder_is_named(project):
    with pytest.raises(
        InputError, match=r"^data/raw/images: expected \.png.* found none; see dataset, data_dir and annotations$"
    ):
        prepare.main()


def test_fault_of_params_is_one_line(project):
    project(train_cases=0, lr=1)
    ended = run_script("--check")
    assert ended.returncode == 1
    assert ended.stderr.startswith("prepare: params.yaml: train_cases: ")
    assert "; params.yaml: lr: no such key\n" in ended.stderr
    assert ended.stderr.count("\n") == 1
