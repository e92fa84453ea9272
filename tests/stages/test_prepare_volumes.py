"""stages/prepare.py on volumes: slices become cases, and each volume is in one split."""

import json
from collections import Counter

import numpy as np
from PIL import Image

import prepare
from automedsam.runtime.paths import INDEX, PREPARATION, PREPARED, TEST_BOXES, TEST_MASKS
from small_data import (
    HEADER,
    IMAGES,
    MASKS,
    draw_labels,
    errors_of,
    names_of,
    pixels_of,
    read_cases,
    rows_of,
    save_case,
    save_nifti,
    save_volumes,
)


def save_pages(path, stack):
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *others = [Image.fromarray(page) for page in np.asarray(stack, np.uint8)]
    first.save(path, save_all=True, append_images=others)


def test_slices_of_a_nifti_volume_are_cases_with_number_and_spacing(raw_project):
    raw_project(train_cases=None)
    save_volumes(count=3, slices=2)
    save_nifti(
        IMAGES / "v0.nii.gz",
        [draw_labels((8, 0, 16, 12), value=200), draw_labels((0, 0, 4, 12), value=50)],
    )
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
    assert rows_of(TEST_BOXES)[1:] == ["v0_s001,255,2,3,9,7"]
    # Intensities are scaled by the range of the whole volume, not of each slice.
    assert np.array_equal(
        pixels_of(PREPARED / "images/v0_s000.png"), draw_labels((8, 0, 16, 12), value=255)
    )
    assert np.array_equal(
        pixels_of(PREPARED / "images/v0_s001.png"), draw_labels((0, 0, 4, 12), value=64)
    )
    assert not pixels_of(TEST_MASKS / "v0_s000.png").any()
    assert np.array_equal(
        pixels_of(TEST_MASKS / "v0_s001.png"), draw_labels((2, 3, 9, 7), value=255)
    )


def test_pages_of_a_tiff_are_slices_without_spacing(raw_project):
    for name in "abc":
        save_pages(
            IMAGES / f"{name}.tif",
            np.stack([draw_labels((0, 0, 8, 12), value=value) for value in (40, 200)]),
        )
        save_pages(MASKS / f"{name}.tif", np.stack([draw_labels((2, 3, 9, 7)), draw_labels()]))
    prepare.main()
    assert rows_of(INDEX)[-2:] == [
        "c_s000,c,test,c,0,2,12,16,1,,,,0,200",
        "c_s001,c,test,c,1,2,12,16,1,,,,0,200",
    ]
    assert np.array_equal(
        pixels_of(PREPARED / "images/a_s000.png"), draw_labels((0, 0, 8, 12), value=51)
    )
    assert not pixels_of(TEST_MASKS / "c_s001.png").any()


def test_slice_axis_sets_the_axis_along_which_volumes_are_cut(raw_project):
    raw_project(slice_axis="coronal", train_cases=None)
    save_volumes(count=3, slices=5)
    prepare.main()
    cases = read_cases()
    assert {(case.height, case.width, case.volume_slices, case.spacing_mm) for case in cases} == {
        (5, 16, 12, (2, 8, 1.5))
    }
    assert json.loads(PREPARATION.read_text())["slice_axis"] == "coronal"


def test_all_slices_of_a_volume_are_in_one_split(raw_project):
    raw_project(train_cases=None)
    save_volumes(count=7, slices=4)
    prepare.main()
    cases = read_cases()
    assert Counter(case.volume for case in cases) == {f"v{number}": 4 for number in range(7)}
    assert len({(case.volume, case.split) for case in cases}) == 7
    assert {case.split for case in cases} == {"train", "val", "test"}


def test_train_cases_counts_slices_of_volumes(raw_project):
    raw_project(train_cases=5, keep_empty=False)
    save_volumes(count=6, slices=4, empty=[3])
    prepare.main()
    assert len(names_of("train")) == 5
    assert not any(name.endswith("_s003") for name in names_of())
    assert {case.volume_slices for case in read_cases()} == {4}


def test_an_image_named_like_a_slice_is_rejected(raw_project):
    save_volumes(count=3)
    save_case("v1_s002", draw_labels((2, 3, 9, 7)))
    assert errors_of() == [
        "v1_s002: 2 images or slices have this name",
        "rename all but one",
    ]
    assert not PREPARED.exists()
