"""Scans in folders: found and named, opened by what they are, and masks held against them."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from automedsam.runtime.errors import InputError
from automedsam.scans.image import ImageScan
from automedsam.scans.nifti import NiftiScan
from automedsam.scans.scan import find_scans, mask_path, name_scans, open_scan, read_mask, stem
from automedsam.scans.tiff import TiffScan
from orientations import OBLIQUE, ORIENTATIONS, ROTATIONS, numbered, store

LENGTHS = (1.0, 1.25, 2.5)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def save_volume(path, volume, affine):
    nib.save(nib.Nifti1Image(volume, affine), path)


def save_image(path, pixels):
    Image.fromarray(pixels).save(path)


def test_scans_are_opened_by_their_names(tmp_path):
    save_image(tmp_path / "a.PNG", np.zeros((4, 5), np.uint8))
    save_image(tmp_path / "b.tif", np.zeros((4, 5), np.uint8))
    save_volume(tmp_path / "c.nii.gz", np.zeros((4, 5, 6), np.uint8), np.eye(4))
    kinds = {path.name: type(open_scan(path, "auto")) for path in tmp_path.iterdir()}
    assert kinds == {"a.PNG": ImageScan, "b.tif": TiffScan, "c.nii.gz": NiftiScan}
    assert open_scan(tmp_path / "c.nii.gz", "coronal").shape == (5, 6, 4)


@pytest.mark.parametrize("name", ["a.png", "a.nii.gz", "a.dcm", "a"])
def test_a_missing_scan_is_named(tmp_path, name):
    with pytest.raises(InputError, match=rf"{name}: expected an image, found no such file"):
        open_scan(tmp_path / name, "auto")


def test_scans_are_found_in_all_folders_but_hidden_ones(tmp_path):
    found = [
        "a.png",
        "b.JPG",
        "c.jpeg",
        "d.tif",
        "e.TIFF",
        "one/two/f.nii",
        "one/g.nii.gz",
        "one/h.NII.GZ",
    ]
    touch(
        tmp_path,
        *found,
        ".hidden/i.png",
        "one/.j.png",
        "._a.png",
        "k.gz",
        "l.txt",
        "png",
        "m.npy",
        "n.nii.bz2",
    )
    (tmp_path / "folder.png").mkdir()
    assert find_scans(tmp_path) == sorted(tmp_path / name for name in found)


def test_a_folder_below_a_hidden_one_may_be_searched(tmp_path):
    touch(tmp_path, ".cache/images/a.png")
    assert find_scans(tmp_path / ".cache/images") == [tmp_path / ".cache/images/a.png"]


def test_a_scans_name_is_its_path_without_suffix(tmp_path):
    touch(tmp_path, "b.c.nii.gz", "a.NII", "one/two/a.png", "one/a.tiff")
    assert name_scans(tmp_path) == {
        "a": tmp_path / "a.NII",
        "b.c": tmp_path / "b.c.nii.gz",
        "one__a": tmp_path / "one/a.tiff",
        "one__two__a": tmp_path / "one/two/a.png",
    }
    assert list(name_scans(tmp_path)) == ["a", "b.c", "one__a", "one__two__a"]


def test_two_scans_of_one_name_are_refused_all_at_once(tmp_path):
    touch(tmp_path, "a.png", "a.nii.gz", "one/b.tif", "one__b.jpg", "c.png")
    with pytest.raises(InputError) as told:
        name_scans(tmp_path)
    assert str(told.value) == (
        f"{tmp_path / 'a.nii.gz'}, {tmp_path / 'a.png'}: expected one file a scan; "
        f"{tmp_path / 'one/b.tif'}, {tmp_path / 'one__b.jpg'}: expected one file a scan"
    )


@pytest.mark.parametrize("folder", [".", "absent"])
def test_a_folder_without_scans_is_refused(tmp_path, folder):
    touch(tmp_path, "notes.txt", ".a.png")
    with pytest.raises(
        InputError,
        match=r"expected \.png, .*\.nii\.gz.* files, found none; see dataset, data_dir and annotations",
    ):
        name_scans(tmp_path / folder)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.png", "a"),
        ("a.b.TIFF", "a.b"),
        ("a.nii", "a"),
        ("a.nii.gz", "a"),
        ("A.NII.GZ", "A"),
        ("a.dcm", "a"),
        ("series 1.2", "series 1.2"),
    ],
)
def test_nii_gz_is_one_suffix(name, expected):
    assert stem(Path("some.png") / name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("one/a.png", "one/a.png"),
        ("a.tif", "a.tif"),
        ("one/a.jpg", "one/a.png"),
        ("a.b.JPEG", "a.b.png"),
        ("one/two/a.nii.gz", "one/two/a.nii.gz"),
        ("a.nii", "a.nii"),
        ("one/a.dcm", "one/a.nii.gz"),
    ],
)
def test_a_mask_is_of_its_images_name_and_format_if_that_can_hold_one(tmp_path, name, expected):
    assert mask_path(tmp_path / name, tmp_path) == Path(expected)


def test_a_series_mask_is_named_after_its_folder(tmp_path):
    (tmp_path / "patient/series 1.2").mkdir(parents=True)
    assert mask_path(tmp_path / "patient/series 1.2", tmp_path) == Path("patient/series 1.2.nii.gz")


@pytest.mark.parametrize("slice_axis", ["auto", "axial", "coronal", "sagittal"])
@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize("orientation", ORIENTATIONS[::5])
def test_a_mask_stored_in_another_orientation_is_turned(
    tmp_path, orientation, rotation, slice_axis
):
    image, image_affine = store(numbered().astype(np.int16), LENGTHS, ORIENTATIONS[13], rotation)
    mask, mask_affine = store((numbered() % 3).astype(np.uint8), LENGTHS, orientation, rotation)
    save_volume(tmp_path / "a.nii.gz", image, image_affine)
    save_volume(tmp_path / "mask.nii", mask, mask_affine)
    values = open_scan(tmp_path / "a.nii.gz", slice_axis).read_values()
    labels = read_mask(tmp_path / "a.nii.gz", tmp_path / "mask.nii", slice_axis)
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, values % 3)


def test_affines_may_differ_in_their_last_digits(tmp_path):
    stored, affine = store(numbered().astype(np.int16), LENGTHS, ORIENTATIONS[13], OBLIQUE)
    save_volume(tmp_path / "a.nii", stored, affine)
    affine[:3] += 1e-6 * np.arange(12).reshape(3, 4)
    save_volume(tmp_path / "mask.nii", stored, affine)
    labels = read_mask(tmp_path / "a.nii", tmp_path / "mask.nii", "auto")
    np.testing.assert_array_equal(labels, open_scan(tmp_path / "a.nii", "auto").read_values())


def test_the_axis_of_thick_slices_is_the_images_and_not_the_masks(tmp_path):
    save_volume(tmp_path / "a.nii", numbered().astype(np.int16), np.diag([1.501, 1, 1, 1]))
    save_volume(tmp_path / "mask.nii", numbered().astype(np.int16), np.diag([1.499, 1, 1, 1]))
    labels = read_mask(tmp_path / "a.nii", tmp_path / "mask.nii", "auto")
    np.testing.assert_array_equal(labels, open_scan(tmp_path / "a.nii", "auto").read_values())


@pytest.mark.parametrize(
    ("change", "offset"),
    [
        (lambda affine: affine + np.outer([1, 0, 0, 0], [0, 0, 0, 0.5]), "0.5"),
        (lambda affine: affine @ np.diag([1, 1, 2, 1]), "5"),
        (lambda affine: np.diag([-1, 1, 1, 1]) @ affine, "6"),
    ],
    ids=["shifted", "stretched", "mirrored"],
)
def test_a_mask_in_another_place_is_refused(tmp_path, change, offset):
    affine = np.diag([1.0, 1.25, 2.5, 1.0])
    affine[0, 3] = 1.5
    save_volume(tmp_path / "a.nii", numbered().astype(np.int16), affine)
    save_volume(tmp_path / "mask.nii", numbered().astype(np.int16), change(affine))
    with pytest.raises(InputError) as told:
        read_mask(tmp_path / "a.nii", tmp_path / "mask.nii", "axial")
    assert str(told.value) == (
        f"{tmp_path / 'mask.nii'}: expected the affine of {tmp_path / 'a.nii'}, found voxels up to {offset} voxels off"
    )


def test_a_mask_of_another_size_is_refused(tmp_path):
    save_volume(tmp_path / "a.nii", numbered().astype(np.int16), np.eye(4))
    save_volume(tmp_path / "mask.nii", numbered((4, 5, 7)).astype(np.int16), np.eye(4))
    with pytest.raises(InputError) as told:
        read_mask(tmp_path / "a.nii", tmp_path / "mask.nii", "axial")
    assert str(told.value) == (
        f"{tmp_path / 'mask.nii'}: expected the size of {tmp_path / 'a.nii'}, "
        "6 x 5 x 4 (slices, rows, columns), found 7 x 5 x 4"
    )


def test_a_mask_of_another_format_is_held_against_the_size_alone(tmp_path):
    mask = (numbered((5, 4)) % 3).astype(np.uint8)
    save_image(tmp_path / "a.jpg", np.zeros((5, 4), np.uint8))
    save_image(tmp_path / "b.png", mask)
    save_image(tmp_path / "c.tif", np.ascontiguousarray(mask.T))
    save_volume(tmp_path / "d.nii", mask.T, np.diag([-1, -1, 1, 1]))
    for name in ("b.png", "d.nii"):
        np.testing.assert_array_equal(
            read_mask(tmp_path / "a.jpg", tmp_path / name, "auto"), mask[None]
        )
    with pytest.raises(
        InputError, match=r"c\.tif: expected the size of .*a\.jpg, 1 x 5 x 4 .* found 1 x 4 x 5"
    ):
        read_mask(tmp_path / "a.jpg", tmp_path / "c.tif", "auto")


@pytest.mark.parametrize("name", ["mask.png", "mask.tif"])
def test_a_mask_that_tells_no_place_is_refused_of_an_image_that_has_one(tmp_path, name):
    save_volume(tmp_path / "a.nii", np.zeros((4, 5), np.int16), np.diag([-1, -1, 1, 1]))
    save_image(tmp_path / name, np.zeros((5, 4), np.uint8))
    with pytest.raises(InputError) as told:
        read_mask(tmp_path / "a.nii", tmp_path / name, "auto")
    assert str(told.value) == (
        f"{tmp_path / name}: expected the mask of a NIfTI image as NIfTI, found one that lies nowhere"
    )


def test_a_stack_of_pages_has_a_mask_of_as_many(tmp_path):
    pages = [Image.fromarray(np.full((4, 5), value, np.uint8)) for value in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "mask.tif", save_all=True, append_images=pages[1:2])
    with pytest.raises(
        InputError, match=r"mask\.tif: expected the size of .*a\.tif, 3 x 4 x 5 .* found 2 x 4 x 5"
    ):
        read_mask(tmp_path / "a.tif", tmp_path / "mask.tif", "auto")
    assert read_mask(tmp_path / "a.tif", tmp_path / "a.tif", "auto")[:, 0, 0].tolist() == [0, 1, 2]


def test_a_missing_mask_is_named(tmp_path):
    save_image(tmp_path / "a.png", np.zeros((4, 5), np.uint8))
    with pytest.raises(InputError, match=r"mask\.png: expected an image, found no such file"):
        read_mask(tmp_path / "a.png", tmp_path / "mask.png", "auto")
