"""Finding, naming and opening scans, and reading their masks."""

from itertools import cycle, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from automedsam.runtime.errors import InputError
from automedsam.scans.image import ImageScan
from automedsam.scans.nifti import NiftiScan
from automedsam.scans.scan import find_scans, mask_path, name_scans, open_scan, read_mask, stem
from automedsam.scans.tiff.tiff_scan import TiffScan
from combination import combination
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


def test_open_scan_selects_the_format_by_suffix(tmp_path):
    save_image(tmp_path / "a.PNG", np.zeros((4, 5), np.uint8))
    save_image(tmp_path / "b.tif", np.zeros((4, 5), np.uint8))
    save_volume(tmp_path / "c.nii.gz", np.zeros((4, 5, 6), np.uint8), np.eye(4))
    kinds = {path.name: type(open_scan(path, "auto")) for path in tmp_path.iterdir()}
    assert kinds == {"a.PNG": ImageScan, "b.tif": TiffScan, "c.nii.gz": NiftiScan}
    assert open_scan(tmp_path / "c.nii.gz", "coronal").shape == (5, 6, 4)


@pytest.mark.parametrize("name", ["a.png", "a.nii.gz", "a.dcm", "a"])
def test_open_scan_names_a_missing_file(tmp_path, name):
    with pytest.raises(InputError, match=rf"{name}: file not found"):
        open_scan(tmp_path / name, "auto")


def test_find_scans_ignores_hidden_files_and_folders(tmp_path):
    visible = [
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
        *visible,
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
    assert find_scans(tmp_path) == sorted(tmp_path / name for name in visible)


def test_find_scans_searches_below_a_hidden_folder(tmp_path):
    touch(tmp_path, ".cache/images/a.png")
    assert find_scans(tmp_path / ".cache/images") == [tmp_path / ".cache/images/a.png"]


def test_name_scans_uses_the_path_without_suffix(tmp_path):
    touch(tmp_path, "b.c.nii.gz", "a.NII", "one/two/a.png", "one/a.tiff")
    assert name_scans(tmp_path) == {
        "a": tmp_path / "a.NII",
        "b.c": tmp_path / "b.c.nii.gz",
        "one__a": tmp_path / "one/a.tiff",
        "one__two__a": tmp_path / "one/two/a.png",
    }
    assert list(name_scans(tmp_path)) == ["a", "b.c", "one__a", "one__two__a"]


def test_name_scans_reports_all_equal_names_together(tmp_path):
    touch(tmp_path, "a.png", "a.nii.gz", "one/b.tif", "one__b.jpg", "c.png")
    with pytest.raises(InputError) as caught:
        name_scans(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'a.nii.gz'}, {tmp_path / 'a.png'}: scans must have different names; "
        f"{tmp_path / 'one/b.tif'}, {tmp_path / 'one__b.jpg'}: scans must have different names"
    )


@pytest.mark.parametrize("folder", [".", "absent"])
def test_name_scans_rejects_a_folder_without_scans(tmp_path, folder):
    touch(tmp_path, "notes.txt", ".a.png")
    with pytest.raises(
        InputError,
        match=r": no \.png, .*\.nii\.gz.* files; check dataset, data_dir and annotations",
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
def test_stem_treats_nii_gz_as_one_suffix(name, expected):
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
        ("a.IMA", "a.nii.gz"),
        ("a.dicom", "a.nii.gz"),
        ("a.bmp", "a.png"),
        ("a.WebP", "a.png"),
    ],
)
def test_mask_path_keeps_name_and_format_if_it_is_lossless(tmp_path, name, expected):
    assert mask_path(tmp_path / name, tmp_path) == Path(expected)


def test_dicom_files_without_a_suffix_are_found_named_and_opened(tmp_path):
    from dicom_files import NO_PLACE, write_slice  # skips this test without pydicom

    for k in range(3):
        write_slice(tmp_path / "cd", k).rename(tmp_path / f"cd/IM{k:04d}")
    write_slice(tmp_path, 0, **NO_PLACE).rename(tmp_path / "1.2.840.1")
    touch(tmp_path, "README", "cd/readme.txt")
    assert find_scans(tmp_path) == [tmp_path / "1.2.840.1", tmp_path / "cd"]
    assert list(name_scans(tmp_path)) == ["1.2.840.1", "cd"]
    assert mask_path(tmp_path / "1.2.840.1", tmp_path) == Path("1.2.840.1.nii.gz")
    assert open_scan(tmp_path / "1.2.840.1", "auto").shape == (1, 4, 4)
    assert open_scan(tmp_path / "cd", "axial").shape == (3, 4, 4)


def test_mask_path_of_a_series_is_named_after_its_folder(tmp_path):
    (tmp_path / "patient/series 1.2").mkdir(parents=True)
    assert mask_path(tmp_path / "patient/series 1.2", tmp_path) == Path("patient/series 1.2.nii.gz")


