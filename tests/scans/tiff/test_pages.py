"""Incomplete, damaged and unsupported TIFF files."""

import struct

import numpy as np
import pytest
import tifffile

from automedsam.runtime.errors import InputError
from automedsam.scans.tiff.tiff_scan import TiffScan
from combination import combination
from pictures import DEEP, GREY, RAMP
from tiff_files import write_tiff


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_truncated_file_is_named(tmp_path, share):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    for compression in (None, "zlib", "lzw", "packbits", "jpeg"):
        with combination(compression=compression):
            tifffile.imwrite(tmp_path / "a.tif", pixels, compression=compression, rowsperstrip=16)
            content = (tmp_path / "a.tif").read_bytes()
            (tmp_path / "a.tif").write_bytes(content[: int(share * len(content))])
            with pytest.raises(InputError, match=r"a\.tif: cannot read the image"):
                TiffScan(tmp_path / "a.tif").read_values()


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
def test_truncated_stack_is_named(tmp_path, share):
    for pixels in (GREY, DEEP[..., 0], DEEP[..., :3]):
        with combination(dtype=pixels.dtype, shape=pixels.shape):
            write_tiff(tmp_path / "a.tif", *[pixels] * 3)
            content = (tmp_path / "a.tif").read_bytes()
            (tmp_path / "a.tif").write_bytes(content[: int(share * len(content))])
            with pytest.raises(InputError, match=r"a\.tif: cannot read the image"):
                TiffScan(tmp_path / "a.tif").read_values()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not an image\n",
        b"II*\0",
        b"II*\0" + bytes(4),
        b"II*\0" + struct.pack("<IHI", 8, 0, 0),
        b"\x89PNG\r\n\x1a\n",
    ],
    ids=["empty", "text", "no_header", "no_pages", "no_tags", "png"],
)
def test_file_that_is_not_a_tiff_is_named(tmp_path, content):
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.tif: cannot read the image"):
        TiffScan(tmp_path / "a.tif")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.tif: file not found"):
        TiffScan(tmp_path / "gone.tif")


@pytest.mark.parametrize("tag", [256, 257, 322, 323])
def test_page_of_absurd_size_is_rejected(tmp_path, tag):
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((64, 64), np.uint8), tile=(16, 16), compression="zlib"
    )
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
        file.pages.first.tags[tag].overwrite(2**31)
    with pytest.raises(
        InputError,
        match=r"a\.tif: cannot read the image \(a page of \d+ x \d+ pixels exceeds the limit of",
    ):
        TiffScan(tmp_path / "a.tif")


@pytest.mark.parametrize("pages", [3, 150])
def test_circular_list_of_pages_is_rejected(tmp_path, pages):
    write_tiff(tmp_path / "a.tif", *[GREY[:1, :4]] * pages)
    content = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        struct.pack_into("<L", content, file.pages.next_page_offset, file.pages.first.offset)
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(
        InputError, match=r"a\.tif: cannot read the image \(the list of pages is circular\)"
    ):
        TiffScan(tmp_path / "a.tif")


