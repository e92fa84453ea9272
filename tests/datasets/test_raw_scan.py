"""Where scans come from: images with masks or with drawn boxes in folders, and the one synthetic data set."""

from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from automedsam.cases.classes import parse_classes
from automedsam.datasets.annotations.placing import Annotations, DrawnBox
from automedsam.datasets.folder import folder_scans
from automedsam.datasets.synthetic import synthetic_scans
from automedsam.runtime.errors import InputError
from fake_scans import alone

BOX = (2, 3, 9, 7)


def save(path, value=0, size=(12, 16)):
    """A grey ramp with the value in its first pixel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.arange(size[0] * size[1]).reshape(size).astype(np.uint8)
    pixels[0, 0] = value
    Image.fromarray(pixels).save(path)


def save_pages(path, *values):
    """A TIFF of pages (4, 6), each of one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *others = [Image.fromarray(np.full((4, 6), value, np.uint8)) for value in values]
    first.save(path, save_all=True, append_images=others)


def save_nifti(path, stack):
    """A stack (slices, rows, columns) of thick slices of 2 x 1.5 mm pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.asarray(stack, np.uint8).T, np.diag([-1.5, -2, 8, 1])), path)


def fill(folder, names, image_suffix=".png", mask_suffix=".png"):
    for number, name in enumerate(names):
        save(folder / "images" / f"{name}{image_suffix}")
        save(folder / "masks" / f"{name}{mask_suffix}", value=number)


def annotate(*entries):
    """Annotations of (image, slice, box or None, class)."""
    boxes, listed = [], {}
    for line, (image, index, box_xyxy, *classes) in enumerate(entries, start=2):
        listed.setdefault((image, index), f"boxes.csv, line {line}")
        if box_xyxy is not None:
            boxes.append(
                DrawnBox(f"boxes.csv, line {line}", image, index, tuple(classes or [1]), box_xyxy)
            )
    return Annotations(boxes, listed)


def list_scans(folder, group_by=None, annotations=None, class_ids=None, slice_axis="auto"):
    classes = parse_classes(class_ids and [class_ids], None, is_annotated=True)
    return folder_scans(folder, group_by, slice_axis, annotations, classes)


@pytest.mark.parametrize(
    ("image", "mask"), [(".png", ".png"), (".jpg", ".png"), (".TIFF", ".tif"), (".JPEG", ".PNG")]
)
def test_pairs_are_found_by_name_whatever_the_suffix(tmp_path, image, mask):
    fill(tmp_path, ["c", "a", "b"], image, mask)
    scans = {scan.name: scan for scan in list_scans(tmp_path)}
    assert list(scans) == ["a", "b", "c"]
    for name, value in (("c", 0), ("a", 1), ("b", 2)):
        opened, labels = scans[name].open(), scans[name].read_labels()
        assert (opened.shape, opened.is_volume, opened.read_values().dtype) == (
            (1, 12, 16),
            False,
            np.uint8,
        )
        assert (labels.shape, labels.dtype, labels[0, 0, 0]) == ((1, 12, 16), np.uint8, value)


def test_scans_with_masks_have_no_drawn_boxes_and_no_split_of_their_own(tmp_path):
    fill(tmp_path, ["a", "b", "c"])
    assert {(scan.boxes, scan.split, scan.spacing_mm) for scan in list_scans(tmp_path)} == {
        (None, None, None)
    }


def test_subfolders_are_part_of_the_name(tmp_path):
    fill(tmp_path, ["p1/left/a", "p1/right/a", "p2/a.v2"])
    assert [scan.name for scan in list_scans(tmp_path)] == [
        "p1__left__a",
        "p1__right__a",
        "p2__a.v2",
    ]


def test_each_file_is_its_own_group_without_group_by(tmp_path):
    fill(tmp_path, ["a_1", "a_2", "b_1"])
    assert [scan.group for scan in list_scans(tmp_path)] == ["a_1", "a_2", "b_1"]


def test_groups_come_from_the_first_group_of_the_expression(tmp_path):
    fill(tmp_path, ["p1/exam_1", "p1/exam_2", "p2/exam_1", "p3/exam_1"])
    assert [scan.group for scan in list_scans(tmp_path, r"^(p\d+)__exam_(\d)")] == [
        "p1",
        "p1",
        "p2",
        "p3",
    ]


def test_names_without_a_group_are_all_told_at_once(tmp_path):
    fill(tmp_path, ["x_1", "x_2", "p1_1"])
    with pytest.raises(
        InputError, match=r"^group_by: expected .* found 2 of 3 .*x_1\.png, .*x_2\.png$"
    ):
        list_scans(tmp_path, r"^(p\d+)_")


def test_a_group_that_takes_no_part_in_the_match_is_none(tmp_path):
    fill(tmp_path, ["p1", "q1", "r1", "s1"])
    with pytest.raises(
        InputError, match=r"^group_by: expected .* found 1 of 4 that it does not: [^,]*p1\.png$"
    ):
        list_scans(tmp_path, r"^(?:p|([qrs]))\d")


def test_images_without_a_mask_are_all_told_at_once(tmp_path):
    fill(tmp_path, ["a", "b", "c", "d"])
    for name in ("b", "d"):
        (tmp_path / "masks" / f"{name}.png").unlink()
    with pytest.raises(
        InputError,
        match=r"b\.png: expected a mask of the same name in .*masks, or annotations, found none; .*d\.png",
    ):
        list_scans(tmp_path)


def test_mask_without_an_image_is_left_alone(tmp_path):
    fill(tmp_path, ["a", "b", "c"])
    save(tmp_path / "masks" / "d.png")
    assert [scan.name for scan in list_scans(tmp_path)] == ["a", "b", "c"]


@pytest.mark.parametrize("kind", ["images", "masks"])
@pytest.mark.parametrize("twin", ["a.tif", "x__b.png", "c.nii.gz"])
def test_two_files_of_one_name_are_both_told(tmp_path, kind, twin):
    fill(tmp_path, ["a", "x/b", "c"])
    save_nifti(tmp_path / kind / twin, np.zeros((1, 2, 3))) if twin == "c.nii.gz" else save(
        tmp_path / kind / twin
    )
    with pytest.raises(InputError, match=rf"(?=.*{kind}/{twin}).*, .*: expected one file a scan"):
        list_scans(tmp_path)


def test_hidden_and_other_files_are_ignored(tmp_path):
    fill(tmp_path, ["a", "b", "c"])
    for name in ("._a.png", ".thumbnails/z.png", "README.txt", "Thumbs.db"):
        path = tmp_path / "images" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("not an image")
    (tmp_path / "images" / "folder.png").mkdir()
    assert [scan.name for scan in list_scans(tmp_path)] == ["a", "b", "c"]


def test_a_hidden_folder_above_the_data_hides_nothing(tmp_path):
    fill(tmp_path / ".data", ["a", "b", "c"])
    assert len(list_scans(tmp_path / ".data")) == 3


@pytest.mark.parametrize("kind", ["images", "masks"])
@pytest.mark.parametrize("made", [True, False])
def test_folder_without_images_is_named_with_what_was_looked_for(tmp_path, kind, made):
    fill(tmp_path, ["a", "b", "c"])
    for path in (tmp_path / kind).iterdir():
        path.unlink()
    if not made:
        (tmp_path / kind).rmdir()
    with pytest.raises(
        InputError,
        match=rf"{kind}: expected \.png, .* files, found none; see dataset, data_dir and annotations",
    ):
        list_scans(tmp_path)


def test_mask_of_another_size_is_told_with_both_sizes(tmp_path):
    fill(tmp_path, ["a", "b", "c"])
    save(tmp_path / "masks" / "b.png", size=(16, 12))
    bad = next(scan for scan in list_scans(tmp_path) if scan.name == "b")
    with pytest.raises(
        InputError,
        match=r"masks/b\.png: expected the size of .*images/b\.png, 1 x 12 x 16 .* 1 x 16 x 12",
    ):
        bad.read_labels()


def test_listing_opens_no_file(tmp_path):
    fill(tmp_path, ["a", "b", "c"])
    (tmp_path / "images" / "b.png").write_text("broken")
    scans = {scan.name: scan for scan in list_scans(tmp_path)}
    with pytest.raises(InputError, match=r"b\.png"):
        scans["b"].open()


def test_a_tiff_of_several_pages_is_a_volume(tmp_path):
    save_pages(tmp_path / "images/a.tif", 7, 8, 9)
    save_pages(tmp_path / "masks/a.tiff", 0, 1, 2)
    (scan,) = list_scans(tmp_path)
    opened = scan.open()
    assert (opened.shape, opened.is_volume, opened.spacing_mm) == ((3, 4, 6), True, None)
    assert opened.read_values()[:, 0, 0].tolist() == [7, 8, 9]
    assert scan.read_labels()[:, 0, 0].tolist() == [0, 1, 2]


def test_a_nifti_volume_is_cut_like_its_mask(tmp_path):
    stack = np.arange(24).reshape(2, 3, 4)
    save_nifti(tmp_path / "images/a.nii.gz", stack)
    save_nifti(tmp_path / "masks/a.nii", stack % 3)
    (scan,) = list_scans(tmp_path)
    opened = scan.open()
    assert (scan.name, opened.shape, opened.is_volume, opened.spacing_mm) == (
        "a",
        (2, 3, 4),
        True,
        (8, 2, 1.5),
    )
    assert np.array_equal(opened.read_values(), stack)
    assert np.array_equal(scan.read_labels(), stack % 3)


def test_slice_axis_cuts_volume_and_mask_alike(tmp_path):
    stack = np.arange(24).reshape(2, 3, 4)
    save_nifti(tmp_path / "images/a.nii.gz", stack)
    save_nifti(tmp_path / "masks/a.nii", stack)
    (scan,) = list_scans(tmp_path, slice_axis="sagittal")
    assert scan.open().shape == (4, 2, 3)
    assert np.array_equal(scan.open().read_values(), scan.read_labels())


def test_drawn_boxes_need_no_masks_and_listed_images_without_one_are_negatives(tmp_path):
    for name in "abc":
        save(tmp_path / "images" / f"{name}.png")
    scans = list_scans(
        tmp_path,
        annotations=annotate(("c.png", None, BOX), ("a", None, None), ("b.png", None, BOX)),
    )
    assert [(scan.name, scan.boxes, scan.read_labels, scan.split) for scan in scans] == [
        ("a", alone({0: ()}), None, None),
        ("b", alone({0: (BOX,)}), None, None),
        ("c", alone({0: (BOX,)}), None, None),
    ]


def test_images_lie_in_the_folder_itself_if_there_is_none_for_them(tmp_path):
    for name in ("a.png", "p2/b.png"):
        save(tmp_path / name)
    save(tmp_path / "masks/a.png", value=1)
    (tmp_path / "boxes.csv").write_text("never read here")
    scans = list_scans(
        tmp_path, annotations=annotate(("p2/b.png", None, BOX), ("export/a.png", None, BOX))
    )
    assert [scan.name for scan in scans] == ["a", "p2__b"]
    assert scans[0].read_labels()[0, 0, 0] == 1


def test_the_folder_itself_holds_no_images_where_masks_are_all_there_is(tmp_path):
    fill(tmp_path, ["a", "b", "c"])
    (tmp_path / "images").rename(tmp_path / "pictures")
    with pytest.raises(InputError, match=r"images: expected \.png, .* files, found none"):
        list_scans(tmp_path)


def test_images_that_nobody_boxed_are_tested_on_if_they_have_a_mask_and_else_of_no_use(tmp_path):
    fill(tmp_path, ["a", "b", "c", "d"])
    for name in ("c", "d"):
        (tmp_path / "masks" / f"{name}.png").unlink()
    scans = list_scans(tmp_path, annotations=annotate(("a.png", None, BOX), ("c.png", None, BOX)))
    assert [
        (scan.name, scan.boxes, scan.read_labels is not None, scan.split) for scan in scans
    ] == [
        ("a", alone({0: (BOX,)}), True, None),
        ("b", None, True, "test"),
        ("c", alone({0: (BOX,)}), False, None),
        ("d", None, False, None),
    ]


def test_listing_annotated_images_reads_headers_and_no_mask(tmp_path):
    fill(tmp_path, ["a", "b"])
    content = (tmp_path / "images/a.png").read_bytes()
    (tmp_path / "images/a.png").write_bytes(content[:60])
    for name in "ab":
        (tmp_path / "masks" / f"{name}.png").write_text("broken")
    assert len(list_scans(tmp_path, annotations=annotate(("a.png", None, BOX)))) == 2


@pytest.mark.parametrize("class_ids", [["liver"], [3], ["liver", 7]])
def test_boxes_of_other_classes_leave_a_negative(tmp_path, class_ids):
    for name in "ab":
        save(tmp_path / f"{name}.png")
    drawn = annotate(("a.png", None, BOX, 3, "liver"), ("a.png", None, (0, 0, 1, 1), 4, "spleen"),
                     ("b.png", None, BOX, 4, "spleen"))  # fmt: skip
    assert [
        scan.boxes for scan in list_scans(tmp_path, annotations=drawn, class_ids=class_ids)
    ] == [
        alone({0: (BOX,)}),
        alone({0: ()}),
    ]


def test_volumes_are_annotated_by_slice(tmp_path):
    save_pages(tmp_path / "images/v.tif", 1, 2, 3, 4)
    save_nifti(tmp_path / "images/w.nii.gz", np.zeros((3, 4, 6)))
    drawn = annotate(
        ("v.tif", 2, (0, 0, 6, 4)),
        ("v.tif", 0, None),
        ("v.tif", 2, (1, 1, 2, 2)),
        ("w_s001.png", None, (1, 2, 3, 4)),
    )
    scans = list_scans(tmp_path, annotations=drawn)
    assert [(scan.name, scan.boxes) for scan in scans] == [
        ("v", alone({0: (), 2: ((0, 0, 6, 4), (1, 1, 2, 2))})),
        ("w", alone({1: ((1, 2, 3, 4),)})),
    ]


def test_boxes_that_fit_no_image_are_all_told(tmp_path):
    for name in "ab":
        save(tmp_path / "images" / f"{name}.png")
    save_pages(tmp_path / "images/v.tif", 1, 2)
    with pytest.raises(InputError) as told:
        list_scans(
            tmp_path,
            annotations=annotate(
                ("x.png", None, BOX),
                ("v", None, (0, 0, 1, 1)),
                ("v", 2, (0, 0, 1, 1)),
                ("a", None, (0, 0, 17, 12)),
            ),
        )
    faults = str(told.value).split("; ")
    assert [fault.split(":")[0] for fault in faults] == [
        f"boxes.csv, line {line}" for line in (2, 3, 4, 5)
    ]


def test_broken_images_that_nobody_boxed_are_no_fault(tmp_path):
    for name in "abc":
        save(tmp_path / "images" / f"{name}.png")
    for name in "ac":
        (tmp_path / "images" / f"{name}.png").write_text("broken")
    scans = list_scans(tmp_path, annotations=annotate(("b.png", None, BOX)))
    assert {scan.name: scan.boxes for scan in scans} == {
        "a": None,
        "b": alone({0: (BOX,)}),
        "c": None,
    }


def test_broken_images_that_are_listed_are_all_told_with_the_other_faults(tmp_path):
    for name in "abc":
        save(tmp_path / "images" / f"{name}.png")
    for name in "ac":
        (tmp_path / "images" / f"{name}.png").write_text("broken")
    with pytest.raises(InputError) as told:
        list_scans(
            tmp_path,
            annotations=annotate(
                ("a.png", None, BOX), ("b.png", None, (0, 0, 17, 12)), ("c.png", None, None)
            ),
        )
    faults = str(told.value).split("; ")
    for name, fault in zip("ac", faults[:2], strict=True):
        assert fault.startswith(f"{tmp_path / 'images' / name}.png: expected an image, found ")
    assert [fault.split(":")[0] for fault in faults[2:]] == [
        f"boxes.csv, line {line}" for line in (2, 4, 3)
    ]
    assert faults[2] == "boxes.csv, line 2: expected an image that can be read, found a.png"


def test_boxes_of_a_broken_image_are_not_taken_for_those_of_one_of_a_like_name(tmp_path):
    for patient in ("p1", "p2"):
        save(tmp_path / "images" / patient / "a.png")
    (tmp_path / "images/p1/a.png").write_text("broken")
    for listed, fault in (
        ("p1/a.png", "an image that can be read"),
        ("a.png", "the name of one image"),
    ):
        with pytest.raises(
            InputError, match=rf"p1/a\.png: .*; boxes\.csv, line 2: expected {fault}, found "
        ):
            list_scans(tmp_path, annotations=annotate((listed, None, BOX)))


def test_masks_that_fit_no_image_are_told_as_their_names_must_be_wrong(tmp_path):
    for name in "ab":
        save(tmp_path / "images" / f"{name}.png")
        save(tmp_path / "masks" / f"{name}_mask.png")
    drawn = annotate(("a.png", None, BOX))
    with pytest.raises(InputError) as told:
        list_scans(tmp_path, annotations=drawn)
    assert str(told.value) == (
        f"{tmp_path / 'masks'}: expected masks of the same names as images, found no such name in 2"
    )
    save(
        tmp_path / "masks/b.png"
    )  # one that fits: the others may belong to images that are elsewhere
    assert [scan.name for scan in list_scans(tmp_path, annotations=drawn)] == ["a", "b"]


def test_an_empty_folder_of_masks_is_none(tmp_path):
    save(tmp_path / "images/a.png")
    (tmp_path / "masks").mkdir()
    assert len(list_scans(tmp_path, annotations=annotate(("a.png", None, BOX)))) == 1


def test_accents_are_the_same_however_they_are_spelled(tmp_path):
    """macOS writes a letter and its accent as two characters, other systems as one."""
    save(tmp_path / "images/e\N{COMBINING ACUTE ACCENT}te.png")
    save(tmp_path / "masks/\N{LATIN SMALL LETTER E WITH ACUTE}te.png", value=3)
    (scan,) = list_scans(tmp_path)
    assert (scan.name, scan.group) == ("\N{LATIN SMALL LETTER E WITH ACUTE}te",) * 2
    assert scan.read_labels()[0, 0, 0] == 3
    for spelled in ("\N{LATIN SMALL LETTER E WITH ACUTE}te.png", "e\N{COMBINING ACUTE ACCENT}te"):
        (scan,) = list_scans(tmp_path, annotations=annotate((spelled, None, BOX)))
        assert scan.boxes == alone({0: (BOX,)})


def test_two_files_whose_names_differ_in_the_spelling_of_accents_are_both_told(tmp_path):
    fill(tmp_path, ["e\N{COMBINING ACUTE ACCENT}", "\N{LATIN SMALL LETTER E WITH ACUTE}"])
    with pytest.raises(InputError, match="expected one file a scan"):
        list_scans(tmp_path)


def test_synthetic_scans_are_40_to_train_20_to_validate_60_to_test():
    scans = synthetic_scans()
    assert Counter(scan.split for scan in scans) == {"train": 40, "val": 20, "test": 60}
    assert (
        [scan.name for scan in scans]
        == [scan.group for scan in scans]
        == [f"phantom_{n:03d}" for n in range(120)]
    )


def test_synthetic_scans_are_images_with_masks_and_the_same_every_time():
    for one, other in zip(synthetic_scans()[::40], synthetic_scans()[::40], strict=True):
        opened, labels = one.open(), one.read_labels()
        assert (opened.shape, opened.is_volume, opened.spacing_mm) == ((1, 256, 256), False, None)
        assert opened.read_values().dtype == np.uint8
        assert opened.read_values().tobytes() == other.open().read_values().tobytes()
        assert (labels.shape, labels.dtype) == ((1, 256, 256), np.int64)
        assert labels.tobytes() == other.read_labels().tobytes()
        assert np.unique(labels).tolist() == [0, 1]


def test_synthetic_scans_differ_from_each_other():
    assert len({scan.open().read_values().tobytes() for scan in synthetic_scans()[:4]}) == 4


def test_a_relative_folder_is_taken_from_where_one_stands(tmp_path, monkeypatch):
    save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    (scan,) = list_scans(Path(), annotations=annotate(("./a.png", None, BOX)))
    assert scan.boxes == alone({0: (BOX,)})
