"""The user's folder: images with masks or with drawn boxes."""

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from automedsam.datasets.annotations.drawn import Annotations, DrawnBox
from automedsam.datasets.class_ids import parse_classes
from automedsam.datasets.folder import folder_scans
from automedsam.datasets.folder_files import find_files
from automedsam.runtime.errors import InputError
from fake_scans import single_class

BOX = (2, 3, 9, 7)


def save(path, value=0, size=(12, 16)):
    """Write a grey ramp with the value in its first pixel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.arange(size[0] * size[1]).reshape(size).astype(np.uint8)
    pixels[0, 0] = value
    Image.fromarray(pixels).save(path)


def save_pages(path, *values):
    """Write a TIFF of pages (4, 6), each of one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *others = [Image.fromarray(np.full((4, 6), value, np.uint8)) for value in values]
    first.save(path, save_all=True, append_images=others)


def save_nifti(path, stack):
    """Write a stack (slices, rows, columns): pixels of 2 x 1.5 mm, slices of 8 mm."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.asarray(stack, np.uint8).T, np.diag([-1.5, -2, 8, 1])), path)


def fill(folder, names, image_suffix=".png", mask_suffix=".png"):
    for number, name in enumerate(names):
        save(folder / "images" / f"{name}{image_suffix}")
        save(folder / "masks" / f"{name}{mask_suffix}", value=number)


def annotate(*entries):
    """Annotations of (image, slice, box or None, class)."""
    boxes, locations = [], {}
    for line, (image, index, box_xyxy, *classes) in enumerate(entries, start=2):
        location = f"boxes.csv, line {line}"
        locations.setdefault((image, index), location)
        if box_xyxy is not None:
            boxes.append(DrawnBox(location, image, index, tuple(classes or [1]), box_xyxy))
    return Annotations(boxes, locations)


def list_scans(
    folder, group_by=None, annotations=None, class_ids=None, slice_axis="auto", unboxed="empty"
):
    classes = parse_classes(class_ids and [class_ids], None, is_annotated=True)
    files = find_files(folder, annotations is not None)
    scans, _ = folder_scans(files, group_by, slice_axis, annotations, unboxed, classes)
    return scans


@pytest.mark.parametrize(
    ("image", "mask"), [(".png", ".png"), (".jpg", ".png"), (".TIFF", ".tif"), (".JPEG", ".PNG")]
)
def test_images_and_masks_are_paired_by_name(tmp_path, image, mask):
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


def test_scans_with_masks_have_no_boxes_split_or_spacing(tmp_path):
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


def test_masks_are_named_by_their_path_below_the_folder(tmp_path):
    fill(tmp_path / "masks", ["p1/masks/seg", "p2/masks/seg"])
    assert [scan.mask_name for scan in list_scans(tmp_path / "masks")] == [
        "p1/masks/seg.png",
        "p2/masks/seg.png",
    ]


def test_each_file_is_its_own_group_without_group_by(tmp_path):
    fill(tmp_path, ["a_1", "a_2", "b_1"])
    assert [scan.group for scan in list_scans(tmp_path)] == ["a_1", "a_2", "b_1"]


def test_group_by_uses_the_first_group_of_the_pattern(tmp_path):
    fill(tmp_path, ["p1/exam_1", "p1/exam_2", "p2/exam_1", "p3/exam_1"])
    assert [scan.group for scan in list_scans(tmp_path, r"^(p\d+)__exam_(\d)")] == [
        "p1",
        "p1",
        "p2",
        "p3",
    ]


def test_names_that_do_not_match_group_by_are_reported_together(tmp_path):
    fill(tmp_path, ["x_1", "x_2", "p1_1"])
    with pytest.raises(
        InputError, match=r"^group_by: .* no group in 2 of 3 names: .*x_1\.png, .*x_2\.png$"
    ):
        list_scans(tmp_path, r"^(p\d+)_")


def test_group_by_rejects_an_empty_group(tmp_path):
    fill(tmp_path, ["p1", "q1", "r1", "s1"])
    with pytest.raises(InputError, match=r"^group_by: .* no group in 1 of 4 names: [^,]*p1\.png$"):
        list_scans(tmp_path, r"^(?:p|([qrs]))\d")


def test_missing_masks_are_reported_together(tmp_path):
    fill(tmp_path, ["a", "b", "c", "d"])
    for name in ("b", "d"):
        (tmp_path / "masks" / f"{name}.png").unlink()
    with pytest.raises(
        InputError,
        match=r"b\.png: no mask of the same name in .*masks, and no annotations; .*d\.png: no mask",
    ):
        list_scans(tmp_path)


def test_masks_without_an_image_are_ignored(tmp_path):
    fill(tmp_path, ["a", "b", "c"])
    save(tmp_path / "masks" / "d.png")
    assert [scan.name for scan in list_scans(tmp_path)] == ["a", "b", "c"]


@pytest.mark.parametrize("kind", ["images", "masks"])
@pytest.mark.parametrize("twin", ["a.tif", "x__b.png", "c.nii.gz"])
def test_two_files_of_the_same_name_are_rejected(tmp_path, kind, twin):
    fill(tmp_path, ["a", "x/b", "c"])
    if twin == "c.nii.gz":
        save_nifti(tmp_path / kind / twin, np.zeros((1, 2, 3)))
    else:
        save(tmp_path / kind / twin)
    with pytest.raises(
        InputError, match=rf"(?=.*{kind}/{twin}).*, .*: scans must have different names"
    ):
        list_scans(tmp_path)


def test_hidden_and_other_files_are_ignored(tmp_path):
    fill(tmp_path, ["a", "b", "c"])
    for name in ("._a.png", ".thumbnails/z.png", "README.txt", "Thumbs.db"):
        path = tmp_path / "images" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("not an image")
    (tmp_path / "images" / "folder.png").mkdir()
    assert [scan.name for scan in list_scans(tmp_path)] == ["a", "b", "c"]


def test_data_in_a_hidden_folder_is_read(tmp_path):
    fill(tmp_path / ".data", ["a", "b", "c"])
    assert len(list_scans(tmp_path / ".data")) == 3


@pytest.mark.parametrize("kind", ["images", "masks"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_without_images_or_masks_is_rejected(tmp_path, kind, exists):
    fill(tmp_path, ["a", "b", "c"])
    for path in (tmp_path / kind).iterdir():
        path.unlink()
    if not exists:
        (tmp_path / kind).rmdir()
    with pytest.raises(InputError, match=rf"{kind}: no \.png, .* files; check dataset, data_dir"):
        list_scans(tmp_path)


def test_a_mask_of_another_size_is_rejected(tmp_path):
    fill(tmp_path, ["a", "b", "c"])
    save(tmp_path / "masks" / "b.png", size=(16, 12))
    bad = next(scan for scan in list_scans(tmp_path) if scan.name == "b")
    with pytest.raises(
        InputError, match=r"masks/b\.png: .* 1 x 16 x 12 .* 1 x 12 x 16 of .*images/b\.png"
    ):
        bad.read_labels()


def test_listing_opens_no_files(tmp_path):
    fill(tmp_path, ["a", "b", "c"])
    (tmp_path / "images" / "b.png").write_text("broken")
    scans = {scan.name: scan for scan in list_scans(tmp_path)}
    with pytest.raises(InputError, match=r"b\.png"):
        scans["b"].open()


def test_a_multi_page_tiff_is_a_volume(tmp_path):
    save_pages(tmp_path / "images/a.tif", 7, 8, 9)
    save_pages(tmp_path / "masks/a.tiff", 0, 1, 2)
    (scan,) = list_scans(tmp_path)
    opened = scan.open()
    assert (opened.shape, opened.is_volume, opened.spacing_mm) == ((3, 4, 6), True, None)
    assert opened.read_values()[:, 0, 0].tolist() == [7, 8, 9]
    assert scan.read_labels()[:, 0, 0].tolist() == [0, 1, 2]


def test_a_nifti_volume_is_sliced_like_its_mask(tmp_path):
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


def test_slice_axis_applies_to_volume_and_mask(tmp_path):
    stack = np.arange(24).reshape(2, 3, 4)
    save_nifti(tmp_path / "images/a.nii.gz", stack)
    save_nifti(tmp_path / "masks/a.nii", stack)
    (scan,) = list_scans(tmp_path, slice_axis="sagittal")
    assert scan.open().shape == (4, 2, 3)
    assert np.array_equal(scan.open().read_values(), scan.read_labels())


def test_annotated_images_need_no_masks_and_may_be_negative(tmp_path):
    for name in "abc":
        save(tmp_path / "images" / f"{name}.png")
    scans = list_scans(
        tmp_path,
        annotations=annotate(("c.png", None, BOX), ("a", None, None), ("b.png", None, BOX)),
    )
    assert [(scan.name, scan.boxes, scan.read_labels, scan.split) for scan in scans] == [
        ("a", single_class({0: ()}), None, None),
        ("b", single_class({0: (BOX,)}), None, None),
        ("c", single_class({0: (BOX,)}), None, None),
    ]


def test_annotated_images_may_be_stored_in_the_folder_itself(tmp_path):
    for name in ("a.png", "p2/b.png"):
        save(tmp_path / name)
    save(tmp_path / "masks/a.png", value=1)
    (tmp_path / "boxes.csv").write_text("not read by this function")
    scans = list_scans(
        tmp_path, annotations=annotate(("p2/b.png", None, BOX), ("export/a.png", None, BOX))
    )
    assert [scan.name for scan in scans] == ["a", "p2__b"]
    assert scans[0].read_labels()[0, 0, 0] == 1


def test_without_annotations_an_images_folder_is_required(tmp_path):
    fill(tmp_path, ["a", "b", "c"])
    (tmp_path / "images").rename(tmp_path / "pictures")
    with pytest.raises(InputError, match=r"images: no \.png, .* files"):
        list_scans(tmp_path)


def test_images_without_annotation_join_the_test_split_if_they_have_a_mask(tmp_path):
    fill(tmp_path, ["a", "b", "c", "d"])
    for name in ("c", "d"):
        (tmp_path / "masks" / f"{name}.png").unlink()
    scans = list_scans(tmp_path, annotations=annotate(("a.png", None, BOX), ("c.png", None, BOX)))
    assert [
        (scan.name, scan.boxes, scan.read_labels is not None, scan.split) for scan in scans
    ] == [
        ("a", single_class({0: (BOX,)}), True, None),
        ("b", None, True, "test"),
        ("c", single_class({0: (BOX,)}), False, None),
        ("d", None, False, None),
    ]


def test_listing_annotated_images_reads_only_image_headers(tmp_path):
    fill(tmp_path, ["a", "b"])
    content = (tmp_path / "images/a.png").read_bytes()
    (tmp_path / "images/a.png").write_bytes(content[:60])
    for name in "ab":
        (tmp_path / "masks" / f"{name}.png").write_text("broken")
    assert len(list_scans(tmp_path, annotations=annotate(("a.png", None, BOX)))) == 2


@pytest.mark.parametrize("class_ids", [["liver"], [3], ["liver", 7]])
def test_an_image_with_boxes_of_other_classes_is_negative(tmp_path, class_ids):
    for name in "ab":
        save(tmp_path / f"{name}.png")
    drawn = annotate(
        ("a.png", None, BOX, 3, "liver"),
        ("a.png", None, (0, 0, 1, 1), 4, "spleen"),
        ("b.png", None, BOX, 4, "spleen"),
    )
    scans = list_scans(tmp_path, annotations=drawn, class_ids=class_ids)
    assert [scan.boxes for scan in scans] == [single_class({0: (BOX,)}), single_class({0: ()})]


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
        ("v", single_class({0: (), 2: ((0, 0, 6, 4), (1, 1, 2, 2))})),
        ("w", single_class({1: ((1, 2, 3, 4),)})),
    ]


def test_boxes_that_fit_no_image_are_reported_together(tmp_path):
    for name in "ab":
        save(tmp_path / "images" / f"{name}.png")
    save_pages(tmp_path / "images/v.tif", 1, 2)
    with pytest.raises(InputError) as error:
        list_scans(
            tmp_path,
            annotations=annotate(
                ("x.png", None, BOX),
                ("v", None, (0, 0, 1, 1)),
                ("v", 2, (0, 0, 1, 1)),
                ("a", None, (0, 0, 19, 12)),
            ),
        )
    messages = str(error.value).split("; ")
    assert [message.split(":")[0] for message in messages] == [
        f"boxes.csv, line {line}" for line in (2, 3, 4, 5)
    ]


def test_unreadable_images_without_annotation_are_accepted(tmp_path):
    for name in "abc":
        save(tmp_path / "images" / f"{name}.png")
    for name in "ac":
        (tmp_path / "images" / f"{name}.png").write_text("broken")
    scans = list_scans(tmp_path, annotations=annotate(("b.png", None, BOX)))
    assert {scan.name: scan.boxes for scan in scans} == {
        "a": None,
        "b": single_class({0: (BOX,)}),
        "c": None,
    }


def test_unreadable_annotated_images_are_reported_with_other_errors(tmp_path):
    for name in "abc":
        save(tmp_path / "images" / f"{name}.png")
    for name in "ac":
        (tmp_path / "images" / f"{name}.png").write_text("broken")
    with pytest.raises(InputError) as error:
        list_scans(
            tmp_path,
            annotations=annotate(
                ("a.png", None, BOX), ("b.png", None, (0, 0, 19, 12)), ("c.png", None, None)
            ),
        )
    messages = str(error.value).split("; ")
    images = tmp_path / "images"
    assert messages[0].startswith(f"boxes.csv, line 2: {images}/a.png: cannot read the image (")
    assert messages[1].startswith(f"boxes.csv, line 4: {images}/c.png: cannot read the image (")
    assert messages[2].startswith("boxes.csv, line 3: expected a box inside the image")


def test_boxes_of_an_unreadable_image_are_not_placed_on_another(tmp_path):
    for patient in ("p1", "p2"):
        save(tmp_path / "images" / patient / "a.png")
    (tmp_path / "images/p1/a.png").write_text("broken")
    for name, message in (
        ("p1/a.png", r".*p1/a\.png: cannot read the image .*"),
        ("a.png", r"the name 'a\.png' matches several images: p1/a\.png, p2/a\.png"),
    ):
        with pytest.raises(InputError, match=rf"^boxes\.csv, line 2: {message}$"):
            list_scans(tmp_path, annotations=annotate((name, None, BOX)))


def test_unboxed_images_are_unknown_or_empty(tmp_path):
    """An unknown image is used as if it was not listed; one that is marked is a negative."""
    for name in "abcd":
        save(tmp_path / "images" / f"{name}.png")
    save(tmp_path / "masks/c.png")
    drawn = annotate(*((name, None, BOX if name == "a" else None) for name in "abcd"))
    drawn = replace(drawn, marked_empty=frozenset({("d", None)}))
    boxed, nothing = single_class({0: (BOX,)}), single_class({0: ()})
    without_box = [set(), {0}, {0}, {0}]
    for unboxed, boxes, splits in (
        ("unknown", [boxed, None, None, nothing], [None, None, "test", None]),
        ("empty", [boxed, nothing, nothing, nothing], [None, None, None, None]),
    ):
        scans = list_scans(tmp_path, annotations=drawn, unboxed=unboxed)
        assert [scan.boxes for scan in scans] == boxes
        assert [scan.split for scan in scans] == splits
        assert [scan.listed_without_box for scan in scans] == without_box


def test_unknown_slices_of_a_volume_are_left_out_one_by_one(tmp_path):
    for name in "vw":
        save_pages(tmp_path / f"images/{name}.tif", 1, 2, 3)
    drawn = annotate(("v", 0, None), ("v", 1, (0, 0, 3, 3)), ("v", 2, None), ("w", 0, None))
    drawn = replace(drawn, marked_empty=frozenset({("v", 2)}))
    scans = list_scans(tmp_path, annotations=drawn, unboxed="unknown")
    assert [scan.boxes for scan in scans] == [single_class({1: ((0, 0, 3, 3),), 2: ()}), None]
    assert [scan.listed_without_box for scan in scans] == [{0, 2}, {0}]


def test_masks_are_rejected_if_no_name_matches_an_image(tmp_path):
    for name in "ab":
        save(tmp_path / "images" / f"{name}.png")
        save(tmp_path / "masks" / f"{name}_mask.png")
    drawn = annotate(("a.png", None, BOX))
    with pytest.raises(InputError) as error:
        list_scans(tmp_path, annotations=drawn)
    assert str(error.value) == (
        f"{tmp_path / 'masks'}: none of the 2 masks has the name of an image"
    )
    # One mask that matches is enough: the others may belong to images that are stored elsewhere.
    save(tmp_path / "masks/b.png")
    assert [scan.name for scan in list_scans(tmp_path, annotations=drawn)] == ["a", "b"]


def test_an_empty_masks_folder_is_ignored(tmp_path):
    save(tmp_path / "images/a.png")
    (tmp_path / "masks").mkdir()
    assert len(list_scans(tmp_path, annotations=annotate(("a.png", None, BOX)))) == 1


def test_composed_and_decomposed_accents_are_equal(tmp_path):
    """macOS stores a letter and its accent as two characters, other systems as one."""
    save(tmp_path / "images/e\N{COMBINING ACUTE ACCENT}te.png")
    save(tmp_path / "masks/\N{LATIN SMALL LETTER E WITH ACUTE}te.png", value=3)
    (scan,) = list_scans(tmp_path)
    assert (scan.name, scan.group) == ("\N{LATIN SMALL LETTER E WITH ACUTE}te",) * 2
    assert scan.read_labels()[0, 0, 0] == 3
    for name in ("\N{LATIN SMALL LETTER E WITH ACUTE}te.png", "e\N{COMBINING ACUTE ACCENT}te"):
        (scan,) = list_scans(tmp_path, annotations=annotate((name, None, BOX)))
        assert scan.boxes == single_class({0: (BOX,)})


def test_two_files_that_differ_in_the_encoding_of_accents_are_rejected(tmp_path):
    fill(tmp_path, ["e\N{COMBINING ACUTE ACCENT}", "\N{LATIN SMALL LETTER E WITH ACUTE}"])
    with pytest.raises(InputError, match="scans must have different names"):
        list_scans(tmp_path)


def test_the_folder_may_be_a_relative_path(tmp_path, monkeypatch):
    save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    (scan,) = list_scans(Path(), annotations=annotate(("./a.png", None, BOX)))
    assert scan.boxes == single_class({0: (BOX,)})
