"""Masks as viewers show them, and as their files store them."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from automedsam.runtime.errors import InputError
from automedsam.scans.image import ImageScan
from automedsam.scans.mask_display import show_palette, show_white_is_zero
from automedsam.scans.tiff.tiff_scan import TiffScan

OBJECT = np.zeros((6, 8), bool)
OBJECT[1:4, 2:7] = True
WHITE, BLACK, RED, GREEN = (255, 255, 255), (0, 0, 0), (255, 0, 0), (0, 255, 0)


def paint(object_colour, background, dtype=np.uint8):
    """Pixels (6, 8, channels) with one colour for the object and one for the rest."""
    return np.where(OBJECT[..., None], object_colour, background).astype(dtype)


def save(folder, pixels, suffix=".png"):
    path = folder / f"a{suffix}"
    Image.fromarray(np.squeeze(pixels)).save(path)
    return path


def save_palette(folder, indices, *colours, suffix=".png", **options):
    image = Image.fromarray(indices.astype(np.uint8))
    image.putpalette([channel for colour in colours for channel in colour])
    path = folder / f"a{suffix}"
    image.save(path, **options)
    return path


def read(path, as_shown=True):
    scan = TiffScan(path) if path.suffix == ".tif" else ImageScan(path)
    return scan.read_labels(as_shown)[0]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("as_shown", [True, False])
@pytest.mark.parametrize(
    ("object_colour", "background", "value"),
    [
        ((*WHITE, 255), (*WHITE, 0), 255),
        ((*WHITE, 100), (*WHITE, 0), 255),  # an object that is transparent in part
        ((*BLACK, 255), (*BLACK, 0), 255),
        ((7, 7, 7, 255), (9, 9, 9, 0), 7),
        ((200, 255), (200, 0), 200),
        ((200, 255), (0, 255), 200),
    ],
    ids=["white", "pale", "black", "label", "grey", "opaque"],
)
def test_transparent_pixels_are_background(
    tmp_path, suffix, as_shown, object_colour, background, value
):
    path = save(tmp_path, paint(object_colour, background), suffix)
    assert np.array_equal(read(path, as_shown), value * OBJECT)


def test_half_transparent_edges_are_background_up_to_one_half(tmp_path):
    alpha = np.array([[0, 100, 127, 128, 200, 255]], np.uint8)
    Image.fromarray(np.dstack([np.full_like(alpha, 9), alpha])).save(tmp_path / "a.png")
    assert read(tmp_path / "a.png").tolist() == [[0, 0, 0, 9, 9, 9]]


def test_16_bits_with_transparency(tmp_path):
    import imagecodecs

    pixels = paint((60_000, 60_000, 60_000, 65_535), (60_000, 60_000, 60_000, 0), np.uint16)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(pixels))
    assert np.array_equal(read(tmp_path / "a.png"), 60_000 * OBJECT)


@pytest.mark.parametrize(
    "pixels", [OBJECT * np.uint8(9), paint((9, 9, 9), WHITE)], ids=["L", "RGB"]
)
def test_a_transparent_colour_is_background(tmp_path, pixels):
    key = 0 if pixels.ndim == 2 else WHITE
    Image.fromarray(pixels).save(tmp_path / "a.png", transparency=key)
    assert np.array_equal(read(tmp_path / "a.png", as_shown=False), 9 * OBJECT)


def test_a_mask_that_is_transparent_everywhere_is_empty_or_rejected(tmp_path):
    assert not read(save(tmp_path, paint((*WHITE, 0), (*WHITE, 0)))).any()
    with pytest.raises(InputError, match=r"a\.png: all pixels are transparent, although"):
        read(save(tmp_path, paint((*WHITE, 0), (*BLACK, 0))))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_the_brighter_one_of_two_greys_is_the_object(tmp_path, suffix):
    path = save_palette(tmp_path, ~OBJECT, WHITE, BLACK, suffix=suffix)
    assert np.array_equal(read(path), OBJECT)
    assert np.array_equal(read(path, as_shown=False), ~OBJECT)
    path = save_palette(tmp_path, 3 * OBJECT, BLACK, RED, RED, (90, 90, 90), suffix=suffix)
    assert np.array_equal(read(path), 3 * OBJECT)


def test_the_palette_that_pillow_writes_for_two_colours(tmp_path):
    image = Image.fromarray(np.where(OBJECT, 255, 0).astype(np.uint8))
    for number, mask in enumerate((image, Image.fromarray(0 * np.asarray(image)))):
        mask.quantize(2).save(tmp_path / "a.png")
        assert np.array_equal(read(tmp_path / "a.png") > 0, OBJECT if number == 0 else 0 * OBJECT)


@pytest.mark.parametrize(
    ("colours", "is_swapped"),
    [
        ((RED, BLACK), True),
        ((BLACK, RED), False),
        ((RED, WHITE), False),  # neither is black, so that the stored values are used
        ((WHITE, RED, GREEN), False),  # a table of classes
        ((WHITE, BLACK, RED, GREEN), False),
    ],
    ids=["red, black", "black, red", "red, white", "table", "table with black"],
)
def test_palettes_of_other_colours(tmp_path, colours, is_swapped):
    path = save_palette(tmp_path, OBJECT, *colours)
    assert np.array_equal(read(path), ~OBJECT if is_swapped else OBJECT)


def test_several_greys_of_a_palette_are_read_as_shown(tmp_path):
    path = save_palette(tmp_path, np.array([[0, 1, 2]]), WHITE, (120, 120, 120), BLACK)
    assert read(path).tolist() == [[255, 120, 0]]


@pytest.mark.parametrize("transparency", [0, bytes([0, 255])])
def test_transparent_colours_of_a_palette_are_background(tmp_path, transparency):
    path = save_palette(tmp_path, OBJECT, WHITE, RED, transparency=transparency)
    assert np.array_equal(read(path), OBJECT)
    path = save_palette(tmp_path, ~OBJECT, WHITE, BLACK, transparency=1)
    assert np.array_equal(read(path), OBJECT)


def test_black_beside_transparent_pixels_is_background_if_there_is_a_third_colour():
    colours = np.array([BLACK, WHITE, BLACK])
    is_clear = np.array([False, False, True])
    assert show_palette(np.array([[0, 1, 2]]), colours, is_clear).tolist() == [[0, 1, 0]]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_shades_of_one_colour_are_read_as_shown(tmp_path, suffix):
    path = save(tmp_path, paint(RED, BLACK), suffix)
    assert np.array_equal(read(path), 255 * OBJECT)
    with pytest.raises(InputError, match="found a colour image"):
        read(path, as_shown=False)
    pixels = paint((200, 100, 0), BLACK)
    pixels[0, 0] = (60, 30, 0)  # a smooth edge
    assert read(save(tmp_path, pixels, suffix))[0, 0] == 60
    pixels[0, 0] = GREEN
    with pytest.raises(InputError, match="found a colour image"):
        read(save(tmp_path, pixels, suffix))


def test_red_on_white_is_rejected(tmp_path):
    with pytest.raises(InputError, match="found a colour image"):
        read(save(tmp_path, paint(RED, WHITE)))


def test_white_as_0_is_inverted_unless_the_values_are_classes():
    one_bit = np.array([[True, False]])
    assert show_white_is_zero(one_bit, 1).tolist() == [[0, 1]]
    assert show_white_is_zero(np.array([[0, 255, 250]], np.uint8), 8).tolist() == [[255, 0, 5]]
    assert show_white_is_zero(np.array([[0, 65535]], np.uint16), 16).tolist() == [[65535, 0]]
    assert show_white_is_zero(np.array([[0, 1, 2]], np.uint8), 8).tolist() == [[0, 1, 2]]
    assert show_white_is_zero(np.zeros((1, 2), np.uint8), 8).tolist() == [[0, 0]]


@pytest.mark.parametrize("dtype", [bool, np.uint8])
def test_tiff_in_which_0_is_white(tmp_path, dtype):
    stored = ~OBJECT if dtype is bool else np.where(OBJECT, 0, 255).astype(dtype)
    options = {"photometric": "miniswhite", "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", stored, **options)
    assert np.array_equal(read(tmp_path / "a.tif") > 0, OBJECT)
    assert np.array_equal(read(tmp_path / "a.tif", as_shown=False), stored)


def test_tiff_of_imagej_in_which_0_is_white_has_black_objects(tmp_path):
    stored = np.where(OBJECT, 255, 0).astype(np.uint8)
    tifffile.imwrite(
        tmp_path / "a.tif",
        stored,
        photometric="miniswhite",
        description="ImageJ=1.54f\n",
        metadata=None,
    )
    assert np.array_equal(read(tmp_path / "a.tif"), stored)