def test_smaller_copies_of_a_page_are_ignored(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(GREY, subifds=1)
        file.write(GREY[::2, ::2])
    assert TiffScan(tmp_path / "a.tif").shape == (1, 3, 67)
    np.testing.assert_array_equal(TiffScan(tmp_path / "a.tif").read_values(), GREY[None])


def error_message(path):
    """The message of the error that reading a file raises, or None."""
    try:
        scan = TiffScan(path)
        assert scan.read_values().shape[:3] == scan.shape
        scan.read_labels()
    except InputError as error:
        return str(error)
    return None


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits"])
def test_damaged_file_is_read_or_named_in_one_line(tmp_path, compression, capfd):
    path = tmp_path / "a.tif"
    rng = np.random.default_rng(0)
    stack = np.stack([GREY] * 3)
    tifffile.imwrite(path, stack, photometric="minisblack", compression=compression)
    content = np.fromfile(path, np.uint8)
    for _ in range(100):
        damaged = content.copy()
        damaged[rng.integers(0, len(content), 5)] = rng.integers(0, 256, 5)
        damaged.tofile(path)
        message = error_message(path)
        assert message is None or message.startswith(f"{path}: ")
        assert "\n" not in (message or "")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("pixels", "options", "reason"),
    [
        (RAMP * 1j, {}, "values of 128 bits of an unsupported type"),
        (
            np.zeros((16, 16, 16), np.uint8),
            {"volumetric": True, "tile": (16, 16, 16)},
            "16 slices in one page",
        ),
        (
            np.stack([GREY] * 3),
            {"imagej": True, "truncate": True},
            "3 images, but 1 pages; each needs a page of its own",
        ),
        (
            GREY,
            {"extratags": [(33629, 5, 2, (1, 1, 1, 1), True)]},
            "2 images, but 1 pages; each needs a page of its own",
        ),
    ],
    ids=["complex", "volume", "ImageJ", "MetaMorph"],
)
def test_unsupported_pages_are_rejected(tmp_path, pixels, options, reason):
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    with pytest.raises(InputError, match=rf"a\.tif: cannot read the image \({reason}\)"):
        TiffScan(tmp_path / "a.tif")


def write_levels(path, *sizes, flags=None):
    """Write one grey page per size, with its number as value, and with NewSubfileType flags."""
    with tifffile.TiffWriter(path) as file:
        for number, size in enumerate(sizes):
            flag = 0 if flags is None else flags[number]
            page = np.full(size, number + 1, bool if flag == 4 else np.uint8)
            photometric = "mask" if flag == 4 else "minisblack"
            file.write(page, photometric=photometric, metadata=None, subfiletype=flag)


@pytest.mark.parametrize(
    ("sizes", "flags", "full"),
    [
        # Pyramids, a slide with thumbnail, label and overview, a photograph after its thumbnail.
        ([(40, 61), (20, 30), (10, 15)], [0, 1, 1], 1),
        ([(40, 61), (20, 30), (10, 15)], None, 1),
        ([(400, 600), (40, 60), (200, 300), (50, 50), (30, 90)], [0, 0, 0, 1, 9], 1),
        ([(20, 30), (40, 60)], [1, 0], 2),
        ([(40, 60), (40, 60)], [0, 4], 1),
    ],
)
def test_full_page_of_an_image_with_copies_is_read(tmp_path, sizes, flags, full, caplog):
    write_levels(tmp_path / "a.tif", *sizes, flags=flags)
    scan = TiffScan(tmp_path / "a.tif")
    assert (scan.shape, scan.is_volume) == ((1, *sizes[full - 1]), False)
    assert (scan.read_values() == full).all()
    pages = "1 page" if len(sizes) == 2 else f"{len(sizes) - 1} pages"
    assert caplog.messages == [
        f"{tmp_path / 'a.tif'}: left out {pages}: reduced copies or transparency masks of the image"
    ]


@pytest.mark.parametrize(
    ("sizes", "flags"), [([(4, 6), (4, 6)], None), ([(4, 6), (4, 6)], [1, 1]), ([(4, 6)], [1])]
)
def test_pages_that_are_no_copies_are_slices(tmp_path, sizes, flags, caplog):
    write_levels(tmp_path / "a.tif", *sizes, flags=flags)
    assert TiffScan(tmp_path / "a.tif").shape == (len(sizes), 4, 6)
    assert caplog.messages == []


@pytest.mark.parametrize(
    "sizes", [[(40, 60), (40, 30)], [(40, 60), (30, 30)], [(20, 30), (40, 60)]]
)
def test_pages_of_other_sizes_are_rejected(tmp_path, sizes):
    write_levels(tmp_path / "a.tif", *sizes)
    with pytest.raises(InputError, match=r"a\.tif: pages must have one size and kind"):
        TiffScan(tmp_path / "a.tif").read_values()
