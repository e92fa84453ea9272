"""stages/prepare.py on the unpacked archives of public data sets, with their frames and splits."""

import json

import numpy as np

import prepare
from automedsam.runtime.paths import PREPARATION, PREPARED, TEST_MASKS
from small_data import RAW, draw_labels, names_of, pixels_of, read_cases, save, save_nifti


def test_hc18_is_prepared_in_frames_of_640_px(raw_project):
    raw_project(dataset="hc18")
    outline = draw_labels((5, 4, 16, 12), value=255, size=(20, 30))
    outline[5:11, 6:15] = 0
    for number in range(4):
        save(
            RAW / f"training_set/00{number}_HC.png",
            np.full((20, 30), 7, np.uint8) + np.arange(30, dtype=np.uint8),
        )
        save(RAW / f"training_set/00{number}_HC_Annotation.png", outline)
    lines = [f"00{number}_HC.png,0.12,44.3" for number in range(4)]
    (RAW / "training_set_pixel_size_and_HC.csv").write_text(
        "\n".join(["filename,pixel size(mm),hc", *lines])
    )
    prepare.main()
    cases = read_cases()
    assert {case.image_size for case in cases} == {(640, 640)}
    assert {case.all_boxes_xyxy for case in cases} == {
        ((310, 314, 321, 322),)
    }  # 305 columns, 310 rows of padding
    assert {case.spacing_mm for case in cases} == {(0.12, 0.12, 0.12)}
    assert [case.group for case in cases] == ["000", "001", "002", "003"]
    image = pixels_of(PREPARED / "images/000_HC.png")
    assert image.shape == (640, 640)
    assert image[310:330, 334].tolist() == [255] * 20
    assert not image[:, 335:].any()
    (tested,) = names_of("test")
    expected = draw_labels((310, 314, 321, 322), value=255, size=(640, 640))
    assert np.array_equal(
        pixels_of(TEST_MASKS / f"{tested}.png"), expected
    )  # the outline is filled
    assert json.loads(PREPARATION.read_text())["framing"] == {"canvas_px": 640, "pixel_mm": None}


def test_acdc_is_prepared_in_frames_of_256_mm(raw_project):
    raw_project(dataset="acdc", train_cases=None)
    labels = np.stack([draw_labels(), draw_labels((4, 4, 8, 9))])
    for part, number in (("training", 1), ("training", 2), ("training", 3), ("testing", 101)):
        patient = RAW / f"database/{part}/patient{number:03d}"
        patient.mkdir(parents=True)
        (patient / "Info.cfg").write_text("ED: 1\nES: 9\n")
        for ending, stack in (("", 100 * labels + 5), ("_gt", labels)):
            save_nifti(patient / f"{patient.name}_frame01{ending}.nii.gz", stack)
    prepare.main()
    cases = read_cases()
    assert names_of("test") == ["patient101_frame01_s000", "patient101_frame01_s001"]
    assert {(case.image_size, case.spacing_mm, case.volume_slices) for case in cases} == {
        ((256, 256), (8, 1, 1), 2)
    }
    # 12 x 16 pixels of 2 x 1.5 mm become 24 x 24 of 1 mm, 116 px from the edges.
    assert {case.all_boxes_xyxy for case in cases if case.slice == 1} == {((122, 124, 128, 134),)}
    assert {case.all_boxes_xyxy for case in cases if case.slice == 0} == {()}
    assert pixels_of(TEST_MASKS / "patient101_frame01_s001.png").shape == (256, 256)
    assert json.loads(PREPARATION.read_text())["framing"] == {"canvas_px": 256, "pixel_mm": 1.0}


def test_camus_is_prepared_in_frames_of_512_px_in_its_own_split(raw_project):
    raw_project(dataset="camus")
    labels = draw_labels((3, 4, 7, 9)) + draw_labels((10, 4, 12, 9), value=2)
    (RAW / "database_split").mkdir()
    for number, word in enumerate(("training", "validation", "testing"), start=1):
        patient = RAW / f"database_nifti/patient000{number}"
        for ending, stack in (("", 100 * labels), ("_gt", labels)):
            save_nifti(patient / f"{patient.name}_2CH_ED{ending}.nii.gz", stack[None])
        (RAW / f"database_split/subgroup_{word}.txt").write_text(f"{patient.name}\n")
    raw_project(dataset="camus", class_ids=[1])
    prepare.main()
    cases = read_cases()
    assert [(case.name, case.group, case.split) for case in cases] == [
        ("patient0001_2CH_ED", "patient0001", "train"),
        ("patient0002_2CH_ED", "patient0002", "val"),
        ("patient0003_2CH_ED", "patient0003", "test"),
    ]
    assert {(case.image_size, case.volume, case.slice) for case in cases} == {
        ((512, 512), None, None)
    }
    assert {case.all_boxes_xyxy for case in cases} == {
        ((251, 254, 255, 259),)
    }  # 248 columns, 250 rows of padding
    assert pixels_of(TEST_MASKS / "patient0003_2CH_ED.png").shape == (512, 512)
