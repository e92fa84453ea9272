"""TIFF files of every kind, read as images and as masks, and masks written for them."""

import struct
from itertools import product

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from automedsam.runtime.errors import InputError
from automedsam.scans.tiff.tiff_scan import TiffScan
from combination import combination
from pictures import COLOURS, DEEP, GREY, RAMP, RED_GREEN_BLUE, TURNS
from tiff_files import save_pages, write_tiff


def read_values(path):
    return TiffScan(path).read_values()


def read_labels(path):
    return TiffScan(path).read_labels()


def tags_of(path):
    with Image.open(path) as image:
        return dict(image.tag_v2)


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("a.tif", GREY),
        ("a.tif", (RAMP * 300).astype(np.uint16)),
        ("a.TIFF", (RAMP * 300).astype(">u2")),
        ("a.tif", RAMP.astype(np.int32) - 70_000),
        ("a.tif", RAMP.astype(np.float32) / 1024 - 3),
    ],
    ids=lambda value: value if isinstance(value, str) else value.dtype.str,
)
def test_grey_values_are_kept(tmp_path, name, pixels):
    Image.fromarray(pixels).save(tmp_path / name)
    scan = TiffScan(tmp_path / name)
    assert (scan.shape, scan.is_volume, scan.spacing_mm, scan.slicing) == (
        (1, 3, 67),
        False,
        None,
        None,
    )
    np.testing.assert_array_equal(scan.read_values(), pixels[None])


def test_values_of_every_type_byte_order_and_packing_are_kept(tmp_path):
    dtypes = ["u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8"]
    for dtype, order, is_deflated in product(dtypes, "<>", [False, True]):
        with combination(dtype=dtype, order=order, is_deflated=is_deflated):
            pixels = (RAMP - (0 if dtype[0] == "u" else 100)).astype(dtype)
            pixels *= np.array(1 if dtype[1] == "1" else 150, dtype)
            write_tiff(tmp_path / "a.tif", pixels, order=order, is_deflated=is_deflated)
            values = read_values(tmp_path / "a.tif")
            assert values.dtype == dtype
            np.testing.assert_array_equal(values, pixels[None])
            np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), pixels[None])


@pytest.mark.parametrize(("channels", "alpha"), [(2, 2), (3, None), (4, 2)])
def test_tiff_of_16_bits_per_channel_is_not_reduced(tmp_path, channels, alpha):
    expected = DEEP[..., :3] if channels > 2 else DEEP[..., 0]
    pages = DEEP[..., :channels], DEEP[::-1, :, :channels]
    for order, is_planar, is_deflated in product("<>", [False, True], [False, True]):
        options = {"order": order, "is_planar": is_planar, "is_deflated": is_deflated}
        with combination(**options):
            write_tiff(tmp_path / "a.tif", *pages, alpha=alpha, **options)
            values = read_values(tmp_path / "a.tif")
            assert values.dtype == np.uint16
            np.testing.assert_array_equal(values, [expected, expected[::-1]])


def test_colours_are_kept(tmp_path):
    Image.fromarray(COLOURS).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_values(tmp_path / "a.tif"), COLOURS[None])


def test_grey_with_premultiplied_transparency_is_grey(tmp_path):
    write_tiff(tmp_path / "a.tif", np.dstack([GREY, GREY]), alpha=1, t262=1)
    np.testing.assert_array_equal(read_values(tmp_path / "a.tif"), GREY[None])
    opaque = GREY > 110
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), (opaque * GREY)[None])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_white_is_zero_is_inverted(tmp_path, dtype):
    write_tiff(tmp_path / "a.tif", GREY.astype(dtype), t262=0)
    values = read_values(tmp_path / "a.tif")
    assert values.dtype == dtype
    np.testing.assert_array_equal(values, np.iinfo(dtype).max - GREY[None].astype(int))


def test_cmyk_becomes_rgb(tmp_path):
    cmyk = np.zeros((4, 5, 4), np.uint8)
    cmyk[..., 0] = 255  # cyan: no red
    Image.fromarray(cmyk, "CMYK").save(tmp_path / "a.tif")
    np.testing.assert_array_equal(
        read_values(tmp_path / "a.tif"), np.full((1, 4, 5, 3), (0, 255, 255))
    )


