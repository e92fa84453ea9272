"""The 8-bit images of the pipeline: round trip, and readable reports of unreadable files."""

import numpy as np
import pytest

from automedsam.runtime.errors import InputError
from automedsam.runtime.image_files import as_grey, open_image, read_image, write_image


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_image_survives_a_round_trip(tmp_path, shape):
    values = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    write_image(tmp_path / "new/a.png", values)
    found = read_image(tmp_path / "new/a.png")
    assert found.dtype == np.uint8
    assert np.array_equal(found, values)


def test_mask_is_written_as_0_and_255(tmp_path):
    mask = np.array([[True, False], [False, True]])
    write_image(tmp_path / "a.png", mask)
    assert read_image(tmp_path / "a.png").tolist() == [[255, 0], [0, 255]]


def test_as_grey_keeps_values_that_are_not_bool():
    values = np.array([[3, 700]], np.uint16)
    assert as_grey(values) is values


def test_missing_image_is_reported(tmp_path):
    with pytest.raises(InputError, match=r"gone\.png: file not found$"):
        read_image(tmp_path / "gone.png")


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n"])
def test_unreadable_image_is_reported(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.png: cannot read the image \(.+\)$"):
        read_image(tmp_path / "a.png")


def test_truncated_image_is_reported(tmp_path):
    write_image(tmp_path / "a.png", np.zeros((64, 64, 3), np.uint8))
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[:-40])
    with pytest.raises(InputError, match=r"a\.png: cannot read the image \(.+\)$"):
        read_image(tmp_path / "a.png")


def test_open_image_passes_input_errors_on_unchanged(tmp_path):
    write_image(tmp_path / "a.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(InputError, match=r"^two frames$"), open_image(tmp_path / "a.png"):
        raise InputError("two frames")


def test_an_image_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(InputError, match=r"a\.png: cannot write the file \("):
        write_image(tmp_path / "a.png", np.zeros((2, 2), np.uint8))
