"""PNG and JPEG of every kind as slices of their own values, masks as they are stored and written to match."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from automedsam.runtime.errors import InputError
from automedsam.runtime.image_files import read_image, write_image
from automedsam.scans.image import ImageScan
from pictures import COLOURS, DEEP, GREY, RAMP, RED_GREEN_BLUE, TURNS


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def write_png_16(path, pixels, *more):
    """A PNG of (H, W, channels) with 16 bits in each channel: Pillow writes them in grey only."""
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    chunks = (b"IHDR", header), *more, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks))


def save_frames(path, *frames, **options):
    first, *others = (Image.fromarray(frame) for frame in frames)
    first.save(path, save_all=True, append_images=others, **options)


def read_values(path):
    return ImageScan(path).read_values()


def read_labels(path):
    return ImageScan(path).read_labels()


BROKEN = {
    "text.png": b"not an image\n",
    "text.jpg": b"not an image\n",
    "empty.png": b"",
    "signature_alone.png": b"\x89PNG\r\n\x1a\n",
    "short_header.png": b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", b"\0\0\0\1"),
}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_of_any_depth_is_read_as_it_is(tmp_path, dtype):
    pixels = (RAMP * 300).astype(dtype)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    scan = ImageScan(tmp_path / "a.png")
    assert (scan.shape, scan.is_volume, scan.spacing_mm, scan.slicing) == (
        (1, 3, 67),
        False,
        None,
        None,
    )
    assert scan.read_values().dtype == dtype
    np.testing.assert_array_equal(scan.read_values(), pixels[None])


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_a_png_of_16_bits_a_channel_keeps_them_all(tmp_path, channels):
    write_png_16(tmp_path / "a.png", DEEP[..., :channels])
    expected = DEEP[..., :3] if channels > 2 else DEEP[..., 0]
    values = read_values(tmp_path / "a.png")
    assert values.dtype == np.uint16
    np.testing.assert_array_equal(values, expected[None])


def test_colours_are_read_as_they_are(tmp_path):
    Image.fromarray(COLOURS).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_values(tmp_path / "a.png"), COLOURS[None])


def test_transparency_is_dropped_and_hidden_colours_kept(tmp_path):
    Image.fromarray(np.dstack([COLOURS, RAMP.astype(np.uint8)])).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_values(tmp_path / "a.png"), COLOURS[None])


def test_grey_with_transparency_is_grey(tmp_path):
    Image.fromarray(np.dstack([GREY, RAMP.astype(np.uint8)]), "LA").save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_values(tmp_path / "a.png"), GREY[None])
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), GREY[None])


@pytest.mark.parametrize(
    "transparency", [None, 0, bytes([0, 255, 128])], ids=["none", "one_index", "by_index"]
)
def test_a_palette_becomes_its_colours(tmp_path, transparency):
    image = Image.fromarray((np.arange(64).reshape(8, 8) % 3).astype(np.uint8))
    image.putpalette(RED_GREEN_BLUE)
    image.save(
        tmp_path / "a.png", **({} if transparency is None else {"transparency": transparency})
    )
    np.testing.assert_array_equal(
        read_values(tmp_path / "a.png"), 255 * np.eye(3)[np.arange(64).reshape(1, 8, 8) % 3]
    )


def test_one_bit_becomes_black_and_white(tmp_path):
    Image.fromarray(np.eye(8, dtype=bool)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_values(tmp_path / "a.png"), 255 * np.eye(8)[None])


def test_colours_for_the_press_become_red_green_and_blue(tmp_path):
    cmyk = np.zeros((8, 8, 4), np.uint8)
    cmyk[..., 0] = 255  # cyan: no red
    Image.fromarray(cmyk, "CMYK").save(tmp_path / "a.jpg", quality=100)
    values = read_values(tmp_path / "a.jpg")
    assert values.shape == (1, 8, 8, 3)
    assert np.abs(values.astype(int) - (0, 255, 255)).max() < 12


@pytest.mark.parametrize("pixels", [GREY, np.dstack([GREY] * 3)], ids=["grey", "colour"])
def test_a_jpeg_keeps_its_channels(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=100)
    values = read_values(tmp_path / "a.jpg")
    assert values.shape == (1, *pixels.shape)
    assert np.abs(values[0].astype(int) - pixels).max() < 12


def test_several_frames_are_refused_with_their_number(tmp_path):
    save_frames(tmp_path / "a.png", GREY, GREY + 1, GREY + 2)
    with pytest.raises(InputError, match=r"a\.png: expected one image, found 3 frames"):
        ImageScan(tmp_path / "a.png")


@pytest.mark.parametrize("orientation", [1, 6])
def test_of_a_phones_several_pictures_the_first_is_read(tmp_path, orientation):
    upright = np.zeros((16, 24), np.uint8)
    upright[:8, :8] = 240
    exif = Image.Exif()
    exif[0x0112] = orientation
    first = np.ascontiguousarray(TURNS[orientation](upright))
    save_frames(
        tmp_path / "a.jpg", first, np.zeros((4, 6), np.uint8), format="MPO", quality=100, exif=exif
    )
    scan = ImageScan(tmp_path / "a.jpg")
    assert (scan.shape, scan.is_volume) == ((1, 16, 24), False)
    assert np.abs(scan.read_values()[0].astype(int) - upright).max() < 12
    with pytest.raises(InputError, match=r"a\.jpg: expected a mask as PNG or TIFF, found a JPEG"):
        scan.read_labels()


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "BMP"])
def test_another_format_under_this_name_is_refused(tmp_path, kind):
    Image.fromarray(GREY).save(tmp_path / "a.png", kind)
    with pytest.raises(
        InputError, match=r"a\.png: expected an image, found a file that cannot be read"
    ):
        ImageScan(tmp_path / "a.png")


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_an_image_is_turned_as_its_exif_orientation_says(tmp_path, name, orientation):
    upright = np.zeros((16, 24), np.uint8)
    upright[:8, :8], upright[8:, 16:] = 240, 120
    stored = np.ascontiguousarray(TURNS[orientation](upright))
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(
        tmp_path / name, exif=exif, **({"quality": 100} if name == "a.jpg" else {})
    )
    scan = ImageScan(tmp_path / name)
    assert scan.shape == (1, 16, 24)
    assert np.abs(scan.read_values()[0].astype(int) - upright).max() <= (
        12 if name == "a.jpg" else 0
    )
    if name != "a.jpg":
        np.testing.assert_array_equal(scan.read_labels()[0], upright)
    place = tmp_path / "masks" / name.replace("jpg", "png")
    scan.write(place, upright[None] > 100)
    np.testing.assert_array_equal(ImageScan(place).read_labels()[0], 255 * (upright > 100))


@pytest.mark.parametrize("orientation", TURNS)
def test_an_image_of_16_bits_is_turned_too(tmp_path, orientation):
    upright = DEEP[..., :3]
    exif = b"II*\0" + struct.pack("<LHHHLHHL", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    write_png_16(tmp_path / "a.png", TURNS[orientation](upright), (b"eXIf", exif))
    scan = ImageScan(tmp_path / "a.png")
    assert scan.shape == (1, 3, 67)
    np.testing.assert_array_equal(scan.read_values(), [upright])


RAW_EXIF = b"Exif\0\0II*\0" + struct.pack("<LHHHLHHL", 8, 1, 0x0112, 3, 1, 6, 0, 0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (b"eXIf", RAW_EXIF[6:]),
        (
            b"tEXt",
            b"Raw profile type exif\0\nexif\n      34\n" + RAW_EXIF.hex().encode() + b"\n",
        ),  # ImageMagick's
    ],
)
@pytest.mark.parametrize("where", ["before the pixels", "after the pixels"])
def test_a_png_is_turned_wherever_and_however_its_exif_stands(
    tmp_path, kind, content, where, channels
):
    upright = DEEP[..., :channels].squeeze() if channels == 3 else GREY
    path = tmp_path / "a.png"
    stored = np.ascontiguousarray(TURNS[6](upright))
    write_png_16(path, stored) if channels == 3 else Image.fromarray(stored).save(path)
    png, mark = path.read_bytes(), b"IDAT" if where == "before the pixels" else b"IEND"
    start = png.index(mark) - 4
    path.write_bytes(png[:start] + png_chunk(kind, content) + png[start:])
    scan = ImageScan(path)
    assert scan.shape == (1, 3, 67)
    np.testing.assert_array_equal(scan.read_values(), [upright])


@pytest.mark.parametrize("read", [read_values, read_labels, read_image])
@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_no_image_is_named(tmp_path, read, name):
    (tmp_path / name).write_bytes(BROKEN[name])
    with pytest.raises(
        InputError, match=rf"{name}: expected an image, found a file that cannot be read"
    ):
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("a.png", read_values),
        ("a.png", read_labels),
        ("a.png", read_image),
        ("a.jpg", read_values),
    ],
)
def test_a_truncated_file_is_named(tmp_path, name, read):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(pixels).save(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for share in (0.1, 0.5, 0.9):
        (tmp_path / name).write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(
            InputError, match=rf"{name}: expected an image, found a file that cannot be read"
        ):
            read(tmp_path / name)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_png_of_16_bits_a_channel_is_named(tmp_path, share):
    write_png_16(
        tmp_path / "a.png", np.random.default_rng(0).integers(0, 2**16, (32, 32, 3), np.uint16)
    )
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(
        InputError, match=r"a\.png: expected an image, found a file that cannot be read"
    ):
        read_values(tmp_path / "a.png")


@pytest.mark.parametrize("read", [read_values, read_labels, read_image])
def test_a_missing_file_is_named(tmp_path, read):
    with pytest.raises(InputError, match=r"gone\.png: expected an image, found no such file"):
        read(tmp_path / "gone.png")


def test_labels_are_palette_indices_and_not_colours(tmp_path):
    labels = (np.arange(64).reshape(8, 8) % 3).astype(np.uint8)
    image = Image.fromarray(labels)
    image.putpalette(RED_GREEN_BLUE)
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), labels[None])


@pytest.mark.parametrize(
    "labels",
    [
        np.array([[0, 1], [2, 255]], np.uint8),
        np.array([[0, 1], [1000, 65535]], np.uint16),
        np.eye(2, dtype=bool),
    ],
    ids=lambda labels: str(labels.dtype),
)
def test_labels_are_the_stored_values(tmp_path, labels):
    Image.fromarray(labels).save(tmp_path / "a.png")
    read = read_labels(tmp_path / "a.png")
    assert read.dtype == (np.int64 if labels.dtype == bool else labels.dtype)
    np.testing.assert_array_equal(read, labels[None])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_a_grey_mask_saved_with_channels_is_a_mask(tmp_path, mode):
    labels = np.array([[0, 1, 2], [3, 4, 255]], np.uint8)
    Image.fromarray(labels).convert(mode).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), labels[None])


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_a_grey_mask_saved_with_16_bit_channels_is_a_mask(tmp_path, channels):
    labels = np.repeat(DEEP[..., :1], channels, axis=2)
    if channels in (2, 4):
        labels[..., -1] = 65535
    write_png_16(tmp_path / "a.png", labels)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), DEEP[None, ..., 0])


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_colour_mask_is_refused(tmp_path, mode):
    Image.fromarray(COLOURS).convert(mode).save(tmp_path / "a.png")
    with pytest.raises(
        InputError, match=r"a\.png: expected a mask with one value a pixel, found a colour image"
    ):
        read_labels(tmp_path / "a.png")


def test_a_colour_mask_that_differs_in_its_low_bytes_alone_is_refused(tmp_path):
    labels = np.full((4, 5, 3), 512, np.uint16)
    labels[1, 1, 1] += 1
    write_png_16(tmp_path / "a.png", labels)
    with pytest.raises(
        InputError, match=r"a\.png: expected a mask with one value a pixel, found a colour image"
    ):
        read_labels(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_jpeg_masks_are_refused_as_their_values_are_blurred_whatever_their_name(tmp_path, name):
    Image.fromarray(255 * np.eye(32, dtype=np.uint8)).save(tmp_path / name, "JPEG")
    with pytest.raises(InputError, match=rf"{name}: expected a mask as PNG or TIFF, found a JPEG"):
        read_labels(tmp_path / name)


@pytest.mark.parametrize(
    "image", [GREY, (RAMP * 300).astype(np.uint16), COLOURS], ids=["8 bits", "16 bits", "colour"]
)
def test_a_mask_is_0_and_255_in_the_images_size(tmp_path, image):
    Image.fromarray(image).save(tmp_path / "a.png")
    scan = ImageScan(tmp_path / "a.png")
    mask = RAMP[None] % 3 == 0
    scan.write(tmp_path / "masks" / "a.png", mask)
    with Image.open(tmp_path / "masks" / "a.png") as written:
        assert (written.format, written.mode) == ("PNG", "L")
        np.testing.assert_array_equal(np.asarray(written), 255 * mask[0])
    np.testing.assert_array_equal(read_labels(tmp_path / "masks" / "a.png"), 255 * mask)


def test_a_soft_mask_is_written_as_it_is(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    ImageScan(tmp_path / "a.png").write(tmp_path / "masks" / "a.png", GREY[None] // 2)
    np.testing.assert_array_equal(read_image(tmp_path / "masks" / "a.png"), GREY // 2)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_a_masks_png_keeps_the_resolution(tmp_path, name):
    Image.fromarray(GREY).save(tmp_path / name, dpi=(254, 127))
    ImageScan(tmp_path / name).write(tmp_path / "masks/a.png", GREY[None] > 90)
    with Image.open(tmp_path / "masks/a.png") as mask:
        assert mask.info["dpi"] == pytest.approx((254, 127), abs=0.02)


def test_the_same_mask_is_written_as_the_same_bytes(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    scan = ImageScan(tmp_path / "a.png")
    for place in ("one", "other"):
        scan.write(tmp_path / place / "a.png", GREY[None] > 90)
    assert (tmp_path / "one" / "a.png").read_bytes() == (tmp_path / "other" / "a.png").read_bytes()


@pytest.mark.parametrize("pixels", [GREY, COLOURS])
def test_written_pixels_come_back_as_they_are(tmp_path, pixels):
    write_image(tmp_path / "new/a.png", pixels)
    np.testing.assert_array_equal(read_image(tmp_path / "new/a.png"), pixels)


def test_a_written_mask_is_0_and_255(tmp_path):
    write_image(tmp_path / "a.png", np.eye(5, dtype=bool))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), 255 * np.eye(5))