def test_every_layout_and_compression_is_read(tmp_path):
    layouts = [{}, {"tile": (16, 32)}, {"rowsperstrip": 2}, {"bigtiff": True}, {"byteorder": ">"}]
    compressions = [None, "lzw", "zlib", "packbits", "zstd", "lzma"]
    images = [GREY, COLOURS, RAMP / 7, DEEP[..., :3], COLOURS / 7]
    # Each pair of a layout, a compression and a kind of pixels occurs, but not each triple.
    for i, j in product(range(len(layouts)), range(len(compressions))):
        layout, compression, pixels = layouts[i], compressions[j], images[(i + j) % len(images)]
        kind = f"{pixels.dtype} {pixels.ndim}-D"
        with combination(pixels=kind, layout=layout, compression=compression):
            tifffile.imwrite(
                tmp_path / "a.tif",
                pixels,
                photometric="rgb" if pixels.ndim == 3 else "minisblack",
                compression=compression,
                **layout,
            )
            values = read_values(tmp_path / "a.tif")
            assert values.dtype == pixels.dtype
            np.testing.assert_array_equal(values, pixels[None])


@pytest.mark.parametrize("compression", ["lzw", "zlib"])
@pytest.mark.parametrize("pixels", [DEEP[..., 0], RAMP / 7], ids=["whole", "float"])
def test_compression_with_predictor_is_read(tmp_path, pixels, compression):
    tifffile.imwrite(tmp_path / "a.tif", pixels, compression=compression, predictor=True)
    np.testing.assert_array_equal(read_values(tmp_path / "a.tif"), pixels[None])


@pytest.mark.parametrize("photometric", [2, 6], ids=["RGB", "YCbCr"])
def test_jpeg_compression_is_read_as_image_but_not_as_mask(tmp_path, photometric):
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:16, :, 0] = 240
    if photometric == 2:
        Image.fromarray(pixels).save(tmp_path / "a.tif", compression="jpeg", quality=100)
    else:
        tifffile.imwrite(
            tmp_path / "a.tif", pixels, photometric="rgb", compression="jpeg", tile=(16, 16)
        )
    assert tags_of(tmp_path / "a.tif")[262] == photometric
    assert np.abs(read_values(tmp_path / "a.tif")[0].astype(int) - pixels).max() < 12
    with pytest.raises(InputError, match=r"a\.tif: a mask must not be compressed as JPEG"):
        read_labels(tmp_path / "a.tif")


@pytest.mark.parametrize("bits", [2, 4, 12])
@pytest.mark.parametrize("is_white_zero", [False, True])
def test_2_4_and_12_bits_are_read(tmp_path, bits, is_white_zero):
    pixels = (RAMP % 2**bits).astype(np.uint16 if bits > 8 else np.uint8)
    rows = np.packbits(
        (pixels[..., None] >> np.arange(bits)[::-1] & 1).reshape(3, -1).astype(bool), axis=1
    )
    tifffile.imwrite(
        tmp_path / "a.tif", rows, photometric="miniswhite" if is_white_zero else "minisblack"
    )
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
        file.pages.first.tags[256].overwrite(67)
        file.pages.first.tags[258].overwrite(bits)
    expected = 2**bits - 1 - pixels if is_white_zero else pixels
    np.testing.assert_array_equal(read_values(tmp_path / "a.tif"), expected[None])
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), pixels[None])


@pytest.mark.parametrize("kind", [{"imagej": True}, {"ome": True}, {}], ids=str)
@pytest.mark.parametrize("axes", ["ZYX", "TZYX"])
def test_pages_of_imagej_and_ome_stacks_are_slices(tmp_path, axes, kind):
    stack = (np.arange(24 * RAMP.size) % 60_000).astype(np.uint16).reshape(-1, *RAMP.shape)
    shape = {"ZYX": (24,), "TZYX": (4, 6)}[axes]
    volume = stack.reshape(*shape, *RAMP.shape)
    tifffile.imwrite(
        tmp_path / "a.tif", volume, photometric="minisblack", metadata={"axes": axes}, **kind
    )
    scan = TiffScan(tmp_path / "a.tif")
    assert (scan.shape, scan.is_volume) == ((24, 3, 67), True)
    np.testing.assert_array_equal(scan.read_values(), stack)
    scan.write(tmp_path / "mask.tif", stack % 2 == 0)
    np.testing.assert_array_equal(read_labels(tmp_path / "mask.tif"), 255 * (stack % 2 == 0))
    with (
        tifffile.TiffFile(tmp_path / "a.tif") as image,
        tifffile.TiffFile(tmp_path / "mask.tif") as mask,
    ):
        if "imagej" in kind:
            assert mask.series[0].axes == image.series[0].axes == axes


