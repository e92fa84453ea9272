"""stages/prepare.py on invalid data: it reports every fault and keeps the earlier result."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import prepare
from automedsam.runtime.errors import InputError
from automedsam.runtime.paths import DATA_REPORT, PREPARED
from small_data import (
    IMAGES,
    MASKS,
    NAMES,
    ROOT,
    contents,
    draw_labels,
    errors_of,
    names_of,
    save,
    save_cases,
    save_image,
    save_nifti,
    save_volumes,
)

NO_OBJECT = "class_ids, val_fraction, test_fraction: no object"


def run_script(*arguments):
    command = [sys.executable, ROOT / "stages" / "prepare.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_all_broken_files_are_named_and_the_old_result_is_kept(raw_project):
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
    assert f"{IMAGES / broken_image}.png: cannot read the image (" in message
    assert f"{MASKS / broken_mask}.png: cannot read the image (" in message
    assert "Traceback" not in ended.stderr
    assert contents(PREPARED) == before
    assert [path.name for path in sorted(Path("data").iterdir())] == ["prepared", "raw"]


def test_broken_pixels_are_all_named_and_the_old_result_is_kept(raw_project, call_prepare):
    for name in NAMES:
        save_image(IMAGES / f"{name}.tif", compression="tiff_adobe_deflate")
        save(MASKS / f"{name}.png", draw_labels((2, 3, 9, 7)))
    checked = call_prepare()
    before = contents(Path())
    broken = {str(IMAGES / f"{names_of(split)[0]}.tif") for split in ("train", "val", "test")}
    for path in broken:
        content = Path(path).read_bytes()
        Path(path).write_bytes(
            content[:8] + bytes(8) + content[16:]
        )  # in the pixels: the header is whole
    assert call_prepare("--check") == checked
    message = "; ".join(errors_of(call=call_prepare))
    assert message.count(": cannot read the image (") == 3
    assert all(f"{path}: cannot read the image (" in message for path in broken)
    after = contents(Path())
    assert {path for path in before if before[path] != after[path]} == broken
    assert after.keys() == before.keys()


def test_a_truncated_volume_is_named_and_the_old_result_is_kept(raw_project):
    save_volumes()
    prepare.main()
    before = contents(PREPARED)
    path = IMAGES / "v2.nii.gz"
    save_nifti(path, np.random.default_rng(0).integers(0, 30_000, (3, 12, 16)))
    path.write_bytes(path.read_bytes()[:-60])
    (error,) = errors_of()
    assert error.startswith(f"{path}: cannot read the voxels")
    assert contents(PREPARED) == before


def test_all_masks_that_do_not_fit_their_images_are_named(raw_project):
    save_cases("abcd")
    save(MASKS / "a.png", draw_labels((2, 3, 9, 7), size=(16, 12)))
    save(MASKS / "c.png", np.zeros((12, 16, 3), np.uint8) + np.array([1, 2, 3], np.uint8))
    errors = errors_of()
    assert [error.split(":")[0] for error in errors] == [str(MASKS / "a.png"), str(MASKS / "c.png")]


def test_a_split_of_broken_files_is_not_blamed_on_class_ids(raw_project):
    save_cases("abc")
    prepare.main()
    (name,) = names_of("test")
    (MASKS / f"{name}.png").write_text("not an image")
    with pytest.raises(InputError, match=rf"{name}\.png: cannot read the image") as caught:
        prepare.main()
    assert "class_ids" not in str(caught.value)


def test_no_object_in_any_split_names_class_ids_and_mask_values(raw_project):
    raw_project(class_ids=[7])
    save_cases(value=200)
    assert errors_of() == [
        f"{NO_OBJECT} in the {count} {split} images (classes in the data: 0, 200)"
        for split, count in (("train", 6), ("val", 2), ("test", 4))
    ]
    assert not PREPARED.exists()


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_only_the_split_without_an_object_is_named(raw_project, split, call_prepare):
    raw_project(train_cases=None)
    save_cases()
    call_prepare()
    save_cases(empty=names_of(split))
    assert errors_of("--check", call=call_prepare) == [
        f"{NO_OBJECT} in the {len(names_of(split))} {split} images (classes in the data: 0, 1)"
    ]


def test_objects_that_are_all_too_small_name_min_object_px(raw_project):
    raw_project(min_object_px=13)
    save_cases()
    assert errors_of() == [
        f"{NO_OBJECT} in the {count} {split} images (classes in the data: 0, 1), "
        f"{count} objects below min_object_px"
        for split, count in (("train", 6), ("val", 2))
    ]


def test_data_are_written_before_the_data_sheet_is_drawn(raw_project):
    save_cases()
    DATA_REPORT.parent.write_text("no folder")
    with pytest.raises(OSError, match=str(DATA_REPORT.parent)):
        prepare.main()
    assert names_of() == NAMES


def test_a_missing_data_folder_is_reported_with_its_key(raw_project):
    raw_project(data_dir="data/gone")
    assert errors_of() == ["data_dir: expected a folder, found none at data/gone"]


def test_too_few_groups_are_rejected(raw_project):
    raw_project(group_by=r"^(p)")
    save_cases()
    assert "; ".join(errors_of()).startswith(
        "expected at least 3 groups (patients, volumes) to split, found 1: see group_by"
    )


def test_empty_data_folder_is_named(raw_project):
    with pytest.raises(
        InputError,
        match=r"^data/raw/images: no \.png.* files; check dataset, data_dir and annotations$",
    ):
        prepare.main()


def test_invalid_params_are_reported_in_one_line(raw_project):
    raw_project(train_cases=0, lr=1)
    ended = run_script("--check")
    assert ended.returncode == 1
    assert ended.stderr.startswith("prepare: params.yaml: train_cases: ")
    assert "; params.yaml: lr: no such key\n" in ended.stderr
    assert ended.stderr.count("\n") == 1
