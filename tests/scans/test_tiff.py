"""TIFF of every kind as stacks of their own values, masks as they are stored and written to match."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from automedsam.runtime.errors import InputError
from automedsam.scans.tiff import TiffScan
from pictures import COLOURS, DEEP, GREY, RAMP, RED_GREEN_BLUE, TURNS


def write_tiff(path, *pages, order="<", alpha=None, is_planar=False, is_deflated=False, **tags):
    """A TIFF of pages (H, W) or (H, W, channels), any type: Pillow writes few. `tags` are t262=1 for number 262."""
    content = bytearray(struct.pack(f"{order}2sHL", b"II" if order == "<" else b"MM", 42, 0))
    link = 4
    for page in pages:
        samples = np.atleast_3d(page).astype(page.dtype.newbyteorder(order))
        height, width, channels = samples.shape
        strips = np.moveaxis(samples, 2, 0) if is_planar else [samples]
        strips = [
            zlib.compress(strip.tobytes()) if is_deflated else strip.tobytes() for strip in strips
        ]
        starts = [len(content) + sum(map(len, strips[:number])) for number in range(len(strips))]
        content += b"".join(strips)
        entries = {
            256: ("L", [width]),
            257: ("L", [height]),
            258: ("H", [8 * samples.itemsize] * channels),
            259: ("H", [8 if is_deflated else 1]),
            262: ("H", [2 if channels > 2 else 1]),
            273: ("L", starts),
            277: ("H", [channels]),
            279: ("L", [len(strip) for strip in strips]),
            284: ("H", [2 if is_planar else 1]),
            339: ("H", [" uif".index(samples.dtype.kind)] * channels),
            **({} if alpha is None else {338: ("H", [alpha])}),
            **{int(tag[1:]): ("H", [value]) for tag, value in tags.items()},
        }
        content += bytes(len(content) % 2)
        struct.pack_into(f"{order}L", content, link, len(content))
        after = len(content) + 2 + 12 * len(entries) + 4
        records, more = struct.pack(f"{order}H", len(entries)), b""
        for tag, (kind, values) in sorted(entries.items()):
            packed = struct.pack(f"{order}{len(values)}{kind}", *values)
            place = (
                packed.ljust(4, b"\0")
                if len(packed) <= 4
                else struct.pack(f"{order}L", after + len(more))
            )
            more += packed if len(packed) > 4 else b""
            records += struct.pack(f"{order}HHL", tag, {"H": 3, "L": 4}[kind], len(values)) + place
        link = len(content) + len(records)
        content += records + bytes(4) + more
    path.write_bytes(content)


def save_pages(path, *pages, **options):
    first, *others = (Image.fromarray(page) for page in pages)
    first.save(path, save_all=True, append_images=others, **options)


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
def test_grey_as_pillow_writes_it_is_read_as_it_is(tmp_path, name, pixels):
    Image.fromarray(pixels).save(tmp_path / name)
    scan = TiffScan(tmp_path / name)
    assert (scan.shape, scan.is_volume, scan.spacing_mm, scan.slicing) == (
        (1, 3, 67),
        False,
        None,
        None,
    )
    np.testing.assert_array_equal(scan.read_values(), pixels[None])


@pytest.mark.parametrize("is_deflated", [False, True], ids=["plain", "deflated"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8"])
def test_tiffs_of_every_type_byte_order_and_packing_are_read_as_they_are(
    tmp_path, dtype, order, is_deflated
):
    pixels = (RAMP - (0 if dtype[0] == "u" else 100)).astype(dtype) * np.array(
        1 if dtype[1] == "1" else 150, dtype
    )
    write_tiff(tmp_path / "a.tif", pixels, order=order, is_deflated=is_deflated)
    values = read_values(tmp_path / "a.tif")
    assert values.dtype == dtype
    np.testing.assert_array_equal(values, pixels[None])
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), pixels[None])


@pytest.mark.parametrize("is_deflated", [False, True], ids=["plain", "deflated"])
@pytest.mark.parametrize("is_planar", [False, True], ids=["by pixel", "by channel"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("channels", "alpha"), [(2, 2), (3, None), (4, 2)])
def test_a_tiff_of_16_bits_a_channel_keeps_them_all(
    tmp_path, channels, alpha, order, is_planar, is_deflated
):
    options = {"alpha": alpha, "order": order, "is_planar": is_planar, "is_deflated": is_deflated}
    write_tiff(tmp_path / "a.tif", DEEP[..., :channels], DEEP[::-1, :, :channels], **options)
    values = read_values(tmp_path / "a.tif")
    assert values.dtype == np.uint16
    expected = DEEP[..., :3] if channels > 2 else DEEP[..., 0]
    np.testing.assert_array_equal(values, [expected, expected[::-1]])


def test_colours_are_read_as_they_are(tmp_path):
    Image.fromarray(COLOURS).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_values(tmp_path / "a.tif"), COLOURS[None])


def test_transparency_is_dropped_and_hidden_colours_kept(tmp_path):
    Image.fromarray(np.dstack([COLOURS, RAMP.astype(np.uint8)])).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_values(tmp_path / "a.tif"), COLOURS[None])


def test_grey_with_transparency_is_grey(tmp_path):
    Image.fromarray(np.dstack([GREY, RAMP.astype(np.uint8)]), "LA").save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_values(tmp_path / "a.tif"), GREY[None])
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), GREY[None])


def test_grey_with_multiplied_transparency_is_grey(tmp_path):
    write_tiff(tmp_path / "a.tif", np.dstack([GREY, GREY]), alpha=1, t262=1)
    np.testing.assert_array_equal(read_values(tmp_path / "a.tif"), GREY[None])
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), GREY[None])


@pytest.mark.parametrize(
    "transparency", [None, 0, bytes([0, 255, 128])], ids=["none", "one_index", "by_index"]
)
def test_a_palette_becomes_its_colours(tmp_path, transparency):
    image = Image.fromarray((np.arange(64).reshape(8, 8) % 3).astype(np.uint8))
    image.putpalette(RED_GREEN_BLUE)
    image.save(
        tmp_path / "a.tif", **({} if transparency is None else {"transparency": transparency})
    )
    np.testing.assert_array_equal(
        read_values(tmp_path / "a.tif"), 255 * np.eye(3)[np.arange(64).reshape(1, 8, 8) % 3]
    )


def test_one_bit_becomes_black_and_white(tmp_path):
    Image.fromarray(np.eye(8, dtype=bool)).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_values(tmp_path / "a.tif"), 255 * np.eye(8)[None])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_more_is_brighter_also_where_white_is_said_to_be_zero(tmp_path, dtype):
    write_tiff(tmp_path / "a.tif", GREY.astype(dtype), t262=0)
    values = read_values(tmp_path / "a.tif")
    assert values.dtype == dtype
    np.testing.assert_array_equal(values, np.iinfo(dtype).max - GREY[None].astype(int))


def test_colours_for_the_press_become_red_green_and_blue(tmp_path):
    cmyk = np.zeros((4, 5, 4), np.uint8)
    cmyk[..., 0] = 255  # cyan: no red
    Image.fromarray(cmyk, "CMYK").save(tmp_path / "a.tif")
    np.testing.assert_array_equal(
        read_values(tmp_path / "a.tif"), np.full((1, 4, 5, 3), (0, 255, 255))
    )


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "packbits", "zstd", "lzma"])
@pytest.mark.parametrize(
    "layout",
    [{}, {"tile": (16, 32)}, {"rowsperstrip": 2}, {"bigtiff": True}, {"byteorder": ">"}],
    ids=str,
)
@pytest.mark.parametrize(
    "pixels",
    [GREY, COLOURS, RAMP / 7, DEEP[..., :3], COLOURS / 7],
    ids=lambda a: f"{a.dtype} {a.ndim}",
)
def test_every_layout_and_compression_is_read(tmp_path, pixels, layout, compression):
    photometric = "rgb" if pixels.ndim == 3 else "minisblack"
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, photometric=photometric, compression=compression, **layout
    )
    values = read_values(tmp_path / "a.tif")
    assert values.dtype == pixels.dtype
    np.testing.assert_array_equal(values, pixels[None])


@pytest.mark.parametrize("compression", ["lzw", "zlib"])
@pytest.mark.parametrize("pixels", [DEEP[..., 0], RAMP / 7], ids=["whole", "float"])
def test_what_was_predicted_is_read(tmp_path, pixels, compression):
    tifffile.imwrite(tmp_path / "a.tif", pixels, compression=compression, predictor=True)
    np.testing.assert_array_equal(read_values(tmp_path / "a.tif"), pixels[None])


@pytest.mark.parametrize("photometric", [2, 6], ids=["RGB", "YCbCr"])
def test_jpegs_in_a_tiff_are_images_but_no_masks(tmp_path, photometric):
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
    with pytest.raises(
        InputError, match=r"a\.tif: expected a mask as it was drawn, found a JPEG in a TIFF"
    ):
        read_labels(tmp_path / "a.tif")


@pytest.mark.parametrize("bits", [2, 4, 12])
@pytest.mark.parametrize("is_white_zero", [False, True])
def test_odd_numbers_of_bits_are_read(tmp_path, bits, is_white_zero):
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
@pytest.mark.parametrize("axes", ["ZYX", "ZCYX", "TZCYX"])
def test_stacks_of_imagej_and_ome_are_their_pages(tmp_path, axes, kind):
    stack = (np.arange(24 * RAMP.size) % 60_000).astype(np.uint16).reshape(-1, *RAMP.shape)
    shape = {"ZYX": (24,), "ZCYX": (12, 2), "TZCYX": (4, 3, 2)}[axes]
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


def test_smaller_copies_of_a_page_are_passed_over(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(GREY, subifds=1)
        file.write(GREY[::2, ::2])
    assert TiffScan(tmp_path / "a.tif").shape == (1, 3, 67)
    np.testing.assert_array_equal(read_values(tmp_path / "a.tif"), GREY[None])


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
def test_pages_of_a_tiff_are_slices(tmp_path, pages):
    save_pages(tmp_path / "a.tif", *pages)
    scan = TiffScan(tmp_path / "a.tif")
    assert (scan.shape, scan.is_volume) == ((len(pages), 3, 67), True)
    values = scan.read_values()
    assert values.dtype == pages[0].dtype
    np.testing.assert_array_equal(values, pages)


@pytest.mark.parametrize(
    ("pages", "found"),
    [
        ([GREY, GREY[:, :60], GREY], "3x60, 3x67"),
        ([COLOURS, GREY], "3x67, 3x67x3"),
        ([GREY, GREY.T], "3x67, 67x3"),
    ],
    ids=["size", "colour", "turned"],
)
def test_pages_that_differ_are_refused(tmp_path, pages, found):
    save_pages(tmp_path / "a.tif", *pages)
    with pytest.raises(InputError) as told:
        read_values(tmp_path / "a.tif")
    assert (
        str(told.value)
        == f"{tmp_path / 'a.tif'}: expected pages of one size and kind, found {found}"
    )


@pytest.mark.parametrize(
    ("pixels", "options", "found"),
    [
        (RAMP * 1j, {}, "128 bits a value, of a kind that is not read"),
        (
            np.zeros((16, 16, 16), np.uint8),
            {"volumetric": True, "tile": (16, 16, 16)},
            "16 slices in one page",
        ),
        (COLOURS, {"photometric": "cielab"}, "CIELAB"),
        (COLOURS, {"photometric": "ycbcr"}, "YCBCR"),
        (
            np.stack([GREY] * 3),
            {"imagej": True, "truncate": True},
            "3 images, not each in a page of its own",
        ),
        (
            GREY,
            {"extratags": [(33629, 5, 2, (1, 1, 1, 1), True)]},
            "2 images, not each in a page of its own",
        ),
    ],
    ids=["complex", "volume", "lab", "plain YCbCr", "ImageJ", "MetaMorph"],
)
def test_what_is_not_read_is_refused(tmp_path, pixels, options, found):
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    with pytest.raises(InputError, match=rf"a\.tif: expected .*{found}"):
        read_values(tmp_path / "a.tif")


def test_a_mask_for_the_press_is_refused(tmp_path):
    ink = np.zeros((4, 5, 4), np.uint8)
    ink[1:3, 1:3, 3] = 255
    Image.fromarray(ink, "CMYK").save(tmp_path / "a.tif")
    with pytest.raises(
        InputError, match=r"a\.tif: expected a mask with one value a pixel, found a colour image"
    ):
        read_labels(tmp_path / "a.tif")


@pytest.mark.parametrize("tag", [256, 257, 322, 323])
def test_a_page_of_absurd_size_is_refused(tmp_path, tag):
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((64, 64), np.uint8), tile=(16, 16), compression="zlib"
    )
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
        file.pages.first.tags[tag].overwrite(2**31)
    with pytest.raises(
        InputError, match=r"a\.tif: expected an image, found .* \(a page of \d+ x \d+ pixels\)"
    ):
        TiffScan(tmp_path / "a.tif")


@pytest.mark.parametrize("pages", [3, 150])
def test_pages_that_go_round_in_a_circle_are_refused(tmp_path, pages):
    write_tiff(tmp_path / "a.tif", *[GREY[:1, :4]] * pages)
    content = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        struct.pack_into("<L", content, file.pages.next_page_offset, file.pages.first.offset)
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(
        InputError, match=r"a\.tif: expected an image, found .* \(its pages go round in a circle\)"
    ):
        TiffScan(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits", "jpeg"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_a_truncated_file_is_named(tmp_path, compression, share):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, compression=compression, rowsperstrip=16)
    whole = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(
        InputError, match=r"a\.tif: expected an image, found a file that cannot be read"
    ):
        read_values(tmp_path / "a.tif")


def complaint(path):
    """What is said of a file that is read as an image and as a mask, if anything."""
    try:
        scan = TiffScan(path)
        assert scan.read_values().shape[:3] == scan.shape
        scan.read_labels()
    except InputError as told:
        return str(told)
    return f"{path}: expected nothing else"


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits"])
def test_a_damaged_file_is_read_or_named_in_one_line_and_nothing_else_is_said(
    tmp_path, compression, capfd
):
    random = np.random.default_rng(0)
    tifffile.imwrite(
        tmp_path / "a.tif", np.stack([GREY] * 3), photometric="minisblack", compression=compression
    )
    whole = np.fromfile(tmp_path / "a.tif", np.uint8)
    for _ in range(100):
        damaged = whole.copy()
        damaged[random.integers(0, len(whole), 5)] = random.integers(0, 256, 5)
        damaged.tofile(tmp_path / "a.tif")
        told = complaint(tmp_path / "a.tif")
        assert told.startswith(f"{tmp_path / 'a.tif'}: expected ")
        assert "\n" not in told
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("kind", ["grey", "colour", "deep", "pages", "tiles"])
def test_a_tiff_is_turned_as_its_orientation_says(tmp_path, kind, orientation):
    upright = DEEP[..., :3] if kind in ("deep", "tiles") else COLOURS if kind == "colour" else GREY
    stored = np.ascontiguousarray(TURNS[orientation](upright))
    if kind == "tiles":
        tag = (274, 3, 1, orientation, True)
        tifffile.imwrite(
            tmp_path / "a.tif", stored, tile=(16, 16), photometric="rgb", extratags=[tag]
        )
    else:
        write_tiff(tmp_path / "a.tif", *[stored] * (2 if kind == "pages" else 1), t274=orientation)
    scan = TiffScan(tmp_path / "a.tif")
    assert scan.shape == (2 if kind == "pages" else 1, 3, 67)
    np.testing.assert_array_equal(scan.read_values(), [upright] * scan.shape[0])
    if upright.ndim == 2:
        np.testing.assert_array_equal(scan.read_labels(), [upright] * scan.shape[0])
    scan.write(tmp_path / "mask.tif", np.stack([GREY > 90] * scan.shape[0]))
    np.testing.assert_array_equal(
        read_labels(tmp_path / "mask.tif"), [255 * (GREY > 90)] * scan.shape[0]
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path, value):
    pixels = RAMP.astype(np.float32)
    pixels[1, 1] = value
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a\.tif: expected finite values, found NaN or infinity"):
        read_values(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a\.tif: expected a mask of whole numbers, found"):
        read_labels(tmp_path / "a.tif")


@pytest.mark.parametrize("read", [read_values, read_labels])
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
def test_a_file_that_is_no_tiff_is_named(tmp_path, read, content):
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(
        InputError, match=r"a\.tif: expected an image, found a file that cannot be read"
    ):
        read(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "pixels", [GREY, DEEP[..., 0], DEEP[..., :3]], ids=["8 bits", "16 bits", "16 bits a channel"]
)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
def test_a_truncated_stack_is_named(tmp_path, share, pixels):
    write_tiff(tmp_path / "a.tif", *[pixels] * 3)
    whole = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(
        InputError, match=r"a\.tif: expected an image, found a file that cannot be read"
    ):
        read_values(tmp_path / "a.tif")


@pytest.mark.parametrize("read", [read_values, read_labels])
def test_a_missing_file_is_named(tmp_path, read):
    with pytest.raises(InputError, match=r"gone\.tif: expected an image, found no such file"):
        read(tmp_path / "gone.tif")


def test_labels_are_palette_indices_and_not_colours(tmp_path):
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


def test_a_one_bit_mask_is_0_and_1(tmp_path):
    Image.fromarray(np.eye(9, dtype=bool)).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), np.eye(9)[None])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_labels_are_stored_values_also_where_white_is_said_to_be_zero(tmp_path, dtype):
    labels = np.array(
        [[0, 0, 0], [0, 255, 0]], dtype
    )  # as ImageJ saves a mask with an inverting LUT
    write_tiff(tmp_path / "a.tif", labels, t262=0)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), labels[None])


def test_pages_of_a_mask_are_slices(tmp_path):
    save_pages(tmp_path / "a.tif", GREY, GREY // 2, GREY // 3)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), [GREY, GREY // 2, GREY // 3])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_a_grey_mask_saved_with_channels_is_a_mask(tmp_path, mode):
    labels = np.array([[0, 1, 2], [3, 4, 255]], np.uint8)
    Image.fromarray(labels).convert(mode).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), labels[None])


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_a_grey_mask_saved_with_16_bit_channels_is_a_mask(tmp_path, channels):
    labels = np.repeat(DEEP[..., :1], channels, axis=2)
    if channels in (2, 4):
        labels[..., -1] = 65535
    write_tiff(tmp_path / "a.tif", labels, alpha=None if channels == 3 else 2)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), DEEP[None, ..., 0])


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_colour_mask_is_refused(tmp_path, mode):
    Image.fromarray(COLOURS).convert(mode).save(tmp_path / "a.tif")
    with pytest.raises(
        InputError, match=r"a\.tif: expected a mask with one value a pixel, found a colour image"
    ):
        read_labels(tmp_path / "a.tif")


@pytest.mark.parametrize("value", [0.5, -1.25])
def test_labels_that_are_not_whole_are_refused(tmp_path, value):
    labels = np.zeros((4, 5), np.float32)
    labels[1, 1] = value
    Image.fromarray(labels).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a\.tif: expected a mask of whole numbers, found"):
        read_labels(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "image", [GREY, (RAMP * 300).astype(np.uint16), COLOURS], ids=["8 bits", "16 bits", "colour"]
)
def test_a_mask_is_0_and_255_in_the_images_size(tmp_path, image):
    Image.fromarray(image).save(tmp_path / "a.tif")
    scan = TiffScan(tmp_path / "a.tif")
    mask = RAMP[None] % 3 == 0
    scan.write(tmp_path / "masks" / "a.tif", mask)
    with Image.open(tmp_path / "masks" / "a.tif") as written:
        assert (written.format, written.mode) == ("TIFF", "L")
        np.testing.assert_array_equal(np.asarray(written), 255 * mask[0])
    np.testing.assert_array_equal(read_labels(tmp_path / "masks" / "a.tif"), 255 * mask)


def test_a_soft_mask_is_written_as_it_is(tmp_path):
    write_tiff(tmp_path / "a.tif", GREY)
    TiffScan(tmp_path / "a.tif").write(tmp_path / "masks" / "a.tif", GREY[None] // 2)
    np.testing.assert_array_equal(read_labels(tmp_path / "masks" / "a.tif"), GREY[None] // 2)


@pytest.mark.parametrize(
    "pages",
    [[GREY] * 3, [RAMP.astype(np.float32)] * 2, [COLOURS] * 4],
    ids=["grey", "float", "colour"],
)
@pytest.mark.parametrize("dtype", [bool, np.uint8])
def test_a_stacks_mask_has_a_page_for_each_of_the_images(tmp_path, pages, dtype):
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
def test_a_masks_tiff_keeps_the_resolution_on_each_page(tmp_path, pages):
    resolution = {282: IFDRational(10000, 254), 283: IFDRational(100, 3), 296: 3}
    save_pages(tmp_path / "a.tif", *[GREY] * pages, tiffinfo=resolution)
    TiffScan(tmp_path / "a.tif").write(tmp_path / "mask.tif", np.zeros((pages, 3, 67), bool))
    with Image.open(tmp_path / "mask.tif") as mask:
        for page in range(pages):
            mask.seek(page)
            assert float(mask.tag_v2[282]) == pytest.approx(10000 / 254)
            assert float(mask.tag_v2[283]) == pytest.approx(100 / 3)
            assert mask.tag_v2[296] == 3


def test_a_turned_images_mask_keeps_the_resolution_of_rows_and_columns(tmp_path):
    tag = (274, 3, 1, 6, True)
    tifffile.imwrite(tmp_path / "a.tif", GREY.T, resolution=(100, 50), extratags=[tag])
    TiffScan(tmp_path / "a.tif").write(tmp_path / "mask.tif", GREY[None] > 90)
    tags = tags_of(tmp_path / "mask.tif")
    assert (tags[282], tags[283]) == (50, 100)


@pytest.mark.parametrize("denominator", [0, 13])
def test_a_resolution_that_is_no_number_is_left_out(tmp_path, denominator):
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


def test_a_masks_tiff_keeps_what_imagej_knows_of_its_geometry(tmp_path):
    description = (
        "ImageJ=1.54f\nimages=3\nslices=3\nunit=mm\nspacing=2.5\nloop=false\nmin=20.0\nmax=220.0\n"
    )
    resolution = {282: IFDRational(2, 1), 283: IFDRational(2, 1), 296: 1, 270: description}
    save_pages(tmp_path / "a.tif", GREY, GREY, GREY, tiffinfo=resolution)
    TiffScan(tmp_path / "a.tif").write(tmp_path / "mask.tif", np.zeros((3, 3, 67), bool))
    tags = tags_of(tmp_path / "mask.tif")
    assert tags[270] == "ImageJ=1.54f\nimages=3\nslices=3\nunit=mm\nspacing=2.5\n"
    assert (float(tags[282]), tags[296]) == (2, 1)


def test_what_others_describe_in_a_tiff_is_not_taken_over(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.tif", tiffinfo={270: "Jane Doe, born 1970"})
    TiffScan(tmp_path / "a.tif").write(tmp_path / "mask.tif", GREY[None] > 90)
    assert 270 not in tags_of(tmp_path / "mask.tif")
    assert b"Jane" not in (tmp_path / "mask.tif").read_bytes()


def test_the_same_mask_is_written_as_the_same_bytes(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.tif")
    scan = TiffScan(tmp_path / "a.tif")
    for place in ("one", "other"):
        scan.write(tmp_path / place / "a.tif", GREY[None] > 90)
    assert (tmp_path / "one" / "a.tif").read_bytes() == (tmp_path / "other" / "a.tif").read_bytes()
