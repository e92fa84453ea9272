"""Channels of TIFF files that are colours, transparency or something else."""

import numpy as np
import pytest
import tifffile

from automedsam.runtime.errors import InputError
from automedsam.scans.tiff.tiff_scan import TiffScan
from pictures import COLOURS, DEEP, GREY
from tiff_files import write_tiff


def write_channels(path, count, photometric="minisblack", planarconfig="contig", **options):
    pixels = DEEP[..., np.arange(count) % 4]
    if planarconfig == "separate":
        pixels = np.moveaxis(pixels, 2, 0)
    options = {"photometric": photometric, "planarconfig": planarconfig, **options}
    tifffile.imwrite(path, pixels, metadata=None, **options)


@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
@pytest.mark.parametrize("count", [2, 4, 5])
def test_channels_that_are_no_colours_are_rejected(tmp_path, count, planarconfig):
    write_channels(tmp_path / "a.tif", count, planarconfig=planarconfig)
    with pytest.raises(InputError) as caught:
        TiffScan(tmp_path / "a.tif")
    assert str(caught.value) == (
        f"{tmp_path / 'a.tif'}: each pixel has {count} channels that are no colours, for example "
        "stains or wavelengths; save the channel to segment as a file of its own"
    )


def test_two_channels_without_a_meaning_are_rejected(tmp_path):
    write_tiff(tmp_path / "a.tif", DEEP[..., :2])
    with pytest.raises(InputError, match="each pixel has 2 channels that are no colours"):
        TiffScan(tmp_path / "a.tif")


@pytest.mark.parametrize("alpha", ["assocalpha", "unassalpha"])
def test_transparency_is_no_channel(tmp_path, alpha, caplog):
    write_channels(tmp_path / "grey.tif", 2, extrasamples=[alpha])
    np.testing.assert_array_equal(TiffScan(tmp_path / "grey.tif").read_values()[0], DEEP[..., 0])
    write_channels(tmp_path / "colour.tif", 4, "rgb", extrasamples=[alpha])
    values = TiffScan(tmp_path / "colour.tif").read_values()[0]
    np.testing.assert_array_equal(values, DEEP[..., :3])
    assert caplog.messages == []


def test_three_channels_are_read_as_colours_with_a_warning(tmp_path, caplog):
    write_channels(tmp_path / "a.tif", 3)
    np.testing.assert_array_equal(TiffScan(tmp_path / "a.tif").read_values()[0], DEEP[..., :3])
    assert caplog.messages == [
        f"{tmp_path / 'a.tif'}: 3 channels without colour information are read as red, green and "
        "blue"
    ]


@pytest.mark.parametrize(
    ("extra", "left_out"),
    [
        (["unspecified"], "1 channel"),
        (["unassalpha", "unspecified"], "1 channel"),
        (["unspecified", "unspecified"], "2 channels"),
    ],
)
def test_channels_beside_the_colours_are_left_out_with_a_warning(tmp_path, extra, left_out, caplog):
    write_channels(tmp_path / "a.tif", 3 + len(extra), "rgb", extrasamples=extra)
    np.testing.assert_array_equal(TiffScan(tmp_path / "a.tif").read_values()[0], DEEP[..., :3])
    assert caplog.messages == [f"{tmp_path / 'a.tif'}: {left_out} beside the colours left out"]


def test_colours_and_inks_are_read_without_a_warning(tmp_path, caplog):
    tifffile.imwrite(tmp_path / "a.tif", COLOURS, photometric="rgb")
    np.testing.assert_array_equal(TiffScan(tmp_path / "a.tif").read_values(), COLOURS[None])
    write_channels(tmp_path / "b.tif", 4, "separated")
    assert TiffScan(tmp_path / "b.tif").read_values().shape == (1, 3, 67, 3)
    assert caplog.messages == []


@pytest.mark.parametrize("kind", [{"imagej": True}, {"ome": True}, {}], ids=str)
@pytest.mark.parametrize("axes", ["CYX", "ZCYX", "TZCYX"])
def test_pages_that_are_channels_are_rejected(tmp_path, axes, kind):
    shape = {"CYX": (2,), "ZCYX": (3, 2), "TZCYX": (4, 3, 2)}[axes]
    stack = np.zeros((*shape, 5, 6), np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stack, photometric="minisblack", metadata={"axes": axes}, **kind)
    with pytest.raises(InputError) as caught:
        TiffScan(path)
    assert str(caught.value) == (
        f"{path}: the pages are 2 channels; save the channel to segment as a file of its "
        "own, or, if they are slices, save them as slices"
    )


@pytest.mark.parametrize(
    ("kind", "metadata"),
    [
        ({"ome": True}, {"axes": "CYX", "Channel": {"Name": ["DAPI", "GFP"]}}),
        ({"imagej": True}, {"axes": "CYX", "Labels": ["DAPI", "GFP"]}),
    ],
    ids=["ome", "imagej"],
)
def test_names_of_channels_are_reported(tmp_path, kind, metadata):
    stack = np.zeros((2, 5, 6), np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stack, photometric="minisblack", metadata=metadata, **kind)
    with pytest.raises(InputError, match=r"the pages are 2 channels \(DAPI, GFP\); save the"):
        TiffScan(path)


@pytest.mark.parametrize("description", ["ImageJ=1.5\nimages=2\nchannels=x\n", "<OME", "{"])
def test_pages_with_damaged_metadata_are_slices(tmp_path, description):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        for _ in range(2):
            options = {"photometric": "minisblack", "metadata": None}
            file.write(GREY, description=description, **options)
    np.testing.assert_array_equal(TiffScan(path).read_values(), [GREY, GREY])