@pytest.mark.parametrize(
    "pages",
    [
        [GREY, GREY[::-1], GREY + 1],
        [(RAMP * 300).astype(np.uint16), (RAMP * 200).astype(np.uint16)],
        [RAMP.astype(np.float32) / 7, -RAMP.astype(np.float32)],
        [COLOURS, COLOURS[:, ::-1]],
    ],
    ids=lambda pages: f"{pages[0].dtype} {pages[0].ndim}",
)
def test_pages_are_slices(tmp_path, pages):
    save_pages(tmp_path / "a.tif", *pages)
    scan = TiffScan(tmp_path / "a.tif")
    assert (scan.shape, scan.is_volume) == ((len(pages), 3, 67), True)
    values = scan.read_values()
    assert values.dtype == pages[0].dtype
    np.testing.assert_array_equal(values, pages)


@pytest.mark.parametrize(
    ("pages", "shapes"),
    [
        ([GREY, GREY[:, :60], GREY], "3x60, 3x67"),
        ([COLOURS, GREY], "3x67, 3x67x3"),
        ([GREY, GREY.T], "3x67, 67x3"),
    ],
    ids=["size", "colour", "turned"],
)
def test_pages_that_differ_are_rejected(tmp_path, pages, shapes):
    save_pages(tmp_path / "a.tif", *pages)
    with pytest.raises(InputError) as caught:
        read_values(tmp_path / "a.tif")
    assert str(caught.value) == (
        f"{tmp_path / 'a.tif'}: pages must have one size and kind, found {shapes}"
    )


def test_cmyk_mask_is_rejected(tmp_path):
    ink = np.zeros((4, 5, 4), np.uint8)
    ink[1:3, 1:3, 3] = 255
    Image.fromarray(ink, "CMYK").save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a\.tif: a mask must have one value per pixel"):
        read_labels(tmp_path / "a.tif")


@pytest.mark.parametrize("kind", ["grey", "colour", "deep", "pages", "tiles"])
def test_tiff_is_rotated_as_its_orientation_specifies(tmp_path, kind):
    upright = {"colour": COLOURS, "deep": DEEP[..., :3], "tiles": DEEP[..., :3]}.get(kind, GREY)
    pages = 2 if kind == "pages" else 1
    for orientation, turn in TURNS.items():
        with combination(orientation=orientation):
            stored = np.ascontiguousarray(turn(upright))
            if kind == "tiles":
                tag = (274, 3, 1, orientation, True)
                options = {"tile": (16, 16), "photometric": "rgb", "extratags": [tag]}
                tifffile.imwrite(tmp_path / "a.tif", stored, **options)
            else:
                write_tiff(tmp_path / "a.tif", *[stored] * pages, t274=orientation)
            scan = TiffScan(tmp_path / "a.tif")
            assert scan.shape == (pages, 3, 67)
            np.testing.assert_array_equal(scan.read_values(), [upright] * pages)
            if upright.ndim == 2:
                np.testing.assert_array_equal(scan.read_labels(), [upright] * pages)
            scan.write(tmp_path / "mask.tif", np.stack([GREY > 90] * pages))
            labels = read_labels(tmp_path / "mask.tif")
            np.testing.assert_array_equal(labels, [255 * (GREY > 90)] * pages)


@pytest.mark.parametrize(("photometric", "name"), [("cielab", "CIELAB"), ("ycbcr", "YCBCR")])
def test_unsupported_colour_space_is_rejected(tmp_path, photometric, name):
    tifffile.imwrite(tmp_path / "a.tif", COLOURS, photometric=photometric)
    with pytest.raises(InputError, match=rf"a\.tif: an image must be grey, .*, found {name}"):
        read_values(tmp_path / "a.tif")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_background(tmp_path, value, caplog):
    pixels = RAMP.astype(np.float32) + 3
    pixels[1, 1] = value
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    for read, background in ((read_values, 3), (read_labels, 0)):
        expected = pixels.copy()
        expected[1, 1] = background
        np.testing.assert_array_equal(read(tmp_path / "a.tif"), expected[None])
    assert [message.split("; ")[0] for message in caplog.messages] == [
        f"{tmp_path / 'a.tif'}: 1 of 201 values are NaN or infinite"
    ] * 2


