"""Kinds of pixels that are read alike from PNG and TIFF files."""

import numpy as np
import pytest
from PIL import Image

from automedsam.scans.scan import open_scan
from pictures import COLOURS, GREY, RAMP, RED_GREEN_BLUE


@pytest.fixture(params=["a.png", "a.tif"])
def path(tmp_path, request):
    return tmp_path / request.param


def read_values(path):
    return open_scan(path, "auto").read_values()


def read_labels(path):
    return open_scan(path, "auto").read_labels()


def test_transparency_is_dropped_and_colours_are_kept(path):
    Image.fromarray(np.dstack([COLOURS, RAMP.astype(np.uint8)])).save(path)
    np.testing.assert_array_equal(read_values(path), COLOURS[None])


def test_grey_with_transparency_is_grey_and_background_in_a_mask(path):
    Image.fromarray(np.dstack([GREY, RAMP.astype(np.uint8)]), "LA").save(path)
    np.testing.assert_array_equal(read_values(path), GREY[None])
    opaque = RAMP > 100  # more than half of 200
    np.testing.assert_array_equal(read_labels(path), (opaque * GREY)[None])


@pytest.mark.parametrize(
    "transparency", [None, 0, bytes([0, 255, 128])], ids=["none", "one_index", "by_index"]
)
def test_palette_becomes_its_colours(path, transparency):
    image = Image.fromarray((np.arange(64).reshape(8, 8) % 3).astype(np.uint8))
    image.putpalette(RED_GREEN_BLUE)
    image.save(path, **({} if transparency is None else {"transparency": transparency}))
    np.testing.assert_array_equal(
        read_values(path), 255 * np.eye(3)[np.arange(64).reshape(1, 8, 8) % 3]
    )


def test_one_bit_becomes_0_and_255(path):
    Image.fromarray(np.eye(8, dtype=bool)).save(path)
    np.testing.assert_array_equal(read_values(path), 255 * np.eye(8)[None])
