"""PNG, JPEG and TIFF of every kind as stacks of their own values, masks as they are stored and written to match."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from automedsam.errors import InputError
from automedsam.images import ImageScan, read_pixels, write_image

RAMP = np.arange(201).reshape(3, 67)
GREY = (RAMP + 20).astype(np.uint8)
COLOURS = np.stack([RAMP, 200 - RAMP, RAMP // 2], axis=2).astype(np.uint8)
DEEP = (np.stack([RAMP, 200 - RAMP, RAMP // 2, RAMP % 7], axis=2) * 300 + 7).astype(np.uint16)  # low bytes matter
RED_GREEN_BLUE = [255, 0, 0, 0, 255, 0, 0, 0, 255]
# What is stored for an image to be seen upright, by the EXIF orientation that says so.
TURNS = {
    1: lambda upright: upright,
    2: np.fliplr,
    3: lambda upright: np.rot90(upright, 2),
    4: np.flipud,
    5: lambda upright: np.swapaxes(upright, 0, 1),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: np.swapaxes(np.rot90(upright, 2), 0, 1),
    8: lambda upright: np.rot90(upright, -1),
}


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def write_png_16(path, pixels, *more):
    """A PNG of (H, W, channels) with 16 bits in each channel: Pillow writes them in grey only."""
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    chunks = (b"IHDR", header), *more, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks))


def write_tiff(path, *pages, order="<", alpha=None, is_planar=False, is_deflated=False, **tags):
    """A TIFF of pages (H, W) or (H, W, channels), any type: Pillow writes few. `tags` are t262=1 for number 262."""
    content = bytearray(struct.pack(f"{order}2sHL", b"II" if order == "<" else b"MM", 42, 0))
    link = 4
    for page in pages:
        samples = np.atleast_3d(page).astype(page.dtype.newbyteorder(order))
        height, width, channels = samples.shape
        strips = np.moveaxis(samples, 2, 0) if is_planar else [samples]
        strips = [zlib.compress(strip.tobytes()) if is_deflated else strip.tobytes() for strip in strips]
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
            place = packed.ljust(4, b"\0") if len(packed) <= 4 else struct.pack(f"{order}L", after + len(more))
            more += packed if len(packed) > 4 else b""
            records += struct.pack(f"{order}HHL", tag, {"H": 3, "L": 4}[kind], len(values)) + place
        link = len(content) + len(records)
        content += records + bytes(4) + more
    path.write_bytes(content)


def save_pages(path, *pages, **options):
    first, *others = (Image.fromarray(page) for page in pages)
    first.save(path, save_all=True, append_images=others, **options)


def read_values(path):
    return ImageScan(path).read_values()


def read_labels(path):
    return ImageScan(path).read_labels()


def tags_of(path):
    with Image.open(path) as image:
        return dict(image.tag_v2)


BROKEN = {
    "text.png": b"not an image\n",
    "text.jpg": b"not an image\n",
    "empty.png": b"",
    "empty.tif": b"",
    "signature_alone.png": b"\x89PNG\r\n\x1a\n",
    "short_header.png": b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", b"\0\0\0\1"),
    "no_tags.tif": b"II*\0" + struct.pack("<IHI", 8, 0, 0),
}


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("a.png", GREY),
        ("a.tif", GREY),
        ("a.png", (RAMP * 300).astype(np.uint16)),
        ("a.tif", (RAMP * 300).astype(np.uint16)),
        ("a.TIFF", (RAMP * 300).astype(">u2")),
        ("a.tif", RAMP.astype(np.int32) - 70_000),
        ("a.tif", RAMP.astype(np.float32) / 1024 - 3),
    ],
    ids=lambda value: value if isinstance(value, str) else value.dtype.str,
)
def test_grey_of_any_depth_is_read_as_it_is(tmp_path, name, pixels):
    Image.fromarray(pixels).save(tmp_path / name)
    scan = ImageScan(tmp_path / name)
    assert (scan.shape, scan.is_volume, scan.spacing_mm, scan.slicing) == ((1, 3, 67), False, None, None)
    np.testing.assert_array_equal(scan.read_values(), pixels[None])


@pytest.mark.parametrize("is_deflated", [False, True], ids=["plain", "deflated"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "i4", "f4"])
def test_tiffs_of_every_type_byte_order_and_packing_are_read_as_they_are(tmp_path, dtype, order, is_deflated):
    pixels = (RAMP - (0 if dtype[0] == "u" else 100)).astype(dtype) * np.array(1 if dtype[1] == "1" else 150, dtype)
    write_tiff(tmp_path / "a.tif", pixels, order=order, is_deflated=is_deflated)
    np.testing.assert_array_equal(read_values(tmp_path / "a.tif"), pixels[None])
    if dtype != "f4":
        np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), pixels[None])


def test_unsigned_32_bits_stay_unsigned(tmp_path):
    write_tiff(tmp_path / "a.tif", (RAMP + 3_000_000_000).astype(np.uint32))
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), RAMP[None] + 3_000_000_000)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_a_png_of_16_bits_a_channel_keeps_them_all(tmp_path, channels):
    write_png_16(tmp_path / "a.png", DEEP[..., :channels])
    expected = DEEP[..., :3] if channels > 2 else DEEP[..., 0]
    values = read_values(tmp_path / "a.png")
    assert values.dtype == np.uint16
    np.testing.assert_array_equal(values, expected[None])


@pytest.mark.parametrize("is_deflated", [False, True], ids=["plain", "deflated"])
@pytest.mark.parametrize("is_planar", [False, True], ids=["by pixel", "by channel"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("channels", "alpha"), [(3, None), (4, 2)])
def test_a_tiff_of_16_bits_a_channel_keeps_them_all(tmp_path, channels, alpha, order, is_planar, is_deflated):
    options = {"alpha": alpha, "order": order, "is_planar": is_planar, "is_deflated": is_deflated}
    write_tiff(tmp_path / "a.tif", DEEP[..., :channels], DEEP[::-1, :, :channels], **options)
    values = read_values(tmp_path / "a.tif")
    assert values.dtype == np.uint16
    np.testing.assert_array_equal(values, [DEEP[..., :3], DEEP[::-1, :, :3]])


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_colours_are_read_as_they_are(tmp_path, name):
    Image.fromarray(COLOURS).save(tmp_path / name)
    np.testing.assert_array_equal(read_values(tmp_path / name), COLOURS[None])


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_transparency_is_dropped_and_hidden_colours_kept(tmp_path, name):
    Image.fromarray(np.dstack([COLOURS, RAMP.astype(np.uint8)])).save(tmp_path / name)
    np.testing.assert_array_equal(read_values(tmp_path / name), COLOURS[None])


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_grey_with_transparency_is_grey(tmp_path, name):
    Image.fromarray(np.dstack([GREY, RAMP.astype(np.uint8)]), "LA").save(tmp_path / name)
    np.testing.assert_array_equal(read_values(tmp_path / name), GREY[None])
    np.testing.assert_array_equal(read_labels(tmp_path / name), GREY[None])


def test_grey_with_multiplied_transparency_is_grey(tmp_path):
    write_tiff(tmp_path / "a.tif", np.dstack([GREY, GREY]), alpha=1, t262=1)
    np.testing.assert_array_equal(read_values(tmp_path / "a.tif"), GREY[None])
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), GREY[None])


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("transparency", [None, 0, bytes([0, 255, 128])], ids=["none", "one_index", "by_index"])
def test_a_palette_becomes_its_colours(tmp_path, name, transparency):
    image = Image.fromarray((np.arange(64).reshape(8, 8) % 3).astype(np.uint8))
    image.putpalette(RED_GREEN_BLUE)
    image.save(tmp_path / name, **({} if transparency is None else {"transparency": transparency}))
    np.testing.assert_array_equal(read_values(tmp_path / name), 255 * np.eye(3)[np.arange(64).reshape(1, 8, 8) % 3])


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_one_bit_becomes_black_and_white(tmp_path, name):
    Image.fromarray(np.eye(8, dtype=bool)).save(tmp_path / name)
    np.testing.assert_array_equal(read_values(tmp_path / name), 255 * np.eye(8)[None])


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
    np.testing.assert_array_equal(read_values(tmp_path / "a.tif"), np.full((1, 4, 5, 3), (0, 255, 255)))


@pytest.mark.parametrize("pixels", [GREY, np.dstack([GREY] * 3)], ids=["grey", "colour"])
def test_a_jpeg_keeps_its_channels(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=100)
    values = read_values(tmp_path / "a.jpg")
    assert values.shape == (1, *pixels.shape)
    assert np.abs(values[0].astype(int) - pixels).max() < 12


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
    scan = ImageScan(tmp_path / "a.tif")
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
    assert str(told.value) == f"{tmp_path / 'a.tif'}: expected pages of one size and kind, found {found}"


def test_frames_of_another_format_are_refused_with_their_number(tmp_path):
    save_pages(tmp_path / "a.png", GREY, GREY + 1, GREY + 2)
    with pytest.raises(InputError, match=r"a\.png: expected one image, found 3 frames"):
        ImageScan(tmp_path / "a.png")


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_an_image_is_turned_as_its_exif_orientation_says(tmp_path, name, orientation):
    upright = np.zeros((16, 24), np.uint8)
    upright[:8, :8], upright[8:, 16:] = 240, 120
    stored = np.ascontiguousarray(TURNS[orientation](upright))
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / name, exif=exif, **({"quality": 100} if name == "a.jpg" else {}))
    scan = ImageScan(tmp_path / name)
    assert scan.shape == (1, 16, 24)
    assert np.abs(scan.read_values()[0].astype(int) - upright).max() <= (12 if name == "a.jpg" else 0)
    if name != "a.jpg":
        np.testing.assert_array_equal(scan.read_labels()[0], upright)
    place = tmp_path / "masks" / name.replace("jpg", "png")
    scan.write(place, upright[None] > 100)
    np.testing.assert_array_equal(ImageScan(place).read_labels()[0], 255 * (upright > 100))


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("name", ["colour.png", "colour.tif", "grey.tif", "pages.tif"])
def test_an_image_of_16_bits_is_turned_too(tmp_path, name, orientation):
    upright = DEEP[..., 0] if name == "grey.tif" else DEEP[..., :3]
    stored = TURNS[orientation](upright)
    pages = 2 if name == "pages.tif" else 1
    if name == "colour.png":
        exif = b"II*\0" + struct.pack("<LHHHLHHL", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
        write_png_16(tmp_path / name, stored, (b"eXIf", exif))
    else:
        write_tiff(tmp_path / name, *[stored] * pages, t274=orientation)
    scan = ImageScan(tmp_path / name)
    assert scan.shape == (pages, 3, 67)
    np.testing.assert_array_equal(scan.read_values(), [upright] * pages)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path, value):
    pixels = RAMP.astype(np.float32)
    pixels[1, 1] = value
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a\.tif: expected finite values, found NaN or infinity"):
        read_values(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a\.tif: expected a mask of whole numbers, found"):
        read_labels(tmp_path / "a.tif")


@pytest.mark.parametrize("read", [read_values, read_labels, read_pixels])
@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_no_image_is_named(tmp_path, read, name):
    (tmp_path / name).write_bytes(BROKEN[name])
    with pytest.raises(InputError, match=rf"{name}: expected an image, found a file that cannot be read"):
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "read"), [("a.png", read_values), ("a.png", read_labels), ("a.png", read_pixels), ("a.jpg", read_values)]
)
def test_a_truncated_file_is_named(tmp_path, name, read):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(pixels).save(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for share in (0.1, 0.5, 0.9):
        (tmp_path / name).write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(InputError, match=rf"{name}: expected an image, found a file that cannot be read"):
            read(tmp_path / name)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_png_of_16_bits_a_channel_is_named(tmp_path, share):
    write_png_16(tmp_path / "a.png", np.random.default_rng(0).integers(0, 2**16, (32, 32, 3), np.uint16))
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"a\.png: expected an image, found a file that cannot be read"):
        read_values(tmp_path / "a.png")


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
@pytest.mark.parametrize("pixels", [GREY, DEEP[..., 0], DEEP[..., :3]], ids=["8 bits", "16 bits", "16 bits a channel"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
def test_a_truncated_stack_is_named(tmp_path, share, pixels):
    write_tiff(tmp_path / "a.tif", *[pixels] * 3)
    whole = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"a\.tif: expected"):
        read_values(tmp_path / "a.tif")


@pytest.mark.parametrize("read", [read_values, read_labels, read_pixels])
def test_a_missing_file_is_named(tmp_path, read):
    with pytest.raises(InputError, match=r"gone\.png: expected an image, found no such file"):
        read(tmp_path / "gone.png")


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_labels_are_palette_indices_and_not_colours(tmp_path, name):
    labels = (np.arange(64).reshape(8, 8) % 3).astype(np.uint8)
    image = Image.fromarray(labels)
    image.putpalette(RED_GREEN_BLUE)
    image.save(tmp_path / name)
    np.testing.assert_array_equal(read_labels(tmp_path / name), labels[None])


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("a.png", np.array([[0, 1], [2, 255]], np.uint8)),
        ("a.png", np.array([[0, 1], [1000, 65535]], np.uint16)),
        ("a.tif", np.array([[0, 1], [1000, 65535]], np.uint16)),
        ("a.tif", np.array([[0, -1], [70_000, 2]], np.int32)),
        ("a.tif", np.array([[0, 1], [2, 255]], np.float32)),
        ("a.png", np.eye(2, dtype=bool)),
        ("a.tif", np.eye(2, dtype=bool)),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.dtype),
)
def test_labels_are_the_stored_values(tmp_path, name, labels):
    Image.fromarray(labels).save(tmp_path / name)
    read = read_labels(tmp_path / name)
    assert read.dtype == np.int64
    np.testing.assert_array_equal(read, labels[None])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_labels_are_stored_values_also_where_white_is_said_to_be_zero(tmp_path, dtype):
    labels = np.array([[0, 0, 0], [0, 255, 0]], dtype)  # as ImageJ saves a mask with an inverting LUT
    write_tiff(tmp_path / "a.tif", labels, t262=0)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), labels[None])


def test_pages_of_a_mask_are_slices(tmp_path):
    save_pages(tmp_path / "a.tif", GREY, GREY // 2, GREY // 3)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), [GREY, GREY // 2, GREY // 3])


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_a_grey_mask_saved_with_channels_is_a_mask(tmp_path, name, mode):
    labels = np.array([[0, 1, 2], [3, 4, 255]], np.uint8)
    Image.fromarray(labels).convert(mode).save(tmp_path / name)
    np.testing.assert_array_equal(read_labels(tmp_path / name), labels[None])


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_a_grey_mask_saved_with_16_bit_channels_is_a_mask(tmp_path, channels):
    labels = np.repeat(DEEP[..., :1], channels, axis=2)
    if channels in (2, 4):
        labels[..., -1] = 65535
    write_png_16(tmp_path / "a.png", labels)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), DEEP[None, ..., 0])
    if channels > 2:
        write_tiff(tmp_path / "a.tif", labels, alpha=2 if channels == 4 else None)
        np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), DEEP[None, ..., 0])


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_colour_mask_is_refused(tmp_path, name, mode):
    Image.fromarray(COLOURS).convert(mode).save(tmp_path / name)
    with pytest.raises(InputError, match=rf"{name}: expected a mask with one value a pixel, found a colour image"):
        read_labels(tmp_path / name)


def test_a_colour_mask_that_differs_in_its_low_bytes_alone_is_refused(tmp_path):
    labels = np.full((4, 5, 3), 512, np.uint16)
    labels[1, 1, 1] += 1
    write_png_16(tmp_path / "a.png", labels)
    with pytest.raises(InputError, match=r"a\.png: expected a mask with one value a pixel, found a colour image"):
        read_labels(tmp_path / "a.png")


@pytest.mark.parametrize("value", [0.5, -1.25])
def test_labels_that_are_not_whole_are_refused(tmp_path, value):
    labels = np.zeros((4, 5), np.float32)
    labels[1, 1] = value
    Image.fromarray(labels).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a\.tif: expected a mask of whole numbers, found"):
        read_labels(tmp_path / "a.tif")


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_jpeg_masks_are_refused_as_their_values_are_blurred_whatever_their_name(tmp_path, name):
    Image.fromarray(255 * np.eye(32, dtype=np.uint8)).save(tmp_path / name, "JPEG")
    with pytest.raises(InputError, match=rf"{name}: expected a mask as PNG or TIFF, found a JPEG"):
        read_labels(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.TIFF"])
@pytest.mark.parametrize("image", [GREY, (RAMP * 300).astype(np.uint16), COLOURS], ids=["8 bits", "16 bits", "colour"])
def test_a_mask_is_0_and_255_in_the_images_format_and_size(tmp_path, name, image):
    Image.fromarray(image).save(tmp_path / name)
    scan = ImageScan(tmp_path / name)
    mask = RAMP[None] % 3 == 0
    scan.write(tmp_path / "masks" / name, mask)
    with Image.open(tmp_path / "masks" / name) as written:
        assert (written.format, written.mode) == ("PNG" if name == "a.png" else "TIFF", "L")
        np.testing.assert_array_equal(np.asarray(written), 255 * mask[0])
    np.testing.assert_array_equal(read_labels(tmp_path / "masks" / name), 255 * mask)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_a_soft_mask_is_written_as_it_is(tmp_path, name):
    Image.fromarray(GREY).save(tmp_path / name)
    ImageScan(tmp_path / name).write(tmp_path / "masks" / name, GREY[None] // 2)
    np.testing.assert_array_equal(read_pixels(tmp_path / "masks" / name), GREY // 2)


@pytest.mark.parametrize(
    "pages", [[GREY] * 3, [RAMP.astype(np.float32)] * 2, [COLOURS] * 4], ids=["grey", "float", "colour"]
)
@pytest.mark.parametrize("dtype", [bool, np.uint8])
def test_a_stacks_mask_has_a_page_for_each_of_the_images(tmp_path, pages, dtype):
    save_pages(tmp_path / "a.tif", *pages)
    scan = ImageScan(tmp_path / "a.tif")
    stack = np.stack([RAMP % (number + 2) for number in range(len(pages))]).astype(dtype)
    scan.write(tmp_path / "masks/a.tif", stack)
    written = ImageScan(tmp_path / "masks/a.tif")
    assert written.shape == scan.shape
    assert written.read_values().dtype == np.uint8
    np.testing.assert_array_equal(written.read_labels(), stack * np.uint8(255) if dtype is bool else stack)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_a_masks_png_keeps_the_resolution(tmp_path, name):
    Image.fromarray(GREY).save(tmp_path / name, dpi=(254, 127))
    ImageScan(tmp_path / name).write(tmp_path / "masks/a.png", GREY[None] > 90)
    with Image.open(tmp_path / "masks/a.png") as mask:
        assert mask.info["dpi"] == pytest.approx((254, 127), abs=0.02)


@pytest.mark.parametrize("pages", [1, 3])
def test_a_masks_tiff_keeps_the_resolution_on_each_page(tmp_path, pages):
    resolution = {282: IFDRational(10000, 254), 283: IFDRational(100, 3), 296: 3}
    save_pages(tmp_path / "a.tif", *[GREY] * pages, tiffinfo=resolution)
    ImageScan(tmp_path / "a.tif").write(tmp_path / "mask.tif", np.zeros((pages, 3, 67), bool))
    with Image.open(tmp_path / "mask.tif") as mask:
        for page in range(pages):
            mask.seek(page)
            assert float(mask.tag_v2[282]) == pytest.approx(10000 / 254)
            assert float(mask.tag_v2[283]) == pytest.approx(100 / 3)
            assert mask.tag_v2[296] == 3


@pytest.mark.parametrize("denominator", [0, 13])
def test_a_resolution_that_is_no_number_is_left_out(tmp_path, denominator):
    Image.fromarray(GREY).save(tmp_path / "a.tif", tiffinfo={282: IFDRational(7, 13), 283: IFDRational(7, 13)})
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content.replace(struct.pack("<LL", 7, 13), struct.pack("<LL", 0, denominator)))
    ImageScan(tmp_path / "a.tif").write(tmp_path / "mask.tif", GREY[None] > 90)
    assert (282 in tags_of(tmp_path / "mask.tif")) == (denominator != 0)


def test_a_masks_tiff_keeps_what_imagej_knows_of_its_geometry(tmp_path):
    description = "ImageJ=1.54f\nimages=3\nslices=3\nunit=mm\nspacing=2.5\nloop=false\nmin=20.0\nmax=220.0\n"
    resolution = {282: IFDRational(2, 1), 283: IFDRational(2, 1), 296: 1, 270: description}
    save_pages(tmp_path / "a.tif", GREY, GREY, GREY, tiffinfo=resolution)
    ImageScan(tmp_path / "a.tif").write(tmp_path / "mask.tif", np.zeros((3, 3, 67), bool))
    tags = tags_of(tmp_path / "mask.tif")
    assert tags[270] == "ImageJ=1.54f\nimages=3\nslices=3\nunit=mm\nspacing=2.5\n"
    assert (float(tags[282]), tags[296]) == (2, 1)


def test_what_others_describe_in_a_tiff_is_not_taken_over(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.tif", tiffinfo={270: "Jane Doe, born 1970"})
    ImageScan(tmp_path / "a.tif").write(tmp_path / "mask.tif", GREY[None] > 90)
    assert 270 not in tags_of(tmp_path / "mask.tif")
    assert b"Jane" not in (tmp_path / "mask.tif").read_bytes()


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_the_same_mask_is_written_as_the_same_bytes(tmp_path, name):
    Image.fromarray(GREY).save(tmp_path / name)
    scan = ImageScan(tmp_path / name)
    for place in ("one", "other"):
        scan.write(tmp_path / place / name, GREY[None] > 90)
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


@pytest.mark.parametrize("pixels", [GREY, COLOURS])
def test_written_pixels_come_back_as_they_are(tmp_path, pixels):
    write_image(tmp_path / "new/a.png", pixels)
    np.testing.assert_array_equal(read_pixels(tmp_path / "new/a.png"), pixels)


def test_a_written_mask_is_0_and_255(tmp_path):
    write_image(tmp_path / "a.png", np.eye(5, dtype=bool))
    np.testing.assert_array_equal(read_pixels(tmp_path / "a.png"), 255 * np.eye(5))