def test_labels_of_a_palette_are_its_indices(tmp_path):
    labels = (np.arange(64).reshape(8, 8) % 3).astype(np.uint8)
    image = Image.fromarray(labels)
    image.putpalette(RED_GREEN_BLUE)
    image.save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), labels[None])


@pytest.mark.parametrize("dtype", ["u1", "i2", "u4", "f2", "f8"])
def test_labels_are_the_stored_values(tmp_path, dtype):
    labels = np.array([[0, 1], [2, 100]], dtype) * (-1 if dtype[0] == "i" else 1)
    write_tiff(tmp_path / "a.tif", labels)
    read = read_labels(tmp_path / "a.tif")
    assert read.dtype == (np.int64 if dtype[0] == "f" else labels.dtype)
    np.testing.assert_array_equal(read, labels[None])


def test_one_bit_mask_is_0_and_1(tmp_path):
    Image.fromarray(np.eye(9, dtype=bool)).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), np.eye(9)[None])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_labels_are_not_inverted_if_white_is_zero(tmp_path, dtype):
    # ImageJ saves masks with an inverting lookup table in this way.
    labels = np.array([[0, 0, 0], [0, 255, 0]], dtype)
    write_tiff(tmp_path / "a.tif", labels, t262=0)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), labels[None])


def test_pages_of_a_mask_are_slices(tmp_path):
    save_pages(tmp_path / "a.tif", GREY, GREY // 2, GREY // 3)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), [GREY, GREY // 2, GREY // 3])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_grey_mask_saved_with_channels_is_accepted(tmp_path, mode):
    labels = np.array([[0, 1, 2], [3, 4, 255]], np.uint8)
    Image.fromarray(labels).convert(mode).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), labels[None])


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_grey_mask_saved_with_16_bit_channels_is_accepted(tmp_path, channels):
    labels = np.repeat(DEEP[..., :1], channels, axis=2)
    if channels in (2, 4):
        labels[..., -1] = 65535
    write_tiff(tmp_path / "a.tif", labels, alpha=None if channels == 3 else 2)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), DEEP[None, ..., 0])


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colour_mask_is_rejected(tmp_path, mode):
    Image.fromarray(COLOURS).convert(mode).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a\.tif: a mask must have one value per pixel"):
        read_labels(tmp_path / "a.tif")


@pytest.mark.parametrize("value", [0.5, -1.25])
def test_labels_that_are_not_whole_are_rejected(tmp_path, value):
    labels = np.zeros((4, 5), np.float32)
    labels[1, 1] = value
    Image.fromarray(labels).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a\.tif: mask values must be whole numbers"):
        read_labels(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "image", [GREY, (RAMP * 300).astype(np.uint16), COLOURS], ids=["8 bits", "16 bits", "colour"]
)
def test_mask_is_written_as_0_and_255(tmp_path, image):
    Image.fromarray(image).save(tmp_path / "a.tif")
    scan = TiffScan(tmp_path / "a.tif")
    mask = RAMP[None] % 3 == 0
    scan.write(tmp_path / "masks" / "a.tif", mask)
    with Image.open(tmp_path / "masks" / "a.tif") as written:
        assert (written.format, written.mode) == ("TIFF", "L")
        np.testing.assert_array_equal(np.asarray(written), 255 * mask[0])
    np.testing.assert_array_equal(read_labels(tmp_path / "masks" / "a.tif"), 255 * mask)