def test_read_mask_reorders_another_orientation(tmp_path):
    # Each orientation of the mask meets one slice axis and one rotation.
    slice_axes = ["auto", "axial", "coronal", "sagittal"]
    axes_and_rotations = cycle(product(slice_axes, ROTATIONS.items()))
    for orientation in ORIENTATIONS:
        slice_axis, (name, rotation) = next(axes_and_rotations)
        with combination(orientation=orientation, slice_axis=slice_axis, rotation=name):
            image, image_affine = store(
                numbered().astype(np.int16), LENGTHS, ORIENTATIONS[13], rotation
            )
            mask, mask_affine = store(
                (numbered() % 3).astype(np.uint8), LENGTHS, orientation, rotation
            )
            save_volume(tmp_path / "a.nii.gz", image, image_affine)
            save_volume(tmp_path / "mask.nii", mask, mask_affine)
            values = open_scan(tmp_path / "a.nii.gz", slice_axis).read_values()
            labels = read_mask(tmp_path / "a.nii.gz", tmp_path / "mask.nii", slice_axis)
            assert labels.dtype == np.int64
            np.testing.assert_array_equal(labels, values % 3)


def test_read_mask_accepts_affines_that_differ_by_rounding(tmp_path):
    stored, affine = store(numbered().astype(np.int16), LENGTHS, ORIENTATIONS[13], OBLIQUE)
    save_volume(tmp_path / "a.nii", stored, affine)
    affine[:3] += 1e-6 * np.arange(12).reshape(3, 4)
    save_volume(tmp_path / "mask.nii", stored, affine)
    labels = read_mask(tmp_path / "a.nii", tmp_path / "mask.nii", "auto")
    np.testing.assert_array_equal(labels, open_scan(tmp_path / "a.nii", "auto").read_values())


def test_read_mask_cuts_along_the_thick_slices_of_the_image(tmp_path):
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
def test_read_mask_rejects_another_position(tmp_path, change, offset):
    affine = np.diag([1.0, 1.25, 2.5, 1.0])
    affine[0, 3] = 1.5
    save_volume(tmp_path / "a.nii", numbered().astype(np.int16), affine)
    save_volume(tmp_path / "mask.nii", numbered().astype(np.int16), change(affine))
    with pytest.raises(InputError) as caught:
        read_mask(tmp_path / "a.nii", tmp_path / "mask.nii", "axial")
    assert str(caught.value) == (
        f"{tmp_path / 'mask.nii'}: the affine must equal that of {tmp_path / 'a.nii'}, "
        f"found voxels up to {offset} voxels off"
    )


def test_read_mask_rejects_another_size(tmp_path):
    save_volume(tmp_path / "a.nii", numbered().astype(np.int16), np.eye(4))
    save_volume(tmp_path / "mask.nii", numbered((4, 5, 7)).astype(np.int16), np.eye(4))
    with pytest.raises(InputError) as caught:
        read_mask(tmp_path / "a.nii", tmp_path / "mask.nii", "axial")
    assert str(caught.value) == (
        f"{tmp_path / 'mask.nii'}: the size 7 x 5 x 4 (slices, rows, columns) must equal "
        f"6 x 5 x 4 of {tmp_path / 'a.nii'}"
    )


def test_read_mask_of_another_format_compares_sizes_only(tmp_path):
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
        InputError, match=r"c\.tif: the size 1 x 4 x 5 .* must equal 1 x 5 x 4 of .*a\.jpg"
    ):
        read_mask(tmp_path / "a.jpg", tmp_path / "c.tif", "auto")


@pytest.mark.parametrize("name", ["mask.png", "mask.tif"])
def test_read_mask_of_nifti_requires_a_position(tmp_path, name):
    save_volume(tmp_path / "a.nii", np.zeros((4, 5), np.int16), np.diag([-1, -1, 1, 1]))
    save_image(tmp_path / name, np.zeros((5, 4), np.uint8))
    with pytest.raises(InputError) as caught:
        read_mask(tmp_path / "a.nii", tmp_path / name, "auto")
    assert str(caught.value) == (
        f"{tmp_path / name}: a NIfTI image needs a NIfTI mask; this one has no spatial information"
    )


def test_read_mask_requires_the_same_number_of_pages(tmp_path):
    pages = [Image.fromarray(np.full((4, 5), value, np.uint8)) for value in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "mask.tif", save_all=True, append_images=pages[1:2])
    with pytest.raises(
        InputError, match=r"mask\.tif: the size 2 x 4 x 5 .* must equal 3 x 4 x 5 of .*a\.tif"
    ):
        read_mask(tmp_path / "a.tif", tmp_path / "mask.tif", "auto")
    assert read_mask(tmp_path / "a.tif", tmp_path / "a.tif", "auto")[:, 0, 0].tolist() == [0, 1, 2]


def test_read_mask_names_a_missing_file(tmp_path):
    save_image(tmp_path / "a.png", np.zeros((4, 5), np.uint8))
    with pytest.raises(InputError, match=r"mask\.png: file not found"):
        read_mask(tmp_path / "a.png", tmp_path / "mask.png", "auto")
