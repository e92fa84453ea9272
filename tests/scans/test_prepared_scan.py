"""Prepared slices of scans, and logits mapped back to the pixels of the scan."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from automedsam.runtime.errors import InputError
from automedsam.scans.framing import Framing
from automedsam.scans.intensity import Intensity
from automedsam.scans.prepared_scan import Preparation, PreparedScan, pixel_spacing_mm
from automedsam.scans.scan import open_scan

RAMP = np.arange(201).reshape(3, 67)  # percentiles 0.5 and 99.5 are 1 and 199
RAMP_SCALED = np.round((RAMP.clip(1, 199) - 1) / 198 * 255).astype(np.uint8)


def prepare(path, preparation=None, spacing_mm=None):
    preparation = preparation or Preparation()
    return PreparedScan(open_scan(path, preparation.slice_axis), preparation, spacing_mm)


def save_volume(path, stack, spacing_mm=(1, 1, 1)):
    """Save a NIfTI file with this axial stack (slices, rows, columns)."""
    slice_mm, row_mm, column_mm = spacing_mm
    nib.save(
        nib.Nifti1Image(np.transpose(stack), np.diag([-column_mm, -row_mm, slice_mm, 1])), path
    )


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("a.png", RAMP.astype(np.uint8)),
        ("a.png", (RAMP + 1000).astype(np.uint16)),
        ("a.tif", (RAMP * 300).astype(np.uint16)),
        ("a.tif", RAMP.astype(np.int32) - 70_000),
        ("a.tif", RAMP.astype(np.float32) / 1024 - 3),
    ],
    ids=lambda value: value if isinstance(value, str) else value.dtype.str,
)
def test_image_of_any_depth_uses_all_8_bits(tmp_path, name, pixels):
    Image.fromarray(pixels).save(tmp_path / name)
    prepared = prepare(tmp_path / name)
    assert prepared.value_range == pytest.approx(
        tuple(np.percentile(pixels.astype(float), (0.5, 99.5)))
    )
    np.testing.assert_array_equal(prepared.slice(0), RAMP_SCALED)
    np.testing.assert_array_equal(prepared.picture(0), RAMP_SCALED)
    assert prepared.spacing_mm is None


@pytest.mark.parametrize("window", [None, (-160.0, 240.0)])
def test_padding_is_black_and_does_not_decide_the_grey_scale(tmp_path, window, caplog):
    body = np.linspace(-1000, 1000, 201).reshape(3, 67)  # percentiles 0.5 and 99.5 are -990 and 990
    save_volume(tmp_path / "a.nii", np.stack([body, np.full_like(body, -3024)]).astype(np.int16))
    prepared = prepare(tmp_path / "a.nii", Preparation(intensity=Intensity(window)))
    assert prepared.value_range == pytest.approx(window or (-990, 990))
    assert (prepared.slice(1) == 0).all()
    assert prepared.slice(0).max() == 255
    assert len(caplog.messages) == (window is None)


def test_colour_image_stays_in_colour(tmp_path):
    colours = np.stack([RAMP, 200 - RAMP, RAMP // 2], axis=2).astype(np.uint8)
    Image.fromarray(colours).save(tmp_path / "a.png")
    prepared = prepare(tmp_path / "a.png", Preparation(framing=Framing(canvas_px=80)))
    assert prepared.picture(0).shape == (3, 67, 3)
    assert prepared.slice(0).shape == (80, 80, 3)
    np.testing.assert_array_equal(prepared.slice(0)[38:41, 6:73], prepared.picture(0))


@pytest.mark.parametrize("name", ["a.nii.gz", "a.tif"])
def test_volume_is_scaled_as_a_whole(tmp_path, name):
    stack = np.stack([RAMP, RAMP + 1000, RAMP + 2000]).astype(np.int16)
    if name == "a.tif":
        pages = [Image.fromarray(page.astype(np.uint16)) for page in stack]
        pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:])
    else:
        save_volume(tmp_path / name, stack)
    prepared = prepare(tmp_path / name, Preparation("axial"))
    low, high = prepared.value_range
    assert (low, high) == pytest.approx((3.01, 2196.99))  # 0.5 % and 99.5 % of 602 steps
    for number in range(3):
        expected = np.round(255 * ((stack[number] - low) / (high - low)).clip(0, 1))
        np.testing.assert_array_equal(prepared.slice(number), expected)
    assert prepared.slice(0).max() < 30
    assert prepared.slice(2).min() > 200


def test_window_replaces_the_percentiles(tmp_path):
    stack = np.stack([RAMP - 500, RAMP, RAMP + 1000]).astype(np.int16)
    save_volume(tmp_path / "a.nii", stack)
    prepared = prepare(tmp_path / "a.nii", Preparation("axial", Intensity((0, 51))))
    assert prepared.value_range == (0, 51)
    assert (prepared.slice(0) == 0).all()
    assert (prepared.slice(2) == 255).all()
    np.testing.assert_array_equal(prepared.slice(1), RAMP.clip(0, 51) * 5)


def test_slices_are_cut_along_the_requested_axis(tmp_path):
    save_volume(tmp_path / "a.nii", np.zeros((4, 5, 6), np.uint8))
    sizes = {
        axis: prepare(tmp_path / "a.nii", Preparation(axis)).slice(0).shape
        for axis in ("axial", "coronal")
    }
    assert sizes == {"axial": (5, 6), "coronal": (4, 6)}


def test_slices_and_their_spacing_are_resampled_in_plane(tmp_path):
    save_volume(tmp_path / "a.nii", np.zeros((4, 50, 60), np.uint8), (8, 2, 1.5))
    plain = prepare(tmp_path / "a.nii")
    assert (plain.slice(0).shape, plain.spacing_mm) == ((50, 60), (8, 2, 1.5))
    resampled = prepare(tmp_path / "a.nii", Preparation(framing=Framing(pixel_mm=1.0)))
    assert (resampled.slice(0).shape, resampled.spacing_mm) == ((100, 90), (8, 1, 1))
    cropped = prepare(tmp_path / "a.nii", Preparation(framing=Framing(canvas_px=32)))
    assert (cropped.slice(0).shape, cropped.spacing_mm) == ((32, 32), (8, 2, 1.5))
    both = prepare(tmp_path / "a.nii", Preparation(framing=Framing(0.5, 64)))
    assert (both.slice(0).shape, both.spacing_mm) == ((64, 64), (8, 0.5, 0.5))


def test_spacing_is_that_of_whole_pixels(tmp_path):
    """7 rows of 1.1 mm become 8 pixels, not 7.7; 4 columns of 1.2 mm 5, not 4.8."""
    save_volume(tmp_path / "a.nii", np.zeros((3, 7, 4), np.uint8), (8, 1.1, 1.2))
    resampled = prepare(tmp_path / "a.nii", Preparation("axial", framing=Framing(1.0, 32)))
    assert resampled.spacing_mm == pytest.approx((8, 7.7 / 8, 4.8 / 5))


def test_picture_is_in_the_pixels_of_the_scan(tmp_path):
    save_volume(tmp_path / "a.nii", RAMP[None].astype(np.int16), (8, 2, 1.5))
    framed = prepare(tmp_path / "a.nii", Preparation("axial", framing=Framing(0.5, 64)))
    np.testing.assert_array_equal(framed.picture(0), RAMP_SCALED)


def test_given_spacing_replaces_that_of_the_scan(tmp_path):
    Image.fromarray(RAMP.astype(np.uint8)).save(tmp_path / "a.png")
    preparation = Preparation(framing=Framing(pixel_mm=0.5))
    with pytest.raises(InputError, match=r"a\.png: cannot resample to 0\.5 mm"):
        prepare(tmp_path / "a.png", preparation)
    prepared = prepare(tmp_path / "a.png", preparation, (2.0, 1.0, 1.0))
    assert prepared.slice(0).shape == (6, 134)
    assert prepared.spacing_mm == (2.0, 0.5, 0.5)


@pytest.mark.parametrize("framing", [Framing(), Framing(canvas_px=40), Framing(0.5, 33)], ids=str)
def test_unframe_returns_the_pixels_of_the_scan(tmp_path, framing):
    save_volume(tmp_path / "a.nii", np.zeros((4, 50, 60), np.uint8), (8, 2, 1.5))
    prepared = prepare(tmp_path / "a.nii", Preparation(framing=framing))
    logits = torch.randn(1, 1, *prepared.slice(0).shape)
    back = prepared.unframe(logits)
    assert back.shape == (1, 1, 50, 60)
    assert torch.equal(back, framing.unframe(logits, (50, 60), (2, 1.5)))


@pytest.mark.parametrize(
    "preparation",
    [
        Preparation(),
        Preparation("coronal", Intensity((-160.0, 240.0)), Framing(0.75, 512)),
        Preparation("sagittal", Intensity((0, 0.5)), Framing(canvas_px=256)),
        Preparation(framing=Framing(pixel_mm=1.0)),
    ],
    ids=str,
)
def test_preparation_is_restored_from_json(preparation):
    text = preparation.to_json()
    assert Preparation.from_dict(json.loads(text)) == preparation
    assert Preparation.from_dict(json.loads(text)).to_json() == text
    assert json.loads(text).keys() == {"slice_axis", "intensity", "framing"}


def test_pixel_spacing_is_that_of_rows_and_columns():
    assert pixel_spacing_mm((8, 2, 1.5)) == (2, 1.5)
    assert pixel_spacing_mm(None) is None