def test_soft_mask_is_written_unchanged(tmp_path):
    write_tiff(tmp_path / "a.tif", GREY)
    TiffScan(tmp_path / "a.tif").write(tmp_path / "masks" / "a.tif", GREY[None] // 2)
    np.testing.assert_array_equal(read_labels(tmp_path / "masks" / "a.tif"), GREY[None] // 2)


@pytest.mark.parametrize(
    "pages",
    [[GREY] * 3, [RAMP.astype(np.float32)] * 2, [COLOURS] * 4],
    ids=["grey", "float", "colour"],
)
@pytest.mark.parametrize("dtype", [bool, np.uint8])
def test_mask_of_a_stack_has_one_page_per_slice(tmp_path, pages, dtype):
    save_pages(tmp_path / "a.tif", *pages)
    scan = TiffScan(tmp_path / "a.tif")
    stack = np.stack([RAMP % (number + 2) for number in range(len(pages))]).astype(dtype)
    scan.write(tmp_path / "masks/a.tif", stack)
    written = TiffScan(tmp_path / "masks/a.tif")
    assert written.shape == scan.shape
    assert written.read_values().dtype == np.uint8
    np.testing.assert_array_equal(
        written.read_labels(), stack * np.uint8(255) if dtype is bool else stack
    )


@pytest.mark.parametrize("pages", [1, 3])
def test_mask_keeps_the_resolution_on_each_page(tmp_path, pages):
    resolution = {282: IFDRational(10000, 254), 283: IFDRational(100, 3), 296: 3}
    save_pages(tmp_path / "a.tif", *[GREY] * pages, tiffinfo=resolution)
    TiffScan(tmp_path / "a.tif").write(tmp_path / "mask.tif", np.zeros((pages, 3, 67), bool))
    with Image.open(tmp_path / "mask.tif") as mask:
        for page in range(pages):
            mask.seek(page)
            assert float(mask.tag_v2[282]) == pytest.approx(10000 / 254)
            assert float(mask.tag_v2[283]) == pytest.approx(100 / 3)
            assert mask.tag_v2[296] == 3


def test_mask_of_a_rotated_image_swaps_the_resolution(tmp_path):
    tag = (274, 3, 1, 6, True)
    tifffile.imwrite(tmp_path / "a.tif", GREY.T, resolution=(100, 50), extratags=[tag])
    TiffScan(tmp_path / "a.tif").write(tmp_path / "mask.tif", GREY[None] > 90)
    tags = tags_of(tmp_path / "mask.tif")
    assert (tags[282], tags[283]) == (50, 100)


@pytest.mark.parametrize("denominator", [0, 13])
def test_invalid_resolution_is_omitted(tmp_path, denominator):
    Image.fromarray(GREY).save(
        tmp_path / "a.tif", tiffinfo={282: IFDRational(7, 13), 283: IFDRational(7, 13)}
    )
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(
        content.replace(struct.pack("<LL", 7, 13), struct.pack("<LL", 0, denominator))
    )
    TiffScan(tmp_path / "a.tif").write(tmp_path / "mask.tif", GREY[None] > 90)
    tags = tags_of(tmp_path / "mask.tif")
    assert (tags[282], tags[296]) == ((0, 2) if denominator else (1, 1))  # inches, or nothing


def test_mask_keeps_the_geometry_of_imagej(tmp_path):
    description = (
        "ImageJ=1.54f\nimages=3\nslices=3\nunit=mm\nspacing=2.5\nloop=false\nmin=20.0\nmax=220.0\n"
    )
    resolution = {282: IFDRational(2, 1), 283: IFDRational(2, 1), 296: 1, 270: description}
    save_pages(tmp_path / "a.tif", GREY, GREY, GREY, tiffinfo=resolution)
    TiffScan(tmp_path / "a.tif").write(tmp_path / "mask.tif", np.zeros((3, 3, 67), bool))
    tags = tags_of(tmp_path / "mask.tif")
    assert tags[270] == "ImageJ=1.54f\nimages=3\nslices=3\nunit=mm\nspacing=2.5\n"
    assert (float(tags[282]), tags[296]) == (2, 1)


def test_mask_does_not_copy_other_descriptions(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.tif", tiffinfo={270: "Jane Doe, born 1970"})
    TiffScan(tmp_path / "a.tif").write(tmp_path / "mask.tif", GREY[None] > 90)
    assert 270 not in tags_of(tmp_path / "mask.tif")
    assert b"Jane" not in (tmp_path / "mask.tif").read_bytes()


def test_same_mask_is_written_as_the_same_bytes(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.tif")
    scan = TiffScan(tmp_path / "a.tif")
    for place in ("one", "other"):
        scan.write(tmp_path / place / "a.tif", GREY[None] > 90)
    assert (tmp_path / "one" / "a.tif").read_bytes() == (tmp_path / "other" / "a.tif").read_bytes()
