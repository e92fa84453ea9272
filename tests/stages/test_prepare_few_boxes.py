"""stages/prepare.py on few drawn boxes: all of them are for training."""

import numpy as np
import pytest

import prepare
from automedsam.runtime.paths import BOXES, DATA_REPORT, PREPARED, TEST_BOXES, TEST_MASKS
from small_data import (
    IMAGES,
    RAW,
    contents,
    errors_of,
    names_of,
    rows_of,
    save_cases,
    save_image,
    save_nifti,
)

FIFTEEN = [f"c{number:02d}" for number in range(15)]
BOX = "2,3,9,7"


def draw(names, columns="image,x_min,y_min,x_max,y_max"):
    """Boxes of images; an image without a box is listed without coordinates."""
    rows = [f"{name}.png,{BOX}" if name[0] != "e" else f"{name}.png,,,," for name in names]
    RAW.joinpath("boxes.csv").write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")


def save_images(names):
    for name in names:
        save_image(IMAGES / f"{name}.png")
    draw(names)


def test_fifteen_boxes_without_masks_are_all_for_training(raw_project, call_prepare):
    raw_project(annotations="boxes.csv")
    save_images(FIFTEEN)
    assert call_prepare()[3:] == [
        "annotated classes: 1",
        "train: 15 cases of 15 groups, 15 with an object",
        "left out: 0 of the training split, 0 of the others",
        "val: none (val_fraction: auto, 15 boxed images; a split needs 30); train chooses "
        "the epoch by cross-validation in 3 folds of 5, 5 and 5 boxed images from 15 groups, and "
        "the final model learns from all of them",
        "test: none (test_fraction: auto, 15 boxed images; a split needs 30); evaluate "
        "reports the overlap of boxes from cross-validation",
        "read 15, skipped 0",
    ]
    assert names_of("train") == FIFTEEN
    assert len(rows_of(BOXES)) == 16
    assert len(rows_of(TEST_BOXES)) == 1
    assert list(TEST_MASKS.iterdir()) == []
    assert DATA_REPORT.is_file()


def test_a_check_of_few_boxes_prints_the_same(raw_project, call_prepare):
    raw_project(annotations="boxes.csv")
    save_images([*FIFTEEN, "e0", "e1"])
    before = contents(RAW.parent)
    checked = call_prepare("--check")
    assert contents(RAW.parent) == before
    assert call_prepare() == checked


def test_thirty_boxes_are_split(raw_project, call_prepare):
    raw_project(annotations="boxes.csv")
    save_images([f"c{number:02d}" for number in range(30)])
    assert call_prepare()[4:7] == [
        "train: 15 cases of 15 groups, 15 with an object",
        "val: 6 cases of 6 groups, 6 with an object",
        "test: 9 cases of 9 groups, 9 with an object, 0 with a mask",
    ]


def test_given_shares_split_few_boxes(raw_project, call_prepare):
    raw_project(annotations="boxes.csv", val_fraction=0.2, test_fraction=0.3)
    save_images(FIFTEEN)
    lines = call_prepare()
    assert lines[4] == "train: 8 cases of 8 groups, 8 with an object"
    assert not [line for line in lines if "none (" in line]


def test_a_share_of_0_leaves_out_the_split_of_any_data(raw_project, call_prepare):
    raw_project(val_fraction=0, test_fraction=0, train_cases=None)
    save_cases()
    lines = call_prepare()
    assert "train: 12 cases of 12 groups, 12 with an object" in lines
    assert lines[-3].startswith("val: none (val_fraction: 0); train chooses the epoch by cross-")
    assert lines[-2].startswith("test: none (test_fraction: 0); evaluate reports")
    raw_project(val_fraction=0.25, test_fraction=0)
    assert call_prepare()[-2:] == [
        "test: none (test_fraction: 0); evaluate reports the overlap of boxes from the "
        "validation boxes",
        "read 12, skipped 0",
    ]


def test_boxed_images_with_masks_are_still_tested_on(raw_project, call_prepare):
    raw_project(annotations="boxes.csv")
    save_cases()
    draw([path.stem for path in sorted(IMAGES.iterdir())])
    lines = call_prepare()
    assert "test: 4 cases of 4 groups, 4 with an object, 4 with a mask" in lines
    reason = "val_fraction: auto, 12 boxed images; a split needs 30"
    assert lines[-2].startswith(f"val: none ({reason});")


def test_boxes_on_one_volume_are_divided_with_a_warning(raw_project, capsys):
    raw_project(annotations="boxes.csv")
    save_nifti(IMAGES / "v.nii.gz", np.zeros((9, 12, 16)))
    rows = [f"v.nii.gz,{number},{BOX}" for number in range(1, 7)]
    header = "image,slice,x_min,y_min,x_max,y_max"
    RAW.joinpath("boxes.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    prepare.main()
    printed = capsys.readouterr()
    assert "3 folds of 2, 2 and 2 boxed images from 1 group," in printed.out
    assert "warning: all boxes are in the group v, which the folds divide: " in printed.err


def test_images_of_several_groups_need_no_warning(raw_project, capsys):
    raw_project(annotations="boxes.csv")
    save_images(FIFTEEN)
    prepare.main()
    assert "warning" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["e1", "e2", "e3"], "no object in the 3 train images"),
        (["c1", "e1", "e2"], "requires at least 2 boxed training images, found 1"),
    ],
)
def test_fewer_than_two_boxes_are_rejected(raw_project, names, message):
    raw_project(annotations="boxes.csv")
    save_images(names)
    assert message in errors_of()[0]
    assert not PREPARED.exists()
