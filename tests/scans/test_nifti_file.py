"""NIfTI files with wrong names, damaged content, and small faults in the header."""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from automedsam.runtime.errors import InputError
from automedsam.scans.nifti import NiftiScan
from orientations import OBLIQUE, ORIENTATIONS, numbered, store

DIM_OFFSET, QUATERNION_OFFSET = 40, 256  # in the header of NIfTI-1


def save_plain(path: Path, affine=None, kind=nib.Nifti1Image) -> bytes:
    """Save a volume whose position is in the qform only, and return the bytes."""
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) if affine is None else affine
    image = kind(numbered().astype(np.int16), affine)
    image.header.set_qform(affine, 1)
    image.header.set_sform(None, 0)
    nib.save(kind(image.dataobj, None, image.header), path)
    return path.read_bytes()


def change_header(path, offset, values):
    content = bytearray(path.read_bytes())
    content[offset : offset + values.nbytes] = values.tobytes()
    path.write_bytes(content)


def read_values(path):
    return NiftiScan(path, "axial").read_values()


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "A.Nii.Gz", "a.NII"])
@pytest.mark.parametrize("is_compressed", [True, False])
def test_content_decides_on_compression(tmp_path, name, kind, is_compressed):
    content = save_plain(tmp_path / "plain.nii", kind=kind)
    (tmp_path / name).write_bytes(gzip.compress(content) if is_compressed else content)
    scan = NiftiScan(tmp_path / name, "axial")
    np.testing.assert_array_equal(scan.read_values(), numbered().T)
    scan.write(tmp_path / "masks" / name, scan.read_values() > 60)
    written = (tmp_path / "masks" / name).read_bytes()
    assert written.startswith(b"\x1f\x8b") == name.lower().endswith(".gz")


def test_compressed_content_in_several_parts_is_read(tmp_path):
    content = save_plain(tmp_path / "plain.nii")
    parts = gzip.compress(content[:500]) + gzip.compress(content[500:])
    (tmp_path / "a.nii.gz").write_bytes(parts)
    np.testing.assert_array_equal(read_values(tmp_path / "a.nii.gz"), numbered().T)


def test_every_damaged_bit_of_the_compressed_voxels_is_reported(tmp_path):
    content = gzip.compress(save_plain(tmp_path / "plain.nii"), 6)
    random = np.random.default_rng(0)
    for position in random.integers(len(content) // 2, len(content), 60):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(random.integers(8))
        (tmp_path / "a.nii.gz").write_bytes(damaged)
        with pytest.raises(InputError, match=r"a\.nii\.gz: cannot read the (voxels|NIfTI file)"):
            read_values(tmp_path / "a.nii.gz")


@pytest.mark.parametrize(
    "dim", [(4, 4, 5, 6, 0), (5, 4, 5, 6, 0, 0), (4, 4, 5, 6, 1), (3, 4, 30, 0)]
)
def test_further_dimensions_of_0_are_1(tmp_path, dim):
    save_plain(tmp_path / "a.nii")
    change_header(tmp_path / "a.nii", DIM_OFFSET, np.array(dim, "<i2"))
    scan = NiftiScan(tmp_path / "a.nii", "axial")
    shape = tuple(length or 1 for length in dim[1:4])
    values = scan.read_values()
    stored = numbered().ravel(order="F").reshape(shape, order="F")
    np.testing.assert_array_equal(values, stored.T)
    scan.write(tmp_path / "mask.nii", values > 60)
    written = nib.load(tmp_path / "mask.nii")
    np.testing.assert_array_equal(np.asarray(written.dataobj).reshape(shape), stored > 60)


@pytest.mark.parametrize("dim", [(3, 0, 5, 6), (3, 4, 0, 6), (3, 4, -5, 6), (4, 4, 5, 3, 2)])
def test_other_dimensions_are_rejected(tmp_path, dim):
    save_plain(tmp_path / "a.nii")
    change_header(tmp_path / "a.nii", DIM_OFFSET, np.array(dim, "<i2"))
    with pytest.raises(InputError, match=r"a\.nii: (a NIfTI image must have|cannot read)"):
        NiftiScan(tmp_path / "a.nii", "axial")


@pytest.mark.parametrize("excess", [1e-6, 1e-4])
def test_quaternion_that_is_slightly_too_long_is_shortened(tmp_path, excess):
    half_turn = np.array([0.6, 0.8, 0.0]) * (1 + excess)
    save_plain(tmp_path / "a.nii")
    change_header(tmp_path / "a.nii", QUATERNION_OFFSET, half_turn.astype("<f4"))
    with pytest.raises(ValueError, match="w2 should be positive"):
        nib.load(tmp_path / "a.nii")
    # A half turn about (0.6, 0.8, 0), by hand.
    rotation = 2 * np.outer([0.6, 0.8, 0], [0.6, 0.8, 0]) - np.eye(3)
    scan = NiftiScan(tmp_path / "a.nii", "axial")
    scan.write(tmp_path / "mask.nii", np.ones(scan.shape, bool))
    written = nib.load(tmp_path / "mask.nii").affine
    np.testing.assert_allclose(written[:3, :3], rotation, atol=1e-5)
    assert scan.slicing.offset_voxels(NiftiScan(tmp_path / "mask.nii", "axial").slicing) < 1e-3


def test_quaternion_that_is_much_too_long_is_rejected(tmp_path):
    save_plain(tmp_path / "a.nii")
    change_header(tmp_path / "a.nii", QUATERNION_OFFSET, np.array([0.7, 0.8, 0], "<f4"))
    with pytest.raises(InputError, match=r"a\.nii: cannot read the NIfTI file \(w2 should be"):
        NiftiScan(tmp_path / "a.nii", "axial")


def test_valid_quaternion_is_kept(tmp_path):
    _, affine = store(numbered(), (1.0, 1.25, 2.5), ORIENTATIONS[29], OBLIQUE)
    save_plain(tmp_path / "a.nii", affine)
    scan = NiftiScan(tmp_path / "a.nii", "axial")
    scan.write(tmp_path / "mask.nii", np.ones(scan.shape, bool))
    image, mask = nib.load(tmp_path / "a.nii"), nib.load(tmp_path / "mask.nii")
    for field in ("quatern_b", "quatern_c", "quatern_d"):
        assert image.header[field] == mask.header[field]


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_more_voxels_than_the_file_can_contain_are_rejected(tmp_path, name):
    content = bytearray(save_plain(tmp_path / "plain.nii"))
    content[DIM_OFFSET : DIM_OFFSET + 8] = np.array([3, 30000, 30000, 30000], "<i2").tobytes()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with pytest.raises(InputError, match="the header specifies 54,000,000,000,000 bytes of voxels"):
        NiftiScan(tmp_path / name, "axial")
