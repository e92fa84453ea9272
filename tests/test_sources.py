"""Where cases come from: pairs of files in folders, and the one synthetic data set."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from automedsam.errors import InputError
from automedsam.sources import folder_cases, synthetic_cases


def save(path, value=0, size=(12, 16)):
    """A grey ramp with the value in its first pixel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.arange(size[0] * size[1]).reshape(size).astype(np.uint8)
    pixels[0, 0] = value
    Image.fromarray(pixels).save(path)


def fill(folder, names, image_suffix=".png", mask_suffix=".png"):
    for number, name in enumerate(names):
        save(folder / "images" / f"{name}{image_suffix}")
        save(folder / "masks" / f"{name}{mask_suffix}", value=number)


def list_cases(folder, group_by=None):
    return folder_cases(folder, group_by, val_fraction=0.2, test_fraction=0.3)


@pytest.mark.parametrize(("image", "mask"), [(".png", ".png"), (".jpg", ".png"), (".TIFF", ".tif"), (".JPEG", ".PNG")])
def test_pairs_are_found_by_name_whatever_the_suffix(tmp_path, image, mask):
    fill(tmp_path, ["c", "a", "b"], image, mask)
    cases = {case.name: case for case in list_cases(tmp_path)}
    assert list(cases) == ["a", "b", "c"]
    for name, value in (("c", 0), ("a", 1), ("b", 2)):
        pixels, labels = cases[name].read()
        assert (pixels.shape, pixels.dtype) == ((12, 16), np.uint8)
        assert labels[0, 0] == value


def test_subfolders_are_part_of_the_name(tmp_path):
    fill(tmp_path, ["p1/left/a", "p1/right/a", "p2/a.v2"])
    assert [case.name for case in list_cases(tmp_path)] == ["p1__left__a", "p1__right__a", "p2__a.v2"]


def test_each_file_is_its_own_group_without_group_by(tmp_path):
    fill(tmp_path, ["a_1", "a_2", "b_1"])
    assert [case.group for case in list_cases(tmp_path)] == ["a_1", "a_2", "b_1"]


def test_groups_come_from_the_first_group_of_the_expression(tmp_path):
    fill(tmp_path, ["p1/exam_1", "p1/exam_2", "p2/exam_1", "p3/exam_1"])
    cases = list_cases(tmp_path, r"^(p\d+)__exam_(\d)")
    assert [case.group for case in cases] == ["p1", "p1", "p2", "p3"]
    assert cases[0].split == cases[1].split


def test_names_without_a_group_are_all_told_at_once(tmp_path):
    fill(tmp_path, ["x_1", "x_2", "p1_1"])
    with pytest.raises(InputError, match=r"x_1\.png: expected group_by .* to match its name x_1, .*x_2\.png: "):
        list_cases(tmp_path, r"^(p\d+)_")


def test_a_group_that_takes_no_part_in_the_match_is_none(tmp_path):
    fill(tmp_path, ["p1", "q1", "r1", "s1"])
    with pytest.raises(InputError, match=r"^[^;]*p1\.png: expected group_by .* found no group$"):
        list_cases(tmp_path, r"^(?:p|([qrs]))\d")


def test_images_without_a_mask_are_all_told_at_once(tmp_path):
    fill(tmp_path, ["a", "b", "c", "d"])
    for name in ("b", "d"):
        (tmp_path / "masks" / f"{name}.png").unlink()
    with pytest.raises(InputError, match=r"b\.png: expected a mask of the same name in .*masks, found none; .*d\.png"):
        list_cases(tmp_path)


def test_mask_without_an_image_is_left_alone(tmp_path):
    fill(tmp_path, ["a", "b", "c"])
    save(tmp_path / "masks" / "d.png")
    assert [case.name for case in list_cases(tmp_path)] == ["a", "b", "c"]


@pytest.mark.parametrize("kind", ["images", "masks"])
@pytest.mark.parametrize("twin", ["a.tif", "x__b.png"])
def test_two_files_of_one_name_are_both_told(tmp_path, kind, twin):
    fill(tmp_path, ["a", "x/b", "c"])
    save(tmp_path / kind / twin)
    with pytest.raises(InputError, match=rf"(?=.*{kind}/{twin}).*, .*: expected one file a case"):
        list_cases(tmp_path)


def test_hidden_and_other_files_are_ignored(tmp_path):
    fill(tmp_path, ["a", "b", "c"])
    for name in ("._a.png", ".thumbnails/z.png", "README.txt", "Thumbs.db"):
        path = tmp_path / "images" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("not an image")
    (tmp_path / "images" / "folder.png").mkdir()
    assert [case.name for case in list_cases(tmp_path)] == ["a", "b", "c"]


def test_a_hidden_folder_above_the_data_hides_nothing(tmp_path):
    fill(tmp_path / ".data", ["a", "b", "c"])
    assert len(list_cases(tmp_path / ".data")) == 3


@pytest.mark.parametrize("kind", ["images", "masks"])
@pytest.mark.parametrize("made", [True, False])
def test_folder_without_images_is_named_with_what_was_looked_for(tmp_path, kind, made):
    fill(tmp_path, ["a", "b", "c"])
    for path in (tmp_path / kind).iterdir():
        path.unlink()
    if not made:
        (tmp_path / kind).rmdir()
    with pytest.raises(InputError, match=rf"{kind}: expected \.png, .* files, found none; see dataset and data_dir"):
        list_cases(tmp_path)


def test_mask_of_another_size_is_told_with_both_sizes(tmp_path):
    fill(tmp_path, ["a", "b", "c"])
    save(tmp_path / "masks" / "b.png", size=(16, 12))
    bad = next(case for case in list_cases(tmp_path) if case.name == "b")
    with pytest.raises(InputError, match=r"masks/b\.png: expected the size of .*images/b\.png, 16x12, found 12x16"):
        bad.read()


def test_listing_opens_no_file(tmp_path):
    fill(tmp_path, ["a", "b", "c"])
    (tmp_path / "images" / "b.png").write_text("broken")
    cases = {case.name: case for case in list_cases(tmp_path)}
    with pytest.raises(InputError, match=r"b\.png"):
        cases["b"].read()


def test_too_few_groups_are_refused(tmp_path):
    fill(tmp_path, ["p1_1", "p1_2", "p2_1"])
    with pytest.raises(InputError, match=r"at least 3 groups .* found 2: see group_by"):
        list_cases(tmp_path, r"^(p\d)")


def test_synthetic_cases_are_40_to_train_20_to_validate_60_to_test():
    cases = synthetic_cases()
    assert Counter(case.split for case in cases) == {"train": 40, "val": 20, "test": 60}
    assert [case.name for case in cases] == [case.group for case in cases] == [f"phantom_{n:03d}" for n in range(120)]


def test_synthetic_cases_are_the_same_every_time():
    for one, other in zip(synthetic_cases()[::40], synthetic_cases()[::40], strict=True):
        (image, labels), (image_again, labels_again) = one.read(), other.read()
        assert image.tobytes() == image_again.tobytes()
        assert labels.tobytes() == labels_again.tobytes()
        assert np.unique(labels).tolist() == [0, 1]


def test_synthetic_cases_differ_from_each_other():
    assert len({case.read()[0].tobytes() for case in synthetic_cases()[:4]}) == 4
