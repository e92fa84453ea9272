"""Image files of every kind as 8-bit arrays, masks as they are stored, and one error for all that is neither."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from automedsam.errors import InputError
from automedsam.images import read_image, read_labels, read_pixels, scale_to_8_bits, write_image

RAMP = np.arange(201).reshape(3, 67)  # percentiles 0.5 and 99.5 are 1 and 199
RAMP_SCALED = np.round((RAMP.clip(1, 199) - 1) / 198 * 255).astype(np.uint8)
COLOURS = np.stack([RAMP, 200 - RAMP, RAMP // 2], axis=2).astype(np.uint8)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


BROKEN = {
    "text.png": b"not an image\n",
    "empty.png": b"",
    "signature_alone.png": b"\x89PNG\r\n\x1a\n",
    "short_header.png": b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", b"\0\0\0\1"),
    "no_tags.tif": b"II*\0" + struct.pack("<IHI", 8, 0, 0),
}


def save_png_16(path, pixels):
    """A PNG of (H, W, channels) with 16 bits in each channel: Pillow writes them in grey only."""
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks))


def test_percentiles_of_a_ramp_become_0_and_255():
    scaled = scale_to_8_bits(RAMP).ravel()
    assert scaled.dtype == np.uint8
    assert [scaled[value] for value in (0, 1, 67, 133, 199, 200)] == [0, 0, 85, 170, 255, 255]


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("a.png", RAMP.astype(np.uint8)),
        ("a.tif", RAMP.astype(np.uint8)),
        ("a.png", RAMP.astype(np.uint16)),
        ("a.png", RAMP.astype(np.uint16) + 1000),
        ("a.tif", RAMP.astype(np.uint16) + 1000),
        ("a.tiff", (RAMP + 1000).astype(">u2")),
        ("a.tif", RAMP.astype(np.int32) - 70_000),
        ("a.tif", RAMP.astype(np.float32)),
        ("a.tif", RAMP.astype(np.float32) / 1024 - 3),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.dtype}_from_{value.min()}",
)
def test_grey_of_any_depth_uses_all_8_bits(tmp_path, name, pixels):
    Image.fromarray(pixels).save(tmp_path / name)
    assert np.array_equal(read_image(tmp_path / name), RAMP_SCALED)


@pytest.mark.parametrize("read", [read_image, read_labels])
@pytest.mark.parametrize("channels", [2, 3, 4])
def test_16_bits_a_channel_are_refused_rather_than_cut_to_8(tmp_path, read, channels):
    save_png_16(tmp_path / "a.png", np.repeat(RAMP[..., None] + 1000, channels, axis=2))
    with pytest.raises(InputError, match=r"a\.png: expected .*16"):
        read(tmp_path / "a.png")


def test_colours_are_scaled_together(tmp_path):
    Image.fromarray(COLOURS).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert (image.shape, image.dtype) == ((3, 67, 3), np.uint8)
    assert np.array_equal(image, scale_to_8_bits(COLOURS))
    assert image[..., 2].max() < image[..., 0].max() == 255


def test_transparency_is_dropped_and_hidden_colours_kept(tmp_path):
    Image.fromarray(COLOURS).save(tmp_path / "opaque.png")
    Image.fromarray(np.dstack([COLOURS, RAMP.astype(np.uint8)])).save(tmp_path / "rgba.png")
    assert np.array_equal(read_image(tmp_path / "rgba.png"), read_image(tmp_path / "opaque.png"))


def test_grey_with_transparency_is_grey(tmp_path):
    Image.fromarray(np.dstack([RAMP, 200 - RAMP]).astype(np.uint8), "LA").save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png"), RAMP_SCALED)


@pytest.mark.parametrize("transparency", [None, 0, bytes([0, 255, 128])], ids=["none", "one_index", "by_index"])
def test_palette_becomes_its_colours(tmp_path, transparency):
    image = Image.fromarray((np.arange(64).reshape(8, 8) % 3).astype(np.uint8))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.save(tmp_path / "a.png", **({} if transparency is None else {"transparency": transparency}))
    assert np.array_equal(read_image(tmp_path / "a.png"), 255 * np.eye(3)[np.arange(64).reshape(8, 8) % 3])


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_one_bit_becomes_black_and_white(tmp_path, name):
    Image.fromarray(np.eye(8, dtype=bool)).save(tmp_path / name)
    assert np.array_equal(read_image(tmp_path / name), 255 * np.eye(8))


@pytest.mark.parametrize("pixels", [RAMP_SCALED, np.dstack([RAMP_SCALED] * 3)])
def test_jpeg_keeps_its_channels(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=100)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - pixels).max() < 12


@pytest.mark.parametrize("pixels", [np.full((5, 6), 255, np.uint8), np.full((5, 6), -2.5, np.float32)])
def test_constant_image_is_black(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    assert np.array_equal(read_image(tmp_path / "a.tif"), np.zeros((5, 6)))


@pytest.mark.parametrize("odd", [5, 9])
def test_one_odd_pixel_in_a_thousand_is_seen(odd):
    pixels = np.full((40, 25), 7)
    pixels[20, 12] = odd
    assert np.array_equal(scale_to_8_bits(pixels), np.where(pixels == pixels.max(), 255, 0))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path, value):
    pixels = RAMP.astype(np.float32)
    pixels[1, 1] = value
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a\.tif: expected finite values, found NaN or infinity"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("read", [read_image, read_labels, read_pixels])
@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_several_pages_are_refused_with_their_number(tmp_path, read, name):
    pages = [Image.fromarray(np.full((5, 6), value, np.uint8)) for value in range(3)]
    pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:])
    with pytest.raises(InputError, match=rf"{name}: expected one image, found 3 pages"):
        read(tmp_path / name)


@pytest.mark.parametrize("read", [read_image, read_labels, read_pixels])
@pytest.mark.parametrize("name", BROKEN)
def test_file_that_is_no_image_is_named(tmp_path, read, name):
    (tmp_path / name).write_bytes(BROKEN[name])
    with pytest.raises(InputError, match=rf"{name}: expected an image, found a file that cannot be read"):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
@pytest.mark.parametrize("read", [read_image, read_labels, read_pixels])
def test_truncated_file_is_named(tmp_path, read, name):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(pixels).save(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for share in (0.1, 0.5, 0.9):
        (tmp_path / name).write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(InputError, match=rf"{name}: expected an image, found a file that cannot be read"):
            read(tmp_path / name)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
def test_truncated_stack_is_named(tmp_path, share):
    pages = [Image.fromarray(np.full((20, 20), value, np.uint8)) for value in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    whole = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"a\.tif: expected"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("read", [read_image, read_labels, read_pixels])
def test_missing_file_is_named(tmp_path, read):
    with pytest.raises(InputError, match=r"gone\.png: expected an image, found no such file"):
        read(tmp_path / "gone.png")


def test_labels_are_palette_indices_and_not_colours(tmp_path):
    labels = (np.arange(64).reshape(8, 8) % 3).astype(np.uint8)
    image = Image.fromarray(labels)
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.save(tmp_path / "a.png")
    assert np.array_equal(read_labels(tmp_path / "a.png"), labels)


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("a.png", np.array([[0, 1], [2, 255]], np.uint8)),
        ("a.png", np.array([[0, 1], [1000, 65535]], np.uint16)),
        ("a.tif", np.array([[0, -1], [70_000, 2]], np.int32)),
        ("a.tif", np.array([[0, 1], [2, 255]], np.float32)),
        ("a.png", np.eye(2, dtype=bool)),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.dtype),
)
def test_labels_are_the_stored_values(tmp_path, name, labels):
    Image.fromarray(labels).save(tmp_path / name)
    read = read_labels(tmp_path / name)
    assert read.dtype == np.int64
    assert np.array_equal(read, labels)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_grey_mask_saved_with_channels_is_a_mask(tmp_path, mode):
    labels = np.array([[0, 1, 2], [3, 4, 255]], np.uint8)
    Image.fromarray(labels).convert(mode).save(tmp_path / "a.png")
    assert np.array_equal(read_labels(tmp_path / "a.png"), labels)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colour_mask_is_refused(tmp_path, mode):
    Image.fromarray(COLOURS).convert(mode).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png: expected a mask with one value a pixel, found a colour image"):
        read_labels(tmp_path / "a.png")


@pytest.mark.parametrize("value", [0.5, -1.25, np.nan, np.inf])
def test_labels_that_are_not_whole_are_refused(tmp_path, value):
    labels = np.zeros((4, 5), np.float32)
    labels[1, 1] = value
    Image.fromarray(labels).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a\.tif: expected a mask of whole numbers, found"):
        read_labels(tmp_path / "a.tif")


@pytest.mark.parametrize("pixels", [RAMP_SCALED, COLOURS])
def test_written_pixels_come_back_as_they_are(tmp_path, pixels):
    write_image(tmp_path / "a.png", pixels)
    assert np.array_equal(read_pixels(tmp_path / "a.png"), pixels)


def test_written_mask_is_0_and_255(tmp_path):
    write_image(tmp_path / "a.png", np.eye(5, dtype=bool))
    assert np.array_equal(read_pixels(tmp_path / "a.png"), 255 * np.eye(5))


def test_jpeg_masks_are_refused_as_their_values_are_blurred(tmp_path):
    Image.fromarray(255 * np.eye(32, dtype=np.uint8)).save(tmp_path / "a.jpg")
    with pytest.raises(InputError, match=r"a\.jpg: expected a mask as PNG or TIFF, found a JPEG"):
        read_labels(tmp_path / "a.jpg")
