"""PNG and JPEG files of every kind, read as images and as masks, and masks written for them."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from automedsam.runtime.errors import InputError
from automedsam.runtime.image_files import read_image
from automedsam.scans.image import ImageScan
from combination import combination
from pictures import COLOURS, DEEP, GREY, RAMP, RED_GREEN_BLUE, TURNS


def png_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def write_png_16(path, pixels, *more):
    """Write (H, W, channels) with 16 bits per channel, which Pillow can only do for grey."""
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
def test_grey_values_of_any_depth_are_kept(tmp_path, dtype):
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
def test_png_of_16_bits_per_channel_is_not_reduced(tmp_path, channels):
    write_png_16(tmp_path / "a.png", DEEP[..., :channels])
    expected = DEEP[..., :3] if channels > 2 else DEEP[..., 0]
    values = read_values(tmp_path / "a.png")
    assert values.dtype == np.uint16
    np.testing.assert_array_equal(values, expected[None])


def test_colours_are_kept(tmp_path):
    Image.fromarray(COLOURS).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_values(tmp_path / "a.png"), COLOURS[None])


def test_cmyk_becomes_rgb(tmp_path):
    cmyk = np.zeros((8, 8, 4), np.uint8)
    cmyk[..., 0] = 255  # cyan: no red
    Image.fromarray(cmyk, "CMYK").save(tmp_path / "a.jpg", quality=100)
    values = read_values(tmp_path / "a.jpg")
    assert values.shape == (1, 8, 8, 3)
    assert np.abs(values.astype(int) - (0, 255, 255)).max() < 12


@pytest.mark.parametrize("pixels", [GREY, np.dstack([GREY] * 3)], ids=["grey", "colour"])
def test_jpeg_keeps_its_channels(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=100)
    values = read_values(tmp_path / "a.jpg")
    assert values.shape == (1, *pixels.shape)
    assert np.abs(values[0].astype(int) - pixels).max() < 12


@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_several_frames_are_rejected(tmp_path, name):
    kind = {"a.png": "PNG", "a.webp": "WEBP"}[name]
    save_frames(tmp_path / name, GREY, GREY[::-1], GREY // 2, format=kind)
    with pytest.raises(InputError, match=rf"{name}: the file contains 3 frames"):
        ImageScan(tmp_path / name)


@pytest.mark.parametrize("name", ["a.bmp", "a.webp"])
def test_bmp_and_webp_are_read(tmp_path, name):
    transparent = np.dstack([COLOURS, np.full_like(GREY, 200)])
    for kind, pixels, expected in (
        ("grey", GREY, GREY if name == "a.bmp" else np.dstack([GREY] * 3)),
        ("colour", COLOURS, COLOURS),
        ("transparent", transparent, COLOURS),
    ):
        with combination(kind=kind):
            Image.fromarray(pixels).save(tmp_path / name, lossless=True, exact=True)
            scan = ImageScan(tmp_path / name)
            assert scan.shape == (1, 3, 67)
            np.testing.assert_array_equal(scan.read_values(), expected[None])
            scan.write(tmp_path / "mask.png", GREY[None] > 90)
            np.testing.assert_array_equal(
                read_labels(tmp_path / "mask.png"), 255 * (GREY[None] > 90)
            )


def test_bmp_is_a_mask_and_webp_is_not(tmp_path):
    labels = np.array([[0, 1], [2, 255]], np.uint8)
    Image.fromarray(labels).save(tmp_path / "a.bmp")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.bmp"), labels[None])
    Image.fromarray(labels).save(tmp_path / "a.webp")
    with pytest.raises(InputError, match=r"a\.webp: a mask cannot be a WebP, which blurs"):
        read_labels(tmp_path / "a.webp")


@pytest.mark.parametrize(
    ("offset", "damage"),
    [(0, b"??"), (4, b"\xff\xff\xff\x7f"), (20, b"\xff\xff"), (8, b"\x7f\xff")],
    ids=["byte order", "position of the fields", "first field", "number of fields"],
)
def test_damaged_exif_data_do_not_prevent_reading(tmp_path, offset, damage, caplog):
    exif = Image.Exif()
    exif[0x010E] = "text"
    Image.fromarray(GREY).save(tmp_path / "a.jpg", exif=exif, quality=100)
    content = bytearray((tmp_path / "a.jpg").read_bytes())
    start = content.index(b"Exif\0\0MM\0*") + 6
    content[start + offset : start + offset + len(damage)] = damage
    (tmp_path / "a.jpg").write_bytes(content)
    scan = ImageScan(tmp_path / "a.jpg")
    assert np.abs(scan.read_values()[0].astype(int) - GREY).max() < 12
    assert caplog.messages == [
        f"{tmp_path / 'a.jpg'}: the EXIF data are damaged; the image is not rotated"
    ]


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_invalid_orientation_is_ignored(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(GREY).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_values(tmp_path / "a.png"), GREY[None])


@pytest.mark.parametrize("density", [(0, 0), (0, 300), (2**31 - 1, 2**31 - 1)])
def test_invalid_resolution_is_not_written(tmp_path, density):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    png = (tmp_path / "a.png").read_bytes()
    start = png.index(b"IDAT") - 4
    chunk = png_chunk(b"pHYs", struct.pack(">LLB", *density, 1))
    (tmp_path / "a.png").write_bytes(png[:start] + chunk + png[start:])
    ImageScan(tmp_path / "a.png").write(tmp_path / "mask.png", GREY[None] > 90)
    with Image.open(tmp_path / "mask.png") as mask:
        assert "dpi" not in mask.info


@pytest.mark.parametrize("orientation", [1, 6])
def test_first_picture_of_a_multi_picture_jpeg_is_read(tmp_path, orientation):
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
    with pytest.raises(InputError, match=r"a\.jpg: a mask cannot be a JPEG"):
        scan.read_labels()


@pytest.mark.parametrize("kind", ["GIF", "TIFF"])
def test_other_format_with_this_suffix_is_rejected(tmp_path, kind):
    Image.fromarray(GREY).save(tmp_path / "a.png", kind)
    with pytest.raises(InputError, match=r"a\.png: cannot read the image"):
        ImageScan(tmp_path / "a.png")


@pytest.mark.parametrize(("name", "tolerance"), [("a.png", 0), ("a.jpg", 12)])
def test_image_is_rotated_as_exif_specifies(tmp_path, name, tolerance):
    upright = np.zeros((16, 24), np.uint8)
    upright[:8, :8], upright[8:, 16:] = 240, 120
    for orientation, turn in TURNS.items():
        with combination(orientation=orientation):
            exif = Image.Exif()
            exif[0x0112] = orientation
            options = {"quality": 100} if name == "a.jpg" else {}
            stored = np.ascontiguousarray(turn(upright))
            Image.fromarray(stored).save(tmp_path / name, exif=exif, **options)
            scan = ImageScan(tmp_path / name)
            assert scan.shape == (1, 16, 24)
            assert np.abs(scan.read_values()[0].astype(int) - upright).max() <= tolerance
            if name == "a.png":
                np.testing.assert_array_equal(scan.read_labels()[0], upright)
            mask = tmp_path / "masks" / "a.png"
            scan.write(mask, upright[None] > 100)
            np.testing.assert_array_equal(ImageScan(mask).read_labels()[0], 255 * (upright > 100))


@pytest.mark.parametrize("orientation", TURNS)
def test_image_of_16_bits_is_rotated(tmp_path, orientation):
    upright = DEEP[..., :3]
    exif = b"II*\0" + struct.pack("<LHHHLHHL", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    write_png_16(tmp_path / "a.png", TURNS[orientation](upright), (b"eXIf", exif))
    scan = ImageScan(tmp_path / "a.png")
    assert scan.shape == (1, 3, 67)
    np.testing.assert_array_equal(scan.read_values(), [upright])


RAW_EXIF = b"Exif\0\0II*\0" + struct.pack("<LHHHLHHL", 8, 1, 0x0112, 3, 1, 6, 0, 0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mark", [b"IDAT", b"IEND"], ids=["before pixels", "after pixels"])
def test_png_is_rotated_for_every_form_of_exif(tmp_path, mark, channels):
    upright = DEEP[..., :3] if channels == 3 else GREY
    path = tmp_path / "a.png"
    stored = np.ascontiguousarray(TURNS[6](upright))
    write_png_16(path, stored) if channels == 3 else Image.fromarray(stored).save(path)
    png = path.read_bytes()
    start = png.index(mark) - 4
    imagemagick = b"Raw profile type exif\0\nexif\n      34\n" + RAW_EXIF.hex().encode() + b"\n"
    for kind, content in ((b"eXIf", RAW_EXIF[6:]), (b"tEXt", imagemagick)):
        with combination(kind=kind):
            path.write_bytes(png[:start] + png_chunk(kind, content) + png[start:])
            scan = ImageScan(path)
            assert scan.shape == (1, 3, 67)
            np.testing.assert_array_equal(scan.read_values(), [upright])


def test_opening_a_png_decodes_no_pixels(tmp_path, monkeypatch):
    Image.fromarray(GREY).save(tmp_path / "a.png", dpi=(72, 72))
    path = tmp_path / "text.png"
    text = png_chunk(b"tEXt", b"Software\0x")
    png = (tmp_path / "a.png").read_bytes()
    path.write_bytes(png.replace(png_chunk(b"IEND", b""), text + png_chunk(b"IEND", b"")))
    decoded = []
    load = PngImageFile.load
    monkeypatch.setattr(PngImageFile, "load", lambda image: decoded.append(image) or load(image))
    assert ImageScan(tmp_path / "a.png").shape == (1, *GREY.shape)
    assert decoded == []
    ImageScan(path)  # its text may contain EXIF data
    assert decoded


@pytest.mark.parametrize("name", BROKEN)
def test_file_that_is_not_an_image_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(BROKEN[name])
    with pytest.raises(InputError, match=rf"{name}: cannot read the image"):
        ImageScan(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "read"),
    [("a.png", read_values), ("a.png", read_labels), ("a.jpg", read_values)],
)
def test_truncated_file_is_named(tmp_path, name, read):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(pixels).save(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    for share in (0.1, 0.5, 0.9):
        with combination(share=share):
            (tmp_path / name).write_bytes(content[: int(share * len(content))])
            with pytest.raises(InputError, match=rf"{name}: cannot read the image"):
                read(tmp_path / name)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_png_of_16_bits_is_named(tmp_path, share):
    noise = np.random.default_rng(0).integers(0, 2**16, (32, 32, 3), np.uint16)
    write_png_16(tmp_path / "a.png", noise)
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"a\.png: cannot read the image"):
        read_values(tmp_path / "a.png")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.png: file not found"):
        ImageScan(tmp_path / "gone.png")


def test_labels_of_a_palette_are_its_indices(tmp_path):
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
def test_grey_mask_saved_with_channels_is_accepted(tmp_path, mode):
    labels = np.array([[0, 1, 2], [3, 4, 255]], np.uint8)
    Image.fromarray(labels).convert(mode).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), labels[None])


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_grey_mask_saved_with_16_bit_channels_is_accepted(tmp_path, channels):
    labels = np.repeat(DEEP[..., :1], channels, axis=2)
    if channels in (2, 4):
        labels[..., -1] = 65535
    write_png_16(tmp_path / "a.png", labels)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), DEEP[None, ..., 0])


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colour_mask_is_rejected(tmp_path, mode):
    Image.fromarray(COLOURS).convert(mode).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png: a mask must have one value per pixel"):
        read_labels(tmp_path / "a.png")


def test_colour_mask_with_different_low_bytes_is_rejected(tmp_path):
    labels = np.full((4, 5, 3), 512, np.uint16)
    labels[1, 1, 1] += 1
    write_png_16(tmp_path / "a.png", labels)
    with pytest.raises(InputError, match=r"a\.png: a mask must have one value per pixel"):
        read_labels(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_jpeg_mask_is_rejected_for_every_suffix(tmp_path, name):
    Image.fromarray(255 * np.eye(32, dtype=np.uint8)).save(tmp_path / name, "JPEG")
    with pytest.raises(InputError, match=rf"{name}: a mask cannot be a JPEG"):
        read_labels(tmp_path / name)


@pytest.mark.parametrize(
    "image", [GREY, (RAMP * 300).astype(np.uint16), COLOURS], ids=["8 bits", "16 bits", "colour"]
)
def test_mask_is_written_as_0_and_255(tmp_path, image):
    Image.fromarray(image).save(tmp_path / "a.png")
    scan = ImageScan(tmp_path / "a.png")
    mask = RAMP[None] % 3 == 0
    scan.write(tmp_path / "masks" / "a.png", mask)
    with Image.open(tmp_path / "masks" / "a.png") as written:
        assert (written.format, written.mode) == ("PNG", "L")
        np.testing.assert_array_equal(np.asarray(written), 255 * mask[0])
    np.testing.assert_array_equal(read_labels(tmp_path / "masks" / "a.png"), 255 * mask)


def test_soft_mask_is_written_unchanged(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    ImageScan(tmp_path / "a.png").write(tmp_path / "masks" / "a.png", GREY[None] // 2)
    np.testing.assert_array_equal(read_image(tmp_path / "masks" / "a.png"), GREY // 2)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_mask_keeps_the_resolution_of_the_image(tmp_path, name):
    Image.fromarray(GREY).save(tmp_path / name, dpi=(254, 127))
    ImageScan(tmp_path / name).write(tmp_path / "masks/a.png", GREY[None] > 90)
    with Image.open(tmp_path / "masks/a.png") as mask:
        assert mask.info["dpi"] == pytest.approx((254, 127), abs=0.02)


def test_same_mask_is_written_as_the_same_bytes(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    scan = ImageScan(tmp_path / "a.png")
    for place in ("one", "other"):
        scan.write(tmp_path / place / "a.png", GREY[None] > 90)
    assert (tmp_path / "one" / "a.png").read_bytes() == (tmp_path / "other" / "a.png").read_bytes()
